"""Intervals for the score on new rows."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.targets.metrics.bootstrap import BootstrapResampler, ConfidenceInterval
from nncli.targets.metrics.intervals import MIN_ROWS, Z, difference_interval, score_interval, student_t, wilson_interval
from nncli.targets.metrics.registry import METRICS


def interval_of(name: str, losses: np.ndarray, transform: object = None) -> ConfidenceInterval | None:
    """The interval of a score that is the mean of values (rows,)."""
    resampling = BootstrapResampler.of(len(losses), 0)
    samples = resampling.samples(lambda counts: (counts @ losses / len(losses))[:, None])[:, 0]
    return score_interval(METRICS[name], float(losses.mean()), samples, resampling)


@pytest.mark.parametrize(("degrees", "expected"), [(4, 2.7764), (9, 2.2622), (29, 2.0452), (999, 1.9623)])
def test_students_quantiles_agree_with_the_table(degrees: int, expected: float) -> None:
    assert student_t(degrees) == pytest.approx(expected, rel=3e-3)


def test_all_rows_right_is_no_certainty() -> None:
    interval = interval_of("accuracy", np.ones(20))
    assert interval is not None
    assert interval.high == 1.0
    assert 0.3 < interval.low < 0.9


def test_a_loss_stays_positive_and_a_rate_between_0_and_1() -> None:
    rng = np.random.default_rng(0)
    loss, rate = interval_of("log_loss", rng.exponential(size=8)), interval_of("accuracy", np.eye(8)[0])
    assert loss is not None
    assert rate is not None
    assert loss.low > 0
    assert 0 <= rate.low < 1 / 8 < rate.high <= 1


def test_a_negative_r2_has_an_interval_below_1() -> None:
    resampling = BootstrapResampler.of(50, 0)
    samples = np.random.default_rng(0).normal(-0.5, 0.2, 1000)
    interval = score_interval(METRICS["r2"], -0.5, samples, resampling)
    assert interval is not None
    assert interval.low < -0.5 < interval.high < 1


def test_few_rows_and_undefined_scores_have_none() -> None:
    assert interval_of("rmse", np.arange(1.0, MIN_ROWS)) is None
    resampling = BootstrapResampler.of(50, 0)
    assert score_interval(METRICS["roc_auc"], 0.7, np.full(1000, np.nan), resampling) is None


@pytest.mark.slow
@pytest.mark.parametrize("rows", [20, 100, 1000])
@pytest.mark.parametrize("name", ["accuracy", "log_loss"])
def test_the_mean_is_covered_in_95_of_100_draws(rows: int, name: str) -> None:
    rng, covered = np.random.default_rng(rows), 0
    for _ in range(100):
        values = (rng.random(rows) < 0.9).astype(float) if name == "accuracy" else rng.exponential(0.5, rows)
        interval = interval_of(name, values)
        assert interval is not None
        covered += interval.low <= (0.9 if name == "accuracy" else 0.5) <= interval.high
    assert covered >= 92


def test_more_rows_than_are_resampled_narrow_the_interval() -> None:
    rng = np.random.default_rng(0)
    values = rng.exponential(size=80_000)
    few, many = interval_of("log_loss", values[:5_000]), None
    resampling = BootstrapResampler.of(80_000, 0)
    samples = resampling.samples(lambda counts: (counts @ values[resampling.rows] / 5_000)[:, None])[:, 0]
    many = score_interval(METRICS["log_loss"], float(values.mean()), samples, resampling)
    assert few is not None
    assert many is not None
    assert (many.high - many.low) == pytest.approx((few.high - few.low) / 4, rel=0.15)


def test_a_recall_of_0_of_6_rows_is_no_certainty() -> None:
    resampling, samples = BootstrapResampler.of(2_000, 0), np.zeros(1000)
    interval = score_interval(METRICS["recall"], 0.0, samples, resampling, 6)
    assert interval is not None
    assert 0.3 < interval.high < 0.5


def test_a_loss_of_a_single_row_has_a_finite_width_and_a_brier_score_its_bound() -> None:
    losses = np.full(25, 1e-6)
    losses[3] = 1.5
    interval = interval_of("brier", losses)
    assert interval is not None
    assert interval.low > 1e-4
    assert interval.high <= 2.0


def test_a_difference_of_few_rows_is_seldom_clear() -> None:
    rng, clear = np.random.default_rng(0), 0
    for _ in range(200):
        values = rng.normal(0.0, 1.0, 12)
        resampling = BootstrapResampler.of(12, 0)
        samples = np.concatenate(list(resampling.counts())) @ values / 12
        interval = difference_interval(float(values.mean()), samples, resampling)
        assert interval is not None
        clear += interval.low > 0 or interval.high < 0
    assert clear <= 10


@pytest.mark.parametrize(("rate", "n", "low", "high"), [(0.5, 10, 0.2366, 0.7634), (0.0, 10, 0.0, 0.2775)])
def test_the_interval_of_a_rate_of_rows_has_the_published_values(rate: float, n: int, low: float, high: float) -> None:
    result = wilson_interval(rate, 0.0, n, Z)
    assert (result.low, result.high) == pytest.approx((low, high), abs=1e-4)
    assert wilson_interval(1.0, 0.0, 1, Z).high == 1.0

"""Metrics of counts and amounts: deviances as scikit-learn's, the order of rows, and what is undefined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_gamma_deviance, mean_poisson_deviance, mean_tweedie_deviance

from nncli.targets.metrics.amounts import amount_metrics, gini, lorenz_curve, mean_deviance
from nncli.targets.metrics.metric import resampled_scores
from nncli.targets.metrics.regression import RegressionResamples

Y = np.array([0.0, 1.0, 2.0, 0.0, 5.0])
M = np.array([0.5, 0.7, 2.5, 0.2, 3.0])
W = np.array([1.0, 2.0, 0.5, 1.0, 1.5])


@pytest.mark.parametrize("weight", [None, W])
def test_deviances_are_those_of_scikit_learn(weight: np.ndarray | None) -> None:
    for power, expected in (
        (1.0, mean_poisson_deviance(Y, M, sample_weight=weight)),
        (1.5, mean_tweedie_deviance(Y, M, sample_weight=weight, power=1.5)),
    ):
        assert mean_deviance(Y, M, weight, power=power) == pytest.approx(expected, rel=1e-12)
    expected = mean_gamma_deviance(Y + 1.0, M, sample_weight=weight)
    assert mean_deviance(Y + 1.0, M, weight, power=2.0) == pytest.approx(expected, rel=1e-12)


def test_a_deviance_is_undefined_for_targets_and_predictions_out_of_its_domain() -> None:
    assert mean_deviance(Y, M, power=2.0) is None
    assert mean_deviance(Y, M - 0.5, power=1.0) is None
    assert mean_deviance(Y - 1.0, M, power=1.5) is None
    assert mean_deviance(Y, M, (Y > 0.0).astype(np.float64), power=2.0) is not None


def test_the_gini_index_is_1_for_the_order_of_the_targets_and_0_for_equal_predictions() -> None:
    y = np.array([1.0, 2.0, 5.0, 9.0])
    assert gini(y, y**2) == pytest.approx(1.0)
    assert gini(y, -y) == pytest.approx(-1.0)
    assert gini(y, np.ones(4)) == pytest.approx(0.0)
    assert gini(np.ones(4), y) is None
    assert gini(np.zeros(4), y) is None


def test_with_an_exposure_rates_are_ordered() -> None:
    exposure = np.array([1.0, 10.0, 1.0])
    y = np.array([3.0, 5.0, 1.0])
    assert gini(y, np.array([3.0, 5.0, 1.0]), exposure=exposure) == pytest.approx(1.0)
    assert gini(y, exposure * 0.7, exposure=exposure) == pytest.approx(0.0)


@given(st.integers(0, 100))
def test_a_weight_of_two_counts_as_two_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, m, w = rng.gamma(1.0, size=12), rng.integers(1, 5, 12) / 2.0, rng.integers(1, 3, 12)
    repeated = gini(np.repeat(y, w), np.repeat(m, w))
    assert gini(y, m, w.astype(np.float64)) == pytest.approx(repeated)


def test_a_lorenz_curve_goes_from_0_to_1_with_a_step_for_equal_scores() -> None:
    x, share = lorenz_curve(np.array([1.0, 0.0, 3.0]), np.array([1.0, 1.0, 2.0]))
    assert x.tolist() == pytest.approx([0.0, 2 / 3, 1.0])
    assert share.tolist() == pytest.approx([0.0, 0.25, 1.0])


def test_resamples_have_the_metrics_of_their_rows() -> None:
    rng = np.random.default_rng(0)
    y, m = rng.poisson(2.0, 30).astype(np.float64), rng.gamma(2.0, size=30)
    counts = rng.multinomial(30, np.full(30, 1 / 30), 5).astype(np.float64)
    metrics = amount_metrics(1.0, None)
    samples = resampled_scores(metrics, RegressionResamples(y, m, counts), y, m, counts)
    for row, w in zip(samples, counts, strict=True):
        assert row.tolist() == pytest.approx([metric.function(y, m, w) for metric in metrics])

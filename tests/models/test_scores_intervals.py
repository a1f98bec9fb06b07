"""Intervals of precision, recall and F1 count the rows that these are shares of, and improvements are possible ones."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.fitting.ensemble.out_of_fold import LabeledRows
from nncli.models.predictions import Predictions
from nncli.models.scores import Averaging, ScoredRows, ScoreWithInterval, baseline_predictions
from nncli.nn.losses import CrossEntropyLoss, MSELoss
from nncli.targets.classes import ClassificationTarget
from nncli.targets.metrics.intervals import positive_class_interval
from nncli.targets.number import RegressionTarget

TARGET = ClassificationTarget(name="t", labels=("no", "yes"))
RATES = ("precision", "recall", "f1")


def scored(
    y: np.ndarray,
    predicted: np.ndarray,
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    averaging: Averaging | None = None,
) -> dict[str, ScoreWithInterval]:
    """The scores of predicted classes, whose probabilities order the rows as they do."""
    labeled = LabeledRows(y, weights)
    baseline = baseline_predictions(TARGET, labeled, labeled, CrossEntropyLoss())
    predictions = Predictions(TARGET, np.array([[0.9, 0.1], [0.1, 0.9]])[predicted])
    rows = ScoredRows(predictions, baseline, y, weights, CrossEntropyLoss(), groups, averaging)
    return {score.name: score for score in rows.with_intervals(0).scores}


def few_predicted(hits: int, predicted: int, positive: int = 90, rows: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """`positive` of the rows are positive, and `predicted` of them are predicted as such, `hits` of them rightly."""
    y, k = (np.arange(rows) < positive).astype(np.int64), np.zeros(rows, np.int64)
    k[:hits] = 1
    k[positive : positive + predicted - hits] = 1
    return y, k


def ends(score: ScoreWithInterval) -> tuple[float, float]:
    assert score.interval is not None
    return score.interval.low, score.interval.high


def improvement(score: ScoreWithInterval) -> tuple[float, float]:
    assert score.improvement is not None
    return score.improvement.low, score.improvement.high


def test_a_perfect_precision_of_3_predicted_rows_is_no_certainty() -> None:
    scores = scored(*few_predicted(3, 3))
    low, high = ends(scores["precision"])
    assert high == 1.0
    assert 0.3 < low < 0.45


def test_a_precision_of_no_predicted_row_has_no_interval() -> None:
    scores = scored(*few_predicted(0, 0))
    assert (scores["precision"].value, scores["precision"].interval) == (0.0, None)
    assert ends(scores["recall"])[0] == 0.0 < ends(scores["recall"])[1] < 0.06


@pytest.mark.parametrize("hits", [3, 4, 20])
@pytest.mark.parametrize("gain", [None, 0.8])
def test_the_improvement_over_a_constant_score_is_that_of_the_interval(hits: int, gain: float | None) -> None:
    averaging = None if gain is None else Averaging((gain,), 100)
    scores = scored(*few_predicted(hits, hits + 2 * (hits > 3)), averaging=averaging)
    for name in (*RATES, "roc_auc", "balanced_accuracy"):
        score, (low, high) = scores[name], ends(scores[name])
        assert score.baseline == (0.5 if name in ("roc_auc", "balanced_accuracy") else 0.0)
        assert improvement(score) == pytest.approx((low - score.baseline, high - score.baseline))
        assert low <= (score.value or 0.0) <= high


@pytest.mark.slow
@pytest.mark.parametrize("positive", [3, 300, 597])
def test_no_improvement_is_larger_than_1(positive: int) -> None:
    for hits, predicted in ((1, 1), (3, 3), (2, 3), (0, 3)):
        for name, score in scored(*few_predicted(hits, predicted, positive)).items():
            if score.improvement is not None and name not in ("log_loss", "brier"):
                low, high = improvement(score)
                assert -1.0 <= low <= high <= 1.0, name


def test_perfect_scores_of_3_positive_rows_are_no_certainty() -> None:
    y, _ = few_predicted(0, 0, positive=3)
    scores = scored(y, y)
    for name in ("recall", "f1", "roc_auc", "average_precision", "balanced_accuracy"):
        assert ends(scores[name])[1] == 1.0
        assert ends(scores[name])[0] < 0.6, name


@pytest.mark.slow
def test_an_equal_weight_changes_no_interval_and_groups_widen_it() -> None:
    y, k = few_predicted(20, 30)
    plain, weighted = scored(y, k), scored(y, k, np.full(len(y), 7.0))
    grouped = scored(np.repeat(y, 4), np.repeat(k, 4), None, np.repeat(np.arange(len(y)), 4))
    for name in RATES:
        assert ends(weighted[name]) == pytest.approx(ends(plain[name]))
        assert ends(grouped[name]) == pytest.approx(ends(plain[name]), abs=0.03)


@pytest.mark.slow
def test_rows_beyond_those_that_are_resampled_keep_their_count() -> None:
    scores = scored(*few_predicted(3, 3, positive=1_000, rows=40_000))
    assert 0.3 < ends(scores["precision"])[0] < 0.45
    everything = scored(*few_predicted(3, 3, positive=3, rows=40_000))
    assert all(ends(everything[name])[0] < 0.62 for name in RATES)


CASES = ((300, 0.15, 0.05, 0.002), (300, 0.15, 0.6, 0.05), (1000, 0.02, 0.5, 0.001), (60, 0.4, 0.9, 0.2))
"""Rows, the share of the positive class, and the rates at which rows of it and of the other are predicted as such."""


def test_about_95_of_100_intervals_hold_the_score_on_new_rows() -> None:
    """Rows are drawn, whose classes are predicted with fixed rates; the true scores follow from these."""
    rng, coverage = np.random.default_rng(0), []
    for rows, share, hit_rate, false_alarms in CASES:
        hit, wrong, covered = share * hit_rate, (1 - share) * false_alarms, {name: list[bool]() for name in RATES}
        truth = {"precision": hit / (hit + wrong), "recall": hit_rate, "f1": 2 * hit / (hit + wrong + share)}
        for _ in range(400):
            positive = rng.random(rows) < share
            predicted = rng.random(rows) < np.where(positive, hit_rate, false_alarms)
            for name in RATES:
                interval = positive_class_interval(name, positive, predicted)
                if interval is not None:
                    covered[name].append(interval.low <= truth[name] <= interval.high)
        coverage += [np.mean(covered[name]) for name in RATES]
    assert min(coverage) >= 0.9  # Wilson's interval of about three rows
    assert 0.945 <= np.mean(coverage) <= 0.975


def test_numbers_whose_squares_overflow_have_intervals_without_a_warning() -> None:
    y = np.concatenate([np.ones((59, 1)), [[3e153]]])
    number = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))
    labeled = LabeledRows(y, None)
    baseline = baseline_predictions(number, labeled, labeled, MSELoss())
    rows = ScoredRows(Predictions(number, np.ones_like(y)), baseline, y, None, MSELoss())
    assert rows.with_intervals(0).find("rmse").value == pytest.approx(3e153 / 60**0.5)

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nncli.fitting.ensemble.out_of_fold import LabeledRows
from nncli.models.predictions import Predictions
from nncli.models.scores import Averaging, ScoredRows, baseline_predictions, headlines, score, scores_json
from nncli.nn.losses import (
    CrossEntropyLoss,
    Loss,
    MAELoss,
    MSELoss,
    NormalLoss,
    QuantileLoss,
    QuantilesLoss,
    StudentTLoss,
)
from nncli.targets.classes import ClassificationTarget
from nncli.targets.decision import Threshold
from nncli.targets.number import RegressionTarget
from nncli.targets.threshold_goals import FixedThreshold, LowestCost

NUMBER = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))
TWO = RegressionTarget(names=("y", "z"), centers=(0.0, 0.0), scales=(1.0, 1.0))
LABELS = ClassificationTarget(name="label", labels=("a", "b"))


def baseline_of(target: ClassificationTarget, y: np.ndarray) -> Predictions:
    rows = LabeledRows(y, None)
    return baseline_predictions(target, rows, rows, CrossEntropyLoss())


def test_the_baseline_of_a_regression_is_the_weighted_mean() -> None:
    rows = LabeledRows(np.array([[0.0], [3.0]]), np.array([2.0, 1.0]))
    assert baseline_predictions(NUMBER, rows, rows, MSELoss()).values.tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize(
    ("loss", "metric"),
    [
        (MAELoss(), "mae"),
        (QuantileLoss(q=0.9), "pinball"),
        (QuantilesLoss(), "mae"),
        (NormalLoss(), "crps"),
        (StudentTLoss(), "crps"),
    ],
)
def test_no_other_constant_is_better_than_the_baseline_by_the_loss(loss: Loss, metric: str) -> None:
    y = np.random.default_rng(1).lognormal(0.0, 1.5, (200, 1))
    rows = LabeledRows(y, None)
    baseline = baseline_predictions(NUMBER, rows, rows, loss)
    scores = []
    for factor in (1.0, 0.5, 0.9, 0.99, 1.01, 1.1, 2.0):
        means = None if baseline.means is None else baseline.means * factor
        other = replace(baseline, points=baseline.points * factor, means=means)
        scores.append(dict(headlines(score(other, y, None, loss)))[metric] or np.inf)
    assert scores[0] == min(scores)


def test_the_baseline_of_a_classification_is_the_weighted_class_shares() -> None:
    rows = LabeledRows(np.array([0, 0, 1]), np.array([1.0, 1.0, 2.0]))
    assert baseline_predictions(LABELS, rows, rows, CrossEntropyLoss()).values.tolist() == [[0.5, 0.5]] * 3


def test_metrics_of_several_targets_are_named_after_them() -> None:
    y = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 5.0]])
    names = [name for name, _ in headlines(score(Predictions(TWO, y), y, None, MSELoss()))]
    assert {"rmse_y", "rmse_z"} <= {*names}


def test_a_metric_of_several_targets_is_their_mean() -> None:
    y, values = np.zeros((2, 2)), np.array([[1.0, 3.0], [1.0, 3.0]])
    assert TWO.metric("mae")(y, values, None) == pytest.approx(2.0)


def test_a_card_has_the_scores_of_the_model_and_of_the_baseline() -> None:
    y = np.array([0, 1, 1, 1])
    perfect = Predictions(LABELS, np.eye(2)[y])
    card = ScoredRows(perfect, baseline_of(LABELS, y), y, None, CrossEntropyLoss()).card()
    document = scores_json(card)
    assert document is not None
    assert document["rows"] == 4
    assert dict(headlines(card.model))["accuracy"] == 1.0
    assert dict(headlines(card.baseline))["accuracy"] == 0.75
    assert scores_json(None) is None


def test_infinity_is_null_in_json() -> None:
    y = np.array([[0.0], [1.0]])
    card = ScoredRows(Predictions(NUMBER, np.full((2, 1), 1e308)), Predictions(NUMBER, y), y, None, MSELoss()).card()
    document = scores_json(card)
    assert document is not None
    assert isinstance(document["metrics"], dict)
    assert document["metrics"]["rmse"] is None


def test_predicted_classes_follow_the_decision_and_probabilities_do_not() -> None:
    target = ClassificationTarget(name="t", labels=("no", "yes"))
    decision = Threshold(positive="yes", threshold=0.25, goal=FixedThreshold(threshold=0.25))
    p, y = np.array([0.1, 0.3, 0.2, 0.4, 0.8, 0.05] * 5), np.array([0, 0, 1, 1, 1, 0] * 5)
    P = np.stack([1 - p, p], axis=1)
    plain = Predictions(target, P)
    decided = replace(plain, decision=decision)
    baseline = baseline_of(target, y)
    of_classes = {"accuracy": 4 / 6, "recall": 2 / 3, "precision": 2 / 3}
    rows, usual = (ScoredRows(item, baseline, y, None, CrossEntropyLoss()) for item in (decided, plain))
    scores, others = dict(headlines(rows.scores)), dict(headlines(usual.scores))
    for name, value in of_classes.items():
        assert scores[name] == pytest.approx(value)
        assert target.metric(name, decision)(y, P, None) == pytest.approx(value)
    for name in ("log_loss", "roc_auc", "brier", "calibration_error", "average_precision"):
        assert scores[name] == others[name]
    interval = rows.with_intervals(0).find("recall").interval
    assert interval is not None
    assert interval.low < 2 / 3 < interval.high
    assert usual.with_intervals(0).find("recall").value == pytest.approx(1 / 3)


@pytest.mark.slow
def test_the_rates_of_a_frequent_positive_class_do_not_count_the_rows_of_the_other_one() -> None:
    target = ClassificationTarget(name="t", labels=("no", "yes"))
    y = np.repeat([0, 1], [100, 1900])
    predicted = np.concatenate([np.repeat([0, 1], [30, 70]), np.repeat([0, 1], [20, 1880])])
    predictions = Predictions(target, np.eye(2)[predicted])
    rows = ScoredRows(predictions, baseline_of(target, y), y, None, CrossEntropyLoss())
    intervals = {score.name: score.interval for score in rows.with_intervals(0).scores}
    for name, n, hits in (("precision", 1950, 1880), ("recall", 1900, 1880)):
        interval, half = intervals[name], 1.96 * (hits / n * (1 - hits / n) / n) ** 0.5
        assert interval is not None
        assert interval.high - interval.low == pytest.approx(2 * half, rel=0.15)
    assert intervals["balanced_accuracy"] is not None


def test_the_line_on_averaging_has_a_score_without_it() -> None:
    y = np.array([0, 1, 0, 1])
    P = np.array([[0.8, 0.2], [0.3, 0.7], [0.4, 0.6], [0.1, 0.9]])
    gained = ScoredRows(
        Predictions(LABELS, P),
        baseline_of(LABELS, y),
        y,
        None,
        CrossEntropyLoss(),
        None,
        Averaging((0.5,), 4),
    )
    assert dict(headlines(gained.scores))["accuracy"] == 0.875
    assert "(accuracy 0.75 without)" in gained.averaging.words(headlines(gained.scores))  # type: ignore[union-attr]
    assert Averaging((1.0,), 4).words([("accuracy", 0.5)]) == "with the gain of averaging all networks"


def test_scores_of_classes_by_a_decision_have_no_gain_of_averaging() -> None:
    y, P = np.array([0, 1, 0, 1]), np.array([[0.8, 0.2], [0.3, 0.7], [0.4, 0.6], [0.1, 0.9]])
    goal = LowestCost(false_positive=1.0, false_negative=3.0)
    plain = ScoredRows(Predictions(LABELS, P), baseline_of(LABELS, y), y, None, CrossEntropyLoss())
    decided = plain.decided(Threshold(positive="b", threshold=0.25, goal=goal))
    gained = replace(decided, averaging=Averaging((0.5,), 4))
    before, after = dict(headlines(decided.scores)), dict(headlines(gained.scores))
    assert next(iter(after)) == "cost_per_row"
    assert after["cost_per_row"] == before["cost_per_row"] == 0.25
    assert after["accuracy"] == before["accuracy"]
    assert after["log_loss"] == pytest.approx(0.5 * (before["log_loss"] or 0.0))
    assert dict(headlines(gained.card().baseline))["cost_per_row"] == 0.5
    with_intervals = gained.with_intervals(0)
    assert with_intervals.scores[0].value == 0.25
    assert with_intervals.scores[0].baseline == 0.5

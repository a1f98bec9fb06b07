"""The metrics of the positive class of two are those of scikit-learn, also for weights and resamples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from nncli.targets.metrics.bootstrap import BootstrapResampler
from nncli.targets.metrics.classification import (
    POSITIVE_CLASS_METRICS,
    classification_metrics,
    classification_scores,
    has_rare_class,
)
from nncli.targets.metrics.classification_resamples import ClassificationResamples
from nncli.targets.metrics.precision_recall import average_precision, f1, precision, recall

N = 60


def case(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Classes, probabilities with ties, and weights."""
    rng = np.random.default_rng(seed)
    p = rng.integers(0, 12, N) / 11
    return rng.integers(0, 2, N), np.column_stack([1 - p, p]), rng.random(N) + 0.1


@pytest.mark.slow
@given(st.integers(0, 10_000), st.booleans())
def test_they_are_those_of_scikit_learn(seed: int, weighted: bool) -> None:
    y, P, w = case(seed)
    weight = w if weighted else None
    predicted = P.argmax(axis=1)
    keys = {"sample_weight": weight, "zero_division": 0}
    assert precision(y, P, weight) == pytest.approx(sklearn.precision_score(y, predicted, **keys))
    assert recall(y, P, weight) == pytest.approx(sklearn.recall_score(y, predicted, **keys))
    assert f1(y, P, weight) == pytest.approx(sklearn.f1_score(y, predicted, **keys))
    expected = sklearn.average_precision_score(y, P[:, 1], sample_weight=weight)
    assert average_precision(y, P, weight) == pytest.approx(expected)


def test_without_a_positive_row_the_average_precision_is_undefined_and_the_others_are_0() -> None:
    y, P = np.zeros(3, np.int64), np.array([[0.9, 0.1]] * 3)
    assert [metric.function(y, P, None) for metric in POSITIVE_CLASS_METRICS] == [0.0, 0.0, 0.0, None]


def test_with_three_classes_there_is_no_positive_one() -> None:
    y, P = np.array([0, 1, 2]), np.eye(3)
    assert [metric.function(y, P, None) for metric in POSITIVE_CLASS_METRICS] == [None] * 4
    assert set(classification_metrics(2)) - set(classification_metrics(3)) == set(POSITIVE_CLASS_METRICS)
    assert "f1" not in dict(classification_scores(y, P, ("a", "b", "c")).values)


def test_a_constant_prediction_has_the_share_of_the_positive_rows() -> None:
    y = np.array([1, 0, 0, 0])
    assert average_precision(y, np.full((4, 2), 0.5)) == 0.25


def test_resamples_are_scored_like_their_rows() -> None:
    y, P, w = case(3)
    W = next(BootstrapResampler.of(N, 3).counts())[:20] * w
    for metric in POSITIVE_CLASS_METRICS:
        assert metric.bootstrap is not None
        expected = [metric.function(y, P, each) for each in W]
        assert metric.bootstrap(ClassificationResamples(y, P, W)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("support", "rare"), [([96, 4], True), ([95, 5], False), ([50, 46, 4], True), ([30, 30], False)]
)
def test_a_class_is_rare_below_5_percent(support: list[int], rare: bool) -> None:
    assert has_rare_class(np.array(support)) is rare


def test_if_a_class_is_rare_the_metrics_begin_with_those_that_need_hits() -> None:
    y = np.array([1] * 3 + [0] * 97)
    names = [name for name, _ in classification_scores(y, np.array([[0.9, 0.1]] * 100), ("a", "b")).values]
    assert names[:5] == ["balanced_accuracy", "average_precision", "f1", "precision", "recall"]
    assert sorted(names) == sorted(metric.name for metric in classification_metrics(2))
    even = np.arange(100) % 2
    assert classification_scores(even, np.array([[0.9, 0.1]] * 100), ("a", "b")).values[0][0] == "accuracy"

"""Metrics of several labels, beside scikit-learn, by hand, and with missing labels."""

from __future__ import annotations

from math import log, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from nncli.targets.metrics.labels import (
    CALIBRATED_LABEL_LOG_LOSS,
    LABEL_METRICS,
    LabelResamples,
    as_two_classes,
    hamming_losses,
    label_scores,
)
from nncli.targets.metrics.metric import resampled_scores
from nncli.targets.metrics.temperature_scaling import calibrated_log_loss

BY_NAME = {metric.name: metric for metric in LABEL_METRICS}
Y = np.array([[1, 0, 1, 0], [0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 1], [0, 1, 1, 0.0]])
P = np.array(
    [
        [0.9, 0.2, 0.6, 0.1],
        [0.4, 0.7, 0.5, 0.2],
        [0.3, 0.8, 0.1, 0.6],
        [0.2, 0.2, 0.7, 0.9],
        [0.8, 0.1, 0.55, 0.4],
        [0.1, 0.45, 0.3, 0.05],
    ]
)
SCIKIT_LEARN = {  # 1.9.1
    "micro_f1": 0.6666666666666666,
    "macro_f1": 0.6678571428571429,
    "micro_precision": 0.7,
    "micro_recall": 0.6363636363636364,
    "exact_match": 0.3333333333333333,
    "hamming_loss": 0.2916666666666667,
    "label_ranking_average_precision": 0.9444444444444443,
}
"""What f1_score, precision_score, recall_score, accuracy_score, hamming_loss and label_ranking_… say of Y and P."""


def numbers(Y: np.ndarray, P: np.ndarray, w: np.ndarray | None = None) -> dict[str, float | None]:
    return {name: metric.function(Y, P, w) for name, metric in BY_NAME.items()}


def test_scores_of_a_few_rows_are_those_of_scikit_learn() -> None:
    scores = numbers(Y, P)
    assert {name: scores[name] for name in SCIKIT_LEARN} == pytest.approx(SCIKIT_LEARN, rel=1e-12)


@pytest.mark.slow
@given(rows=st.integers(2, 40), labels=st.integers(2, 6), ties=st.booleans(), seed=st.integers(0, 2**16))
def test_scores_are_those_of_scikit_learn(rows: int, labels: int, ties: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, p, w = (rng.random((rows, labels)) < 0.4).astype(float), rng.random((rows, labels)), rng.uniform(0.1, 2.0, rows)
    p = (np.round(p, 1) if ties else p).clip(0.001, 0.999)
    decided, truth = (p >= 0.5).astype(int), y.astype(int)
    scores, present = numbers(y, p, w), (truth.sum(axis=0) + decided.sum(axis=0) > 0).nonzero()[0]
    options = {"sample_weight": w, "zero_division": 0.0}
    expected = {
        "micro_f1": reference.f1_score(truth, decided, average="micro", **options),
        "micro_precision": reference.precision_score(truth, decided, average="micro", **options),
        "micro_recall": reference.recall_score(truth, decided, average="micro", **options),
        "exact_match": reference.accuracy_score(truth, decided, sample_weight=w),
        "hamming_loss": reference.hamming_loss(truth, decided, sample_weight=w),
        "label_ranking_average_precision": reference.label_ranking_average_precision_score(truth, p, sample_weight=w),
        "log_loss": np.mean(
            [reference.log_loss(truth[:, j], p[:, j], sample_weight=w, labels=[0, 1]) for j in range(labels)]
        ),
    }
    if len(present):
        options |= {"labels": present} if len(present) < labels else {}
        expected["macro_f1"] = reference.f1_score(truth, decided, average="macro", **options)
    assert {name: scores[name] for name in expected} == pytest.approx(expected, rel=1e-9, abs=1e-12)
    areas = [
        reference.roc_auc_score(truth[:, j], p[:, j], sample_weight=w)
        for j in range(labels)
        if 0 < truth[:, j].sum() < rows
    ]
    assert scores["roc_auc"] == (pytest.approx(np.mean(areas)) if areas else None)


def test_a_missing_label_is_not_scored() -> None:
    y = np.array([[1.0, nan, 0.0], [0.0, 1.0, nan]])
    p = np.array([[0.8, 0.9, 0.6], [0.3, 0.4, 0.9]])
    scores = numbers(y, p)
    assert hamming_losses(y, (p >= 0.5).astype(float)).tolist() == [0.5, 0.5]
    # one hit, one label that is predicted wrongly and one that is missed
    assert scores["micro_f1"] == pytest.approx(2.0 / 4.0)
    assert scores["exact_match"] == 0.0
    assert scores["log_loss"] == pytest.approx(-(log(0.8) + log(0.4) + log(0.7) + log(0.4)) / 4.0)
    assert scores["label_ranking_average_precision"] == 1.0
    other = np.where(np.isnan(y), 0.123, p)
    assert numbers(y, other) == scores


@pytest.mark.slow
@given(rows=st.integers(3, 12), seed=st.integers(0, 2**16))
def test_every_resample_has_the_score_of_its_rows(rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, p = rng.choice([0.0, 1.0, nan], (rows, 3)), np.round(rng.random((rows, 3)), 1)
    W = rng.integers(0, 3, (5, rows)).astype(float)
    W[:, 0] += 1.0
    with np.errstate(all="ignore"):
        drawn = resampled_scores(LABEL_METRICS, LabelResamples(y, p, W), y, p, W)
    for counts, values in zip(W, drawn, strict=True):
        scores = numbers(y, p, counts)
        expected = [np.nan if scores[name] is None else scores[name] for name in BY_NAME]
        np.testing.assert_allclose(values, np.array(expected, np.float64), rtol=1e-9, atol=1e-12)


def test_a_constant_label_and_one_that_nobody_has_have_no_area() -> None:
    assert BY_NAME["roc_auc"].function(np.array([[1.0, 0.0], [1.0, 0.0]]), np.full((2, 2), 0.3), None) is None


def test_cells_are_rows_of_two_classes_of_the_same_log_loss() -> None:
    y, w = np.where(np.arange(24).reshape(6, 4) % 5 == 0, nan, Y), np.arange(1.0, 7.0)
    cells, codes, weights = as_two_classes(y, P, w)
    assert len(cells) == len(codes) == len(weights) == np.isfinite(y).sum()
    of_cells = np.average(-np.log(cells[np.arange(len(codes)), codes]), weights=weights)
    assert of_cells == pytest.approx(BY_NAME["log_loss"].function(y, P, w), rel=1e-12)
    calibrated = CALIBRATED_LABEL_LOG_LOSS.function(y, P, w)
    assert calibrated == pytest.approx(calibrated_log_loss(codes, cells, weights))


def test_pairs_that_are_confused_have_one_label_missed_and_another_predicted() -> None:
    y = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, nan, 1.0]])
    predicted = np.array([[0, 1, 0], [0, 1, 1], [1, 1, 1], [1, 1, 1]], bool)
    scores = label_scores(y, predicted.astype(float), ("a", "b", "c"), None, predicted)
    pairs = [(pair.actual, pair.predicted, pair.rows) for pair in scores.confusions]
    assert pairs == [(0, 1, 2.0), (0, 2, 1.0)]
    assert scores.confusions[0].fraction == pytest.approx(2.0 / 3.0)
    assert [(each.label, each.support, each.predicted) for each in scores.by_class] == [
        ("a", 3.0, 2.0), ("b", 1.0, 3.0), ("c", 1.0, 3.0)
    ]  # fmt: skip
    assert scores.json()["per_label"][0]["label"] == "a"

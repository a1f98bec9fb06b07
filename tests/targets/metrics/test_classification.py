"""Classification metrics agree with scikit-learn on random inputs, and with sums done by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics as theirs
from hypothesis import given
from hypothesis import strategies as st

from nncli.targets.metrics import classification as ours
from nncli.targets.metrics.classification import CLASSIFICATION_METRICS, ClassScore, classification_scores
from tests.targets.metrics.cases import Classified, assert_same, classified, quickly, their, weights


@pytest.mark.slow
@quickly
@given(classified())
def test_scores_of_the_predicted_class_agree_with_scikit_learn(case: Classified) -> None:
    guess = case.P.argmax(axis=1)
    for weight in weights(case.counts):
        given_them = {"sample_weight": weight}
        assert_same(ours.accuracy(case.y, case.P, weight), their(theirs.accuracy_score, case.y, guess, **given_them))
        assert_same(
            ours.balanced_accuracy(case.y, case.P, weight),
            their(theirs.balanced_accuracy_score, case.y, guess, **given_them),
        )
        assert_same(
            ours.macro_f1(case.y, case.P, weight),
            their(theirs.f1_score, case.y, guess, average="macro", zero_division=0, **given_them),
        )


@pytest.mark.slow
@quickly
@given(classified())
def test_confusion_and_classes_agree_with_scikit_learn(case: Classified) -> None:
    guess, codes = case.P.argmax(axis=1), np.arange(case.K)
    for weight in weights(case.counts):
        scores = classification_scores(case.y, case.P, case.labels, weight)
        confusion = their(theirs.confusion_matrix, case.y, guess, labels=codes, sample_weight=weight)
        assert_same(scores.confusion_matrix, confusion)
        options = {"labels": codes, "zero_division": 0, "sample_weight": weight}
        columns = their(theirs.precision_recall_fscore_support, case.y, guess, **options)
        for mine, *wanted in zip(scores.by_class, *columns, strict=True):
            assert_same([mine.precision, mine.recall, mine.f1, mine.support], wanted)


@pytest.mark.slow
@quickly
@given(classified())
def test_log_loss_agrees_with_scikit_learn(case: Classified) -> None:
    for weight in weights(case.counts):
        wanted = their(theirs.log_loss, case.y, case.P, labels=np.arange(case.K), sample_weight=weight)
        # certainty about three classes leaves 1 - eps of 1 + eps, which is where the two may part
        assert_same(ours.log_loss(case.y, case.P, weight), wanted, rtol=1e-12, atol=1e-15 * case.K)


@pytest.mark.slow
@quickly
@given(classified())
def test_brier_agrees_with_scikit_learn_class_by_class(case: Classified) -> None:
    for weight in weights(case.counts):
        each = [
            their(theirs.brier_score_loss, case.y == k, case.P[:, k], sample_weight=weight, pos_label=True)
            for k in range(case.K)
        ]
        wanted = each[1] if case.K == 2 else sum(each)
        assert_same(ours.brier(case.y, case.P, weight), wanted)


@pytest.mark.slow
@quickly
@given(classified(), st.integers(1, 20))
def test_calibration_error_agrees_with_its_definition(case: Classified, bins: int) -> None:
    for weight in weights(case.counts):
        w = np.ones(len(case.y)) if weight is None else weight
        confidence, hit = case.P.max(axis=1), case.P.argmax(axis=1) == case.y
        wanted = 0.0
        for number in range(bins):
            inside = (confidence > number / bins) & (confidence <= (number + 1) / bins)
            if inside.any():
                share = w[inside].sum() / w.sum()
                gap = np.average(hit[inside], weights=w[inside]) - np.average(confidence[inside], weights=w[inside])
                wanted += share * abs(gap)
        assert_same(ours.calibration_error(case.y, case.P, weight, bins=bins), wanted)


@pytest.mark.slow
@quickly
@given(classified())
def test_a_weight_stands_for_that_many_rows_of_a_class(case: Classified) -> None:
    repeated = np.repeat(np.arange(len(case.y)), case.counts)
    for metric in CLASSIFICATION_METRICS:
        weighted = metric.function(case.y, case.P, case.counts.astype(np.float64))
        plain = metric.function(case.y[repeated], case.P[repeated], None)
        assert (weighted is None) == (plain is None)
        if weighted is not None:
            assert_same(weighted, plain)


@pytest.mark.slow
@quickly
@given(classified())
def test_float32_probabilities_are_scored_in_float64(case: Classified) -> None:
    P = case.P.astype(np.float32)
    for metric in CLASSIFICATION_METRICS:
        single, double = metric.function(case.y, P, None), metric.function(case.y, P.astype(np.float64), None)
        assert (single is None) == (double is None)
        if single is not None:
            assert_same(single, double)


def test_two_classes_by_hand() -> None:
    y = np.array([0, 0, 1, 1])
    P = np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6], [0.2, 0.8]])
    scores = classification_scores(y, P, ("no", "yes"))
    assert scores.rows == 4
    assert scores.confusion_matrix == ((1, 1), (0, 2))
    assert scores.by_class == (ClassScore("no", 1.0, 0.5, 2 / 3, 2, 1), ClassScore("yes", 2 / 3, 1.0, 0.8, 2, 3))
    assert scores["accuracy"] == 0.75
    assert scores["balanced_accuracy"] == 0.75
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 0.8) / 2)
    assert scores["roc_auc"] == 0.875  # of four pairs three are won and one is tied
    assert scores["log_loss"] == pytest.approx(-(math.log(0.9) + math.log(0.4) + math.log(0.6) + math.log(0.8)) / 4)
    assert scores["brier"] == pytest.approx((0.01 + 0.36 + 0.16 + 0.04) / 4)
    # bins of a fifteenth: 0.6 is the right edge of one and holds two rows, one of them right
    assert scores["calibration_error"] == pytest.approx((abs(1 - 1.2) + 0.1 + 0.2) / 4)


def test_three_classes_by_hand() -> None:
    y = np.array([0, 1, 2])
    P = np.array([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25], [0.0, 0.0, 1.0]])
    scores = classification_scores(y, P, ("a", "b", "c"))
    assert scores["brier"] == pytest.approx((0.375 + 0.875 + 0) / 3)
    assert scores["roc_auc"] == pytest.approx((0.75 + 0.75 + 1) / 3)
    assert scores["balanced_accuracy"] == pytest.approx(2 / 3)
    assert scores.by_class[1] == ClassScore("b", 0.0, 0.0, 0.0, 1, 0)


def test_one_class_alone_has_no_area_and_no_infinite_loss() -> None:
    y, P = np.array([0, 0]), np.array([[0.0, 1.0], [1.0, 0.0]])
    scores = classification_scores(y, P, ("a", "b"))
    assert ("roc_auc", None) in scores.values
    assert math.isnan(scores["roc_auc"])
    assert scores["log_loss"] == pytest.approx(-math.log(np.finfo(float).eps) / 2)
    assert scores["balanced_accuracy"] == 0.5
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)


def test_calibration_of_certainty() -> None:
    P = np.array([[1.0, 0.0]] * 4)
    assert ours.calibration_error(np.array([0, 0, 0, 0]), P) == 0
    assert ours.calibration_error(np.array([0, 0, 0, 1]), P) == 0.25


def test_overconfidence_in_one_bin_does_not_cancel_underconfidence_in_another() -> None:
    y, P = np.array([0, 1]), np.array([[0.5, 0.5], [0.9, 0.1]])  # right at confidence 0.5, wrong at 0.9
    assert ours.calibration_error(y, P, bins=2) == pytest.approx((0.5 + 0.9) / 2)
    assert ours.calibration_error(y, P, bins=1) == pytest.approx((0.9 - 0.5) / 2)


def test_every_score_of_classes_is_weighted() -> None:
    y, P = np.array([0, 1, 2, 1]), np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.2, 0.1, 0.7], [0.1, 0.3, 0.6]])
    weighted = classification_scores(y, P, ("a", "b", "c"), np.array([1.0, 3.0, 2.0, 0.0]))
    repeated = [0, 1, 1, 1, 2, 2]
    plain = classification_scores(y[repeated], P[repeated], ("a", "b", "c"))
    for (name, value), (_, wanted) in zip(weighted.values, plain.values, strict=True):
        assert value == pytest.approx(wanted), name
    assert weighted.by_class == plain.by_class
    assert weighted.confusion_matrix == plain.confusion_matrix


def test_counts_are_whole_numbers_until_there_are_weights() -> None:
    y, P = np.array([0, 1]), np.array([[1.0, 0.0], [1.0, 0.0]])
    weighted = classification_scores(y, P, ("a", "b"), np.array([0.5, 2.0]))
    assert weighted.confusion_matrix == ((0.5, 0.0), (2.0, 0.0))
    assert repr(classification_scores(y, P, ("a", "b")).confusion_matrix) == "((1, 0), (1, 0))"

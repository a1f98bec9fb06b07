"""Every metric against scikit-learn on random inputs, against sums done by hand, and by its own rules."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as theirs
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from nncli.errors import UsageError
from nncli.metrics import classification as ours
from nncli.metrics import regression
from nncli.metrics.registry import (
    CLASSIFICATION_METRICS,
    HIGHER_IS_BETTER,
    REGRESSION_METRICS,
    ClassScore,
    classification_metric,
    classification_scores,
    regression_metric,
    regression_scores,
)

quickly = settings(max_examples=60, deadline=None)


@dataclass(frozen=True)
class Classified:
    """A random case: few levels of probability, so that many tie, and often a class that is absent."""

    y: NDArray[np.int64]
    P: NDArray[np.float64]
    counts: NDArray[np.int64]

    @property
    def K(self) -> int:
        return int(self.P.shape[1])

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple("abcdef"[: self.K])


@dataclass(frozen=True)
class Numbers:
    y: NDArray[np.float64]
    prediction: NDArray[np.float64]
    counts: NDArray[np.int64]


@st.composite
def classified(draw: st.DrawFn) -> Classified:
    rows, K = draw(st.integers(1, 20)), draw(st.integers(2, 4))
    present = draw(st.lists(st.integers(0, K - 1), min_size=1, max_size=K, unique=True))
    y = np.array(draw(st.lists(st.sampled_from(present), min_size=rows, max_size=rows)), dtype=np.int64)
    levels = draw(arrays(np.int64, (rows, K), elements=st.integers(0, 4)))
    levels[levels.sum(axis=1) == 0, 0] = 1
    return Classified(y, levels / levels.sum(axis=1, keepdims=True), draw(some_counts(rows)))


@st.composite
def numbers(draw: st.DrawFn) -> Numbers:
    rows = draw(st.integers(1, 20))
    value = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e3, 1e3, allow_subnormal=False, width=32))
    y, prediction = (draw(arrays(np.float64, rows, elements=value)) for _ in range(2))
    return Numbers(y, prediction, draw(some_counts(rows)))


def some_counts(rows: int) -> st.SearchStrategy[NDArray[np.int64]]:
    return arrays(np.int64, rows, elements=st.integers(0, 3)).filter(lambda counts: bool(counts.any()))


def their(metric: Any, *given: Any, **options: Any) -> Any:
    """scikit-learn's answer, without its warnings about absent classes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return metric(*given, **options)


def assert_same(mine: Any, wanted: Any, *, rtol: float = 1e-12, atol: float = 1e-14) -> None:
    np.testing.assert_allclose(mine, wanted, rtol=rtol, atol=atol)


def weights(counts: NDArray[np.int64]) -> list[NDArray[np.float64] | None]:
    return [None, (counts + 1) / 7]


# ------------------------------------------------------------------------------------------- classes


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


@quickly
@given(classified())
def test_confusion_and_classes_agree_with_scikit_learn(case: Classified) -> None:
    guess, codes = case.P.argmax(axis=1), np.arange(case.K)
    for weight in weights(case.counts):
        scores = classification_scores(case.y, case.P, case.labels, weight)
        confusion = their(theirs.confusion_matrix, case.y, guess, labels=codes, sample_weight=weight)
        assert_same(scores.confusion, confusion)
        options = {"labels": codes, "zero_division": 0, "sample_weight": weight}
        columns = their(theirs.precision_recall_fscore_support, case.y, guess, **options)
        for mine, *wanted in zip(scores.per_class, *columns, strict=True):
            assert_same([mine.precision, mine.recall, mine.f1, mine.support], wanted)


@quickly
@given(classified())
def test_log_loss_agrees_with_scikit_learn(case: Classified) -> None:
    for weight in weights(case.counts):
        wanted = their(theirs.log_loss, case.y, case.P, labels=np.arange(case.K), sample_weight=weight)
        # certainty about three classes leaves 1 - eps of 1 + eps, which is where the two may part
        assert_same(ours.log_loss(case.y, case.P, weight), wanted, rtol=1e-12, atol=1e-15 * case.K)


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


@quickly
@given(classified())
def test_roc_auc_agrees_with_scikit_learn_class_by_class(case: Classified) -> None:
    classes = [1] if case.K == 2 else range(case.K)
    defined = [k for k in classes if 0 < (case.y == k).sum() < len(case.y)]
    for weight in weights(case.counts):
        area = ours.roc_auc(case.y, case.P, weight)
        if not defined:
            assert area is None
            continue
        each = [their(theirs.roc_auc_score, case.y == k, case.P[:, k], sample_weight=weight) for k in defined]
        assert area is not None
        assert_same(area, np.mean(each))


def test_roc_auc_of_many_classes_is_scikit_learns_macro_one_against_the_rest() -> None:
    rng = np.random.default_rng(3)
    P = rng.dirichlet([1, 1, 1, 1], 200)
    y = rng.permutation(np.arange(200) % 4)
    wanted = theirs.roc_auc_score(y, P, multi_class="ovr", average="macro")
    area = ours.roc_auc(y, P)
    assert area is not None
    assert_same(area, wanted)


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


@quickly
@given(classified())
def test_a_weight_stands_for_that_many_rows_of_a_class(case: Classified) -> None:
    repeated = np.repeat(np.arange(len(case.y)), case.counts)
    for name in CLASSIFICATION_METRICS:
        if name == "calibrated_log_loss":
            continue  # how much it is smoothed is a matter of how many rows there are
        metric = classification_metric(name)
        weighted = metric(case.y, case.P, case.counts.astype(np.float64))
        assert_same(weighted, metric(case.y[repeated], case.P[repeated], None))


@quickly
@given(classified())
def test_float32_probabilities_are_scored_in_float64(case: Classified) -> None:
    P = case.P.astype(np.float32)
    for name in CLASSIFICATION_METRICS:
        metric = classification_metric(name)
        assert_same(metric(case.y, P, None), metric(case.y, P.astype(np.float64), None))


def test_two_classes_by_hand() -> None:
    y = np.array([0, 0, 1, 1])
    P = np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6], [0.2, 0.8]])
    scores = classification_scores(y, P, ("no", "yes"))
    assert scores.rows == 4
    assert scores.confusion == ((1, 1), (0, 2))
    assert scores.per_class == (ClassScore("no", 1.0, 0.5, 2 / 3, 2), ClassScore("yes", 2 / 3, 1.0, 0.8, 2))
    assert scores.accuracy == 0.75
    assert scores.balanced_accuracy == 0.75
    assert scores.macro_f1 == pytest.approx((2 / 3 + 0.8) / 2)
    assert scores.roc_auc == 0.875  # of four pairs three are won and one is tied
    assert scores.log_loss == pytest.approx(-(math.log(0.9) + math.log(0.4) + math.log(0.6) + math.log(0.8)) / 4)
    assert scores.brier == pytest.approx((0.01 + 0.36 + 0.16 + 0.04) / 4)
    # bins of a fifteenth: 0.6 is the right edge of one and holds two rows, one of them right
    assert scores.calibration_error == pytest.approx((abs(1 - 1.2) + 0.1 + 0.2) / 4)


def test_three_classes_by_hand() -> None:
    y = np.array([0, 1, 2])
    P = np.array([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25], [0.0, 0.0, 1.0]])
    scores = classification_scores(y, P, ("a", "b", "c"))
    assert scores.brier == pytest.approx((0.375 + 0.875 + 0) / 3)
    assert scores.roc_auc == pytest.approx((0.75 + 0.75 + 1) / 3)
    assert scores.balanced_accuracy == pytest.approx(2 / 3)
    assert scores.per_class[1] == ClassScore("b", 0.0, 0.0, 0.0, 1)


def test_one_class_alone_has_no_area_and_no_infinite_loss() -> None:
    y, P = np.array([0, 0]), np.array([[0.0, 1.0], [1.0, 0.0]])
    scores = classification_scores(y, P, ("a", "b"))
    assert scores.roc_auc is None
    assert ("roc_auc", None) in scores.scalars()
    assert math.isnan(classification_metric("roc_auc")(y, P, None))
    assert scores.log_loss == pytest.approx(-math.log(np.finfo(float).eps) / 2)
    assert scores.balanced_accuracy == 0.5
    assert scores.macro_f1 == pytest.approx((2 / 3 + 0) / 2)


def test_calibration_of_certainty() -> None:
    P = np.array([[1.0, 0.0]] * 4)
    assert ours.calibration_error(np.array([0, 0, 0, 0]), P) == 0
    assert ours.calibration_error(np.array([0, 0, 0, 1]), P) == 0.25


def test_too_sure_in_one_bin_does_not_make_up_for_too_modest_in_another() -> None:
    y, P = np.array([0, 1]), np.array([[0.5, 0.5], [0.9, 0.1]])  # right at confidence 0.5, wrong at 0.9
    assert ours.calibration_error(y, P, bins=2) == pytest.approx((0.5 + 0.9) / 2)
    assert ours.calibration_error(y, P, bins=1) == pytest.approx((0.9 - 0.5) / 2)


def test_every_score_of_classes_is_weighted() -> None:
    y, P = np.array([0, 1, 2, 1]), np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.2, 0.1, 0.7], [0.1, 0.3, 0.6]])
    weighted = classification_scores(y, P, ("a", "b", "c"), np.array([1.0, 3.0, 2.0, 0.0]))
    repeated = [0, 1, 1, 1, 2, 2]
    plain = classification_scores(y[repeated], P[repeated], ("a", "b", "c"))
    for (name, value), (_, wanted) in zip(weighted.scalars(), plain.scalars(), strict=True):
        assert value == pytest.approx(wanted), name
    assert weighted.per_class == plain.per_class
    assert weighted.confusion == plain.confusion


def test_counts_are_whole_numbers_until_there_are_weights() -> None:
    y, P = np.array([0, 1]), np.array([[1.0, 0.0], [1.0, 0.0]])
    assert ours.confusion_matrix(y, P).dtype == np.int64
    assert ours.confusion_matrix(y, P, np.array([0.5, 2.0])).tolist() == [[0.5, 0.0], [2.0, 0.0]]
    assert repr(classification_scores(y, P, ("a", "b")).confusion) == "((1, 0), (1, 0))"


# ------------------------------------------------------------------------------------------- numbers


@quickly
@given(numbers())
def test_errors_agree_with_scikit_learn(case: Numbers) -> None:
    given_ours = (case.y, case.prediction)
    for weight in weights(case.counts):
        given_them = {"sample_weight": weight}
        assert_same(
            regression.rmse(*given_ours, weight),
            math.sqrt(theirs.mean_squared_error(*given_ours, **given_them)),
        )
        assert_same(regression.mae(*given_ours, weight), theirs.mean_absolute_error(*given_ours, **given_them))
        for quantile in (0.1, 0.5, 0.9):
            assert_same(
                regression.pinball(*given_ours, weight, quantile=quantile),
                theirs.mean_pinball_loss(*given_ours, alpha=quantile, **given_them),
            )
    assert_same(regression.median_absolute_error(*given_ours), theirs.median_absolute_error(*given_ours))


@quickly
@given(numbers())
def test_ratios_agree_with_scikit_learn_where_they_are_defined(case: Numbers) -> None:
    for weight in weights(case.counts):
        r2 = regression.r2(case.y, case.prediction, weight)
        if np.ptp(case.y) == 0:
            assert r2 is None
        else:
            assert r2 is not None
            wanted = theirs.r2_score(case.y, case.prediction, sample_weight=weight)
            assert_same(1 - r2, 1 - wanted, rtol=1e-9, atol=1e-12)
        mape = regression.mape(case.y, case.prediction, weight)
        if (case.y == 0).any():
            assert mape is None
        elif np.abs(case.y).min() > 1e-9:  # below some eps theirs no longer divides by y
            assert mape is not None
            wanted = theirs.mean_absolute_percentage_error(case.y, case.prediction, sample_weight=weight)
            assert_same(mape, wanted)


@quickly
@given(numbers())
def test_a_weight_stands_for_that_many_rows_of_a_number(case: Numbers) -> None:
    repeated = np.repeat(np.arange(len(case.y)), case.counts)
    for name in REGRESSION_METRICS:
        metric = regression_metric(name)
        weighted = metric(case.y, case.prediction, case.counts.astype(np.float64))
        plain = metric(case.y[repeated], case.prediction[repeated], None)
        assert_same(weighted, plain, rtol=1e-9, atol=1e-12)


def test_numbers_by_hand() -> None:
    y, prediction = np.array([1.0, 2.0, 4.0, 5.0]), np.array([1.0, 3.0, 2.0, 8.0])
    scores = regression_scores("price", y, prediction, quantile=0.75)
    assert scores.target == "price"
    assert scores.rmse == pytest.approx(math.sqrt(14 / 4))
    assert scores.mae == 1.5
    assert scores.median_absolute_error == 1.5
    assert scores.r2 == pytest.approx(1 - 14 / 10)
    assert scores.mape == pytest.approx((0 + 1 / 2 + 2 / 4 + 3 / 5) / 4)
    assert scores.pinball == pytest.approx((0 + 0.25 * 1 + 0.75 * 2 + 0.25 * 3) / 4)


@pytest.mark.parametrize("quantile", [None, 0.75])
def test_every_score_of_numbers_is_weighted(quantile: float | None) -> None:
    y, prediction = np.array([1.0, 2.0, 4.0, 5.0]), np.array([1.0, 3.0, 2.0, 8.0])
    weighted = regression_scores("t", y, prediction, np.array([1.0, 3.0, 1.0, 0.0]), quantile)
    repeated = [0, 1, 1, 1, 2]
    for (name, value), (_, wanted) in zip(
        weighted.scalars(),
        regression_scores("t", y[repeated], prediction[repeated], None, quantile).scalars(),
        strict=True,
    ):
        assert value == pytest.approx(wanted), name


def test_the_weighted_median_has_half_of_the_weight_on_either_side() -> None:
    y, prediction = np.zeros(3), np.array([1.0, -2.0, 5.0])
    assert regression.median_absolute_error(y, prediction, np.array([1.0, 1.0, 3.0])) == 5
    assert regression.median_absolute_error(y, prediction, np.array([1.0, 1.0, 2.0])) == 3.5
    assert regression.median_absolute_error(y, prediction, np.array([0.0, 0.2, 0.0])) == 2
    tenths = np.full(10, 0.1)  # ten times 0.1 is not quite 1
    assert regression.median_absolute_error(np.zeros(10), np.arange(10.0), tenths) == 4.5


@pytest.mark.parametrize("value", [0.1, 1e6 / 3, 0.0])
def test_r2_is_undefined_when_there_is_nothing_to_explain(value: float) -> None:
    y = np.full(7, value)
    assert regression.r2(y, y) is None
    assert regression.r2(np.append(y, 9.0), np.append(y, 9.0), np.append(np.ones(7), 0.0)) is None
    assert math.isnan(regression_metric("r2")(y, y, None))


def test_float32_errors_are_taken_in_float64() -> None:
    y, prediction = np.array([16777216.0], np.float32), np.array([1.0], np.float32)
    assert regression.mae(y, prediction) == 16777215.0
    assert regression.rmse(np.array([1e30], np.float32), np.zeros(1, np.float32)) == pytest.approx(1e30)


# -------------------------------------------------------------------------------------------- by name


def test_names_are_those_of_the_scores() -> None:
    classes = classification_scores(np.array([0, 1]), np.array([[0.7, 0.3], [0.4, 0.6]]), ("a", "b"))
    assert (*(name for name, _ in classes.scalars()), "calibrated_log_loss") == CLASSIFICATION_METRICS
    assert all(getattr(classes, name) == value for name, value in classes.scalars())
    for quantile, more in ((None, ()), (0.5, ("pinball",))):
        found = regression_scores("y", np.array([1.0, 2.0]), np.array([1.0, 3.0]), quantile=quantile)
        assert tuple(name for name, _ in found.scalars()) == (*REGRESSION_METRICS, *more)
        assert all(getattr(found, name) == value for name, value in found.scalars())


def test_one_metric_by_name_is_the_one_in_the_scores() -> None:
    y, P = np.array([0, 1, 1]), np.array([[0.7, 0.3], [0.4, 0.6], [0.8, 0.2]])
    for name, value in classification_scores(y, P, ("a", "b")).scalars():
        assert classification_metric(name)(y, P, None) == value
    t, prediction = np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0])
    for name, value in regression_scores("t", t, prediction).scalars():
        assert regression_metric(name)(t, prediction, None) == value


def test_better_predictions_score_better() -> None:
    y, good, bad = np.array([0, 1]), np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([[0.1, 0.9], [0.9, 0.1]])
    for name in CLASSIFICATION_METRICS:
        metric = classification_metric(name)
        assert (metric(y, good, None) > metric(y, bad, None)) == (name in HIGHER_IS_BETTER), name
    t, near, far = np.array([1.0, 2.0]), np.array([1.1, 2.1]), np.array([5.0, 0.0])
    for name in REGRESSION_METRICS:
        number = regression_metric(name)
        assert (number(t, near, None) > number(t, far, None)) == (name in HIGHER_IS_BETTER), name
    assert set(CLASSIFICATION_METRICS + REGRESSION_METRICS) >= HIGHER_IS_BETTER


def test_an_unknown_metric_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'accuracy'"):
        classification_metric("acuracy")
    with pytest.raises(UsageError, match="Choose from 'rmse'"):
        regression_metric("xyzzy")

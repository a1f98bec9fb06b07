"""Regression metrics agree with scikit-learn on random inputs, and with sums done by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics as theirs
from hypothesis import given

from nncli.targets.metrics import regression
from nncli.targets.metrics.regression import REGRESSION_METRICS, regression_metrics, regression_scores
from tests.targets.metrics.cases import Numbers, assert_same, numbers, quickly, weights


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
@quickly
@given(numbers())
def test_a_weight_stands_for_that_many_rows_of_a_number(case: Numbers) -> None:
    repeated = np.repeat(np.arange(len(case.y)), case.counts)
    for metric in REGRESSION_METRICS:
        weighted = metric.function(case.y, case.prediction, case.counts.astype(np.float64))
        plain = metric.function(case.y[repeated], case.prediction[repeated], None)
        assert (weighted is None) == (plain is None)
        if weighted is not None:
            assert_same(weighted, plain, rtol=1e-9, atol=1e-12)


def test_numbers_by_hand() -> None:
    y, prediction = np.array([1.0, 2.0, 4.0, 5.0]), np.array([1.0, 3.0, 2.0, 8.0])
    scores = regression_scores("price", y, prediction, metrics=regression_metrics(0.75))
    assert scores.target == "price"
    assert scores["rmse"] == pytest.approx(math.sqrt(14 / 4))
    assert scores["mae"] == 1.5
    assert scores["median_absolute_error"] == 1.5
    assert scores["r2"] == pytest.approx(1 - 14 / 10)
    assert scores["mape"] == pytest.approx((0 + 1 / 2 + 2 / 4 + 3 / 5) / 4)
    assert scores["pinball"] == pytest.approx((0 + 0.25 * 1 + 0.75 * 2 + 0.25 * 3) / 4)


@pytest.mark.parametrize("quantile", [None, 0.75])
def test_every_score_of_numbers_is_weighted(quantile: float | None) -> None:
    y, prediction = np.array([1.0, 2.0, 4.0, 5.0]), np.array([1.0, 3.0, 2.0, 8.0])
    weighted = regression_scores("t", y, prediction, np.array([1.0, 3.0, 1.0, 0.0]), regression_metrics(quantile))
    repeated = [0, 1, 1, 1, 2]
    for (name, value), (_, wanted) in zip(
        weighted.values,
        regression_scores("t", y[repeated], prediction[repeated], None, regression_metrics(quantile)).values,
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


def test_float32_errors_are_taken_in_float64() -> None:
    y, prediction = np.array([16777216.0], np.float32), np.array([1.0], np.float32)
    assert regression.mae(y, prediction) == 16777215.0
    assert regression.rmse(np.array([1e30], np.float32), np.zeros(1, np.float32)) == pytest.approx(1e30)

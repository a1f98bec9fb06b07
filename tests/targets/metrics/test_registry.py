"""The registry finds each metric by its name, for its task."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nncli.base.errors import UsageError
from nncli.targets.metrics.classification import classification_scores
from nncli.targets.metrics.registry import (
    METRICS,
    has_baseline,
    higher_is_better,
    is_better,
    metric_function,
    metric_names,
)
from nncli.targets.metrics.regression import regression_metrics, regression_scores


def test_the_names_are_those_of_the_scores() -> None:
    classes = classification_scores(np.array([0, 1]), np.array([[0.7, 0.3], [0.4, 0.6]]), ("a", "b"))
    assert (*dict(classes.values), "calibrated_log_loss") == metric_names("classification")
    for quantile, pinball in ((None, ()), (0.5, ("pinball",))):
        numbers = regression_scores(
            "y", np.array([1.0, 2.0]), np.array([1.0, 3.0]), metrics=regression_metrics(quantile)
        )
        of_all = [name for name in metric_names("regression") if not name.endswith("_deviance")]
        assert tuple(dict(numbers.values)) == (*of_all, *pinball)


def test_a_metric_by_name_is_the_one_in_the_scores() -> None:
    y, P = np.array([0, 1, 1]), np.array([[0.7, 0.3], [0.4, 0.6], [0.8, 0.2]])
    for name, value in classification_scores(y, P, ("a", "b")).values:
        assert metric_function(name, "classification")(y, P, None) == value
    t, prediction = np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0])
    for name, value in regression_scores("t", t, prediction).values:
        assert metric_function(name, "regression")(t, prediction, None) == value


def test_an_undefined_metric_is_nan() -> None:
    y = np.ones(3)
    assert math.isnan(metric_function("r2", "regression")(y, y, None))


def test_better_predictions_score_better() -> None:
    y, good, bad = np.array([0, 1]), np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([[0.1, 0.9], [0.9, 0.1]])
    for name in metric_names("classification"):
        metric = metric_function(name, "classification")
        assert (metric(y, good, None) > metric(y, bad, None)) == higher_is_better(name), name
    t, near, far = np.array([1.0, 2.0]), np.array([1.1, 2.1]), np.array([5.0, 0.0])
    for name in metric_names("regression"):
        metric = metric_function(name, "regression")
        assert (metric(t, near, None) > metric(t, far, None)) == higher_is_better(name), name


def test_a_better_value_is_higher_or_lower_and_nan_is_never_better() -> None:
    assert is_better("accuracy", 0.9, 0.8)
    assert is_better("rmse", 0.8, 0.9)
    assert is_better("rmse", 0.8, None)
    assert not is_better("rmse", np.nan, None)
    assert not is_better("rmse", 0.8, 0.8)


def test_a_loss_is_better_if_lower_and_has_a_baseline() -> None:
    assert not higher_is_better("val_loss")
    assert has_baseline("val_loss")


def test_the_calibration_error_alone_has_no_baseline() -> None:
    assert [name for name in METRICS if not has_baseline(name)] == ["calibration_error"]


def test_every_metric_is_described() -> None:
    assert all(metric.description for metric in METRICS.values())


def test_an_unknown_metric_is_refused_with_the_closest_name() -> None:
    with pytest.raises(UsageError) as misspelled:
        metric_function("acuracy", "classification")
    assert "'accuracy'" in str(misspelled.value.hint)
    with pytest.raises(UsageError) as unknown:
        metric_function("xyzzy", "regression")
    assert all(name in str(unknown.value.hint) for name in metric_names("regression"))


def test_a_metric_of_the_other_task_is_refused() -> None:
    with pytest.raises(UsageError):
        metric_function("rmse", "classification")

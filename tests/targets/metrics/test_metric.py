"""Every metric of a resample is the metric of its rows, however it is computed."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nncli.targets.metrics.bootstrap import BootstrapResampler
from nncli.targets.metrics.classification import CLASSIFICATION_METRICS
from nncli.targets.metrics.classification_resamples import ClassificationResamples
from nncli.targets.metrics.metric import Metric, ScoreValues, resampled_scores
from nncli.targets.metrics.regression import REGRESSION_METRICS, RegressionResamples, regression_metrics


def probabilities(rng: np.random.Generator, n: int, K: int) -> NDArray[np.float64]:
    P = rng.random((n, K)).round(1) + 0.05  # ties among them
    return np.asarray(P / P.sum(axis=1, keepdims=True))


def value_of(metric: Metric[Any], y: NDArray[Any], predictions: NDArray[Any], w: NDArray[Any]) -> float:
    value = metric.function(y, predictions, w)
    return np.nan if value is None else value


@pytest.mark.parametrize("K", [2, 3, 70])
@pytest.mark.parametrize("weighted", [False, True])
def test_classification_metrics_of_a_resample_are_those_of_its_rows(K: int, weighted: bool) -> None:
    rng = np.random.default_rng(K)
    n = 40
    y, P = rng.integers(0, K, n), probabilities(rng, n, K)
    weight = rng.random(n) + 0.1 if weighted else np.ones(n)
    W = next(BootstrapResampler.of(n, 3).counts())[:20] * weight
    with np.errstate(all="ignore"):
        samples = resampled_scores(CLASSIFICATION_METRICS, ClassificationResamples(y, P, W), y, P, W)
    assert samples.shape == (20, len(CLASSIFICATION_METRICS))
    for row, w in zip(samples, W, strict=True):
        expected = [value_of(metric, y, P, w) for metric in CLASSIFICATION_METRICS]
        assert row == pytest.approx(expected, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize(("quantile", "weighted"), list(product([None, 0.3], [False, True])))
def test_regression_metrics_of_a_resample_are_those_of_its_rows(quantile: float | None, weighted: bool) -> None:
    rng = np.random.default_rng(1)
    n = 31
    y = rng.normal(5, 1, n)
    prediction = y + rng.normal(0, 0.3, n)
    weight = rng.random(n) + 0.1 if weighted else np.ones(n)
    W = next(BootstrapResampler.of(n, 4).counts())[:20] * weight
    metrics = regression_metrics(quantile)
    samples = resampled_scores(metrics, RegressionResamples(y, prediction, W), y, prediction, W)
    for row, w in zip(samples, W, strict=True):
        assert row == pytest.approx([value_of(metric, y, prediction, w) for metric in metrics], rel=1e-9)


def test_a_metric_without_a_bootstrap_function_is_computed_resample_by_resample() -> None:
    y, prediction = np.array([1.0, 2.0, 5.0]), np.array([1.5, 2.0, 4.0])
    W = np.array([[1.0, 1.0, 1.0], [1.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    slow = tuple(replace(metric, bootstrap=None) for metric in REGRESSION_METRICS)
    resamples = RegressionResamples(y, prediction, W)
    with np.errstate(all="ignore"):
        expected = resampled_scores(REGRESSION_METRICS, resamples, y, prediction, W)[:2]
    samples = resampled_scores(slow, resamples, y, prediction, W)
    assert samples[:2] == pytest.approx(expected)
    assert np.isnan(samples[2]).all()


def test_an_undefined_metric_is_nan_in_a_resample() -> None:
    y = np.zeros(3)
    W = np.ones((1, 3))
    samples = resampled_scores(REGRESSION_METRICS, RegressionResamples(y, y + 1, W), y, y + 1, W)
    assert np.isnan(samples[0, 3:]).all()  # r2 of a constant, and a fraction of zero
    codes, P = np.zeros(3, np.int64), np.full((3, 2), 0.5)
    with np.errstate(all="ignore"):
        one_class = resampled_scores(CLASSIFICATION_METRICS, ClassificationResamples(codes, P, W), codes, P, W)
    assert np.isnan(one_class[0, 3])


def test_scores_are_found_by_name_and_undefined_ones_are_nan() -> None:
    scores = ScoreValues((("rmse", 2.0), ("r2", None)))
    assert scores["rmse"] == 2.0
    assert np.isnan(scores["r2"])

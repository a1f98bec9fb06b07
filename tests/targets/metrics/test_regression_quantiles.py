"""The mean pinball loss of several quantiles against scikit-learn, and weighted quantiles by their definition."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mean_pinball_loss

from nncli.base.median import weighted_quantiles
from nncli.targets.metrics.regression import RegressionResamples, crps_metric, mean_pinball_metric

LEVELS = (0.1, 0.5, 0.9)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_mean_pinball_loss_is_that_of_scikit_learn(weighted: bool) -> None:
    rng = np.random.default_rng(0)
    y, quantiles = rng.normal(size=20), np.sort(rng.normal(size=(20, 3)), axis=1)
    w = rng.uniform(size=20) if weighted else None
    parts = [mean_pinball_loss(y, quantiles[:, i], alpha=q, sample_weight=w) for i, q in enumerate(LEVELS)]
    metric = mean_pinball_metric(LEVELS, quantiles)
    assert metric.function(y, quantiles[:, 1], w) == pytest.approx(np.mean(parts))
    W = np.stack([np.ones(20) if w is None else w, rng.integers(0, 3, 20).astype(float)])
    assert metric.bootstrap is not None
    resampled = metric.bootstrap(RegressionResamples(y, quantiles[:, 1], W))
    assert resampled[0] == pytest.approx(np.mean(parts))
    assert resampled[1] == pytest.approx(metric.function(y, quantiles[:, 1], W[1]))


def test_without_quantiles_it_is_undefined() -> None:
    metric, y = mean_pinball_metric(LEVELS, None), np.ones(3)
    assert metric.function(y, y, None) is None
    assert metric.bootstrap is not None
    assert np.isnan(metric.bootstrap(RegressionResamples(y, y, np.ones((4, 3))))).tolist() == [True] * 4


def test_a_weight_of_two_counts_as_two_rows_and_of_zero_as_none() -> None:
    values = np.array([[3.0, 30.0], [1.0, 10.0], [2.0, 20.0], [9.0, 90.0]])
    result = weighted_quantiles(values, (0.2, 0.5, 0.8), np.array([1.0, 2.0, 1.0, 0.0]))
    np.testing.assert_array_equal(result, weighted_quantiles(values[[1, 1, 2, 0]], (0.2, 0.5, 0.8)))
    assert result.tolist() == [[1.0, 1.0, 3.0], [10.0, 10.0, 30.0]]


def test_the_crps_is_the_weighted_mean_of_its_rows_also_in_resamples() -> None:
    losses, rng = np.array([1.0, 2.0, 6.0]), np.random.default_rng(0)
    y, W = rng.normal(size=3), np.array([[1.0, 1.0, 1.0], [2.0, 0.0, 1.0]])
    metric = crps_metric(losses)
    assert metric.function(y, y, None) == 3.0
    assert metric.function(y, y, W[1]) == pytest.approx(8.0 / 3.0)
    assert metric.bootstrap is not None
    np.testing.assert_allclose(metric.bootstrap(RegressionResamples(y, y, W)), [3.0, 8.0 / 3.0])
    assert crps_metric(None).function(y, y, None) is None

"""Metrics of ordered classes against scikit-learn's and against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, mean_absolute_error

from nncli.targets.metrics.classification import one_hot
from nncli.targets.metrics.classification_resamples import ClassificationResamples
from nncli.targets.metrics.metric import resampled_scores
from nncli.targets.metrics.ordinal import ORDINAL_METRICS, quadratic_kappa, rank_mae

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("K", [2, 3, 7])
def test_kappa_and_the_error_are_those_of_scikit_learn(K: int, weighted: bool) -> None:
    y, predicted = RNG.integers(0, K, 300), RNG.integers(0, K, 300)
    predicted = np.where(RNG.random(300) < 0.5, y, predicted)
    w = RNG.uniform(0.0, 3.0, 300) if weighted else None
    P = one_hot(predicted, K)
    expected = cohen_kappa_score(y, predicted, weights="quadratic", sample_weight=w)
    assert quadratic_kappa(y, P, w) == pytest.approx(expected, rel=1e-12)
    assert rank_mae(y, P, w) == pytest.approx(mean_absolute_error(y, predicted, sample_weight=w), rel=1e-12)


def test_kappa_is_undefined_where_all_ranks_are_equal() -> None:
    assert quadratic_kappa(np.array([1, 1]), one_hot(np.array([1, 1]), 3)) is None


def test_resamples_are_scored_as_rows_that_are_repeated() -> None:
    y, P = RNG.integers(0, 4, 60), RNG.dirichlet(np.ones(4), 60)
    W = RNG.multinomial(60, np.ones(60) / 60, size=5).astype(np.float64)
    samples = resampled_scores(ORDINAL_METRICS, ClassificationResamples(y, P, W), y, P, W)
    for w, scores in zip(W, samples, strict=True):
        rows = np.repeat(np.arange(60), w.astype(int))
        assert scores == pytest.approx([rank_mae(y[rows], P[rows]), quadratic_kappa(y[rows], P[rows])], rel=1e-12)

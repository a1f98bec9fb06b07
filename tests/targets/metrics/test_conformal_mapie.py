"""CV+ intervals of fixed predictions, against MAPIE."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mapie.regression import CrossConformalRegressor
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.model_selection import PredefinedSplit

from nncli.targets.metrics.conformal import lower_bounds, upper_bounds
from nncli.targets.metrics.sorted_scores import SortedScores


class FixedPredictions(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Predicts the numbers (folds, rows) of the fold that is missing in its training rows; X is (row, fold)."""

    def __init__(self, predictions: Any = None) -> None:
        self.predictions = predictions

    def fit(self, X: Any, y: Any) -> FixedPredictions:
        missing = set(range(len(self.predictions))) - set(X[:, 1].astype(int).tolist())
        self.fold_ = min(missing, default=0)
        return self

    def predict(self, X: Any) -> Any:
        return self.predictions[self.fold_, X[:, 0].astype(int)]


@pytest.mark.parametrize(("n", "folds", "level"), [(99, 2, 0.9), (200, 7, 0.9), (357, 5, 0.8), (500, 7, 0.95)])
def test_cv_plus_is_that_of_mapie(n: int, folds: int, level: float) -> None:
    rng = np.random.default_rng(n)
    new, fold = 50, rng.permutation(np.arange(n) % folds)
    predictions = rng.normal(size=n + new) + 0.3 * rng.normal(size=(folds, n + new))
    X, y = np.column_stack([np.arange(n), fold]), rng.standard_t(3, size=n)
    mapie = CrossConformalRegressor(FixedPredictions(predictions), level, method="plus", cv=PredefinedSplit(fold))
    mapie.fit_conformalize(X, y)
    _, expected = mapie.predict_interval(np.column_stack([np.arange(n, n + new), np.zeros(new)]))
    scores = SortedScores.of(np.abs(y - predictions[fold, np.arange(n)]), fold, folds)
    of_new = predictions[:, n:]
    assert lower_bounds(scores, of_new, level) == pytest.approx(expected[:, 0, 0], rel=1e-12, abs=1e-12)
    assert upper_bounds(scores, of_new, level) == pytest.approx(expected[:, 1, 0], rel=1e-12, abs=1e-12)

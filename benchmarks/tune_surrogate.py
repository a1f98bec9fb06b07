"""Simulated trainings: a forest fitted to the trials that were trained on a table predicts the rank of another one."""

from __future__ import annotations

from math import log

import numpy as np

from nncli.nn.arrays import Floats
from nncli.tuning.domains import NumberDomain
from nncli.tuning.space import SearchSpace, Values
from tune_search import Stop, Trained
from tune_trials import Trials

INACTIVE = -1.0
TREES = 100


class Surrogate:
    """Predicts the rank of a trial, from 0 to 1, from its values; ranks have no outliers, as losses have."""

    def __init__(self, trials: Trials) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        self.space: SearchSpace = trials.space
        kept = trials.kept()
        losses = np.array([trials.loss(one.scores[-1]) for _, one in kept])
        X = np.array([self._row(values) for values, _ in kept])
        ranks = losses.argsort().argsort() / len(losses)
        self._forest = ExtraTreesRegressor(TREES, min_samples_leaf=2, random_state=0).fit(X, ranks)

    folds = 1

    def trained(self, values: Values, stop: Stop) -> Trained | None:
        """A trial of one fold, without rows."""
        start = self.space.base_values() or {}
        row = self._row(self.space.rounded(values or start))
        return Trained((float(self._forest.predict(row[None])[0]),), (), (0.0,))

    def loss(self, score: float) -> float:
        """The score itself."""
        return score

    def _row(self, values: Values) -> Floats:
        """The numbers (parameters,) of the values, of a scale `log` their logarithms."""
        row = []
        for parameter in self.space.parameters:
            value = values.get(parameter.name)
            is_log = isinstance(parameter.domain, NumberDomain) and parameter.domain.is_log
            row.append(INACTIVE if value is None else log(value) if is_log else float(value))
        return np.array(row)

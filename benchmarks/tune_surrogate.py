"""Simulated trainings: a Gaussian process of the trials that were trained on a table predicts the result of any other.

Its hyperparameters are those of a small grid with the smallest leave-one-out error (Rasmussen and Williams, "Gaussian
processes for machine learning", 2006, section 5.4.2). Losses are replaced by the normal quantiles of their ranks, which
have no outliers; noise is added that is the same whenever a trial has the same values.
"""

from __future__ import annotations

import itertools
import zlib
from math import log
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from nncli.nn.arrays import Floats
from nncli.tuning.space.space import NumberDomain, SearchSpace, Values
from tune_search import Stop, Trained
from tune_trials import Trials

LENGTHS, PENALTIES, NOISES = (0.2, 0.3, 0.45), (0.5, 1.0, 2.0), (0.05, 0.15, 0.4)
"""Length scales of ranges of length 1; minus logarithms of the correlation of two choices; variances of the noise."""
INACTIVE = -1.0
REPEATED_NOISE = 0.6
"""The standard deviation of the noise that is added, in leave-one-out errors."""


class _Fit(NamedTuple):
    error: float
    length: float
    penalty: float
    weights: Floats


class Surrogate:
    """Predicts the normal quantile of the rank of a trial, lower is better, from its values."""

    folds = 1

    def __init__(self, trials: Trials) -> None:
        self.space: SearchSpace = trials.space
        self._is_choice = np.array([not isinstance(p.domain, NumberDomain) for p in self.space.parameters])
        kept = trials.kept()
        losses = np.array([trials.loss(item.scores[-1]) for _, item in kept])
        ranks = losses.argsort(kind="stable").argsort()
        z = np.array([NormalDist().inv_cdf((rank + 0.5) / len(losses)) for rank in ranks])
        self._X = np.array([self._row(values or self.space.base_values() or {}) for values, _ in kept])
        grid = itertools.product(LENGTHS, PENALTIES, NOISES)
        self._fit = min((self._fitted(z, *point) for point in grid), key=lambda fit: fit.error)

    def trained(self, values: Values, stop: Stop) -> Trained | None:
        """A trial of one fold, without rows."""
        rounded = self.space.rounded(values or self.space.base_values() or {})
        fit = self._fit
        mean = self._kernel(self._row(rounded)[None], fit.length, fit.penalty)[:, 0] @ fit.weights
        noise = np.random.default_rng(zlib.crc32(repr(sorted(rounded.items())).encode())).normal()
        return Trained((float(mean + REPEATED_NOISE * fit.error * noise),), (), (0.0,))

    def loss(self, score: float) -> float:
        """The score itself."""
        return score

    def _fitted(self, z: Floats, length: float, penalty: float, noise: float) -> _Fit:
        inverse = np.linalg.inv(self._kernel(self._X, length, penalty) + noise * np.eye(len(z)))
        weights = inverse @ z
        error = float(np.sqrt(np.mean((weights / np.diag(inverse)) ** 2)))
        return _Fit(error, length, penalty, weights)

    def _kernel(self, X: Floats, length: float, penalty: float) -> Floats:
        """The correlations (trials, rows) of the kept trials and the rows (rows, parameters)."""
        distance = self._X[:, None] - X[None]
        cost = np.where(self._is_choice, penalty * (distance != 0), distance**2 / (2 * length**2))
        return np.asarray(np.exp(-cost.sum(axis=2)))

    def _row(self, values: Values) -> Floats:
        """The numbers (parameters,) of the values: of a range from 0 to 1, of choices their index."""
        row = []
        for parameter in self.space.parameters:
            value, domain = values.get(parameter.name), parameter.domain
            if value is not None and isinstance(domain, NumberDomain):
                low, high = float(domain.low), float(domain.high)
                value = log(value / low) / log(high / low) if domain.is_log else (value - low) / (high - low)
            row.append(INACTIVE if value is None else float(value))
        return np.array(row)

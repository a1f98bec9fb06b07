"""Greedy selection of an ensemble from the out-of-fold predictions of candidates, with repetition.

Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of models", 2004.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.nn.arrays import Floats
from nncli.nn.losses import Loss
from nncli.targets.metrics.classification_resamples import LOG_LOSS_EPS

Mask: TypeAlias = npt.NDArray[np.bool_]


ROUNDING = 1e-12
"""Relative rounding error of a mean of the same values, in another order or repeated."""


@dataclass(frozen=True)
class Selection:
    """The candidates that were picked, in this order, and the loss of the mean after every pick that was tried.

    The picks are those up to the lowest loss, the first of equals.
    """

    picks: tuple[int, ...]
    losses: tuple[float, ...]

    @property
    def loss(self) -> float:
        """The loss of the mean of the picks."""
        return self.losses[len(self.picks) - 1]

    @property
    def counts(self) -> dict[int, int]:
        """How often each candidate was picked, those picked most often first, of equals the lower number."""
        return dict(sorted(Counter(self.picks).items(), key=lambda pair: (-pair[1], pair[0])))


@dataclass(frozen=True)
class CandidatePredictions:
    """What the loss of a mean of candidates is computed from: `values` (candidates, rows, …) and the loss of each row.

    `row_losses` are those (rows,) of values (rows, …) of some rows, given by their mask. `weights` (rows,) are sample
    weights. `measure` is the name of the loss.
    """

    values: Floats
    row_losses: Callable[[Floats, Mask], Floats]
    weights: Floats | None
    measure: str

    @classmethod
    def of_classes(
        cls, probabilities: Floats, y: npt.NDArray[np.int64], weights: Floats | None
    ) -> CandidatePredictions:
        """Candidates by the log loss, from probabilities (candidates, rows, classes) and class codes (rows,)."""
        of_truth = np.take_along_axis(probabilities, y[None, :, None], axis=2)[:, :, 0]
        return cls(of_truth, lambda p, _: -np.log(p.clip(LOG_LOSS_EPS, 1.0)), weights, "log loss")

    @classmethod
    def of_errors(cls, probabilities: Floats, y: npt.NDArray[np.int64], weights: Floats | None) -> CandidatePredictions:
        """Candidates by the classification error, from probabilities (candidates, rows, classes) and codes (rows,)."""
        measure = "classification error"
        return cls(probabilities, lambda p, rows: (p.argmax(axis=1) != y[rows]).astype(np.float64), weights, measure)

    @classmethod
    def of_numbers(
        cls, predictions: Floats, y: Floats, weights: Floats | None, loss: Loss, *, absolute: bool = False
    ) -> CandidatePredictions:
        """Candidates by the pinball loss of a `loss` of quantiles, else by the squared or `absolute` error.

        `predictions` are (candidates, rows, targets), or (candidates, rows, targets, levels) for several quantiles, and
        `y` (rows, targets). Of several targets, each is divided by its standard deviation.
        """
        spread = y.std(axis=0) if y.shape[1] > 1 else np.ones(1)
        unit = np.where(spread > 0.0, spread, 1.0)
        truth, values = y / unit, predictions / (unit[:, None] if predictions.ndim == 4 else unit)
        if loss.quantile is not None or loss.quantile_levels:
            return cls(values, lambda z, rows: loss.per_row(z, truth[rows]), weights, "pinball loss")
        if absolute:
            return cls(values, lambda z, rows: np.abs(z - truth[rows]).mean(axis=1), weights, "absolute error")
        return cls(values, lambda z, rows: np.square(z - truth[rows]).mean(axis=1), weights, "squared error")

    def mean_loss(self, values: Floats, rows: Mask) -> float:
        """The weighted mean loss of values (rows, …) of some rows; infinite if it is not finite."""
        with np.errstate(all="ignore"):
            losses = self.row_losses(values, rows)
            weights = None if self.weights is None or not self.weights[rows].any() else self.weights[rows]
            mean = float(np.average(losses, weights=weights))
        return mean if np.isfinite(mean) else np.inf

    def mean_of(self, picks: tuple[int, ...], rows: Mask) -> Floats:
        """The mean of the values of some candidates (rows, …) of some rows."""
        total = np.zeros(self.values[0][rows].shape)
        for pick in picks:
            total += self.values[pick][rows]
        return total / len(picks)

    def pick(self, rounds: int, rows: Mask) -> Selection:
        """Pick in each round the candidate that lowers the loss of the mean on some rows most.

        A candidate can be picked again, which gives it a larger weight. Of equals, the first is picked.
        """
        values = self.values[:, rows]
        total, picks, losses = np.zeros(values.shape[1:]), list[int](), list[float]()
        for n in range(1, rounds + 1):
            each = [self.mean_loss((total + one) / n, rows) for one in values]
            picks.append(_first_lowest(each))
            losses.append(each[picks[-1]])
            total += values[picks[-1]]
        best = _first_lowest(losses) + 1
        return Selection(tuple(picks[:best]), tuple(losses))

    def cross_fit(self, rounds: int, part: npt.NDArray[np.int64]) -> CrossFittedSelection:
        """Select for the rows of each part (rows,) by the rows of the other parts.

        The loss of all rows is then not lower by the choice, unlike that of rows that choose.
        """
        selections = {int(k): self.pick(rounds, part != k) for k in np.unique(part)}
        values = np.empty(self.values.shape[1:])
        for k, selection in selections.items():
            values[part == k] = self.mean_of(selection.picks, part == k)
        return CrossFittedSelection(selections, self.mean_loss(values, np.ones(len(part), np.bool_)))


@dataclass(frozen=True)
class CrossFittedSelection:
    """The selection for the rows of each part, and the mean loss of all rows."""

    selections: dict[int, Selection]
    loss: float


def _first_lowest(losses: Sequence[float]) -> int:
    """The position of the lowest loss, the first of those that differ from it by rounding alone."""
    lowest = min(losses)
    return next(i for i, loss in enumerate(losses) if loss <= lowest + ROUNDING * abs(lowest))

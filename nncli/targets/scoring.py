"""How predictions of a kind of target are compared, selected and set beside a linear model: a part of its head."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nncli.nn.arrays import Floats, Mask
from nncli.nn.losses import LossBase, MAELoss, MSELoss
from nncli.targets.decision import Decision
from nncli.targets.target_base import Predicted, Truth

LinearFit: TypeAlias = Callable[[Floats, Truth, Floats, Floats], Floats]
"""Fits a linear model to features X (rows, features) with targets y and weights (rows,), and predicts new features."""


@dataclass(frozen=True)
class Measure:
    """A loss of each row by which two runs are compared. It is the same for both where name and `key` are equal.

    `prepare` makes of all held-out rows of a run what the loss of any of them needs (rows, …), and `losses` the loss
    (rows,) of some rows from that and their targets. Averaging of networks lowers the losses by a factor, or by its
    root unless the loss `is_square`; losses of decided classes stay.
    """

    name: str
    prepare: Callable[[Predicted, Truth], Floats] = field(compare=False)
    losses: Callable[[Floats, Truth], Floats] = field(default=lambda prepared, _: prepared, compare=False)
    key: object = None
    is_square: bool = True
    of_classes: bool = False

    def gain(self, factor: float, decision: Decision | None) -> float:
        """What averaging multiplies the losses by, from the factor of the squared error or the log loss."""
        if self.of_classes and decision is not None:
            return 1.0
        return factor if self.is_square else factor**0.5


class Comparison(NamedTuple):
    """The measures that the verdict on two runs follows, and the one that is shown beside them."""

    tested: tuple[Measure, ...]
    beside: Measure | None = None


class SelectionLoss(NamedTuple):
    """What the loss of a mean of candidates is computed from: `values` (candidates, rows, …) and the loss of each row.

    `row_losses` are those (rows,) of values (rows, …) of some rows, given by their mask. `measure` is the name.
    """

    values: Floats
    row_losses: Callable[[Floats, Mask], Floats]
    measure: str


class RareClass(NamedTuple):
    """A class that fewer rows have than an equal share, and the share of these that are predicted to be of it."""

    label: str
    rows: int
    recall: float


class Scoring(ABC):
    """How predictions of a target by a loss are compared.

    Runs whose own comparisons are equal are compared by these, others of the kind by what they have in common.
    """

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes by which a metric of one class is named; none where no metric is of one class."""
        return ()

    @property
    def in_common(self) -> Comparison:
        """What all runs of the kind can be compared by."""
        return NUMBERS

    @property
    def linear(self) -> LinearFit | None:
        """The linear model that a network is compared with; None where none is fitted."""
        return None

    def comparison(self, decision: Decision | None) -> Comparison:
        """What runs with equal comparisons are compared by.

        It is a proper score, which no model can lower by predicting other than what it expects.
        """
        return self.in_common

    def rare_classes(self, predictions: Predicted, y: Truth) -> tuple[RareClass, ...]:
        """The classes that fewer of the rows have than an equal share; none where rows have no class."""
        return ()

    @abstractmethod
    def selection(self, points: Floats, y: Truth, metric: str | None) -> SelectionLoss:
        """What an ensemble is selected by, from the points (candidates, rows, …), for the metric of a search.

        Raises:
            UsageError: means of predictions have no loss.
        """


def number_measure(loss: LossBase) -> Measure:
    """The loss of numbers; of several targets the mean of theirs, each divided by the spread of its target."""

    def prepare(predictions: Predicted, y: Truth) -> Floats:
        return predictions.points if loss.quantile_levels else predictions.values

    def losses(prepared: Floats, y: Truth) -> Floats:
        with np.errstate(all="ignore"):
            truth, spread = np.asarray(y, np.float64), y.std(axis=0)
            unit = np.where(spread > 0, spread, 1) if truth.shape[1] > 1 else np.ones(1)
            return loss.per_row(prepared / (unit[:, None] if prepared.ndim == 3 else unit), truth / unit)

    name = loss.per_row_name.replace("_", " ")
    return Measure(name, prepare, losses, key=loss, is_square=isinstance(loss, MSELoss))


NUMBERS = Comparison((number_measure(MSELoss()), number_measure(MAELoss())))
"""What numbers that are predicted by different losses have in common."""

# Linear models, of which the first feature is constant and has no penalty

PENALTY = 1.0
ITERATIONS = 100
TOLERANCE = 1e-6
"""Largest change of a raw output at which the iterations stop."""


def fit_ridge(X: Floats, Y: Floats, w: Floats) -> Floats:
    """Coefficients (features, targets) of ridge regression."""
    scale = np.where(Y.std(axis=0) > 0, Y.std(axis=0), 1.0)
    A, XT = _gram(X, w), X.T * w
    return np.asarray(np.linalg.solve(A, XT @ (Y / scale)) * scale)


def fit_logistic(X: Floats, Y: Floats, w: Floats, link: Callable[[Floats], Floats]) -> Floats:
    """Coefficients (features, outputs) of logistic regression with an L2 penalty: multinomial, or one for each label.

    `Y` (rows, outputs) is one-hot for the link softmax, or has the labels, NaN for a missing one. The Hessian is at
    most half the Gram matrix of the features, whatever the coefficients. Steps with this bound need no line search, and
    momentum with restarts makes them fast.
    Source: Böhning, "Multinomial logistic regression algorithm", 1992; O'Donoghue and Candès, "Adaptive restart for
    accelerated gradient schemes", 2015.
    """
    step = np.linalg.inv(_gram(X, w / 2))
    penalty, missing = PENALTY * (np.arange(X.shape[1]) > 0)[:, None], np.isnan(Y)
    B = previous = np.zeros((X.shape[1], Y.shape[1]))
    k = 0
    for _ in range(ITERATIONS):
        point = B + k / (k + 3) * (B - previous)
        residual = np.where(missing, 0.0, link(X @ point) - Y)
        gradient = X.T @ (w[:, None] * residual) + penalty * point
        previous, B = B, point - step @ gradient
        change = B - previous
        k = 0 if float((gradient * change).sum()) > 0 else k + 1
        if np.abs(change).sum(axis=0).max() < TOLERANCE:
            break
    return B


def _gram(X: Floats, w: Floats) -> Floats:
    """The weighted Gram matrix of the features (features, features), with the penalty."""
    A = (X.T * w) @ X
    A[np.diag_indices_from(A)] += np.where(np.arange(len(A)) > 0, PENALTY, 1e-9)
    return np.asarray(A)


def softmax(Z: Floats) -> Floats:
    """Class probabilities (rows, classes) of the raw outputs."""
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    return np.asarray(E / E.sum(axis=1, keepdims=True))


def ridge_regression(X: Floats, y: NDArray[np.float64], w: Floats, new: Floats) -> Floats:
    """Numbers by ridge regression; see `LinearFit`."""
    return np.asarray(new @ fit_ridge(X, y, w))

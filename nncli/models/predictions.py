"""Predictions: numbers, class probabilities or quantiles of rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.data.encoders.anomalies import Anomalies
from nncli.data.encoders.row_context import RowContext
from nncli.nn.arrays import Precision
from nncli.nn.losses import MEDIAN, LossBase
from nncli.targets.decision import Decision
from nncli.targets.target import Target


@dataclass(frozen=True)
class Predictions:
    """Predictions: `points` (rows, outputs) or, of a loss of several quantiles, ascending (rows, targets, levels).

    Points are numbers in the target's own units, or probabilities of classes. `anomalies` are the unexpected values in
    the rows, such as unseen categories. A `decision` makes classes of the probabilities; without one the most probable
    class is predicted. With the `loss` of the model, standard deviations follow from quantiles. Rows have the
    `context` that the points are relative to, if the model has one; of new rows the `relative` points are kept, since
    a quotient has other bits. The baseline of a distribution has `means` (rows, targets), which are its values in place
    of the medians.
    """

    target: Target
    points: npt.NDArray[np.float64]
    precision: Precision = "float64"
    anomalies: Anomalies = field(default_factory=Anomalies)
    decision: Decision | None = None
    levels: tuple[float, ...] = ()
    context: RowContext | None = None
    loss: LossBase | None = None
    relative: npt.NDArray[np.float64] | None = None
    means: npt.NDArray[np.float64] | None = None

    @cached_property
    def values(self) -> npt.NDArray[np.float64]:
        """One value for each output (rows, outputs): the points, or the medians of quantiles."""
        if not self.levels:
            return self.points
        # A sum over a strided view would have other bits.
        medians = np.ascontiguousarray(self.points[:, :, self.levels.index(MEDIAN)])
        return medians if self.means is None else self.means

    @property
    def quantiles(self) -> npt.NDArray[np.float64] | None:
        """The quantiles (rows, targets, levels); None of a loss without."""
        return self.points if self.levels else None

    @property
    def classes(self) -> npt.NDArray[np.int64]:
        """The codes of the predicted classes (rows,); of several labels 1 or 0 for each (rows, labels)."""
        return self.target.decision_rule.codes(self.points, self.decision)

    def in_context(self, context: RowContext) -> Predictions:
        """The predictions of rows with this context, where the points are relative to it."""
        return replace(self, points=context.absolute(self.points), context=context, relative=self.points)

    @property
    def exposure(self) -> npt.NDArray[np.float64] | None:
        """The exposures (rows,); None without."""
        return None if self.context is None else self.context.exposure

    @property
    def relative_to(self) -> RowContext | None:
        """The context, if the predictions are relative to it."""
        return self.context if self.target.is_relative else None

    def without_context(self) -> Predictions:
        """The predictions relative to their context, if they are."""
        if self.relative_to is None:
            return self
        return replace(self, points=self.relative_points, context=None, relative=None)

    @property
    def relative_points(self) -> npt.NDArray[np.float64]:
        """The points relative to the context: those of rows with an exposure of 1 and no offset."""
        if self.relative is not None:
            return self.relative
        return self.points if self.context is None else self.context.relative(self.points)

    @property
    def standard_deviations(self) -> npt.NDArray[np.float64] | None:
        """Those of the predicted distributions (rows, targets); None without distributions."""
        if not self.levels or self.loss is None or not self.loss.has_distribution:
            return None
        deviations = self.loss.standard_deviations(self.without_context().points)
        exposure = None if self.relative_to is None else self.relative_to.exposure
        return deviations if exposure is None else deviations * exposure[:, None]

    def part(self, j: int) -> Predictions:
        """The predictions of one of several targets."""
        part = self.target.parts[j]
        values = self.values[:, part.span]
        if part.levels:
            loss = None if self.loss is None else self.loss.parts[j]
            return Predictions(part.target, values[:, None, :], self.precision, levels=part.levels, loss=loss)
        return Predictions(part.target, np.ascontiguousarray(values), self.precision)

    def take(self, rows: npt.NDArray[np.int64 | np.bool_]) -> Predictions:
        """The rows at these positions, or of a mask."""
        relative, means = (None if x is None else x[rows] for x in (self.relative, self.means))
        context = None if self.context is None else self.context.take(rows)
        return replace(self, points=self.points[rows], context=context, relative=relative, means=means)

    def with_rows(self, rows: slice | npt.NDArray[np.int64 | np.bool_], other: Predictions) -> Predictions:
        """A copy in which some rows are those of `other`, in order."""
        points, means = self.points.copy(), None if self.means is None else self.means.copy()
        points[rows] = other.points
        if means is not None:
            means[rows] = other.values
        return replace(self, points=points, means=means, relative=None)

    def aligned(self, target: Target) -> Predictions:
        """The predictions in the order of the classes of a `target`; 0 where this one has none."""
        return replace(self, target=target, points=target.align(self.points, self.target))

    def with_temperature(self, T: float) -> Predictions:
        """Temperature scaling of the probabilities, rounded to the precision: less confident for T above 1."""
        if T == 1.0:
            return self
        points = self.target.calibration.at(self.points, T).astype(self.precision).astype(np.float64)
        return replace(self, points=points)

    def frame(self, *, proba: bool = False) -> pl.DataFrame:
        """The columns that the target gives predictions, with `proba` also those of the probabilities."""
        return pl.DataFrame(self.target.columns(self, proba=proba))


def stack_predictions(blocks: Iterable[Predictions], rows: int) -> Predictions | None:
    """The predictions of consecutive blocks of `rows` rows together, without anomalies and context.

    None without a block.
    """
    stacked, stop = None, 0
    for block in blocks:
        if stacked is None:
            points = np.empty((rows, *block.points.shape[1:]))
            stacked = replace(block, points=points, anomalies=Anomalies(), context=None, relative=None)
        start, stop = stop, stop + len(block.points)
        stacked.points[start:stop] = block.points
    return stacked

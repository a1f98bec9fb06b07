"""Predictions: numbers, class probabilities or quantiles of rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.data.encoders.anomalies import Anomalies
from nncli.nn.arrays import Precision
from nncli.nn.losses import MEDIAN, LossBase
from nncli.targets.decision import Decision
from nncli.targets.target import Target


@dataclass(frozen=True)
class Predictions:
    """Predictions: numbers in the target's own units (rows, targets), or probabilities (rows, classes).

    `anomalies` are the unexpected values in the rows, such as unseen categories. A `decision` makes classes of the
    probabilities; without one the most probable class is predicted. A loss of several quantiles predicts `quantiles`
    (rows, targets, levels), ascending, of which `values` are the medians; with the `loss` of the model, standard
    deviations follow from them. Rows have their `exposure` (rows,), if the model has one. The `rates` (rows, targets)
    of new rows, of which the values are the products with the exposure, are kept, since a quotient has other bits.
    """

    target: Target
    values: npt.NDArray[np.float64]
    precision: Precision = "float64"
    anomalies: Anomalies = field(default_factory=Anomalies)
    decision: Decision | None = None
    quantiles: npt.NDArray[np.float64] | None = None
    levels: tuple[float, ...] = ()
    exposure: npt.NDArray[np.float64] | None = None
    loss: LossBase | None = None
    rates: npt.NDArray[np.float64] | None = None

    @property
    def classes(self) -> npt.NDArray[np.int64]:
        """The codes of the predicted classes (rows,); of several labels 1 or 0 for each (rows, labels)."""
        return self.target.decide(self.values, self.decision)

    @classmethod
    def of_quantiles(
        cls,
        target: Target,
        quantiles: npt.NDArray[np.float64],
        levels: tuple[float, ...],
        precision: Precision,
        loss: LossBase | None = None,
    ) -> Predictions:
        """The predictions with these quantiles (rows, targets, levels)."""
        medians = np.ascontiguousarray(quantiles[:, :, levels.index(MEDIAN)])
        return cls(target, medians, precision, quantiles=quantiles, levels=levels, loss=loss)

    @classmethod
    def of_rates(
        cls,
        target: Target,
        rates: npt.NDArray[np.float64],
        exposure: npt.NDArray[np.float64],
        precision: Precision,
        anomalies: Anomalies | None = None,
        loss: LossBase | None = None,
    ) -> Predictions:
        """The predictions of rows with these rates (rows, targets) and exposures (rows,)."""
        values = rates * exposure[:, None]
        return cls(target, values, precision, anomalies or Anomalies(), exposure=exposure, loss=loss, rates=rates)

    @property
    def per_exposure(self) -> npt.NDArray[np.float64]:
        """The values of rows with an exposure for an exposure of 1."""
        assert self.exposure is not None
        return self.values / self.exposure[:, None] if self.rates is None else self.rates

    @property
    def standard_deviations(self) -> npt.NDArray[np.float64] | None:
        """Those of the predicted distributions (rows, targets); None without distributions."""
        if self.quantiles is None or self.loss is None or not self.loss.has_distribution:
            return None
        return self.loss.standard_deviations(self.quantiles)

    @property
    def loss_inputs(self) -> npt.NDArray[np.float64]:
        """What the loss of each row is computed from: the quantiles, or without them the values."""
        return self.values if self.quantiles is None else self.quantiles

    def part(self, j: int) -> Predictions:
        """The predictions of one of several targets."""
        part, (values, levels) = self.target.parts[j], self.target.values_of_part(self.values, j)
        if levels:
            loss = None if self.loss is None else self.loss.parts[j]
            return Predictions.of_quantiles(part, values[:, None, :], levels, self.precision, loss)
        return Predictions(part, np.ascontiguousarray(values), self.precision)

    def take(self, rows: npt.NDArray[np.int64 | np.bool_]) -> Predictions:
        """The rows at these positions, or of a mask."""
        quantiles = None if self.quantiles is None else self.quantiles[rows]
        exposure, rates = (None if array is None else array[rows] for array in (self.exposure, self.rates))
        return replace(self, values=self.values[rows], quantiles=quantiles, exposure=exposure, rates=rates)

    def with_rows(self, rows: slice | npt.NDArray[np.int64 | np.bool_], other: Predictions) -> Predictions:
        """A copy in which some rows are those of `other`, in order."""
        values, quantiles = self.values.copy(), None if self.quantiles is None else self.quantiles.copy()
        values[rows] = other.values
        if quantiles is not None:
            quantiles[rows] = other.quantiles
        return replace(self, values=values, quantiles=quantiles, rates=None)

    def with_temperature(self, T: float) -> Predictions:
        """Temperature scaling of the probabilities, rounded to the precision: less confident for T above 1."""
        if T == 1.0:
            return self
        values = self.target.at_temperature(self.values, T).astype(self.precision).astype(np.float64)
        return replace(self, values=values)

    def frame(self, *, proba: bool = False) -> pl.DataFrame:
        """The columns that the target gives predictions, with `proba` also those of the probabilities."""
        return pl.DataFrame(self.target.columns(self, proba=proba))


def stack_predictions(blocks: Iterable[Predictions], rows: int) -> Predictions | None:
    """The predictions of consecutive blocks of `rows` rows together, without anomalies and exposures.

    None without a block.
    """
    stacked, stop = None, 0
    for block in blocks:
        if stacked is None:
            shape = () if block.quantiles is None else block.quantiles.shape[1:]
            stacked = replace(
                block,
                values=np.empty((rows, block.values.shape[1])),
                quantiles=None if block.quantiles is None else np.empty((rows, *shape)),
                anomalies=Anomalies(),
                exposure=None,
                rates=None,
            )
        start, stop = stop, stop + len(block.values)
        stacked.values[start:stop] = block.values
        if stacked.quantiles is not None:
            stacked.quantiles[start:stop] = block.quantiles
    return stacked

"""Rows encoded for every network of a model, in which single columns can be replaced without encoding again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.data.encoders.anomalies import Anomalies
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.row_context import RowContext
from nncli.data.formats.prefetch import prefetch_map
from nncli.data.sample_weights import Weights, combine
from nncli.data.table import Table
from nncli.models.ensemble import AnyModel, Ensemble, shared_anomalies
from nncli.models.model import Model
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Codes, Direction, Floats, Mask, Matrix, RowIndices
from nncli.nn.batches.dataset import Dataset

OofMask: TypeAlias = npt.NDArray[np.bool_]
"""(members, rows): which members were not trained on a row, and so predict it."""
ProgressCallback: TypeAlias = Callable[[str, int, int], object]
"""Called with the name of a step, how many parts of it are done, and how many there are."""


MEMBER_THREADS = 2
"""Threads that predict, each with another member."""
MAX_VALUES = 1 << 22
"""Encoded values that are predicted at once: 16 MB."""


def no_progress(step: str, done: int, total: int) -> None:
    """A progress callback that does nothing."""


class ColumnSlice(NamedTuple):
    """The columns of X that a column of a table is encoded to, and, if it is embedded, of the codes."""

    X: slice
    codes: slice


class ColumnValues(NamedTuple):
    """The encoded cells of one column for one network: a row each, or one row for all.

    Of a column that answers are relative to, these are in the `context`.
    """

    X: Matrix
    codes: Codes
    context: RowContext | None = None


def column_slices(encoder: Encoder) -> dict[str, ColumnSlice]:
    """The slices of every column, by name."""
    starts = accumulate((column.width for column in encoder.columns), initial=0)
    embedded = {column.name: j for j, column in enumerate(encoder.embedded)}
    slices = {}
    for column, start in zip(encoder.columns, starts, strict=False):
        j = embedded.get(column.name)
        codes = slice(0, 0) if j is None else slice(j, j + 1)
        slices[column.name] = ColumnSlice(slice(start, start + column.width), codes)
    return slices


@dataclass(frozen=True)
class EncodedPart:
    """Rows encoded for one network, with what their answers are relative to, None for a model without."""

    model: Model
    X: Matrix
    codes: Codes
    context: RowContext | None = None

    def take(self, rows: RowIndices) -> EncodedPart:
        """The rows at these positions."""
        context = None if self.context is None else self.context.take(rows)
        return EncodedPart(self.model, self.X[rows], self.codes[rows], context)

    def cells(self, column: str, rows: RowIndices) -> ColumnValues | None:
        """The cells of a column in the rows at these positions; None if the network does not use the column."""
        encoder = self.model.spec.encoder
        at = column_slices(encoder).get(column)
        if at is None:
            return None
        context = None if self.context is None else encoder.of_column(column, self.context.take(rows))
        return ColumnValues(self.X[rows, at.X], self.codes[rows, at.codes], context)

    def predict_copies(
        self, mask: Mask | None, column: str, cells: Sequence[ColumnValues | None], threads: int
    ) -> Predictions:
        """Predict the rows of a mask (rows,), None for all, as often as there are `cells` to replace a column's."""
        chosen = slice(None) if mask is None else mask
        X, codes = self.X[chosen], self.codes[chosen]
        n, at = len(X), column_slices(self.model.spec.encoder).get(column)
        X, codes = np.tile(X, (len(cells), 1)), np.tile(codes, (len(cells), 1))
        context = None if self.context is None else self.context.take(chosen).repeat(len(cells))
        for k, values in enumerate(cells):
            if values is not None and at is not None:
                rows, source = slice(k * n, (k + 1) * n), slice(None) if len(values.X) == 1 else chosen
                X[rows, at.X], codes[rows, at.codes] = values.X[source], values.codes[source]
                if context is not None and values.context is not None:
                    context = context.replaced(values.context.take(source), rows)
        return self.model.predict_dataset(Dataset(X, codes, np.empty((len(X), 0))), threads, context)


@dataclass(frozen=True)
class EncodedRows:
    """Rows encoded for each network of a model.

    `oof_mask` selects the members of an ensemble that predict each row, None for all. `anomalies` are the unexpected
    values in the rows. `weights` (rows,) have mean 1, and are None where all rows count the same or all are 0.
    """

    model: AnyModel
    parts: tuple[EncodedPart, ...]
    oof_mask: OofMask | None
    anomalies: Anomalies
    weights: Weights | None = None

    @classmethod
    def of(
        cls, model: AnyModel, table: Table, oof_mask: OofMask | None = None, weights: Weights | None = None
    ) -> EncodedRows:
        """Encode the rows of a table.

        Raises:
            DataError: a column is missing, or a cell cannot be read.
        """
        parts, anomalies_of_members = [], []
        for member in model.members if isinstance(model, Ensemble) else (model,):
            encoded = member.encode(table)
            parts.append(EncodedPart(member, encoded.X, encoded.codes, encoded.context))
            anomalies_of_members.append(encoded.anomalies)
        anomalies = shared_anomalies(model, table, anomalies_of_members)
        return cls(model, tuple(parts), oof_mask, anomalies, _scaled(weights))

    def __len__(self) -> int:
        return len(self.parts[0].X)

    @property
    def monotone(self) -> dict[str, Direction]:
        """The columns in which the predictions of all members that use them are monotone, each with its direction."""
        specs = [part.model.spec for part in self.parts]
        directions = {name: direction for spec in specs for name, direction in spec.monotone.items()}
        return {
            name: direction
            for name, direction in directions.items()
            if all(spec.monotone.get(name) == direction for spec in specs if name in spec.encoder.names)
        }

    @property
    def interactions(self) -> tuple[tuple[str, ...], ...]:
        """The sets of columns that act together in all members; none if all may, or members differ."""
        first, *others = (part.model.spec.interactions for part in self.parts)
        return first if all(sets == first for sets in others) else ()

    def take(self, rows: RowIndices) -> EncodedRows:
        """The rows at these positions."""
        parts = tuple(part.take(rows) for part in self.parts)
        predictions = None if self.oof_mask is None else self.oof_mask[:, rows]
        weights = None if self.weights is None else _scaled(self.weights[rows])
        return EncodedRows(self.model, parts, predictions, self.anomalies, weights)

    def mean(self, values: Floats) -> Floats:
        """The weighted mean of `values` (rows, …) over the rows."""
        w = self.weights
        return np.asarray(values.mean(axis=0) if w is None else np.average(values, axis=0, weights=w))

    def cells(self, column: str, rows: RowIndices) -> list[ColumnValues | None]:
        """The cells of a column in the rows at these positions, for every network."""
        return [part.cells(column, rows) for part in self.parts]

    def predict(self) -> Predictions:
        """The predictions of the rows.

        The caller limits BLAS to one thread, as `Model.predict` does, once for many predictions.
        """
        return next(self.predict_each("", [[None] * len(self.parts)]))

    def predict_each(self, column: str, cells: Sequence[Sequence[ColumnValues | None]]) -> Iterator[Predictions]:
        """Predictions as those of `predict`, with each of the `cells` of a column in place of those of the rows.

        Many are computed at once, since a network takes rows in blocks of some hundred.
        """
        size = max(1, MAX_VALUES // max(1, max(part.X.size for part in self.parts)))
        for start in range(0, len(cells), size):
            yield from self._predict_each(column, cells[start : start + size])

    def _predict_each(self, column: str, cells: Sequence[Sequence[ColumnValues | None]]) -> Iterator[Predictions]:
        masks = self.oof_mask if self.oof_mask is not None else [None] * len(self.parts)
        members = list(zip(self.parts, masks, zip(*cells, strict=True), strict=True))
        threads = 2 if len(members) == 1 else 1

        def predicted_by(member: tuple[EncodedPart, Mask | None, tuple[ColumnValues | None, ...]]) -> Predictions:
            part, mask, values = member
            with np.errstate(all="ignore"):  # not inherited by threads
                return part.predict_copies(mask, column, values, threads)

        if not isinstance(self.model, Ensemble):
            predictions = predicted_by(members[0])
            for k in range(len(cells)):
                yield predictions.take(np.arange(k * len(self), (k + 1) * len(self)))
            return
        total: Floats | None = None
        for i, (_, predictions) in enumerate(prefetch_map(iter(members), predicted_by, MEMBER_THREADS)):
            points, mask = self.model.weighted(i, self.model.member_points(predictions)), members[i][1]
            total = np.zeros((len(cells), len(self), *points.shape[1:])) if total is None else total
            total[:, slice(None) if mask is None else mask] += points.reshape(len(cells), -1, *points.shape[1:])
        assert total is not None
        every = self.model.total_weight(range(len(members)))
        weights = every if self.oof_mask is None else self.model.total_weights(self.oof_mask)
        for of_cells, of_rows in zip(cells, total, strict=True):
            mean = self.model.mean(of_rows, weights)
            context, cells_of_first = self.parts[0].context, of_cells[0]
            if context is None or not self.model.spec.target.is_relative:
                yield mean
                continue
            if cells_of_first is not None and cells_of_first.context is not None:
                context = context.replaced(cells_of_first.context)
            yield replace(mean, points=context.absolute(mean.points))


def _scaled(weights: Weights | None) -> Weights | None:
    """The weights, scaled to mean 1; None if they are all 0."""
    return combine(weights, None) if weights is not None and weights.any() else None

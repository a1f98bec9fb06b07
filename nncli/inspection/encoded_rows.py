"""Rows as every network of a model sees them, so that single columns can be changed without encoding anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.data.arrays import Codes, Matrix
from nncli.data.batches.dataset import Dataset
from nncli.data.encoders.anomalies import Anomalies
from nncli.data.encoders.encoder import Encoder
from nncli.data.sample_weights import Weights, combine
from nncli.data.table import Table
from nncli.ensemble import AnyModel, Ensemble, align_classes, n_outputs
from nncli.model import Model

Floats: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.int64]
Spoken: TypeAlias = npt.NDArray[np.bool_]
"""(members, rows): which members' word counts of a row."""


class ColumnSlice(NamedTuple):
    """Where a column of a table stands in X, and, if it is embedded, in the codes."""

    X: slice
    codes: slice


class ColumnValues(NamedTuple):
    """The cells of one column, as one network sees them: as many rows as there are, or one for all."""

    X: Matrix
    codes: Codes


def column_slices(encoder: Encoder) -> dict[str, ColumnSlice]:
    """Where each column stands."""
    starts = accumulate((column.width for column in encoder.columns), initial=0)
    embedded = {column.name: j for j, column in enumerate(encoder.embedded)}
    found = {}
    for column, start in zip(encoder.columns, starts, strict=False):
        j = embedded.get(column.name)
        codes = slice(0, 0) if j is None else slice(j, j + 1)
        found[column.name] = ColumnSlice(slice(start, start + column.width), codes)
    return found


@dataclass(frozen=True)
class EncodedPart:
    """Some rows as one network sees them."""

    model: Model
    X: Matrix
    codes: Codes

    def take(self, rows: Rows) -> EncodedPart:
        """The rows at these positions."""
        return EncodedPart(self.model, self.X[rows], self.codes[rows])

    def cells(self, column: str, rows: Rows) -> ColumnValues | None:
        """What the rows at these positions have in a column; None where the network does not know the column."""
        at = column_slices(self.model.spec.encoder).get(column)
        return None if at is None else ColumnValues(self.X[rows, at.X], self.codes[rows, at.codes])

    def examples(self, column: str, cells: ColumnValues | None) -> Dataset:
        """The rows, with other cells in one column."""
        X, codes = self.X, self.codes
        if cells is not None:
            at = column_slices(self.model.spec.encoder)[column]
            X, codes = X.copy(), codes.copy()
            X[:, at.X], codes[:, at.codes] = cells
        return Dataset(X, codes, np.empty((len(X), 0)))


@dataclass(frozen=True)
class EncodedRows:
    """Some rows, encoded for each network of a model.

    `spoken` says which members of an ensemble are to be heard of each row, where not all are; `strangers` what the rows
    held that the training rows did not; `weights` (rows,), of mean 1, how much each counts, None where all count the
    same, which they also do where no row counts at all.
    """

    model: AnyModel
    parts: tuple[EncodedPart, ...]
    spoken: Spoken | None
    strangers: Anomalies
    weights: Weights | None = None

    @classmethod
    def of(
        cls, model: AnyModel, table: Table, spoken: Spoken | None = None, weights: Weights | None = None
    ) -> EncodedRows:
        """Encode the rows of a table.

        Raises:
            DataError: a column is missing, or a cell cannot be read.
        """
        parts, met = [], []
        for one in model.members if isinstance(model, Ensemble) else (model,):
            encoded = one.spec.encoder.encode(table, one.spec.network.precision)
            parts.append(EncodedPart(one, encoded.X, encoded.codes))
            met.append(encoded.anomalies)
        strangers = met[0]
        for others in met[1:]:
            strangers = strangers & others
        return cls(model, tuple(parts), spoken, strangers, _scaled(weights))

    def __len__(self) -> int:
        return len(self.parts[0].X)

    def take(self, rows: Rows) -> EncodedRows:
        """The rows at these positions."""
        parts = tuple(part.take(rows) for part in self.parts)
        spoken = None if self.spoken is None else self.spoken[:, rows]
        weights = None if self.weights is None else _scaled(self.weights[rows])
        return EncodedRows(self.model, parts, spoken, self.strangers, weights)

    def mean(self, values: Floats) -> Floats:
        """The mean of `values` (rows, …) over the rows, each by its weight."""
        w = self.weights
        return np.asarray(values.mean(axis=0) if w is None else np.average(values, axis=0, weights=w))

    def cells(self, column: str, rows: Rows) -> list[ColumnValues | None]:
        """What the rows at these positions have in a column, for every network."""
        return [part.cells(column, rows) for part in self.parts]

    def predict(self, column: str = "", cells: Sequence[ColumnValues | None] = ()) -> npt.NDArray[np.float64]:
        """Predictions (rows, outputs), as `Predictions.values`, of the rows with other cells in one column, if any.

        The BLAS is to have one thread, as in `Model.predict`: whoever predicts many times sees to it once.
        """
        given = cells or [None] * len(self.parts)
        examples = [part.examples(column, one) for part, one in zip(self.parts, given, strict=True)]
        if not isinstance(self.model, Ensemble) or self.spoken is None:
            said = [part.model.predict_examples(some, 2) for part, some in zip(self.parts, examples, strict=True)]
            return self.model.average(said).values if isinstance(self.model, Ensemble) else said[0].values
        spec, target = self.model.spec, self.model.spec.target
        total: npt.NDArray[Any] = np.zeros((len(self), n_outputs(target)))
        for part, some, heard in zip(self.parts, examples, self.spoken, strict=True):
            spoken = part.model.predict_examples(Dataset(some.X[heard], some.codes[heard], some.y[heard]), 2)
            total[heard] += align_classes(target, spoken.with_temperature(spec.temperature))
        return self.model.mean(total, self.spoken.sum(axis=0)[:, None]).values


def _scaled(weights: Weights | None) -> Weights | None:
    """The weights, of mean 1; None where they are all 0."""
    return combine(weights, None) if weights is not None and weights.any() else None

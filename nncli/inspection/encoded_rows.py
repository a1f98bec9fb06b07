"""Rows encoded for every network of a model, in which single columns can be replaced without encoding again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
OofMask: TypeAlias = npt.NDArray[np.bool_]
"""(members, rows): which members were not trained on a row, and so predict it."""
ProgressCallback: TypeAlias = Callable[[str, int, int], object]
"""Called with the name of a step, how many parts of it are done, and how many there are."""


def no_progress(step: str, done: int, total: int) -> None:
    """A progress callback that does nothing."""


class ColumnSlice(NamedTuple):
    """The columns of X that a column of a table is encoded to, and, if it is embedded, of the codes."""

    X: slice
    codes: slice


class ColumnValues(NamedTuple):
    """The encoded cells of one column for one network: a row each, or one row for all."""

    X: Matrix
    codes: Codes


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
    """Rows encoded for one network."""

    model: Model
    X: Matrix
    codes: Codes

    def take(self, rows: Rows) -> EncodedPart:
        """The rows at these positions."""
        return EncodedPart(self.model, self.X[rows], self.codes[rows])

    def cells(self, column: str, rows: Rows) -> ColumnValues | None:
        """The cells of a column in the rows at these positions; None if the network does not use the column."""
        at = column_slices(self.model.spec.encoder).get(column)
        return None if at is None else ColumnValues(self.X[rows, at.X], self.codes[rows, at.codes])

    def dataset(self, column: str, cells: ColumnValues | None) -> Dataset:
        """The rows, with the cells of one column replaced."""
        X, codes = self.X, self.codes
        if cells is not None:
            at = column_slices(self.model.spec.encoder)[column]
            X, codes = X.copy(), codes.copy()
            X[:, at.X], codes[:, at.codes] = cells
        return Dataset(X, codes, np.empty((len(X), 0)))


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
            parts.append(EncodedPart(member, encoded.X, encoded.codes))
            anomalies_of_members.append(encoded.anomalies)
        anomalies = anomalies_of_members[0]
        for others in anomalies_of_members[1:]:
            anomalies = anomalies & others
        return cls(model, tuple(parts), oof_mask, anomalies, _scaled(weights))

    def __len__(self) -> int:
        return len(self.parts[0].X)

    def take(self, rows: Rows) -> EncodedRows:
        """The rows at these positions."""
        parts = tuple(part.take(rows) for part in self.parts)
        predictions = None if self.oof_mask is None else self.oof_mask[:, rows]
        weights = None if self.weights is None else _scaled(self.weights[rows])
        return EncodedRows(self.model, parts, predictions, self.anomalies, weights)

    def mean(self, values: Floats) -> Floats:
        """The weighted mean of `values` (rows, …) over the rows."""
        w = self.weights
        return np.asarray(values.mean(axis=0) if w is None else np.average(values, axis=0, weights=w))

    def cells(self, column: str, rows: Rows) -> list[ColumnValues | None]:
        """The cells of a column in the rows at these positions, for every network."""
        return [part.cells(column, rows) for part in self.parts]

    def predict(self, column: str = "", cells: Sequence[ColumnValues | None] = ()) -> npt.NDArray[np.float64]:
        """Predictions (rows, outputs), as `Predictions.values`, with the cells of one column replaced, if given.

        The caller limits BLAS to one thread, as `Model.predict` does, once for many predictions.
        """
        replaced = cells or [None] * len(self.parts)
        datasets = [part.dataset(column, values) for part, values in zip(self.parts, replaced, strict=True)]
        if not isinstance(self.model, Ensemble) or self.oof_mask is None:
            each = [part.model.predict_dataset(dataset, 2) for part, dataset in zip(self.parts, datasets, strict=True)]
            return self.model.average(each).values if isinstance(self.model, Ensemble) else each[0].values
        spec, target = self.model.spec, self.model.spec.target
        total: npt.NDArray[Any] = np.zeros((len(self), n_outputs(target)))
        for part, dataset, mask in zip(self.parts, datasets, self.oof_mask, strict=True):
            predictions = part.model.predict_dataset(Dataset(dataset.X[mask], dataset.codes[mask], dataset.y[mask]), 2)
            total[mask] += align_classes(target, predictions.with_temperature(spec.temperature))
        return self.model.mean(total, self.oof_mask.sum(axis=0)[:, None]).values


def _scaled(weights: Weights | None) -> Weights | None:
    """The weights, scaled to mean 1; None if they are all 0."""
    return combine(weights, None) if weights is not None and weights.any() else None

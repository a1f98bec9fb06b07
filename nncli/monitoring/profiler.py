"""Profiles of the rows that a model predicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from nncli.data.arrays import Codes
from nncli.data.encoders.kinds import Column
from nncli.data.table import Table
from nncli.ensemble import AnyModel
from nncli.monitoring.bins import Bins, CategoryBins, Counts, NumberBins
from nncli.monitoring.build import columns_of, probability_of
from nncli.monitoring.class_sums import ClassRows
from nncli.monitoring.profile import Profile
from nncli.monitoring.reference import Reference
from nncli.predictions import Predictions


@dataclass(frozen=True)
class Profiler:
    """Profiles predicted rows by a reference and the columns of its model, in the order of the reference."""

    reference: Reference
    columns: tuple[Column, ...]

    @classmethod
    def of(cls, reference: Reference, model: AnyModel) -> Profiler:
        """The profiler of a model; a ValueError if the reference is not that of the model."""
        columns = {column.name: column for column in columns_of(model)}
        if set(columns) != {bins.name for bins in reference.columns}:
            raise ValueError("the reference has other columns than the model")
        return cls(reference, tuple(columns[bins.name] for bins in reference.columns))

    def place(self, table: Table, predictions: Predictions) -> PlacedRows:
        """The bins of the rows of a table, and of their predictions.

        Raises:
            DataError: a cell cannot be read.
        """
        reference, values = self.reference, predictions.values
        columns = [_place(bins, column, table) for bins, column in zip(reference.columns, self.columns, strict=True)]
        placed: list[Codes] = []
        classes = None
        if reference.is_classification:
            probability = reference.predictions[1]
            assert isinstance(probability, NumberBins)
            placed = [values.argmax(axis=1) + 1, probability.place(probability_of(values))]
            classes = ClassRows.of(
                values, predictions.classes, placed[1], probability.n_bins, labels_of(predictions, table)
            )
        elif reference.predictions:
            bins = reference.predictions
            placed = [one.place(y) for one, y in zip(bins, values.T, strict=True) if isinstance(one, NumberBins)]
        return PlacedRows(reference, len(table), tuple(columns), tuple(placed), classes)

    def profile(self, table: Table, predictions: Predictions) -> Profile:
        """The profile of all rows of a table."""
        return self.place(table, predictions).profile(slice(None))


@dataclass(frozen=True)
class PlacedRows:
    """The bins (rows,) of each column and of the predictions of some rows."""

    reference: Reference
    rows: int
    columns: tuple[Codes, ...]
    predictions: tuple[Codes, ...]
    classes: ClassRows | None

    def profile(self, rows: slice | Codes) -> Profile:
        """The profile of the rows at these positions."""
        return Profile(
            reference=self.reference.checksum,
            rows=len(range(self.rows)[rows]) if isinstance(rows, slice) else len(rows),
            columns=_counts(self.columns, self.reference.columns, rows),
            predictions=_counts(self.predictions, self.reference.predictions, rows),
            classes=None if self.classes is None else self.classes.sums(rows),
        )


def _counts(codes: tuple[Codes, ...], bins: tuple[Bins, ...], rows: slice | Codes) -> tuple[Counts, ...]:
    return tuple(
        np.bincount(column[rows], minlength=one.n_bins).astype(np.int64)
        for column, one in zip(codes, bins, strict=True)
    )


def _place(bins: Bins, column: Column, table: Table) -> Codes:
    cells = column.comparable_cells(table)
    if isinstance(bins, CategoryBins):
        return bins.place(cells if isinstance(cells, pl.Series) else pl.Series(cells).cast(pl.String))
    assert not isinstance(cells, pl.Series)
    return bins.place(cells)


def labels_of(predictions: Predictions, table: Table) -> Codes | None:
    """The codes of the true classes (rows,) of a table, -1 where there is none; None without their column."""
    target = predictions.target
    return target.codes(table) if target.task == "classification" and target.name in table.names else None

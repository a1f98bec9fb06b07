"""Profiles of the rows that a model predicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from nncli.data.encoders.kinds import Column
from nncli.data.table import Table
from nncli.models.ensemble import AnyModel, Ensemble, average_members, predict_members
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Codes
from nncli.runs.monitoring.bins import Bins, CategoryBins, Counts
from nncli.runs.monitoring.performance_estimation import ClassRows, ClassSums
from nncli.runs.monitoring.reference import Reference, columns_of, probability_of


@dataclass(frozen=True)
class Profiler:
    """Profiles the rows that a model predicts, by its reference and its columns, in the order of the reference."""

    reference: Reference
    columns: tuple[Column, ...]
    model: AnyModel

    @classmethod
    def of(cls, reference: Reference, model: AnyModel) -> Profiler:
        """The profiler of a model; a ValueError if the reference is not that of the model."""
        columns = {column.name: column for column in columns_of(model)}
        if set(columns) != {bins.name for bins in reference.columns}:
            raise ValueError("the reference has other columns than the model")
        if len(reference.members) not in (0, len(model.members) if isinstance(model, Ensemble) else 1):
            raise ValueError("the reference has other members than the model")
        return cls(reference, tuple(columns[bins.name] for bins in reference.columns), model)

    @property
    def decision(self) -> str:
        """The saved decision of the model in words; "" without one."""
        decision = self.model.spec.decision
        return "" if decision is None else decision.text

    def predict(self, table: Table) -> tuple[Predictions, BinCodes]:
        """The predictions of a table, and the bins of its rows.

        Raises:
            DataError: a cell cannot be read.
        """
        members = predict_members(self.model, table)
        predictions = average_members(self.model, members)
        return predictions, self.bin_codes(table, predictions, members)

    def bin_codes(self, table: Table, predictions: Predictions, members: Sequence[Predictions]) -> BinCodes:
        """The bins of the rows of a table, and of the predictions of each member, whose mean are the `predictions`.

        Raises:
            DataError: a cell cannot be read.
        """
        reference = self.reference
        columns = [_codes(bins, column, table) for bins, column in zip(reference.columns, self.columns, strict=True)]
        classes = None
        if reference.is_classification:
            values, (probability,) = predictions.values, reference.numbers
            bins = probability.bin_codes(probability_of(values))
            classes = ClassRows.of(
                values, predictions.classes, bins, probability.n_bins, predictions.target.true_classes(table)
            )
        by_member = tuple(self._prediction_codes(one) for one in members) if reference.predictions else ()
        return BinCodes(reference, len(table), tuple(columns), by_member, classes, self.decision)

    def _prediction_codes(self, member: Predictions) -> tuple[Codes, ...]:
        """The bins (rows,) of the predictions of a member, in the order of the reference."""
        values = self.model.member_values(member) if isinstance(self.model, Ensemble) else member.values
        if not self.reference.is_classification:
            return tuple(one.bin_codes(y) for one, y in zip(self.reference.numbers, values.T, strict=True))
        (probability,), p = self.reference.numbers, probability_of(values)
        return np.where(np.isnan(p), 0, values.argmax(axis=1) + 1), probability.bin_codes(p)


@dataclass(frozen=True)
class BinCodes:
    """The bins (rows,) of each column of some rows, and of the predictions of each member."""

    reference: Reference
    rows: int
    columns: tuple[Codes, ...]
    members: tuple[tuple[Codes, ...], ...]
    classes: ClassRows | None
    decision: str = ""

    def profile(self, rows: slice | Codes = slice(None)) -> Profile:
        """The profile of the rows at these positions, by default all."""
        reference = self.reference
        predictions = tuple(np.zeros(bins.n_bins, np.int64) for bins in reference.predictions)
        for weight, codes in zip(reference.members, self.members, strict=bool(self.members)):
            for total, counts in zip(predictions, _counts(codes, reference.predictions, rows), strict=True):
                total += weight * counts
        return Profile(
            reference=reference.checksum,
            rows=len(range(self.rows)[rows]) if isinstance(rows, slice) else len(rows),
            columns=_counts(self.columns, reference.columns, rows),
            predictions=predictions,
            classes=None if self.classes is None else self.classes.sums(rows),
            decision=self.decision,
        )


def _counts(codes: tuple[Codes, ...], bins: tuple[Bins, ...], rows: slice | Codes) -> tuple[Counts, ...]:
    return tuple(
        np.bincount(column[rows], minlength=one.n_bins).astype(np.int64)
        for column, one in zip(codes, bins, strict=True)
    )


def _codes(bins: Bins, column: Column, table: Table) -> Codes:
    cells = column.comparable_cells(table)
    if isinstance(bins, CategoryBins):
        return bins.bin_codes(cells if isinstance(cells, pl.Series) else pl.Series(cells).cast(pl.String))
    assert not isinstance(cells, pl.Series)
    return bins.bin_codes(cells)


FORMAT = 1
"""The format of a file."""
LARGEST_FILE = 1 << 28
"""Bytes of a file that are read at most."""


@dataclass(frozen=True)
class Profile:
    """The numbers of rows in each bin of the reference with the checksum `reference`.

    `columns` are counts, in the order of the reference; `predictions` are those of all members, each of whose rows
    counts as often as the member predicted rows of the reference. `classes` are the sums that estimate the scores of a
    classification, None for a regression; its classes are those of `decision` in words, "" for the most probable ones.
    """

    reference: str
    rows: int
    columns: tuple[Counts, ...]
    predictions: tuple[Counts, ...]
    classes: ClassSums | None = None
    decision: str = ""

    @classmethod
    def empty(cls, reference: Reference, decision: str = "") -> Profile:
        """The profile of no row."""

        def zeros(bins: int) -> Counts:
            return np.zeros(bins, np.int64)

        predictions = tuple(zeros(bins.n_bins) for bins in reference.predictions)
        classes = ClassSums.empty(len(predictions[-1])) if reference.is_classification else None
        columns = tuple(zeros(bins.n_bins) for bins in reference.columns)
        return cls(reference.checksum, 0, columns, predictions, classes, decision)

    def __add__(self, other: Profile) -> Profile:
        """The profile of the rows of both; a ValueError if they are profiles of different runs or decisions."""
        if (self.reference, self.decision) != (other.reference, other.decision):
            raise ValueError("profiles of different runs or decisions cannot be added")
        return Profile(
            self.reference,
            self.rows + other.rows,
            _add(self.columns, other.columns),
            _add(self.predictions, other.predictions),
            None if self.classes is None or other.classes is None else self.classes + other.classes,
            self.decision,
        )

    def to_json(self) -> str:
        """The content of a file."""
        document = {
            "nncli_profile": FORMAT,
            "reference": self.reference,
            "rows": self.rows,
            "decision": self.decision,
            "columns": [counts.tolist() for counts in self.columns],
            "predictions": [counts.tolist() for counts in self.predictions],
            "classes": None if self.classes is None else self.classes.json(),
        }
        return json.dumps(document, separators=(",", ":")) + "\n"

    @classmethod
    def from_json(cls, content: bytes | str, reference: Reference) -> Profile:
        """Read the content of a file, which must be a profile of the rows that a run with this reference predicted.

        Raises:
            ValueError: it is no profile, or a damaged one.
            OtherReferenceError: it is that of another run.
        """
        try:
            document = json.loads(content)
            if document["nncli_profile"] != FORMAT:
                raise ValueError("unknown format")
            if document["reference"] != reference.checksum:
                raise OtherReferenceError
            rows, sums, decision = document["rows"], document["classes"], str(document["decision"])
            columns = _read(document["columns"], [bins.n_bins for bins in reference.columns], rows)
            sizes = [bins.n_bins for bins in reference.predictions]
            predictions = _read(document["predictions"], sizes, rows * reference.held_out)
            classes = None
            if reference.is_classification:
                classes = ClassSums.of_json(sums, len(predictions[-1]))
        except (KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError("not a profile") from error
        return cls(reference.checksum, rows, columns, predictions, classes, decision)


class OtherReferenceError(Exception):
    """A profile belongs to another run."""


def _add(a: Sequence[Counts], b: Sequence[Counts]) -> tuple[Counts, ...]:
    return tuple(x + y for x, y in zip(a, b, strict=True))


def _read(lists: Any, sizes: Sequence[int], rows: Any) -> tuple[Counts, ...]:
    """Counts of these sizes that add up to the rows each; a ValueError if they do not."""
    if len(lists) != len(sizes) or not isinstance(rows, int):
        raise ValueError("other columns")
    return tuple(checked_counts(values, size, rows) for values, size in zip(lists, sizes, strict=True))


def checked_counts(values: Any, size: int, total: int | None = None) -> Counts:
    """Whole numbers from 0 (size,), which add up to `total` if it is given; a ValueError if they do not."""
    counts = np.array(values)
    if counts.shape != (size,) or counts.dtype != np.int64 or (counts < 0).any():
        raise ValueError("not counts")
    if total is not None and int(counts.sum()) != total:
        raise ValueError("the counts do not add up")
    return counts

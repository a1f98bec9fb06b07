"""Profiles of the rows that a model predicts: the bins of cells and predictions, and sums that scores follow from."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from nncli.data.encoders.column_types import Column
from nncli.data.table import Table
from nncli.models.ensemble import AnyModel, Ensemble, average_members, predict_members
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Codes, Counts
from nncli.run_directory.monitoring.reference import Bins, CategoryBins, Reference, columns_of, tracked_codes
from nncli.targets.metrics.sums import ClassRows, ClassSums, LabelSums, NumberSums, TrueSums
from nncli.targets.monitoring import Binned


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
        monitoring, tracked, by_member = self.model.spec.head.monitoring, list[Binned](), list[tuple[Codes, ...]]()
        if reference.predictions:
            sizes = [bins.n_bins for bins in reference.predictions]
            tracked = [Binned(*pair) for pair in zip(self._prediction_codes(predictions), sizes, strict=True)]
            of_members = map(self.model.of_member, members) if isinstance(self.model, Ensemble) else members
            by_member = [self._prediction_codes(member) for member in of_members]
        truth = monitoring.truth(table)
        return BinCodes(
            reference,
            len(table),
            tuple(columns),
            tuple(by_member),
            monitoring.estimates(predictions, truth, tracked),
            self.decision,
            tuple(binned.codes for binned in tracked),
            None if truth is None else partial(monitoring.errors, predictions, truth),
        )

    def _prediction_codes(self, predictions: Predictions) -> tuple[Codes, ...]:
        """The bins (rows,) of predictions, in the order of the reference."""
        tracked = self.model.spec.head.monitoring.tracked(predictions)
        return tuple(tracked_codes(*pair) for pair in zip(self.reference.predictions, tracked, strict=True))


@dataclass(frozen=True)
class BinCodes:
    """The bins (rows,) of each column of some rows, and of the predictions of each member.

    `tracked` are those of the predictions of the model. With the target's columns, `errors` gives the sums of true
    scores over the rows at some positions.
    """

    reference: Reference
    rows: int
    columns: tuple[Codes, ...]
    members: tuple[tuple[Codes, ...], ...]
    performance: ClassRows | None
    decision: str = ""
    tracked: tuple[Codes, ...] = ()
    errors: Callable[[slice | Codes], TrueSums | None] | None = None

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
            performance=None if self.performance is None else self.performance.sums(rows),
            decision=self.decision,
            errors=None if self.errors is None else self.errors(rows),
        )


def _counts(codes: tuple[Codes, ...], bins: tuple[Bins, ...], rows: slice | Codes) -> tuple[Counts, ...]:
    return tuple(
        np.bincount(column[rows], minlength=column_bins.n_bins).astype(np.int64)
        for column, column_bins in zip(codes, bins, strict=True)
    )


def _codes(bins: Bins, column: Column, table: Table) -> Codes:
    cells = column.comparable_cells(table)
    if isinstance(bins, CategoryBins):
        return bins.bin_codes(cells if isinstance(cells, pl.Series) else pl.Series(cells).cast(pl.String))
    assert not isinstance(cells, pl.Series)
    return bins.bin_codes(cells)


FORMAT = 1
"""The format of a file."""
TRUE_SUMS: dict[str, type[TrueSums]] = {"numbers": NumberSums, "labels": LabelSums}
"""The sums of true scores by their keys in a file."""
LARGEST_FILE = 1 << 28
"""Bytes of a file that are read at most."""


@dataclass(frozen=True)
class Profile:
    """The numbers of rows in each bin of the reference with the checksum `reference`.

    `columns` are counts, in the order of the reference; `predictions` are those of all members, each of whose rows
    counts as often as the member predicted rows of the reference. `performance` are the sums that estimate the scores
    of a classification, None for a regression; its classes are those of `decision` in words, "" for the most probable
    ones. `errors` are the sums of the rows with true numbers or labels, None without the target's columns.
    """

    reference: str
    rows: int
    columns: tuple[Counts, ...]
    predictions: tuple[Counts, ...]
    performance: ClassSums | None = None
    decision: str = ""
    errors: TrueSums | None = None

    @classmethod
    def empty(cls, reference: Reference, decision: str = "") -> Profile:
        """The profile of no row."""

        def zeros(bins: int) -> Counts:
            return np.zeros(bins, np.int64)

        predictions = tuple(zeros(bins.n_bins) for bins in reference.predictions)
        probability = reference.probability
        classes = None if probability is None else ClassSums.empty(probability.n_bins)
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
            None if self.performance is None or other.performance is None else self.performance + other.performance,
            self.decision,
            self.errors + other.errors if self.errors and other.errors else self.errors or other.errors,
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
            "classes": None if self.performance is None else self.performance.json(),
            **{key: asdict(self.errors) for key, sums in TRUE_SUMS.items() if isinstance(self.errors, sums)},
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
            probability = reference.probability
            classes = None if probability is None else ClassSums.of_json(sums, probability.n_bins)
            errors = next((sums.of_json(document[key]) for key, sums in TRUE_SUMS.items() if key in document), None)
        except (KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError("not a profile") from error
        return cls(reference.checksum, rows, columns, predictions, classes, decision, errors)


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

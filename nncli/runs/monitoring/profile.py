"""The profile of new rows: how many lie in each bin of a reference. Whole numbers add up exactly, in any order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nncli.runs.monitoring.bins import Counts
from nncli.runs.monitoring.performance_estimation import ClassSums
from nncli.runs.monitoring.reference import Reference

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

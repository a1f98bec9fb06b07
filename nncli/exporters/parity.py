"""The outputs of an exported file beside the predictions of its model, for the same rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.base.text import quote
from nncli.exporters.runtimes.process import ExportedFileError
from nncli.models.predictions import Predictions

MAX_ROWS = 5
"""Rows of each kind that are listed."""
MIN_EXPONENT, MAX_EXPONENT = -148, 127
"""The powers of two that float32 has. Columns beyond them are scaled by one before they are rounded."""

RowName = Callable[[int], str]
"""The name of the row at a position, for messages."""


@dataclass(frozen=True)
class ParityReport:
    """How an exported file's outputs for some rows differ from predictions, where up to `max_ulp` is allowed.

    Numbers are rounded to float32 and compared in units in the last place (ulp): `differing` of the `numbers` are
    not the same, by up to `largest_ulp` in the rows `largest_rows`; infinite where one of two is not a number. Classes
    differ in `class_rows`, of which `n_classes` are counted; in `n_ties` rows the two classes are within `max_ulp` of
    each other, so either is right.
    """

    max_ulp: int
    rows: int
    numbers: int = 0
    differing: int = 0
    largest_ulp: float = 0.0
    largest_rows: tuple[str, ...] = ()
    n_classes: int = 0
    class_rows: tuple[str, ...] = ()
    n_ties: int = 0

    @property
    def is_match(self) -> bool:
        """Whether the file's outputs are those of the model."""
        return self.largest_ulp <= self.max_ulp and self.n_classes == 0

    def __add__(self, other: ParityReport) -> ParityReport:
        """The comparison of both parts of a table."""
        larger = self if self.largest_ulp >= other.largest_ulp else other
        rows = self.largest_rows + other.largest_rows if self.largest_ulp == other.largest_ulp else larger.largest_rows
        return ParityReport(
            self.max_ulp,
            self.rows + other.rows,
            self.numbers + other.numbers,
            self.differing + other.differing,
            larger.largest_ulp,
            rows[:MAX_ROWS],
            self.n_classes + other.n_classes,
            (self.class_rows + other.class_rows)[:MAX_ROWS],
            self.n_ties + other.n_ties,
        )

    def json(self) -> dict[str, Any]:
        """The comparison as JSON; `largest_ulp` is null where one of two is not a number."""
        return {
            "rows": self.rows,
            "numbers": self.numbers,
            "differing": self.differing,
            "largest_ulp": int(self.largest_ulp) if np.isfinite(self.largest_ulp) else None,
            "largest_rows": list(self.largest_rows),
            "classes_differing": self.n_classes,
            "class_rows": list(self.class_rows),
            "ties": self.n_ties,
            "max_ulp": self.max_ulp,
            "match": self.is_match,
        }


def compare(
    predictions: Predictions,
    predicted: pl.DataFrame,
    exported: pl.DataFrame,
    max_ulp: int,
    row_name: RowName,
    classes: Collection[str] = (),
) -> ParityReport:
    """Compare the outputs of a file with predictions, and with the columns that `nncli predict` prints of them.

    The columns `classes` are those of the predicted class.

    Raises:
        ExportedFileError: the columns or the numbers of rows differ.
    """
    # A file whose outputs have names may have them in another order.
    if sorted(exported.columns) != sorted(predicted.columns) or exported.height != predicted.height:
        raise ExportedFileError(_difference(predicted, exported))
    comparison = ParityReport(max_ulp, predicted.height)
    for name in predicted.columns:
        if name in classes:
            comparison = _compare_classes(comparison, predictions, exported[name], row_name)
        else:
            comparison = _beside(comparison, _compare_numbers(predicted[name], exported[name], max_ulp, row_name))
    return comparison


def _difference(predicted: pl.DataFrame, exported: pl.DataFrame) -> str:
    """How the columns or the numbers of rows differ."""
    if exported.height != predicted.height:
        return f"the file predicts {exported.height:,} rows, not {predicted.height:,}"
    lacking = [name for name in predicted.columns if name not in exported.columns]
    unknown = [name for name in exported.columns if name not in predicted.columns]
    parts = [f"lacks the column {quote(lacking[0])}"] if lacking else []
    parts += [f"has the column {quote(unknown[0])}, which the model does not predict"] if unknown else []
    return f"the predictions of the file differ: it {' and '.join(parts)}"


def _beside(first: ParityReport, other: ParityReport) -> ParityReport:
    """The comparison of two columns of the same rows."""
    both = first + other
    rows = tuple(dict.fromkeys(both.largest_rows)) if both.largest_ulp else ()
    return replace(both, rows=first.rows, largest_rows=rows)


def _compare_numbers(predicted: pl.Series, exported: pl.Series, max_ulp: int, row_name: RowName) -> ParityReport:
    a, b = (cells.cast(pl.Float64).fill_null(np.nan).to_numpy() for cells in (predicted, exported))
    ulp = ulp_distance(a, b)
    largest = float(ulp.max(initial=0.0))
    rows = np.flatnonzero(ulp == largest)[:MAX_ROWS] if largest else ()
    names = tuple(row_name(int(row)) for row in rows)
    return ParityReport(max_ulp, len(ulp), len(ulp), int(np.count_nonzero(ulp)), largest, names)


def ulp_distance(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The units in the last place of float32 between numbers that are rounded to float32; 0 for two that are NaN."""
    finite = np.abs(np.concatenate([a, b]))
    largest = finite[np.isfinite(finite)].max(initial=0.0)
    exponent = int(np.frexp(largest)[1])
    if largest and not MIN_EXPONENT <= exponent <= MAX_EXPONENT:
        a, b = np.ldexp(a, -exponent), np.ldexp(b, -exponent)
    distance: npt.NDArray[np.float64] = np.abs(_ordinals(a) - _ordinals(b)).astype(np.float64)
    distance[np.isnan(a) != np.isnan(b)] = np.inf
    distance[np.isnan(a) & np.isnan(b)] = 0.0
    return distance


def _ordinals(x: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Whole numbers in the order of float32 numbers, such that neighbors differ by 1, and 0 and -0 by nothing."""
    with np.errstate(over="ignore"):
        bits = x.astype(np.float32).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _compare_classes(
    comparison: ParityReport, predictions: Predictions, exported: pl.Series, row_name: RowName
) -> ParityReport:
    target = predictions.target
    labels = target.class_labels.every("label")
    codes = dict(zip(labels.to_list(), range(len(labels)), strict=True))
    theirs = np.array([codes.get(label, -1) for label in exported.cast(labels.dtype, strict=False).to_list()], np.int64)
    rows = np.flatnonzero(predictions.classes != theirs)
    is_tie = _ties(predictions.take(rows), theirs[rows], comparison.max_ulp)
    wrong = rows[~is_tie]
    return replace(
        comparison,
        n_classes=len(wrong),
        class_rows=tuple(row_name(int(row)) for row in wrong[:MAX_ROWS]),
        n_ties=int(is_tie.sum()),
    )


def _ties(predictions: Predictions, theirs: npt.NDArray[np.int64], max_ulp: int) -> npt.NDArray[np.bool_]:
    """Whether the classes `theirs` (rows,) would be predicted if both probabilities were `max_ulp` nearer to them."""
    ours, target = predictions.classes, predictions.target
    P, row = predictions.values.astype(np.float32), np.arange(len(theirs))
    for _ in range(max_ulp):
        P[row, ours] = np.nextafter(P[row, ours], np.float32(-np.inf))
        P[row, theirs] = np.nextafter(P[row, theirs], np.float32(np.inf))
    nearer: Sequence[int] | npt.NDArray[np.int64] = target.decision_rule.codes(
        P.astype(np.float64), predictions.decision
    )
    return (theirs >= 0) & (nearer == theirs)

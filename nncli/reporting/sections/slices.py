"""Where it errs: the error of the rows that have something in common, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nncli.data.columns.parsing import parse_numbers, read_text, unit_of
from nncli.data.encoders.kinds import infer_kind
from nncli.errors import DataError
from nncli.evaluation.held_out import HeldOutPredictions
from nncli.evaluation.score_intervals import ScoresWithIntervals
from nncli.metrics.bootstrap import ConfidenceInterval, bootstrap_means
from nncli.reporting.charts import Range, ranges
from nncli.reporting.page import Paragraph, Part, Section, Table, number, percent, shown
from nncli.reporting.sections.scores import between
from nncli.reporting.statistics import row_errors

MOST_COLUMNS = 100
COMMONEST = 6
LEAST_ROWS = 10
LEAST_SHARE = 0.01
"""Rows that a segment has at least, and their share of all: fewer would stand out by chance alone."""
MOST_LISTED, MOST_DRAWN = 20, 10


@dataclass(frozen=True)
class Slice:
    """The rows (rows,) that are `called` so in a column, and their error."""

    column: str
    called: str
    rows: int
    error: float
    interval: ConfidenceInterval | None

    @property
    def certain(self) -> float:
        """The error that it has at the least, by which segments are ranked."""
        return self.error if self.interval is None else self.interval.low


def segments(judged: HeldOutPredictions, assessment: ScoresWithIntervals, first: Sequence[str] = ()) -> Section | None:
    """The segments of errors above that of all rows; None where there is none, or all have too few rows.

    Of many columns those that come `first` are looked at.
    """
    errors, what = row_errors(judged)
    columns = _columns(judged, first)
    found = _measured(judged, assessment, errors, columns[:MOST_COLUMNS])
    if not found:
        return None
    overall = float(np.average(errors, weights=judged.weights))
    share = judged.predictions.target.task == "classification"
    told = percent if share else number
    worst = sorted(found, key=lambda one: (-one.certain, one.column, one.called))
    worst = [one for one in worst if one.error > overall]
    if not worst:
        return None
    rows = tuple(
        (shown(one.column), shown(one.called), f"{one.rows:,}", told(one.error), between(one.interval, told))
        for one in worst[:MOST_LISTED]
    )
    note = f"Of {len(found):,} segments." if len(rows) < len(found) else ""
    table = Table(
        "Errors by segment, worst first",
        ("column", "rows where it is", "rows", what, "95 % interval"),
        rows,
        (0, 1),
        note,
    )
    unit, label = (100.0, f"{what}, %") if share else (1.0, what)
    drawn = [
        Range(f"{shown(one.column, 14)}: {one.called}", unit * one.error, *_ends(one.interval, unit))
        for one in worst[:MOST_DRAWN]
    ]
    text = (
        f"The {what} of all rows is {told(overall)}. Segments are ranked by the lower end of their interval; of so "
        f"many that are compared, some stand out by chance. Those of fewer than "
        f"{_least(len(judged)):,} rows are left out."
    )
    parts: list[Part] = [Paragraph(text)]
    if len(columns) > MOST_COLUMNS:
        which = "that it leans on most" if first else "that come first"
        parts.append(Paragraph(f"Of {len(columns):,} columns only the {MOST_COLUMNS} {which} were looked at."))
    said = f"The {what} of the worst segments with 95 % intervals; the dotted line is that of all rows."
    return Section(
        "segments", "Where it errs", (*parts, ranges("The worst segments", said, label, drawn, table, unit * overall))
    )


def _ends(interval: ConfidenceInterval | None, unit: float) -> tuple[float | None, float | None]:
    return (None, None) if interval is None else (unit * interval.low, unit * interval.high)


def _least(n: int) -> int:
    return max(LEAST_ROWS, round(LEAST_SHARE * n))


def _columns(judged: HeldOutPredictions, first: Sequence[str]) -> list[str]:
    apart = {*judged.config.data.target, judged.config.data.sample_weight}
    return [name for name in dict.fromkeys([*first, *judged.table.names]) if name not in apart]


def _measured(
    judged: HeldOutPredictions, assessment: ScoresWithIntervals, errors: NDArray[np.float64], columns: Sequence[str]
) -> list[Slice]:
    least, sampling, weight = _least(len(judged)), assessment.resampling, judged.weights
    found, members = [], []
    for name in columns:
        for called, rows in parts_of(judged, name):
            n, own = int(rows.sum()), None if weight is None else weight[rows]
            if least <= n < len(judged) and (own is None or own.sum() > 0):
                error = float(np.average(errors[rows], weights=own))
                found.append(Slice(name, called, n, error, None))
                members.append(rows[sampling.rows])  # of many rows no more are kept
    if not found:
        return []
    inside, some = np.column_stack(members).astype(np.float64), sampling.rows
    own = None if weight is None else weight[some]
    samples = sampling.samples(lambda counts: bootstrap_means(errors[some], own, inside, counts))
    intervals = (sampling.interval(values, one.error) for values, one in zip(samples.T, found, strict=True))
    return [replace(one, interval=interval) for one, interval in zip(found, intervals, strict=True)]


def parts_of(judged: HeldOutPredictions, name: str) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """The rows (rows,) of each part of a column: its quarters where it is of numbers, else its commonest values."""
    table, cells = judged.table, judged.table.column(name)
    try:
        kind = judged.config.data.columns.get(name) or infer_kind(table, name)
        words = read_text(table, name)
    except DataError:
        return  # nothing that a person would compare
    if kind.is_numeric:
        x = parse_numbers(cells, table.dialect, unit_of(table, name)).fill_null(np.nan).cast(pl.Float64).to_numpy()
        known = np.isfinite(x)
        if len(np.unique(x[known])) > COMMONEST:
            edges = np.unique(np.quantile(x[known], [0, 0.25, 0.5, 0.75, 1]))
            for i, (low, high) in enumerate(pairwise(edges)):
                inside = (x >= low if i == 0 else x > low) & (x <= high)
                yield f"{number(float(low))} to {number(float(high))}", inside
            yield "missing", ~known
            return
    counts = words.drop_nulls().value_counts(sort=False)
    if len(counts) * 2 > len(words):
        return  # nearly every row has a value of its own
    commonest = counts.sort(["count", words.name], descending=[True, False]).head(COMMONEST)[words.name].to_list()
    for value in commonest:
        yield str(value), (words == value).fill_null(False).to_numpy()
    yield "any other value", (~words.is_in(commonest)).fill_null(False).to_numpy()
    yield "missing", words.is_null().to_numpy()

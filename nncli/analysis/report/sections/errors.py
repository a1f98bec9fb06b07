"""Where the errors are: rows that share a value of a column, and the rows with the largest errors."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nncli.analysis.evaluation.explanation import background_rows
from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.inspection.attribution import ExplainedRow, attribute
from nncli.analysis.inspection.encoded_rows import EncodedRows
from nncli.analysis.report.charts import ErrorBar, ranges
from nncli.analysis.report.page import (
    Cell,
    Effect,
    Paragraph,
    Part,
    Section,
    TableBlock,
    display,
    method,
    number_cell,
    shortened,
)
from nncli.analysis.report.sections.feature_importance import FeatureImportance
from nncli.analysis.report.sections.scores import format_interval, scored_predictions
from nncli.base.errors import DataError
from nncli.base.text import format_number, short_number
from nncli.data.columns.parsing import parse_numbers, read_text, unit_of
from nncli.data.encoders.column_types import infer_kind
from nncli.data.sample_weights import Weights
from nncli.models.scores import ScoresWithIntervals
from nncli.nn.arrays import Floats
from nncli.targets.metrics.bootstrap import BootstrapResampler, ConfidenceInterval, bootstrap_means
from nncli.targets.metrics.significance import max_t_test
from nncli.targets.target import Target

MAX_ROWS = 10
MAX_COLUMNS = 8
MAX_TARGETS = 4
MAX_CELL_LENGTH = 40
MAX_CONTRIBUTIONS = 4
CHECK = "Check these first: a row may be mislabeled or contain a typo."
KINDS = {"validation": "validation", "training": "training", "table": "model's"}
"""The name of the predictions of the scored rows."""


def largest_errors(held_out: HeldOutPredictions, importance: FeatureImportance) -> Section:
    """The rows with the largest errors: their held-out predictions, and those of the whole model, explained."""
    target, predictions = held_out.predictions.target, held_out.predictions
    errors = target.surprises(predictions, held_out.y)
    rows = np.argsort(-np.nan_to_num(errors, nan=np.inf), kind="stable")[:MAX_ROWS]
    columns = list(dict.fromkeys([*importance.columns, *held_out.model.names]))
    shown_columns = columns[:MAX_COLUMNS]
    lines, explained = [], contributions(held_out, importance, rows)
    for k, i in enumerate(rows.tolist()):
        cells = held_out.table.frame.row(i, named=True)
        features = "; ".join(f"{display(name, 30)} {_cell(cells[name])}" for name in shown_columns)
        outcomes = (
            map(display, target.outcome(predictions, held_out.y, i, float(errors[i]), form))
            for form in (short_number, format_number)
        )
        outcome = itertools.starmap(shortened, zip(*outcomes, strict=True))
        of_model = explained[k] if explained else ()
        lines.append((held_out.table.row_name(int(held_out.row_numbers[i])), *outcome, *of_model, features))
    kind = "out-of-fold" if held_out.is_out_of_fold else KINDS[held_out.split]
    titles = (
        *("row", "actual", f"{kind} prediction", target.error_title),
        *(("of the whole model", "contributions to it") if explained else ()),
        "features",
    )
    note = f"{len(shown_columns)} of {len(columns):,} columns." if len(shown_columns) < len(columns) else ""
    prose = (0, *range(5, len(titles)), *((1, 2) if target.labels else ())) if explained else (0, len(titles) - 1)
    table = TableBlock("Rows with the largest errors", titles, tuple(lines), prose, note, folds=True)
    return Section(
        "largest-errors",
        "Largest errors",
        (
            Paragraph(CHECK),
            table,
            method(scored_predictions(held_out), _text(held_out, kind, has_sums=bool(explained))),
        ),
        wide=True,
    )


def _text(held_out: HeldOutPredictions, kind: str, *, has_sums: bool) -> str:
    text = "Rows are numbered as in the table, from 1."
    if not has_sums:
        return text
    subject = held_out.head.explained.subject(display)
    return (
        f"{text} The errors are those of the {kind} predictions. The {subject} of the whole model is that of nncli "
        "predict, which may have been trained on the row. It is the sum of that of the average row and of the "
        "contributions of the columns (integrated gradients). The average row is the mean of every encoded input, so "
        "its prediction is not the mean prediction."
    )


def contributions(
    held_out: HeldOutPredictions, importance: FeatureImportance, rows: NDArray[np.int64]
) -> tuple[tuple[Cell, Cell], ...]:
    """The whole model's predictions of rows at these positions, as in `nncli predict`, and what columns contribute.

    Empty where they take too long. What is explained is what `nncli explain` explains: the probability of the second of
    two classes or of the predicted class, or the first target.
    """
    if importance.explanation is None or not len(rows):
        return ()
    model, target = held_out.model, held_out.predictions.target
    background, _ = background_rows(held_out.config, held_out.manifest, model, importance.explanation.encoded)
    table = held_out.table.take(rows)
    explained = attribute(EncodedRows.of(model, table), background).explained_rows(table, table.row_numbers)
    return tuple(
        (
            shortened(*(label + target.format(row.prediction, form) for form in (short_number, format_number))),
            _sum(row, target),
        )
        for row in explained
        for label in [f"{display(row.output, 30)}: " if target.labels else ""]
    )


def _sum(row: ExplainedRow, target: Target) -> Cell:
    """The average row, the largest contributions, those of the other columns, and their sum."""
    parts, others = row.largest(MAX_CONTRIBUTIONS)
    terms = [(display(part.column, 30), part.contribution) for part in parts] + [("other columns", others)]
    changes = [(name, "−" if value < 0 else "+", value) for name, value in terms if value]
    lines = [f"{name} {sign}{target.format_change(value)}" for name, sign, value in changes]
    exact = "; ".join([f"average row {target.format(row.base)}", *lines, f"sum {target.format(row.prediction)}"])
    size = max((abs(value) for _, value in terms), default=0.0) or 1.0
    effects = (
        Effect(name, sign + target.format_change(value, short_number), value / size) for name, sign, value in changes
    )
    return Cell(f"average row {target.format(row.base, short_number)}", exact, effects=tuple(effects))


def _cell(value: object) -> str:
    if value is None or value != value:
        return "missing"
    return format_number(value) if isinstance(value, float) else display(value, MAX_CELL_LENGTH)


MAX_EXAMINED = 100
TOP_VALUES = 6
MIN_ROWS = 10
MIN_FRACTION = 0.01
"""Smallest size of a slice, in rows and as a fraction of all rows: smaller ones stand out by chance alone."""
MAX_LISTED, MAX_DRAWN = 20, 10
SIGNIFICANT = 0.05
"""The largest adjusted p-value of a slice that is listed."""
METHOD = (
    "Slices are the quartiles of numbers and the most frequent values of other columns, of at least {rows:,} rows. "
    "Errors are shuffled among the rows (Westfall and Young, 1993): the adjusted p-value is the probability that the "
    "largest of all slices differs as much by chance. Slices with at most 0.05 are listed, ranked by the lower end of "
    "their confidence interval."
)


@dataclass(frozen=True)
class Slice:
    """The rows where `column` has the `value` (or range), their error, and the adjusted p-value that it is higher."""

    column: str
    value: str
    rows: int
    error: float
    interval: ConfidenceInterval | None = None
    p: float = 1.0

    @property
    def lower_bound(self) -> float:
        """The lower end of the interval, by which slices are ranked."""
        return self.error if self.interval is None else self.interval.low


def slices(held_out: HeldOutPredictions, scores: ScoresWithIntervals, first: Sequence[str] = ()) -> Section:
    """The slices whose error is higher than that of all rows by more than chance.

    Of more than MAX_EXAMINED columns only the `first` ones are examined.
    """
    errors, error_name = held_out.predictions.target.row_errors(held_out.predictions, held_out.y)
    columns = _columns(held_out, first)
    examined = _slices(held_out, scores, errors, columns[:MAX_EXAMINED])
    overall = float(np.average(errors, weights=held_out.weights))
    standing_out = [part for part in examined if part.p <= SIGNIFICANT and part.error > overall]
    ranked = sorted(standing_out, key=lambda part: (-part.lower_bound, part.column, part.value))
    target = held_out.predictions.target
    parts: list[Part] = [
        Paragraph(_result(len(ranked), len(examined), f"{error_name} of all rows, {target.format_error(overall)}"))
    ]
    if len(columns) > MAX_EXAMINED:
        which = "most important" if first else "first"
        parts.append(Paragraph(f"Only the {MAX_EXAMINED} {which} of {len(columns):,} columns were examined."))
    if ranked:
        parts += _listed(ranked, error_name, overall, target)
    parts.append(method(METHOD.format(rows=_min_rows(len(held_out)))))
    return Section("slices", "Data slices", tuple(parts))


def _result(significant: int, examined: int, overall: str) -> str:
    """The result in a sentence."""
    if not examined:
        return "No column has slices that are large enough to be examined."
    if not significant:
        return f"None of {examined:,} slices stands out: no error is higher than the {overall}, by more than chance."
    which = "1 slice stands out" if significant == 1 else f"{significant:,} slices stand out"
    return f"{which} of {examined:,}: the error is higher than the {overall}, by more than chance."


def _listed(ranked: Sequence[Slice], error_name: str, overall: float, target: Target) -> list[Part]:
    """A chart and a table of the slices."""
    short = partial(target.format_error, form=short_number)
    note = f"The first {MAX_LISTED} slices." if len(ranked) > MAX_LISTED else ""
    rows = tuple(
        (
            display(part.column),
            display(part.value),
            f"{part.rows:,}",
            shortened(short(part.error), target.format_error(part.error)),
            shortened(format_interval(part.interval, short), format_interval(part.interval, target.format_error)),
            number_cell(part.p),
        )
        for part in ranked[:MAX_LISTED]
    )
    titles = ("column", "value", "rows", error_name, "95 % CI", "adjusted p-value")
    table = TableBlock("Error by data slice", titles, rows, (0, 1), note)
    unit, label = target.wording().error_axis(error_name)
    drawn = [
        ErrorBar(f"{display(part.column, 14)}: {part.value}", unit * part.error, *_ends(part.interval, unit))
        for part in ranked[:MAX_DRAWN]
    ]
    description = f"The {error_name} by slice, with 95 % confidence intervals. Dotted line: all rows."
    return [ranges("Slices with the highest error", description, label, drawn, table, unit * overall)]


def _ends(interval: ConfidenceInterval | None, unit: float) -> tuple[float | None, float | None]:
    return (None, None) if interval is None else (unit * interval.low, unit * interval.high)


def _min_rows(n: int) -> int:
    return max(MIN_ROWS, round(MIN_FRACTION * n))


def _columns(held_out: HeldOutPredictions, first: Sequence[str]) -> list[str]:
    excluded = {*held_out.config.data.target, held_out.config.data.sample_weight}
    return [name for name in dict.fromkeys([*first, *held_out.table.names]) if name not in excluded]


def _slices(
    held_out: HeldOutPredictions, scores: ScoresWithIntervals, errors: NDArray[np.float64], columns: Sequence[str]
) -> list[Slice]:
    min_rows, sampling, weight = _min_rows(len(held_out)), scores.resampling, held_out.weights
    slices_found, masks = [], []
    for name in columns:
        for value, rows in slices_of(held_out, name):
            n, slice_weight = int(rows.sum()), None if weight is None else weight[rows]
            if min_rows <= n < len(held_out) and (slice_weight is None or slice_weight.sum() > 0):
                error = float(np.average(errors[rows], weights=slice_weight))
                slices_found.append(Slice(name, value, n, error))
                masks.append(rows[sampling.rows])
    if not slices_found:
        return []
    membership, sampled = np.column_stack(masks).astype(np.float64), sampling.rows
    slice_weight = None if weight is None else weight[sampled]
    samples = sampling.samples(lambda counts: bootstrap_means(errors[sampled], slice_weight, membership, counts))
    intervals = [sampling.interval(values, part.error) for values, part in zip(samples.T, slices_found, strict=True)]
    p_values = _p_values(sampling, errors[sampled], slice_weight, membership).tolist()
    return [
        replace(part, interval=interval, p=p)
        for part, interval, p in zip(slices_found, intervals, p_values, strict=True)
    ]


def _p_values(sampling: BootstrapResampler, errors: Floats, weight: Weights | None, membership: Floats) -> Floats:
    """The adjusted p-value (slices,) of each slice, by shuffling the errors of rows or of whole groups."""
    w = np.ones(len(errors)) if weight is None else weight
    of_groups = np.zeros((sampling.groups, membership.shape[1]))
    np.add.at(of_groups, sampling.units, membership * w[:, None])
    total = np.bincount(sampling.units, w, sampling.groups)
    mean = np.bincount(sampling.units, w * errors, sampling.groups) / np.where(total > 0, total, 1)
    counted = total > 0
    return max_t_test(mean[counted], of_groups[counted], sampling.seed)


def slices_of(held_out: HeldOutPredictions, name: str) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """A mask (rows,) for each slice of a column: its quartiles if it is numeric, else its most frequent values."""
    table, cells = held_out.table, held_out.table.column(name)
    try:
        kind = held_out.config.data.columns.get(name) or infer_kind(table, name)
        words = read_text(table, name)
    except DataError:
        return
    if kind.is_numeric:
        x = (
            parse_numbers(cells, table.dialect_of(name), unit_of(table, name))
            .fill_null(np.nan)
            .cast(pl.Float64)
            .to_numpy()
        )
        finite = np.isfinite(x)
        if len(np.unique(x[finite])) > TOP_VALUES:
            edges = np.unique(np.quantile(x[finite], [0, 0.25, 0.5, 0.75, 1]))
            for i, (low, high) in enumerate(pairwise(edges)):
                in_slice = (x >= low if i == 0 else x > low) & (x <= high)
                yield f"{format_number(float(low))} to {format_number(float(high))}", in_slice
            yield "missing", ~finite
            return
    counts = words.drop_nulls().alias("value").value_counts(sort=False)
    if len(counts) * 2 > len(words):
        return  # nearly all values are unique
    top = counts.sort("count", "value", descending=[True, False]).head(TOP_VALUES)["value"].to_list()
    for value in top:
        yield str(value), (words == value).fill_null(False).to_numpy()
    yield "other values", (~words.is_in(top)).fill_null(False).to_numpy()
    yield "missing", words.is_null().to_numpy()

"""What the model leans on: which columns matter, and how predictions depend on the first of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nncli.evaluation.held_out import HeldOutPredictions
from nncli.inspection.attribution import attribute
from nncli.inspection.encoded_rows import EncodedRows
from nncli.inspection.partial_dependence import PartialDependence, partial_dependence
from nncli.inspection.permutation_importance import Importance, Scorer, permutation_importance
from nncli.metrics.registry import DEFAULT_METRIC
from nncli.reporting.charts import Axis, Colour, Line, Range, lines, ranges, spread
from nncli.reporting.page import Figure, Gallery, Heading, Notice, Paragraph, Part, Section, Table, number, shown

REPEATS = 3
MOST_ROWS, LEAST_ROWS = 2_000, 100
MULTIPLICATIONS = 1.5e10
"""About what a few seconds hold: as many rows are shuffled as that allows."""
MOST_AVERAGED = 300
"""Rows over which a dependence is averaged."""
MOST_DRAWN, MOST_LISTED = 15, 100
TOP = 6
MOST_OUTPUTS = 3
MOST_DATES = 4
COLOURS: tuple[Colour, ...] = ("first", "second", "third")
LEAST_ATTRIBUTED, MOST_ATTRIBUTED = 1e-12, 4


@dataclass(frozen=True)
class FeatureImportance:
    """What was found of some of the judged rows; `told` says why it is not there."""

    rows: int
    loss_name: str
    importances: tuple[Importance, ...]
    dependences: tuple[PartialDependence, ...]
    encoded: EncodedRows | None
    told: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Those of the model, the most important first, if that is known."""
        return tuple(one.column for one in self.importances)


def compute_importance(judged: HeldOutPredictions) -> FeatureImportance:
    """Shuffle every column of some of the judged rows, with the run's seed."""
    model, rng = judged.model, np.random.default_rng(judged.manifest.seed)
    once = max(1, judged.manifest.parameters) * (len(model.names) * REPEATS + 1)
    affordable = int(MULTIPLICATIONS / once)
    if not model.names or affordable < LEAST_ROWS <= len(judged):
        told = "Which columns matter takes longer to find out here than a report should: nncli explain RUN tells it."
        return FeatureImportance(0, "", (), (), None, told if model.names else "The model knows no columns.")
    n = min(len(judged), MOST_ROWS, max(affordable, LEAST_ROWS))
    rows = np.arange(len(judged)) if n == len(judged) else np.sort(rng.choice(len(judged), n, replace=False))
    part = judged.table.take(rows)
    spoken = None if judged.spoken is None else judged.spoken[:, rows]
    encoded = EncodedRows.of(model, part, spoken, None if judged.weights is None else judged.weights[rows])
    metric = DEFAULT_METRIC[judged.predictions.target.task]
    judge = Scorer(model, judged.y[rows], metric)
    with np.errstate(all="ignore"):  # losses beyond measure are shown as that
        found = permutation_importance(encoded, judge, REPEATS, rng)
    few = np.linspace(0, n - 1, min(n, MOST_AVERAGED)).round().astype(np.int64)
    curves = partial_dependence(encoded.take(few), part.take(few), [one.column for one in found[:TOP]], rng)
    return FeatureImportance(n, judge.loss_name, found, curves, encoded)


def influence(judged: HeldOutPredictions, found: FeatureImportance) -> Section:
    """The importance of columns, and the dependence on the first."""
    name, title = "influence", "What it leans on"
    if not found.importances:
        return Section(name, title, (Notice("note", found.told),))
    rows = tuple(
        (shown(one.column), number(one.loss_increase), _between(one), number(one.metric_worsening))
        for one in found.importances[:MOST_LISTED]
    )
    few = len(found.importances) > MOST_LISTED
    note = f"The first {MOST_LISTED} of {len(found.importances):,} columns." if few else ""
    worse = "accuracy falls by" if judged.predictions.target.task == "classification" else "rmse grows by"
    loss = found.loss_name.replace("_", " ")
    table = Table("Importance by column", ("column", f"{loss} grows by", "95 % interval", worse), rows, note=note)
    drawn = [
        Range(one.column, one.loss_increase, *((one.low, one.high) if np.isfinite(one.low) else (None, None)))
        for one in found.importances[:MOST_DRAWN]
        if np.isfinite(one.loss_increase)
    ]
    said = f"How much the {loss} grows where a column's cells are shuffled among rows, with 95 % intervals."
    told = (
        f"Of {found.rows:,} of these rows every column was shuffled {REPEATS} times. A column that says the same as "
        "another seems less important than it is, and what matters to the model need not be a cause."
    )
    parts: list[Part] = [Paragraph(told), ranges("Importance of columns", said, f"{loss} grows by", drawn, table, 0.0)]
    figures = tuple(figure for one in found.dependences if (figure := _dependence(one)) is not None)
    if figures:
        what = "What it predicts on average where one column has the same value in every row, and all else stays."
        parts += [Heading("How predictions depend on the first columns"), Paragraph(what), Gallery(figures)]
    return Section(name, title, tuple(parts))


def _between(one: Importance) -> str:
    return f"{number(one.low)} to {number(one.high)}" if np.isfinite(one.low) else "–"


def _dependence(one: PartialDependence) -> Figure | None:
    """Lines over numbers, points over labels; of many classes those that change most."""
    finite = np.isfinite(one.predictions).all(axis=0)
    if len(one.predictions) < 2 or not finite.any():
        return None
    changes = np.where(finite, np.ptp(np.where(np.isfinite(one.predictions), one.predictions, 0), axis=0), -1)
    outputs = np.argsort(-changes, kind="stable")[: min(MOST_OUTPUTS, int(finite.sum()))].tolist()
    few = (
        f" The {len(outputs)} outputs that change most, of {len(one.outputs):,}."
        if len(outputs) < len(one.outputs)
        else ""
    )
    column, name = shown(one.column), shown(one.column, 30)
    titles = (column, *(shown(output, 30) for output in one.outputs[:12]))
    points = one.labels or [number(float(value)) for value in (() if one.values is None else one.values)]
    labels = ["missing" if label is None else shown(label, 30) for label in points]
    rows = tuple((label, *map(number, said[:12])) for label, said in zip(labels, one.predictions.tolist(), strict=True))
    meaning = shown(one.meaning, 120)
    what = f"M{meaning.removeprefix('m')}, by {column}"
    axis = "mean prediction" if one.class_of is None else "mean probability"
    table = Table(what, titles, rows)
    if one.values is None and len(outputs) == 1:
        drawn = [
            Range(label, float(y), None, None) for label, y in zip(labels, one.predictions[:, outputs[0]], strict=True)
        ]
        mean = float(one.predictions[:, outputs[0]].mean())
        return ranges(name, f"{what}; the dotted line is the mean of these.", axis, drawn, table, mean)
    x = np.arange(len(labels), dtype=np.float64) if one.values is None else one.values
    some = [
        Line(shown(one.outputs[j], 16) if len(one.outputs) > 1 else "", x, one.predictions[:, j], colour)
        for j, colour in zip(outputs, COLOURS, strict=False)
    ]
    ticks = None
    if one.labels is not None:  # categories each have one, of dates some have
        named = range(len(labels)) if one.values is None else spread(len(labels), MOST_DATES).tolist()
        ticks = tuple((float(x[i]), labels[i]) for i in named)
    return lines(name, f"{what}.{few}", Axis(name, axis, ticks=ticks), some, table)


def attributions(judged: HeldOutPredictions, found: FeatureImportance, rows: NDArray[np.int64]) -> tuple[str, ...]:
    """For each of the rows at these positions, in words, the columns that moved its prediction most, and by how much;
    none where that cannot be had."""
    if found.encoded is None or not len(rows):
        return ()
    said = attribute(EncodedRows.of(judged.model, judged.table.take(rows)), found.encoded)
    told, classes = [], judged.predictions.target.task == "classification"
    for output, values in zip(said.outputs, said.values, strict=True):
        most = np.argsort(-np.abs(values), kind="stable")[:MOST_ATTRIBUTED]
        each = [
            f"{shown(said.columns[j], 30)} {'+' if values[j] > 0 else ''}{number(values[j])}"
            for j in most
            if abs(values[j]) > LEAST_ATTRIBUTED
        ]
        told.append("\n".join([f"{shown(output, 20)}:", *each] if classes else each))
    return tuple(told)

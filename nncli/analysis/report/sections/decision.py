"""The saved decision of a run: what its threshold or its costs achieve on new rows."""

from __future__ import annotations

import numpy as np

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.evaluation.threshold_choice import Figure as AchievedFigure
from nncli.analysis.evaluation.threshold_choice import TwoClassRows, expected_costs
from nncli.analysis.report.charts import Axis, Line, lines, numeric_table
from nncli.analysis.report.page import Columns, Figure, Paragraph, Part, Section, Table, display
from nncli.analysis.report.sections.scores import format_interval
from nncli.base.text import format_number
from nncli.targets.decision import CostMatrix, Threshold
from nncli.targets.metrics.bootstrap import RESAMPLES

MAX_POINTS = 200
MIN_WIDTH = 0.1
"""Smallest range of thresholds that the curve of costs shows."""
NAMES = {"rate": "share predicted positive", "cost": "cost per row"}
CORRECTED = (
    f"The threshold was chosen by these rows, so it is chosen again in each of {RESAMPLES:,} bootstrap resamples, and "
    "what it is better by there than on all rows is subtracted: the figures are those to expect on new rows."
)


def decision(held_out: HeldOutPredictions) -> Section | None:
    """The figures of the saved decision, and the curve of its costs; None without a decision."""
    saved = held_out.predictions.decision
    if saved is None:
        return None
    parts: list[Part] = [Paragraph(f"The saved decision predicts {saved.text}. Classes in this report follow it.")]
    if isinstance(saved, CostMatrix):
        parts.append(_of_costs(held_out, saved))
    elif 0 < len(np.unique(held_out.y)) < 2:
        parts.append(Paragraph("All rows are of one class, so nothing can be said about the threshold."))
    else:
        parts += _of_threshold(held_out, saved)
    return Section("decision", "Saved decision", tuple(parts), wide=True)


def _of_costs(held_out: HeldOutPredictions, saved: CostMatrix) -> Table:
    """The mean cost of the predictions, and that of the most probable class."""
    predictions, groups = held_out.predictions, held_out.scored_rows.groups
    rows = tuple(
        (name, format_number(cost.value), format_interval(cost.interval))
        for name, classes in (
            ("the lowest expected cost", predictions.classes),
            ("the most probable class", predictions.values.argmax(axis=1)),
        )
        for cost in [expected_costs(saved, held_out.y, classes, held_out.weights, groups, held_out.manifest.seed)]
    )
    return Table("Mean cost of a row", ("predicting", "cost per row", "95 % CI"), rows)


def _of_threshold(held_out: HeldOutPredictions, saved: Threshold) -> list[Part]:
    target, values = held_out.predictions.target, held_out.predictions.values
    j = target.labels.index(saved.positive)
    rows = TwoClassRows(
        p=values[:, j],
        positive=held_out.y == j,
        most_probable=values.argmax(axis=1) == j,
        weights=held_out.weights,
        groups=held_out.scored_rows.groups,
        seed=held_out.manifest.seed,
    )
    achieved, others = rows.achieved(saved.goal, saved.threshold), rows.of_most_probable(saved.goal.costs)
    is_chosen = saved.goal.type != "given"
    note = "" if held_out.averaging is None else "Without the expected gain of averaging all networks."
    table = _achieved(achieved, others, display(saved.positive, 30), note)
    parts: list[Part] = [Paragraph(CORRECTED)] if is_chosen else []
    if saved.goal.costs is None:
        return [*parts, table]
    return [*parts, Columns((table, _cost_curve(rows, saved)))]


def _achieved(achieved: tuple[AchievedFigure, ...], others: tuple[AchievedFigure, ...], label: str, note: str) -> Table:
    """The figures beside those of the most probable class."""
    rows = tuple(
        (
            NAMES.get(one.name, one.name),
            format_number(one.value),
            format_interval(one.interval),
            format_number(other.value),
            format_interval(other.interval),
        )
        for one, other in zip(achieved, others, strict=True)
    )
    titles = ("figure", "decision", "95 % CI", "most probable class", "95 % CI")
    return Table(f"Figures of {label} on new rows", titles, rows, note=note)


def _cost_curve(rows: TwoClassRows, saved: Threshold) -> Figure:
    """The mean cost of a row by threshold, on the rows themselves."""
    costs = saved.goal.costs
    points = rows.evenly_spaced(MAX_POINTS, costs)
    x, y = np.array([point.threshold for point in points]), np.array([point.cost for point in points], np.float64)
    chosen = rows.point(saved.threshold, costs)
    right = min(1.0, max(MIN_WIDTH, 4 * saved.threshold))
    shown = float(y[x <= right].max())
    return lines(
        "Cost by threshold",
        "The mean cost of a row of these rows, which chose the threshold, for thresholds up to "
        f"{format_number(right)}.",
        Axis("threshold", "cost per row", (0.0, right), (0.0, 1.05 * shown or 1.0)),
        [Line("", x, y)],
        numeric_table("Cost by threshold", ("threshold", "cost per row"), (x, y)),
        mark=(saved.threshold, float(chosen.cost or 0.0), "saved threshold"),
    )

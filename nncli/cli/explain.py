"""`nncli explain` on the command line."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.api.options import ExplainOptions, SourceOptions
from nncli.base.atomic_files import check_overwrite
from nncli.base.option import OUTPUT, Option
from nncli.base.text import MAX_QUOTE_LENGTH, join_quoted
from nncli.cli.console import format_number, interrupt_at_once, rows
from nncli.cli.progress.status import Plain, StageProgress
from nncli.cli.shared_arguments import ForceOptions, ResultOptions, RunDirectory, input_table, show_targets
from nncli.cli.tables import BAR_CELLS, bar, on_one_line, one_line_table, prose, signed_bar, table

if TYPE_CHECKING:
    from nncli.analysis.inspection.attribution import ExplainedRow
    from nncli.analysis.inspection.permutation_importance import PartialDependence
    from nncli.api.explain import Explanation
    from nncli.data.sources.table_source import TableSource

MAX_COLUMNS = 30
"""Columns in the table of importance."""
DROPPABLE = (4, 5, 3)
"""Columns of that table that are left out on a narrow terminal, the first one first."""
PREDICTIONS = {
    "out-of-fold": "out-of-fold: by the networks that were not trained on the row",
    "model": "those of nncli predict",
}
"""Whose predictions are explained."""


@dataclass(frozen=True, kw_only=True)
class AttributionsFile(ForceOptions):
    """The file of the attributions."""

    attributions: Annotated[
        Path | None,
        Option("Write the attribution of each prediction to the columns: .csv, .parquet …", OUTPUT, metavar="FILE"),
    ] = None


def explain(
    *,
    run: RunDirectory,
    data: Annotated[
        str | None,
        typer.Argument(
            help="A table with or without the target column, or - for standard input. Default: the run's validation "
            "rows.",
            metavar="TABLE",
        ),
    ] = None,
    place: SourceOptions,
    file: AttributionsFile,
    options: ExplainOptions,
    display: ResultOptions,
) -> None:
    """Permutation importance is the increase of the loss when a column is shuffled, with a 95 % confidence interval; it
    is the same as in the report. With --attributions, the prediction of nncli predict for a row is `base`, that of the
    average row, plus the attributions of the columns, up to 0.001 of a probability or of the standard deviation of the
    predictions; a note counts the rows for which the difference is larger. A table of up to 5 rows is explained row by
    row: which columns raise and lower the prediction, by their attributions, which add up to the difference from the
    average row. That is the mean of every encoded input, so its prediction is not the mean prediction.

    \b
    nncli explain runs/penguins
    head -2 new.csv | nncli explain runs/penguins -
    nncli explain runs/penguins new.csv --attributions why.csv --rows 100
    nncli explain runs/penguins labeled.csv --json | jq .feature_importance
    """
    from nncli.api.explain import explain_with
    from nncli.data.formats.registry import FileOptions
    from nncli.data.formats.writers import write_table

    interrupt_at_once()
    source = None if data is None else place.source(data)
    _check_output(run, source, file, options.target)
    if data is not None:
        input_table(place, data)
    options = replace(options, attributions=file.attributions is not None)
    lines = Plain(StageProgress())
    if not display.quiet:
        options = replace(options, on_progress=lambda *step: lines.update(step))
    explanation = explain_with(run, source, options=options)
    if file.attributions is not None and explanation.attributions is not None:
        write_table(
            explanation.attributions.frame(explanation.attributed), file.attributions, FileOptions(force=file.force)
        )
    show_targets(
        display,
        explanation,
        partial(_text, top=options.top),
        lambda of_target: of_target.notes,
        lambda of_target: of_target.training_rows,
    )
    display.next(f"nncli report {shlex.quote(str(run))}")


def _check_output(run: Path, source: TableSource | None, file: AttributionsFile, target: str | None) -> None:
    """Check the options of the output before any work is done.

    Raises:
        UsageError: the file exists, is the input, or has no known format, or would get the attributions of several
            targets.
    """
    from nncli.data.formats.registry import writable_format
    from nncli.data.sources.output import check_input_kept
    from nncli.run_directory.config import read_config
    from nncli.run_directory.run import Run

    if file.attributions is not None:
        check_overwrite(file.attributions, force=file.force)
        check_input_kept(source or read_config(Run.open(run).path).data.source, file.attributions)
        writable_format(file.attributions)
        if target is None:
            Run.open(run).check_one_target()


def _text(explanation: Explanation, top: int) -> str:
    """What moved the predictions of a few rows; or a table of feature importance, and partial dependence."""
    if explanation.explained_rows:
        return "\n\n".join(_reasons(explanation, row, top) for row in explanation.explained_rows)
    sets = [_interactions(explanation)] if explanation.interactions else []
    return "\n\n".join([*_importance(explanation), *sets, *map(_dependence, explanation.partial_dependence)])


def _reasons(explanation: Explanation, row: ExplainedRow, top: int) -> str:
    """The prediction of a row, and the `top` columns that raise and lower it most."""
    target = explanation.target
    parts, others = row.largest(top)
    changes = [
        (f"{part.column}: {'(missing)' if part.value is None else part.value}", part.contribution) for part in parts
    ]
    changes += [("other columns", others)] if others else []
    largest = max((abs(change) for _, change in changes if isfinite(change)), default=0.0)
    lines = [["column", "contribution", ""]]
    lines += [
        [
            on_one_line(name),
            f"{'lowers' if change < 0 else 'raises'} it by {target.format_change(change)}",
            signed_bar(change / largest if largest else 0.0),
        ]
        for name, change in changes
    ]
    title = (
        f"row {row.row:,}: {target.describe_output(on_one_line(row.output))}: {target.format(row.prediction)}; "
        f"of the average row (the mean of every encoded input, not of the predictions): {target.format(row.base)}"
    )
    return f"{prose(title)}\n{one_line_table(lines)}"


def _importance(explanation: Explanation) -> Iterator[str]:
    """A table of feature importance, if it is known."""
    from nncli.analysis.inspection.permutation_importance import in_units

    if explanation.importances is None:
        return
    loss_name, importances = in_units(explanation.loss_name, explanation.loss or 0.0, explanation.importances)
    name, metric = loss_name.replace("_", " "), explanation.metric.replace("_", " ")
    shuffled = f"every column shuffled {explanation.permutations:,} times among {rows(explanation.labeled_rows)}"
    direction_of = {item.column: item.direction for item in explanation.partial_dependence}
    largest = max((item.loss_increase for item in importances if isfinite(item.loss_increase)), default=0.0)
    trend = _trend_title(explanation) if any(direction_of.values()) else ""
    lines = [["column", "", f"{name} increase", "95 % CI", f"{metric} {_change(explanation.metric)}", trend]]
    for item in importances[:MAX_COLUMNS]:
        figures = [
            format_number(item.loss_increase),
            f"{format_number(item.low)} … {format_number(item.high)}",
            format_number(item.metric_worsening),
        ]
        length = bar(item.loss_increase / largest if largest > 0 else 0.0)
        lines.append(
            [
                on_one_line(item.column),
                f"{length:<{BAR_CELLS}}",
                *figures,
                on_one_line(direction_of.get(item.column, "")),
            ]
        )
    if not trend:
        lines = [line[:-1] for line in lines]
    if loss_name == explanation.metric:  # the same number twice
        lines = [[*line[:4], *line[5:]] for line in lines]
    left = len(importances) - MAX_COLUMNS
    more = f"\nand {left:,} less important columns; see --json" if left > 0 else ""
    title = f"feature importance: {shuffled}; predictions are {PREDICTIONS[explanation.prediction_of]}"
    yield f"{prose(title)}\n{one_line_table(lines, DROPPABLE)}{more}"


def _change(metric: str) -> str:
    """The direction in which a metric gets worse."""
    from nncli.targets.metrics.registry import higher_is_better

    return "decrease" if higher_is_better(metric) else "increase"


def _trend_title(explanation: Explanation) -> str:
    """The title of the column of trends."""
    for item in explanation.partial_dependence:
        return (
            "effect on prediction"
            if item.target is None
            else on_one_line(f"probability of {item.target} = {item.outputs[0]}")
        )
    return ""


def _interactions(explanation: Explanation) -> str:
    """The sets of columns that act together."""
    sets = "; ".join(map(join_quoted, explanation.interactions))
    return prose(
        f"interactions: {sets}; by construction, the output of the network is a sum of a function of each of these sets"
    )


def _dependence(curve: PartialDependence) -> str:
    """The mean predictions at some points of a column."""
    points = [
        format_number(point) if isinstance(point, float) else on_one_line("(missing)" if point is None else point)
        for point in curve.points
    ]
    shown = range(len(points)) if curve.values is None else _few(len(points))
    lines = [["", *map(on_one_line, curve.outputs)]]
    lines += [[points[i], *(format_number(value) for value in curve.means[i].tolist())] for i in shown]
    title = f"partial dependence on {on_one_line(curve.column)}: {on_one_line(curve.meaning, 2 * MAX_QUOTE_LENGTH)}"
    if curve.monotone is not None:
        is_ordered = curve.target is not None and len(curve.outputs) > 1
        title += "; the probability of more than each class is " if is_ordered else ", "
        title += f"{curve.monotone} by construction"
    return f"{prose(title)}\n{table(lines)}"


def _few(points: int) -> Sequence[int]:
    """The indices of five evenly spaced points, the first and the last included."""
    return sorted({round(i * (points - 1) / 4) for i in range(5)}) if points else []

"""`nncli explain` on the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from nncli.base.option import INPUT, OUTPUT
from nncli.cli.options import AsJson, DisplayOptions, Force, RunDirectory, SourceOptions
from nncli.cli.tables import BAR_CELLS

if TYPE_CHECKING:
    from nncli.analysis.inspection.partial_dependence import PartialDependence
    from nncli.api.explain import Explanation
    from nncli.data.sources.table_source import TableSource

MAX_COLUMNS = 30
"""Columns in the table of importance."""
DROPPABLE = (4, 5, 3)
"""Columns of that table that are left out on a narrow terminal, the first one first."""
PROGRESS_INTERVAL_SECONDS = 2.0
PREDICTIONS = {
    "out-of-fold": "out-of-fold: by the members that were not trained on the row",
    "model": "those of nncli predict",
}
"""Whose predictions are explained."""


InputTable: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        help="A table with or without the target column, or - for standard input. Default: the run's validation rows.",
        metavar="INPUT",
    ),
]
AttributionsFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write the attribution of each prediction to the columns: .csv, .parquet …",
        rich_help_panel=OUTPUT,
    ),
]
ExplainedClass: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--class",
        metavar="LABEL",
        help="With -o: the class whose probability is explained. Default: the second of two classes, or each "
        "row's predicted class.",
        rich_help_panel=OUTPUT,
    ),
]
ExplainedTarget: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="COLUMN",
        help="With -o: the target whose prediction is explained, if there are several. Default: the first.",
        rich_help_panel=OUTPUT,
    ),
]
MaxRows: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--rows",
        metavar="N",
        help="Use at most N rows, sampled with the run's seed. [default: 5000, fewer for large networks; with -o 1000]",
        rich_help_panel=INPUT,
    ),
]
Permutations: TypeAlias = Annotated[
    int, typer.Option("--repeats", metavar="N", help="Permutations of each column.", rich_help_panel=INPUT)
]
TopColumns: TypeAlias = Annotated[
    int,
    typer.Option(
        "--top",
        metavar="N",
        help="Show the partial dependence on the N most important columns.",
        rich_help_panel=OUTPUT,
    ),
]


def explain(
    *,
    run: RunDirectory,
    data: InputTable = None,
    place: SourceOptions,
    output: AttributionsFile = None,
    class_label: ExplainedClass = None,
    target: ExplainedTarget = None,
    rows: MaxRows = None,
    repeats: Permutations = 5,
    top: TopColumns = 6,
    force: Force = False,
    as_json: AsJson = False,
    display: DisplayOptions,
) -> None:
    """Permutation importance is the increase of the loss when a column is shuffled, with a 95 % confidence interval; it
    is the same as in the report. With -o, each prediction of nncli predict is the sum of `base`, that of the average
    row, and the attributions of the columns.

    \b
    nncli explain runs/penguins
    nncli explain runs/penguins new.csv -o why.csv --rows 100
    nncli explain runs/penguins labeled.csv --json | jq .feature_importance
    """
    import shlex

    from nncli.analysis.inspection.encoded_rows import no_progress
    from nncli.api.explain import explain as explain_run
    from nncli.cli.console import announce_input, echo_err, interrupt_at_once

    interrupt_at_once()
    source = None if data is None else place.source(data)
    _check_output(run, source, output, class_label, target, force=force)
    if source is not None and source.is_standard_input:
        announce_input("a table")
    explanation = explain_run(
        run,
        source,
        rows=rows,
        repeats=repeats,
        top=top,
        attributions=output is not None,
        class_label=class_label,
        target=target,
        on_progress=no_progress if display.quiet else _ProgressLines(),
    )
    _write(explanation, output, force=force, as_json=as_json, quiet=display.quiet)
    if not display.quiet:
        echo_err(f"next: nncli report {shlex.quote(str(run))}")


def _check_output(
    run: Path,
    source: TableSource | None,
    output: Path | None,
    class_label: str | None,
    target: str | None,
    *,
    force: bool,
) -> None:
    """Check the options of the output before any work is done.

    Raises:
        UsageError: the file exists, is the input, or has no known format; or --class or --target is given without -o.
    """
    from nncli.base.atomic_files import check_overwrite
    from nncli.base.errors import UsageError
    from nncli.data.formats.registry import writable_format
    from nncli.data.sources.output import check_input_kept
    from nncli.runs.config import read_config
    from nncli.runs.run import Run

    if output is not None:
        check_overwrite(output, force=force)
        check_input_kept(source or read_config(Run.open(run).path).data.source, output)
        writable_format(output)
    elif class_label is not None or target is not None:
        option = "--target" if class_label is None else "--class"
        raise UsageError(f"{option} selects what -o FILE explains", hint="Name a file with -o.")


def _write(explanation: Explanation, output: Path | None, *, force: bool, as_json: bool, quiet: bool) -> None:
    """Print the notes and the result, and write the attributions."""
    import json

    from nncli.cli.console import echo_err
    from nncli.data.formats.registry import FileOptions
    from nncli.data.formats.writers import open_sink

    if not quiet:
        for note in explanation.notes:
            echo_err(f"note: {note}")
    if explanation.training_rows is not None and explanation.training_rows.warning:
        echo_err(f"warning: {explanation.training_rows.warning}")
    if output is not None and explanation.attributions is not None:
        with open_sink(output, FileOptions(force=force)) as sink:
            sink.write(explanation.attributions.frame(explanation.attributed))
    if as_json:
        typer.echo(json.dumps(explanation.json(), ensure_ascii=False).encode())
    else:
        _show(explanation)


class _ProgressLines:
    """Print the progress as a line every couple of seconds."""

    def __init__(self) -> None:
        import time

        self._clock = time.monotonic
        self._next = self._clock() + PROGRESS_INTERVAL_SECONDS

    def __call__(self, what: str, done: int, of: int) -> None:
        """Print a line if it is time."""
        from nncli.cli.console import echo_err

        if self._clock() >= self._next and done < of:
            self._next = self._clock() + PROGRESS_INTERVAL_SECONDS
            echo_err(f"{what} {done:,}/{of:,}")


def _show(explanation: Explanation) -> None:
    """Print a table of feature importance, and the partial dependence of the top columns."""
    typer.echo("\n\n".join([*_importance(explanation), *map(_dependence, explanation.partial_dependence)]))


def _importance(explanation: Explanation) -> Iterator[str]:
    """A table of feature importance, if it is known."""
    from nncli.analysis.inspection.permutation_importance import in_units
    from nncli.cli.console import format_number, rows
    from nncli.cli.tables import bar, one_line_table, prose

    if explanation.importances is None:
        return
    loss_name, importances = in_units(explanation.loss_name, explanation.loss or 0.0, explanation.importances)
    name, metric = loss_name.replace("_", " "), explanation.metric.replace("_", " ")
    shuffled = f"every column shuffled {explanation.repeats:,} times among {rows(explanation.labeled_rows)}"
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
            [_short(item.column), f"{length:<{BAR_CELLS}}", *figures, _short(direction_of.get(item.column, ""))]
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
            else _short(f"probability of {item.target} = {item.outputs[0]}")
        )
    return ""


def _dependence(curve: PartialDependence) -> str:
    """The mean predictions at some points of a column."""
    from nncli.base.text import MAX_QUOTE_LENGTH
    from nncli.cli.console import format_number
    from nncli.cli.tables import prose, table

    points = [
        format_number(point) if isinstance(point, float) else _short("(missing)" if point is None else point)
        for point in curve.points
    ]
    shown = range(len(points)) if curve.values is None else _few(len(points))
    lines = [["", *map(_short, curve.outputs)]]
    lines += [[points[i], *(format_number(value) for value in curve.means[i].tolist())] for i in shown]
    title = f"partial dependence on {_short(curve.column)}: {_short(curve.meaning, 2 * MAX_QUOTE_LENGTH)}"
    return f"{prose(title)}\n{table(lines)}"


def _few(points: int) -> Sequence[int]:
    """The indices of five evenly spaced points, the first and the last included."""
    return sorted({round(i * (points - 1) / 4) for i in range(5)}) if points else []


def _short(text: str, max_length: int | None = None) -> str:
    """A text from a table, in one line."""
    from nncli.base.text import MAX_QUOTE_LENGTH, escape_unprintable

    max_length = max_length or MAX_QUOTE_LENGTH
    return escape_unprintable(text if len(text) <= max_length else text[: max_length - 1] + "…", keep="")

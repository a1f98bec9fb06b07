"""`nncli explain` on the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.cli.address_limit import settle_within_limit
from nncli.cli.options import AsJson, Force, NoColor, Quiet, RunDirectory, Verbose

if TYPE_CHECKING:
    from nncli.commands.explain import Explanation
    from nncli.inspection.partial_dependence import PartialDependence

MOST_COLUMNS = 30
"""Most columns in the table of importance."""
SECONDS_BETWEEN_LINES = 2.0


def explain(
    run: RunDirectory,
    table: Annotated[
        str | None,
        typer.Argument(
            help="A table, with the target's column or without, or - for the standard input; "
            "default: the run's validation rows.",
            metavar="INPUT",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Write the attribution of each prediction to the columns: .csv, .parquet …"
        ),
    ] = None,
    class_label: Annotated[
        str | None,
        typer.Option(
            "--class",
            metavar="LABEL",
            help="With -o: the class whose probability is explained; default: the second of two classes, or each "
            "row's most probable class.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="COLUMN",
            help="With -o: the target whose prediction is explained, of several; default: the first.",
        ),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(
            "--rows", metavar="N", help="Use at most N rows, sampled with the run's seed. [5000; for -o 1000]"
        ),
    ] = None,
    repeats: Annotated[int, typer.Option("--repeats", metavar="N", help="How often every column is shuffled.")] = 5,
    top: Annotated[
        int, typer.Option("--top", metavar="N", help="Number of columns to show the partial dependence of.")
    ] = 6,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """Explain a trained RUN: feature importance, partial dependence, and attributions of single predictions.

    Permutation importance is the increase of the loss when a column is shuffled, with a 95 % confidence interval. With
    -o, each prediction is the sum of `base`, that of the average row, and the attributions of the columns.

    \b
    nncli explain runs/penguins
    nncli explain runs/penguins new.csv -o why.csv --rows 100
    nncli explain runs/penguins labelled.csv --json | jq .feature_importance
    """
    settle_within_limit()
    import json
    import shlex

    from nncli.cli.console import announce_input, echo_err
    from nncli.cli.signals import interrupt_at_once
    from nncli.commands.explain import explain as explained
    from nncli.data.io.formats import format_of
    from nncli.data.io.writers import open_sink
    from nncli.errors import UsageError
    from nncli.inspection.encoded_rows import no_progress
    from nncli.utils.atomic_files import check_not_input, check_overwrite

    interrupt_at_once()
    if output is not None:
        check_overwrite(output, force=force)
        check_not_input(None if table in (None, "-") else Path(table), output)
        format_of(output)  # or it is said now
    elif class_label is not None or target is not None:
        option = "--target" if class_label is None else "--class"
        raise UsageError(f"{option} selects what -o FILE explains", hint="Name a file with -o.")
    if table == "-":
        announce_input("a table")
    on_progress = no_progress if quiet else _ProgressLines()
    found = explained(
        run,
        table,
        rows=rows,
        repeats=repeats,
        top=top,
        attributions=output is not None,
        class_label=class_label,
        target=target,
        on_progress=on_progress,
    )
    if not quiet:
        for note in found.notes:
            echo_err(f"note: {note}")
    if output is not None and found.attributions is not None:
        with open_sink(output, force=force) as sink:
            sink.write(found.attributions.frame(found.attributed))
    if as_json:
        typer.echo(json.dumps(found.json(), ensure_ascii=False).encode())
    else:
        _show(found)
    if not quiet:
        echo_err(f"next: nncli report {shlex.quote(str(run))}")


class _ProgressLines:
    """Print the progress as a line every couple of seconds."""

    def __init__(self) -> None:
        import time

        self._clock = time.monotonic
        self._next = self._clock() + SECONDS_BETWEEN_LINES

    def __call__(self, what: str, done: int, of: int) -> None:
        """Print a line if it is time."""
        from nncli.cli.console import echo_err

        if self._clock() >= self._next and done < of:
            self._next = self._clock() + SECONDS_BETWEEN_LINES
            echo_err(f"{what} {done:,}/{of:,}")


def _show(found: Explanation) -> None:
    """Print a table of feature importance, and the partial dependence of the top columns."""
    typer.echo("\n\n".join([*_importance(found), *map(_dependence, found.partial_dependence)]))


def _importance(found: Explanation) -> Iterator[str]:
    """A table of feature importance, if it is known."""
    from nncli.cli.console import rows
    from nncli.cli.tables import prose, table

    if found.importances is None:
        return
    name, metric = found.loss_name.replace("_", " "), found.metric.replace("_", " ")
    way = {one.column: one.direction for one in found.partial_dependence}
    lines = [["column", f"{name} increase", "95 % CI", f"{metric} worsening", _trend_title(found)]]
    for one in found.importances[:MOST_COLUMNS]:
        figures = [
            _figure(one.loss_increase),
            f"{_figure(one.low)} … {_figure(one.high)}",
            _figure(one.metric_worsening),
        ]
        lines.append([_short(one.column), *figures, _short(way.get(one.column, ""))])
    if not any(way.values()):
        lines = [line[:-1] for line in lines]
    left = len(found.importances) - MOST_COLUMNS
    more = f"\nand {left:,} less important columns; see --json" if left > 0 else ""
    title = f"{rows(found.labeled_rows)}, {name} {_figure(found.loss)}, {metric} {_figure(found.score)}"
    yield f"{prose(title)}\n{table(lines)}{more}"


def _trend_title(found: Explanation) -> str:
    """The title of the column of trends."""
    for one in found.partial_dependence:
        return "prediction" if one.target is None else _short(f"probability of {one.target} = {one.outputs[0]}")
    return ""


def _dependence(curve: PartialDependence) -> str:
    """The mean predictions at some points of a column."""
    from nncli.cli.console import number
    from nncli.cli.tables import prose, table
    from nncli.text import MAX_QUOTE_LENGTH

    points = [
        number(point) if isinstance(point, float) else _short("(missing)" if point is None else point)
        for point in curve.points
    ]
    shown = range(len(points)) if curve.values is None else _few(len(points))
    lines = [["", *map(_short, curve.outputs)]]
    lines += [[points[i], *(_figure(value) for value in curve.means[i].tolist())] for i in shown]
    return f"{prose(f'{_short(curve.meaning, 2 * MAX_QUOTE_LENGTH)}, by {_short(curve.column)}')}\n{table(lines)}"


def _figure(value: float | None) -> str:
    from nncli.cli.console import number

    return number(None if value is None or value != value else value)  # NaN alone differs from itself


def _few(points: int) -> Sequence[int]:
    """Five of so many points, both ends among them."""
    return sorted({round(i * (points - 1) / 4) for i in range(5)}) if points else []


def _short(text: str, most: int | None = None) -> str:
    """A text from a table, in one line."""
    from nncli.text import MAX_QUOTE_LENGTH, escape_unprintable

    most = most or MAX_QUOTE_LENGTH
    return escape_unprintable(text if len(text) <= most else text[: most - 1] + "…", keep="")

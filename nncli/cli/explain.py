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
"""Columns that the table of importance shows."""
SECONDS_BETWEEN_LINES = 2.0


def explain(
    run: RunDirectory,
    table: Annotated[
        str | None,
        typer.Argument(
            help="A table, with the target's column or without, or - for the standard input; "
            "default: the rows that the run was validated on.",
            metavar="INPUT",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write what each column adds to each row's prediction: .csv, .parquet …"),
    ] = None,
    of: Annotated[
        str | None,
        typer.Option(
            "--of",
            metavar="NAME",
            help="With -o: the class or target whose prediction is taken apart; default: the second of two classes, "
            "each row's likeliest of more, the first target.",
        ),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(
            "--rows", metavar="N", help="Look at N rows at most, drawn with the run's seed. [5000; for -o 1000]"
        ),
    ] = None,
    repeats: Annotated[int, typer.Option("--repeats", metavar="N", help="How often every column is shuffled.")] = 5,
    top: Annotated[int, typer.Option("--top", metavar="N", help="Columns whose dependence is told.")] = 6,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """Explain a trained RUN: which columns it leans on, and what each adds to a row's prediction.

    Importance is how much the loss grows where a column's cells are shuffled among the rows, with the 95 % interval
    over rows. With -o, each row's prediction is the average row's, `base`, and what the columns add.

    \b
    nncli explain runs/penguins
    nncli explain runs/penguins new.csv -o why.csv --rows 100
    nncli explain runs/penguins labelled.csv --json | jq .importance
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
    from nncli.utils.atomic_files import check_not_input, check_overwrite

    interrupt_at_once()
    if output is not None:
        check_overwrite(output, force=force)
        check_not_input(None if table in (None, "-") else Path(table), output)
        format_of(output)  # or it is said now
    elif of is not None:
        raise UsageError("--of says what -o FILE is to take apart", hint="Name a file with -o.")
    if table == "-":
        announce_input("a table")
    tell = (lambda *_: None) if quiet else _Lines()
    found = explained(
        run, table, rows=rows, repeats=repeats, top=top, attributions=output is not None, of=of, tell=tell
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


class _Lines:
    """How far it is, in a line every couple of seconds."""

    def __init__(self) -> None:
        import time

        self._clock = time.monotonic
        self._next = self._clock() + SECONDS_BETWEEN_LINES

    def __call__(self, what: str, done: int, of: int) -> None:
        """Show it when it is time."""
        from nncli.cli.console import echo_err

        if self._clock() >= self._next and done < of:
            self._next = self._clock() + SECONDS_BETWEEN_LINES
            echo_err(f"{what} {done:,}/{of:,}")


def _show(found: Explanation) -> None:
    """Importance as a table on stdout, and for the top columns what predictions do along them."""
    typer.echo("\n\n".join([*_importance(found), *map(_dependence, found.dependences)]))


def _importance(found: Explanation) -> Iterator[str]:
    """A table of importance, if it is known."""
    from nncli.cli.console import rows
    from nncli.cli.tables import prose, table

    if found.importances is None:
        return
    name, metric = found.loss_name.replace("_", " "), found.metric.replace("_", " ")
    way = {one.column: one.direction for one in found.dependences}
    lines = [["shuffled", f"{name} grows by", "95 % interval", f"{metric} worsens by", _said(found)]]
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
    more = f"\nand {left:,} columns of less importance; --json has them" if left > 0 else ""
    title = f"{rows(found.labelled)}, {name} {_figure(found.loss)}, {metric} {_figure(found.score)}"
    yield f"{prose(title)}\n{table(lines)}{more}"


def _said(found: Explanation) -> str:
    """What rises or falls along a column."""
    for one in found.dependences:
        return "prediction" if one.class_of is None else _short(f"probability of {one.class_of} = {one.outputs[0]}")
    return ""


def _dependence(curve: PartialDependence) -> str:
    """The mean prediction at some points of a column."""
    from nncli.cli.console import number
    from nncli.cli.tables import prose, table
    from nncli.text import MAX_QUOTE_LENGTH

    points = [
        number(point) if isinstance(point, float) else _short("(missing)" if point is None else point)
        for point in curve.points
    ]
    shown = range(len(points)) if curve.values is None else _few(len(points))
    lines = [["", *map(_short, curve.outputs)]]
    lines += [[points[i], *(_figure(value) for value in curve.predictions[i].tolist())] for i in shown]
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

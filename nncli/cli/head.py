"""`nncli head` on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.api.options import AssignmentOptions
from nncli.base.option import OUTPUT
from nncli.cli.options import AsJson, DisplayOptions, SourceOptions

if TYPE_CHECKING:
    from nncli.api.head import TableHead
    from nncli.data.sources.table_source import TableSource

MAX_CELL = 20
"""Longest cell of a row that is printed whole."""


def head(
    *,
    source: Annotated[
        str, typer.Argument(help="A file, folder, pattern, database or URL, or - for standard input.", metavar="SOURCE")
    ],
    rows: Annotated[
        int, typer.Option("-n", "--rows", metavar="N", help="Number of rows to show.", min=0, rich_help_panel=OUTPUT)
    ] = 5,
    place: SourceOptions,
    changes: AssignmentOptions,
    as_json: AsJson = False,
    display: DisplayOptions,
) -> None:
    """A line for each column: its kind, its type if the table has types, its missing cells, and its cells in the first
    rows, as many as fit the terminal. Kinds are those of the first 10,000 rows, and no more is read. Kind is what a
    training makes of the column by itself; refused is what it does not accept as it is, and a warning says why. Of a
    workbook of several sheets, or a database, the names of the sheets or tables are listed.

    \b
    nncli head penguins.csv
    nncli head 'postgresql://localhost/shop' --table orders
    nncli head penguins.csv --json | jq -r '.columns[] | .name + " " + .kind'
    """
    import json

    from nncli.api.head import head as read_head
    from nncli.cli.console import announce_input, interrupt_at_once
    from nncli.cli.findings import FindingPrinter

    interrupt_at_once()
    table = place.source(source)
    if table.is_standard_input:
        announce_input("a table")
    found = read_head(table, rows=rows, assignments=changes.assignments)
    FindingPrinter(display.quiet).show(found.findings)
    if as_json:
        typer.echo(json.dumps(found.json(), ensure_ascii=False).encode("utf-8", "surrogateescape"))
    else:
        _show(found)
    if not display.quiet:
        _show_next(found, table, changes.assignments)


def _show(found: TableHead) -> None:
    """Print how the table was read and its columns, or the names of the tables there are."""
    from nncli.base.text import escape_unprintable
    from nncli.cli.tables import hanging, one_line_table

    typer.echo(hanging(f"{escape_unprintable(found.source, keep='')}  ", _size(found)))
    if found.choice is not None:
        for name in found.choice.names:
            typer.echo(f"  {escape_unprintable(name, keep='')}")
        return
    if found.details:
        details = (f"{name} {_detail(value)}" for name, value in found.details)
        typer.echo(hanging("", escape_unprintable(", ".join(details), keep="")))
    lines, droppable = _lines(found)
    typer.echo(f"\n{one_line_table(lines, droppable)}")


def _size(found: TableHead) -> str:
    """The numbers of rows and columns, or of sheets or tables."""
    from nncli.cli.console import rows

    if found.choice is not None:
        count = len(found.choice.names)
        return f"{count:,} {found.choice.kind}{'' if count == 1 else 's'}"
    columns = f"{len(found.columns):,} column{'' if len(found.columns) == 1 else 's'}"
    if found.rows == found.seen:
        return f"{rows(found.seen)}, {columns}"
    count_text = f"more than {found.seen:,} rows" if found.rows is None else rows(found.rows)
    return f"{count_text}, {columns}; kinds and missing cells of the first {found.seen:,}"


def _detail(value: str | int) -> str:
    """A detail of reading; marks such as a separator in quotes."""
    text = str(value)
    return text if text.isascii() and text.replace("-", "").isalnum() else repr(value)


def _lines(found: TableHead) -> tuple[list[list[str]], list[int]]:
    """The table of the columns, and the positions of what may be left out of it: later rows first, then types."""
    from nncli.api.head import shortest

    is_typed = any(column.type != "String" for column in found.columns)
    fixed = ["column", "kind", *(["type"] if is_typed else []), "missing"]
    titles = [*fixed, *(f"row {i}" for i in range(1, found.frame.height + 1))]
    lines = [titles]
    for column, cells in zip(found.columns, shortest(found.frame).get_columns(), strict=True):
        lines.append(
            [
                _shown(column.name, 10**6),
                column.kind,
                *([_short_type(column.type)] if is_typed else []),
                f"{column.profile.missing:,}",
                *(_shown(value) for value in cells.to_list()),
            ]
        )
    droppable = [*range(len(titles) - 1, len(fixed), -1), *([2] if is_typed else [])]
    return lines, droppable


def _short_type(text: str) -> str:
    """A type of Polars without the names of its arguments, at most twice as long as a cell."""
    import re

    from nncli.cli.tables import shortened

    return shortened(re.sub(r"\b[a-z_]+=|, time_zone=None", "", text), 2 * MAX_CELL)


def _shown(value: object, width: int = MAX_CELL) -> str:
    """A cell in at most `width` columns of the terminal; a dash if it is missing."""
    from nncli.api.head import cell_text
    from nncli.base.text import escape_unprintable
    from nncli.cli.tables import shortened

    if value is None:
        return "–"
    text = cell_text(value)
    text = text if len(text) <= 4 * width else text[: 2 * width] + text[-2 * width :]  # its middle is not shown
    return shortened(escape_unprintable(text, keep=""), width)


def _show_next(found: TableHead, source: TableSource, assignments: Sequence[str]) -> None:
    """Suggest the command for one of several tables, or that of a training."""
    import shlex

    from nncli.cli.console import echo_err

    sets = [word for text in assignments for word in ("--set", text)]
    words = ["nncli", "head", source.path, *sets]
    if found.choice is not None:
        if found.choice.names:
            echo_err(f"next: {shlex.join([*words, f'--{found.choice.kind}', found.choice.names[0]])}")
    elif found.columns and not source.is_standard_input:
        sheet = None if source.sheet is None else str(source.sheet)
        options = SourceOptions(sheet=sheet, range=source.range, table=source.table, query=source.query).words
        echo_err(f"next: {shlex.join(['nncli', 'train', source.path, *options, *sets])} --target COLUMN")

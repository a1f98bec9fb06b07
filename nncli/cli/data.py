"""`nncli head`, `init` and `generate-data` on the command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.api.options import HeadOptions, InitOptions, SourceOptions, SyntheticOptions
from nncli.base.option import INPUT, Option, Options
from nncli.base.text import escape_unprintable
from nncli.cli.console import interrupt_at_once, print_json, rows
from nncli.cli.findings import FindingPrinter
from nncli.cli.shared_arguments import ColorOptions, ResultOptions, input_table
from nncli.cli.tables import hanging, one_line_table, shortened

if TYPE_CHECKING:
    from nncli.api.head import TableHead
    from nncli.data.sources.table_source import TableSource


MAX_CELL = 20
"""Longest cell of a row that is printed whole."""


def head(
    *,
    source: Annotated[
        str, typer.Argument(help="A file, folder, pattern, database or URL, or - for standard input.", metavar="TABLE")
    ],
    place: SourceOptions,
    options: HeadOptions,
    display: ResultOptions,
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
    from nncli.api.head import head_with

    interrupt_at_once()
    table = input_table(place, source)
    table_head = head_with(table, options)
    FindingPrinter(display.quiet).show(table_head.findings)
    display.show(table_head.json, lambda: _text(table_head))
    display.next(*_next_of_table(table_head, table, options))


def _text(table_head: TableHead) -> str:
    """How the table was read and its columns, or the names of the tables there are."""
    heading = hanging(f"{escape_unprintable(table_head.source, keep='')}  ", _size(table_head))
    if table_head.choice is not None:
        return "\n".join([heading, *(f"  {escape_unprintable(name, keep='')}" for name in table_head.choice.names)])
    details = ", ".join(f"{name} {_detail(value)}" for name, value in table_head.details)
    lines, droppable = _lines(table_head)
    parts = [heading, *([hanging("", escape_unprintable(details, keep=""))] if details else [])]
    return "\n".join([*parts, "", one_line_table(lines, droppable)])


def _size(table_head: TableHead) -> str:
    """The numbers of rows and columns, or of sheets or tables."""
    if table_head.choice is not None:
        count = len(table_head.choice.names)
        return f"{count:,} {table_head.choice.kind}{'' if count == 1 else 's'}"
    columns = f"{table_head.width:,} column{'' if table_head.width == 1 else 's'}"
    if table_head.rows == table_head.seen:
        return f"{rows(table_head.seen)}, {columns}"
    count_text = f"more than {table_head.seen:,} rows" if table_head.rows is None else rows(table_head.rows)
    return f"{count_text}, {columns}; kinds and missing cells of the first {table_head.seen:,}"


def _detail(value: str | int) -> str:
    """A detail of reading; marks such as a separator in quotes."""
    text = str(value)
    return text if text.isascii() and text.replace("-", "").isalnum() else repr(value)


def _lines(table_head: TableHead) -> tuple[list[list[str]], list[int]]:
    """The table of the columns, and the positions of what may be left out of it: later rows first, then types."""
    from nncli.api.head import shortest

    is_typed = any(column.type != "String" for column in table_head.columns)
    fixed = ["column", "kind", *(["type"] if is_typed else []), "missing"]
    titles = [*fixed, *(f"row {i}" for i in range(1, table_head.frame.height + 1))]
    lines = [titles]
    for column, cells in zip(table_head.columns, shortest(table_head.frame).get_columns(), strict=True):
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
    return shortened(re.sub(r"\b[a-z_]+=|, time_zone=None", "", text), 2 * MAX_CELL)


def _shown(value: object, width: int = MAX_CELL) -> str:
    """A cell in at most `width` columns of the terminal; a dash if it is missing."""
    from nncli.api.head import cell_text

    if value is None:
        return "–"
    text = cell_text(value)
    text = text if len(text) <= 4 * width else text[: 2 * width] + text[-2 * width :]  # its middle is not shown
    return shortened(escape_unprintable(text, keep=""), width)


def _next_of_table(table_head: TableHead, source: TableSource, given: HeadOptions) -> Iterator[str]:
    """The command for one of several tables, or that of a training."""
    words = ["nncli", "head", source.path, *given.set_words]
    if table_head.choice is not None:
        if table_head.choice.names:
            yield shlex.join([*words, f"--{table_head.choice.kind}", table_head.choice.names[0]])
    elif table_head.columns and not source.is_standard_input:
        sheet = None if source.sheet is None else str(source.sheet)
        quote = None if source.quote == "auto" else source.quote
        options = SourceOptions(
            sheet=sheet, range=source.range, table=source.table, query=source.query, quote=quote
        ).words
        yield f"{shlex.join(['nncli', 'train', source.path, *options, *given.set_words])} --target COLUMN"


@dataclass(frozen=True, kw_only=True)
class TargetArguments(Options):
    """The target."""

    target: Annotated[
        Sequence[str],
        Option("The column to predict. Repeatable for several.", INPUT, short="-t", metavar="COLUMN"),
    ] = ()


def init(
    *,
    data: Annotated[
        str,
        typer.Argument(help="A table: a file, a folder, a pattern in quotes, a database or a URL.", metavar="TABLE"),
    ],
    targets: TargetArguments,
    place: SourceOptions,
    options: InitOptions,
    display: ResultOptions,
) -> None:
    """Comments list the columns with their kinds and the reasons of each choice. Uninformative columns (a different
    value in every row, one value in all rows, no value) are dropped. With --json, the summary of every column is
    printed, and the YAML within it.

    \b
    nncli init penguins.csv --target species -o config.yaml
    nncli init penguins.csv --target species --quality fast | nncli train -
    nncli init penguins.csv --target species --json | jq -r '.columns[] | .name + " " + .use'
    nncli init houses.csv.gz --target price --preset textbook --set data.separator=';' -o houses.yaml
    """
    from nncli.api.init import draft_with

    interrupt_at_once()
    if options.output == "-":
        options = replace(options, output=None)
    result = draft_with(place.source(data), targets.target, options)
    FindingPrinter(display.quiet).show(result.findings)
    if display.as_json:
        print_json({**result.json(), "output": None if options.output is None else str(options.output)})
    elif options.output is None:
        typer.echo(result.text.encode(), nl=False)
    if options.output is not None:
        display.next(f"nncli train {shlex.quote(str(options.output))}")


def generate_data(
    *,
    name: Annotated[
        str,
        typer.Argument(help="linear, sine, friedman1, xor, moons, circles, spirals or blobs.", metavar="NAME"),
    ] = "linear",
    options: SyntheticOptions,
    color: ColorOptions,
) -> None:
    """linear, the default: x1 and x2 are uniform on (0, 1), y = 0.5 x1 + 0.5 x2 + noise, noise uniform on (0, 1).

    \b
    nncli generate-data -n 1000 -o linear.csv
    nncli generate-data spirals --seed 1 | head
    """
    from nncli.api.generate_data import generate_data_with

    generate_data_with(name, options=options)

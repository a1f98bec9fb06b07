"""The options that say which table of a workbook or database is meant, and the table source that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from nncli.cli.help import INPUT

if TYPE_CHECKING:
    from nncli.data.sources.table_source import TableSource

Sheet: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--sheet", metavar="NAME", help="Sheet of a workbook, by name or number from 1.", rich_help_panel=INPUT
    ),
]
CellRange: TypeAlias = Annotated[
    str | None,
    typer.Option("--range", metavar="B4:H200", help="Cells of the sheet, header included.", rich_help_panel=INPUT),
]
DatabaseTable: TypeAlias = Annotated[
    str | None, typer.Option("--table", metavar="NAME", help="Table of a database.", rich_help_panel=INPUT)
]
Query: TypeAlias = Annotated[
    str | None,
    typer.Option("--query", metavar="SELECT", help="Query of a database, instead of a table.", rich_help_panel=INPUT),
]


def source_of(
    path: str | None, sheet: str | None, cells: str | None, table: str | None, query: str | None
) -> TableSource:
    """The source of an INPUT argument and its options; None is standard input.

    Raises:
        UsageError: a table and a query are given.
    """
    from nncli.data.sources.table_source import STANDARD_INPUT, TableSource
    from nncli.errors import UsageError

    if table is not None and query is not None:
        raise UsageError("--table and --query exclude each other", hint="Remove one of them.")
    return TableSource(path=path or STANDARD_INPUT, sheet=sheet, range=cells, table=table, query=query)


def source_words(sheet: str | None, cells: str | None, table: str | None, query: str | None) -> list[str]:
    """The options as command-line arguments."""
    options = {"--sheet": sheet, "--range": cells, "--table": table, "--query": query}
    return [word for option, value in options.items() if value is not None for word in (option, value)]


def source_assignments(sheet: str | None, cells: str | None, table: str | None, query: str | None) -> list[str]:
    """The options as assignments of a configuration's keys."""
    import json

    keys = {"sheet": sheet, "range": cells, "table": table, "query": query}
    return [f"data.{key}={json.dumps(value, ensure_ascii=False)}" for key, value in keys.items() if value is not None]

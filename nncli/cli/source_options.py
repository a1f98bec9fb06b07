"""The options that say which table of a workbook or database is meant, and the table source that they make."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True)
class SourceOptions:
    """The values of the options."""

    sheet: str | None = None
    cells: str | None = None
    table: str | None = None
    query: str | None = None

    def source(self, path: str | None) -> TableSource:
        """The source of an INPUT argument; None is standard input.

        Raises:
            UsageError: a table and a query are given.
        """
        from nncli.base.errors import UsageError
        from nncli.data.sources.table_source import STANDARD_INPUT, TableSource

        if self.table is not None and self.query is not None:
            raise UsageError("--table and --query exclude each other", hint="Remove one of them.")
        return TableSource(
            path=path or STANDARD_INPUT, sheet=self.sheet, range=self.cells, table=self.table, query=self.query
        )

    @property
    def words(self) -> list[str]:
        """The options as command-line arguments."""
        return [word for key, value in self._given for word in (f"--{key}", value)]

    @property
    def assignments(self) -> list[str]:
        """The options as assignments of a configuration's keys."""
        import json

        return [f"data.{key}={json.dumps(value, ensure_ascii=False)}" for key, value in self._given]

    @property
    def _given(self) -> list[tuple[str, str]]:
        values = {"sheet": self.sheet, "range": self.cells, "table": self.table, "query": self.query}
        return [(key, value) for key, value in values.items() if value is not None]

"""The options that say which table of a workbook or database is meant, and the table source that they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from nncli.base.option import INPUT, Option, Options

if TYPE_CHECKING:
    from nncli.data.sources.table_source import TableSource


@dataclass(frozen=True, kw_only=True)
class SourceOptions(Options):
    """The options that say which table of a workbook or database is meant."""

    sheet: Annotated[str | None, Option("Sheet of a workbook, by name or number from 1.", INPUT, metavar="NAME")] = None
    range: Annotated[str | None, Option("Cells of the sheet, header included.", INPUT, metavar="B4:H200")] = None
    table: Annotated[str | None, Option("Table of a database.", INPUT, metavar="NAME")] = None
    query: Annotated[str | None, Option("Query of a database, instead of a table.", INPUT, metavar="SELECT")] = None

    def source(self, path: str | None) -> TableSource:
        """The source of an INPUT argument; None is standard input.

        Raises:
            UsageError: a table and a query are given.
        """
        from nncli.base.errors import UsageError
        from nncli.data.sources.table_source import STANDARD_INPUT, TableSource

        if self.table is not None and self.query is not None:
            raise UsageError("--table and --query exclude each other", hint="Remove one of them.")
        return TableSource(path=path or STANDARD_INPUT, **dict(self._given))

    @property
    def words(self) -> list[str]:
        """The options as command-line arguments."""
        return [word for key, value in self._given for word in (f"--{key}", value)]

    @property
    def source_assignments(self) -> list[str]:
        """The options as assignments of a configuration's keys."""
        import json

        return [f"data.{key}={json.dumps(value, ensure_ascii=False)}" for key, value in self._given]

    @property
    def _given(self) -> list[tuple[str, str]]:
        values = {"sheet": self.sheet, "range": self.range, "table": self.table, "query": self.query}
        return [(key, value) for key, value in values.items() if value is not None]

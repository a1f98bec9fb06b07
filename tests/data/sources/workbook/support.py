"""Write small workbooks, and read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from openpyxl import Workbook

from nncli.data.dialect import CsvDialect
from nncli.data.formats.read_options import ReadOptions
from nncli.data.sources.open import open_reader
from nncli.data.sources.table_source import TableSource
from nncli.data.table import Table

MISSING = ("", "NA")
NO_DIALECT = CsvDialect()
ROWS: list[list[Any]] = [["city", "rooms"], ["Oslo", 2], ["Rome", 3.5], ["Lima", None]]


def write(path: Path, sheets: Any) -> Path:
    """A workbook of these sheets, or of one sheet called Data; text such as #REF! becomes an error."""
    workbook = Workbook()
    workbook.remove(workbook.worksheets[0])
    for name, rows in (sheets if isinstance(sheets, dict) else {"Data": sheets}).items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    workbook.save(path)
    return path


def read(
    path: Path,
    *,
    sheet: str | int | None = None,
    cells: str | None = None,
    dialect: CsvDialect = NO_DIALECT,
    trained: CsvDialect | None = None,
    missing: tuple[str, ...] = MISSING,
) -> Table:
    """The table of a workbook."""
    reader = open_reader(TableSource(path=str(path), sheet=sheet, range=cells))
    (table,) = reader.read(ReadOptions(dialect, trained, missing))
    return table

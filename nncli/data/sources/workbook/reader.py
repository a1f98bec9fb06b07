"""A table in a sheet of a workbook."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nncli.base.errors import Location, UsageError
from nncli.base.native_stderr import without_panics
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.streams import InputFile, digest, translate_damage
from nncli.data.sources.table_reader import Checksum, TableChoice, TableReader
from nncli.data.sources.workbook.columns import grid_of, with_durations
from nncli.data.sources.workbook.grid import CellRange, Grid, parse_range
from nncli.data.sources.workbook.hidden.zip_file import encrypted
from nncli.data.sources.workbook.sheet_table import SheetTable
from nncli.data.sources.workbook.sheets import (
    SAVE_AS,
    WorkbookCopy,
    ambiguous_sheet,
    named_sheet,
    read_bytes,
    sheet_names,
    sheets_with_table,
    workbook_file,
    write_grid,
)
from nncli.data.table import Table

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

    from nncli.data.sources.workbook.hidden.zip_file import WorkbookFile


@dataclass(frozen=True)
class WorkbookReader(TableReader):
    """Reads a sheet, or the only one with a table, and of it the cells of a range, or the table that is found."""

    file: InputFile
    sheet: str | int | None = None
    cells: str | None = None

    @property
    def name(self) -> str:
        """The path as the user gave it."""
        return self.file.name

    def choice(self) -> TableChoice | None:
        """The sheets with cells, if the source names none and there are several with a table."""
        if self.sheet is not None:
            return None
        tables = sheets_with_table(_open(self.file).sizes(), self.name)
        return None if len(tables) == 1 else TableChoice("sheet", tuple(tables))

    @property
    def needs_copy(self) -> bool:
        """True: parsing a workbook takes twenty times as long as reading its cells from an Arrow file."""
        return True

    def read(self, options: ReadOptions) -> Generator[Table]:
        """Yield the table of the sheet, whole."""
        yield self._sheet_table()[1].read(options)

    def copy_to(self, folder: Path) -> WorkbookCopy:
        """Copy the cells of the sheet into an Arrow file."""
        workbook, table = self._sheet_table()
        path = folder / "cells.arrow"
        write_grid(table.grid, path)
        return WorkbookCopy(path, replace(table, grid=replace(table.grid, columns=())), Checksum(workbook.sha256))

    def _sheet_table(self) -> tuple[_Workbook, SheetTable]:
        """The workbook, and the sheet, read into memory.

        Raises:
            DataError: the file is no workbook, or cannot be read.
            UsageError: there is no such sheet, several have a table, or the range is not valid.
        """
        cells = None if self.cells is None else _range_of(self.cells, self.name)
        workbook = _open(self.file)
        grid, sheet = workbook.chosen(self.sheet)
        return workbook, SheetTable(grid, self.name, sheet, cells, workbook.file.suffix)

    def checksum(self) -> Checksum:
        """The checksum of the bytes of the file."""
        assert self.file.path is not None
        return Checksum(digest(self.file.path))


def _range_of(text: str, source: str) -> CellRange:
    try:
        return parse_range(text)
    except UsageError as error:
        raise UsageError(error.message, location=Location(source=source), hint=error.hint) from error


def _open(file: InputFile) -> _Workbook:
    """Open a workbook.

    Raises:
        DataError: it cannot be read.
        UsageError: the library that reads workbooks is not installed.
    """
    try:
        from python_calamine import load_workbook
    except ImportError as error:
        raise UsageError(
            "workbooks need calamine, which is not installed",
            location=Location(source=file.name),
            hint="pip install 'nncli-train[excel]'",
        ) from error
    data = read_bytes(file)
    with _translated(file.name):
        container = workbook_file(data, file.name)
        calamine = load_workbook(io.BytesIO(data))
    return _Workbook(calamine, container, file.name, data)


@dataclass(frozen=True)
class _Workbook:
    """An open workbook: as calamine reads it, and its file."""

    calamine: CalamineWorkbook
    file: WorkbookFile
    name: str
    data: bytes

    @property
    def sha256(self) -> str:
        """The checksum of the bytes of the file."""
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def _names(self) -> tuple[list[str], list[str]]:
        with _translated(self.name):
            return sheet_names(self.calamine)

    def sizes(self) -> list[tuple[str, int, int]]:
        """The name, rows and columns of each visible sheet."""
        return [(name, grid.rows, len(grid.columns)) for name, grid in self._grids()]

    def _grids(self) -> Iterator[tuple[str, Grid]]:
        for name in self._names[0]:
            yield name, self.grid(name)

    def chosen(self, sheet: str | int | None) -> tuple[Grid, str]:
        """The cells of the sheet that is named, or of the only one with a table, and its name."""
        if sheet is not None:
            name = named_sheet(sheet, *self._names, self.name)
            return self.grid(name), name
        sizes, grids = [], {}
        for name, grid in self._grids():
            sizes.append((name, grid.rows, len(grid.columns)))
            grids[name] = grid
        found = sheets_with_table(sizes, self.name)
        if len(found) > 1:
            raise ambiguous_sheet(found, sizes, self.name)
        return grids[found[0]], found[0]

    def grid(self, name: str) -> Grid:
        """The cells of a sheet."""
        with _translated(f"{self.name}, sheet {name}"):
            # First, as this checks that the sheet fits into memory.
            facts = self.file.facts(name, self.calamine.sheet_names.index(name))
            grid = grid_of(self.calamine.get_sheet_by_name(name))
            return (with_durations(grid) if self.file.suffix == ".ods" else grid).with_facts(facts)


@contextmanager
def _translated(source: str) -> Iterator[None]:
    """Translate the errors of calamine and of damaged bytes to DataErrors."""
    from python_calamine import CalamineError, PasswordError

    with translate_damage("the workbook", source, CalamineError, OSError, hint=SAVE_AS):
        try:
            with without_panics():
                yield
        except PasswordError as error:
            raise encrypted(source) from error
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # an internal error of calamine, which is no Exception
                raise
            raise CalamineError(str(error)) from error

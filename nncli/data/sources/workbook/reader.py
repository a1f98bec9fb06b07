"""A table in a sheet of a workbook: the workbook is opened, and the sheet is chosen that a source means."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import polars

from nncli.base.errors import Advice, DataError, Location, NameAsText, UsageError, UseOption, extra_required
from nncli.base.text import closest_match, join_quoted, quote
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.streams import InputFile, digest, translate_damage, translate_os_errors
from nncli.data.sources.table_reader import Checksum, TableChoice, TableReader
from nncli.data.sources.workbook.binary_files import WORKBOOK_BINARY, OleFile, XlsbFile, XlsFile
from nncli.data.sources.workbook.columns import grid_of, with_durations
from nncli.data.sources.workbook.files import WorkbookFile, ZipFile, encrypted
from nncli.data.sources.workbook.grid import CellColumn, CellRange, SheetGrid, parse_range
from nncli.data.sources.workbook.sheet_table import SheetTable
from nncli.data.sources.workbook.xml_files import CONTENT, WORKBOOK, OdsFile, XlsxFile
from nncli.data.table import Table

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook


@dataclass(frozen=True)
class WorkbookReader(TableReader):
    """Reads a sheet, or the only one with a table, and of it the cells of a range, or the table that is found."""

    file: InputFile
    sheet: str | int | None = None
    cells: str | None = None
    needs_copy: ClassVar[bool] = True
    """Parsing a workbook takes twenty times as long as reading its cells from an Arrow file."""

    @property
    def name(self) -> str:
        """The path as the user gave it."""
        return self.file.name

    def choice(self) -> TableChoice | None:
        """The sheets with cells, if the source names none and there are several with a table."""
        if self.sheet is not None:
            return None
        tables = sheets_with_table(_open(self.file).grids(), self.name)
        return None if len(tables) == 1 else TableChoice("sheet", tuple(tables))

    def read(self, options: ReadOptions) -> Generator[Table]:
        """Yield the table of the sheet, whole."""
        yield self._sheet_table()[1].read(options)

    def copy_to(self, folder: Path) -> WorkbookCopy:
        """Copy the cells of the sheet into an Arrow file."""
        workbook, table = self._sheet_table()
        path = folder / "cells.arrow"
        write_grid(table.grid, path)
        return WorkbookCopy(
            path,
            replace(table, grid=replace(table.grid, columns=())),
            Checksum(hashlib.sha256(workbook.data).hexdigest()),
        )

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
        DataError: it cannot be read, or is empty.
        UsageError: the library that reads workbooks is not installed.
    """
    with extra_required("excel", "workbooks need calamine, which is not installed", Location(source=file.name)):
        from python_calamine import load_workbook
    assert file.path is not None
    with translate_os_errors(file.path):
        data = file.path.read_bytes()
    if not data:
        raise DataError("the file is empty", location=Location(source=file.name))
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

    @cached_property
    def _names(self) -> tuple[list[str], list[str]]:
        with _translated(self.name):
            return sheet_names(self.calamine)

    def grids(self) -> dict[str, SheetGrid]:
        """The cells of each visible sheet, by its name."""
        return {name: self.grid(name) for name in self._names[0]}

    def chosen(self, sheet: str | int | None) -> tuple[SheetGrid, str]:
        """The cells of the sheet that is named, or of the only one with a table, and its name."""
        if sheet is not None:
            name = named_sheet(sheet, *self._names, self.name)
            return self.grid(name), name
        grids = self.grids()
        with_table = sheets_with_table(grids, self.name)
        if len(with_table) > 1:
            raise ambiguous_sheet(with_table, grids, self.name)
        return grids[with_table[0]], with_table[0]

    def grid(self, name: str) -> SheetGrid:
        """The cells of a sheet."""
        with _translated(f"{self.name}, sheet {name}"):
            # First, as this checks that the sheet fits into memory.
            issues = self.file.cell_issues(name, self.calamine.sheet_names.index(name))
            grid = grid_of(self.calamine.get_sheet_by_name(name))
            return (with_durations(grid) if self.file.suffix == ".ods" else grid).with_cell_issues(issues)


@contextmanager
def _translated(source: str) -> Iterator[None]:
    """Translate the errors of calamine and of damaged bytes to DataErrors."""
    from python_calamine import CalamineError, PasswordError

    with translate_damage("the workbook", source, CalamineError, OSError, hint=SAVE_AS):
        try:
            yield
        except PasswordError as error:
            raise encrypted(source) from error
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # an internal error of calamine, which is no Exception
                raise
            raise CalamineError(str(error)) from error


MAX_LISTED = 12


def sheet_names(workbook: CalamineWorkbook) -> tuple[list[str], list[str]]:
    """The names of the sheets with cells, visible ones and hidden ones, in their order."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    sheets = [sheet for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    visible = [sheet.name for sheet in sheets if sheet.visible == SheetVisibleEnum.Visible]
    return visible, [sheet.name for sheet in sheets if sheet.visible != SheetVisibleEnum.Visible]


def named_sheet(wanted: str | int, visible: Sequence[str], hidden: Sequence[str], source: str) -> str:
    """The name of the sheet that is named, or that has a number among the visible ones, from 1.

    Digits are a name if there is such a sheet, else a number. Upper and lower case do not matter, as in spreadsheets.

    Raises:
        UsageError: there is no such sheet; the hint has the nearest name.
    """
    names = [*visible, *hidden]
    if isinstance(wanted, str):
        matches = [name for name in names if name == wanted] or [n for n in names if n.casefold() == wanted.casefold()]
        if matches:
            return matches[0]
    number = int(wanted) if isinstance(wanted, int) or (wanted.isascii() and wanted.isdigit()) else None
    if number is not None and 1 <= number <= len(visible):
        return visible[number - 1]
    near = closest_match(wanted, names) if isinstance(wanted, str) else None
    raise UsageError(
        f"there is no sheet {wanted if number is not None else quote(str(wanted))}",
        location=Location(source=source),
        hint=f"Did you mean {quote(near)}?" if near else f"The sheets are {join_quoted(names)}.",
    )


def sheets_with_table(grids: Mapping[str, SheetGrid], source: str) -> list[str]:
    """The names of the sheets that have a table.

    A sheet with one row or one column is a table only if there is no larger one.

    Raises:
        DataError: all are empty.
    """
    filled = [name for name, grid in grids.items() if grid.rows]
    if not filled:
        raise DataError("the workbook is empty", location=Location(source=source))
    return [name for name in filled if grids[name].rows > 1 and len(grids[name].columns) > 1] or filled


def ambiguous_sheet(names: Sequence[str], grids: Mapping[str, SheetGrid], source: str) -> UsageError:
    """The error that lists the sheets with a table, of which none is named."""
    listed = ", ".join(f"{quote(name)} ({grids[name].rows:,} rows)" for name in names[:MAX_LISTED])
    more = f" and {len(names) - MAX_LISTED:,} more" if len(names) > MAX_LISTED else ""
    return UsageError(
        f"the workbook has {len(names):,} sheets with tables: {listed}{more}",
        location=Location(source=source),
        hint=Advice("Name one: ", UseOption("sheet", "sheet", names[0]), "."),
    )


ZIP_MAGIC = b"PK\x03\x04"
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MANIFEST = "META-INF/manifest.xml"
"""The member of .ods that says how the others are encrypted; newer programs encrypt them all as one."""
SAVE_AS = "Open it in a spreadsheet program and save it as .xlsx."
HTML = (b"<html", b"<!doctype html", b"<table", b"<head", b"<meta", b"<style", b"<div")
HEAD = 4096


def workbook_file(data: bytes, source: str) -> WorkbookFile:
    """The workbook of these bytes, by their format; `source` is the name of the file in messages.

    Raises:
        DataError: they are no workbook, or one with a password, or damaged.
    """
    if data.startswith(ZIP_MAGIC):
        archive = ZipFile(data, source)
        if MANIFEST in archive and b"encryption-data" in archive.read(MANIFEST):
            raise encrypted(source)
        archive.check()
        if WORKBOOK in archive:
            return XlsxFile(archive)
        if WORKBOOK_BINARY in archive:
            return XlsbFile(archive)
        if CONTENT in archive:
            return OdsFile(archive)
        raise _no_workbook("a zip archive without a workbook in it", "Extract the file in it first.", source)
    if data.startswith(OLE_MAGIC):
        return XlsFile(OleFile(data, source))
    raise _no_workbook(*_description(data), source)


def _no_workbook(what: str, hint: str, source: str) -> DataError:
    return DataError(f"this is no workbook but {what}", location=Location(source=source), hint=hint)


def _description(data: bytes) -> tuple[str, str]:
    """What a file is that is no workbook, and what to do."""
    head = data[:HEAD].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(HTML) or b"<html" in head or b"<table" in head:
        return "a web page (HTML)", SAVE_AS
    if head.startswith(b"<?xml"):
        return "an XML file", SAVE_AS
    if head.startswith(b"%pdf"):
        return "a PDF file", "Export its table as a workbook or as CSV."
    if b"\0" not in data[:HEAD]:
        return "a text file", Advice("If it is a CSV, ", NameAsText(), ".")
    return "a file of an unknown kind", SAVE_AS


@dataclass(frozen=True)
class WorkbookCopy(TableReader):
    """Reads the cells of a sheet from an Arrow file; `table` is the sheet without them."""

    path: Path
    table: SheetTable
    original: Checksum

    @property
    def name(self) -> str:
        """The name of the workbook."""
        return self.table.file

    def read(self, options: ReadOptions) -> Generator[Table]:
        """Yield the table of the sheet, whole."""
        with translate_os_errors(self.path):
            grid = replace(self.table.grid, columns=read_columns(self.path))
        yield replace(self.table, grid=grid).read(options)

    def checksum(self) -> Checksum:
        """The checksum of the workbook."""
        return self.original


def write_grid(grid: SheetGrid, path: Path) -> None:
    """Write the columns of a grid: several arrays for each, called by its position and what they hold."""
    arrays = dict[str, polars.Series]()
    for j, column in enumerate(grid.columns):
        parts = {"kinds": column.kinds, "numbers": column.numbers, "texts": column.texts, "times": column.times}
        arrays |= {f"{part}_{j}": polars.Series(values) for part, values in parts.items() if values is not None}
    polars.DataFrame(arrays).write_ipc(path)


def read_columns(path: Path) -> tuple[CellColumn, ...]:
    """The columns of a grid that was written by `write_grid`."""
    frame = polars.read_ipc(path)
    columns = list[CellColumn]()
    while (kinds := f"kinds_{len(columns)}") in frame.columns:
        j = len(columns)
        numbers, texts, times = (
            frame[name] if (name := f"{part}_{j}") in frame.columns else None for part in ("numbers", "texts", "times")
        )
        columns.append(
            CellColumn(
                frame[kinds].to_numpy(),
                None if numbers is None else numbers.to_numpy(),
                texts,
                None if times is None else times.to_numpy(),
            )
        )
    return tuple(columns)

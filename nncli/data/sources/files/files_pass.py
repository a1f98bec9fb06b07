"""One pass over several files: what the files so far say about the next, and the numbers of their rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import polars

from nncli.base.errors import DataError, Location
from nncli.base.text import quote
from nncli.data.dialect import CsvDialect
from nncli.data.formats.read_options import FirstFile, ReadOptions
from nncli.data.formats.registry import Format
from nncli.data.row_origins import RowOrigins
from nncli.data.sources.files.column_alignment import FileColumns
from nncli.data.sources.files.partition import Part
from nncli.data.table import Table

NAMES = {"separator": "separator", "decimal": "decimal mark", "thousands": "thousands separator"}
"""The settings of the dialect that must be the same in all files, and what messages call them."""


@dataclass
class FilesPass:
    """The state of a pass over several files, which messages call `source`.

    `are_typed`: the types in `columns` are those of all files, which were read before.
    """

    source: str
    columns: FileColumns
    options: ReadOptions
    are_typed: bool = False
    is_one_file: bool = False
    next_row: int = 1
    dialect: CsvDialect | None = None
    numbers: frozenset[str] | None = None
    """The columns that were numbers in the first file; None if it has no row."""
    details: tuple[tuple[str, str | int], ...] = ()
    notes: Counter[str] = field(default_factory=Counter)
    is_empty: bool = True

    def options_of_next(self) -> ReadOptions:
        """The options of a file that is not the first.

        They depend on the first file alone: a file is opened while the one before it is read, and how much of that is
        read by then depends on timing.
        """
        assert self.dialect is not None, "the first file is read before the others are opened"
        first_file = FirstFile(self.dialect, self.numbers or frozenset())
        return replace(self.options, first_file=first_file, first_bytes=None)

    def tables_of(self, part: Part, tables: Iterator[Table]) -> Iterator[Table]:
        """Yield the tables of a file as tables of all files; those without rows only if they have notes.

        Raises:
            DataError: the columns or the dialect of the file are others than those of the first one.
        """
        begin = self.next_row
        origins = None if self.is_one_file else RowOrigins((part.file.name,), (begin,))
        is_first = self.dialect is None
        for table in tables:
            if self.dialect is None:
                self.dialect, self.details = table.dialect, table.details
            self._check_dialect(part, table)
            format = dict(table.details).get("format", dict(self.details).get("format"))  # noqa: A001
            if not self.are_typed:
                schema = {cells.name: polars.Null() if _is_missing(cells) else cells.dtype for cells in table.frame}
                self.columns.add_file(part, schema, are_types=format != Format.CSV, may_lack=format == Format.JSONL)
            if is_first:
                self._find_numbers(table)
            first_row = begin + table.first_row - 1
            self.next_row = first_row + len(table)
            notes = self._new_notes(part, table)
            if len(table) or notes:
                self.is_empty = False
                frame = self.columns.aligned(part, table.frame, table.first_row)
                yield self._table(frame, first_row, notes, origins)

    def rest(self) -> Iterator[Table]:
        """Yield a table of no rows with the notes of several files, if there are any, or if no file has a row."""
        notes = [f"{self.source}: {count - 1:,} more: {note}" for note, count in self.notes.items() if count > 1]
        if notes or self.is_empty:
            yield self._table(self.columns.no_rows(), self.next_row, tuple(notes), None)

    def _table(
        self, frame: polars.DataFrame, first_row: int, notes: tuple[str, ...], origins: RowOrigins | None
    ) -> Table:
        assert self.dialect is not None
        return Table(
            frame, self.source, first_row, dialect=self.dialect, notes=notes, details=self.details, origins=origins
        )

    def _new_notes(self, part: Part, table: Table) -> tuple[str, ...]:
        """The notes that no file had before; the others are counted."""
        texts = [note.removeprefix(f"{part.file.name}: ") for note in table.notes]
        new = tuple(note for note, text in zip(table.notes, texts, strict=True) if not self.notes[text])
        self.notes.update(texts)
        return new

    def _find_numbers(self, table: Table) -> None:
        """Note which columns of text were found to be numbers. Columns without a value are not known to be."""
        if len(table):
            found = frozenset(
                cells.name for cells in table.frame if cells.dtype == polars.Float64 and cells.null_count() < len(cells)
            )
            self.numbers = found if self.numbers is None else self.numbers & found

    def _check_dialect(self, part: Part, table: Table) -> None:
        """Raise a DataError if the marks of a file are others than those of the first one."""
        assert self.dialect is not None
        for setting in NAMES:
            mark, first = getattr(table.dialect, setting), getattr(self.dialect, setting)
            if mark != first:
                raise DataError(
                    f"the {NAMES[setting]} is {_name(mark)} here, and {_name(first)} in the files before",
                    location=Location(source=part.file.name),
                    hint=f"Write all files in one way, or name those of one kind. data.{setting} sets it for all.",
                )


def _is_missing(cells: polars.Series) -> bool:
    """Whether all cells of a column of text are missing, so that its type is not known."""
    return cells.dtype == polars.String and cells.null_count() == len(cells)


def _name(mark: str | None) -> str:
    return "not there" if mark is None else quote(mark)

"""The columns of a table in several files: those of the first file, and those that the folders stand for.

Other files may have the columns in another order. Types are made the same where no value changes by it: integers
become floats if another file has floats, for example.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars

from nncli.base.errors import DataError, Location
from nncli.base.text import join_quoted, quote
from nncli.data.dialect import CsvDialect
from nncli.data.formats.read_options import FirstFile, ReadOptions
from nncli.data.formats.registry import Format
from nncli.data.sources.files.partition import PartitionFile, key_types
from nncli.data.table import RowOrigins, Table

EXACT = 2**53
"""Integers up to which a float is exact."""
FileSchema = Mapping[str, polars.DataType]


@dataclass
class FileColumns:
    """The columns so far: `names` and `types` of those in the files, and the types of the `keys` of the folders."""

    keys: Mapping[str, polars.DataType]
    missing_values: tuple[str, ...] = ()
    first: PartitionFile | None = None
    names: list[str] = field(default_factory=list)
    types: dict[str, polars.DataType] = field(default_factory=dict)
    givers: dict[str, PartitionFile] = field(default_factory=dict)
    """The file that each type is of, for messages."""

    @classmethod
    def of(cls, parts: Sequence[PartitionFile], missing_values: tuple[str, ...]) -> FileColumns:
        """No columns but those of the folders."""
        return cls(key_types(parts), missing_values)

    def add_file(
        self, part: PartitionFile, schema: FileSchema, *, are_types: bool = True, may_lack: bool = False
    ) -> None:
        """Take the columns of a file into account, and their types, unless they are those of text that is parsed later.

        A file that `may_lack` columns has none of a column that all of its rows lack.

        Raises:
            DataError: its columns are others than those of the first file, or of types that do not go together.
        """
        if self.first is None:
            self.first, self.names = part, [name for name in schema if name not in part.keys]
        self._check_names(part, schema, may_lack=may_lack)
        for name in self.names if are_types else ():
            if name in schema:
                self._add_type(part, name, schema[name])

    def _check_names(self, part: PartitionFile, schema: FileSchema, *, may_lack: bool) -> None:
        assert self.first is not None
        missing = [] if may_lack else [name for name in self.names if name not in schema]
        names = {*self.names, *part.keys}
        extra = [name for name in schema if name not in names]
        if not missing and not extra:
            return
        said = [f"{join_quoted(missing)} {_is(missing)} missing"] if missing else []
        said += [f"{join_quoted(extra)} {_is(extra)} not in the others"] if extra else []
        raise DataError(
            f"the columns of this file are not those of {self.first.file.name}: {' and '.join(said)}",
            location=Location(source=part.file.name),
            hint="Give all files the same columns, or name only the files that have them, by a pattern.",
        )

    def _add_type(self, part: PartitionFile, name: str, dtype: polars.DataType) -> None:
        before = self.types.get(name)
        if before == dtype:
            return
        common = dtype if before is None else common_type(before, dtype)
        if common is None:
            raise DataError(
                f"the column is {_type_name(dtype)} here, and {_type_name(self.types[name])} in "
                f"{self.givers[name].file.name}",
                location=Location(source=part.file.name, column=name),
                hint="Write it with the same type in all files.",
            )
        if common != before:
            self.types[name], self.givers[name] = common, part

    def aligned(self, part: PartitionFile, frame: polars.DataFrame, first_row: int) -> polars.DataFrame:
        """The rows of a file with all columns, in the order and with the types of the table.

        Raises:
            DataError: an integer cannot be a float without a change, or a column has another value than its folder.
        """
        columns = []
        for name in self.names:
            dtype = self._type(name)
            if name not in frame.schema:
                columns.append(polars.Series(name, [None], dtype).new_from_index(0, frame.height))
                continue
            cells = frame.get_column(name)
            is_final = name not in self.types or cells.dtype == dtype
            columns.append(cells if is_final else self._cast(part, cells, dtype, first_row))
        for name, dtype in self.keys.items():
            value = part.keys[name]
            if name in frame.schema:
                _check_key(part, frame.get_column(name), value, first_row)
            value = None if dtype == polars.String and value in self.missing_values else value
            columns.append(polars.Series(name, [value]).cast(dtype).new_from_index(0, frame.height))
        return polars.DataFrame(columns)

    def _type(self, name: str) -> polars.DataType:
        """The type of a column in the files; text if all of its cells are missing."""
        dtype = self.types.get(name, polars.String())
        return polars.String() if dtype == polars.Null else dtype

    def no_rows(self) -> polars.DataFrame:
        """A frame of no rows with all columns."""
        types = {name: self._type(name) for name in self.names}
        return polars.DataFrame(schema={**types, **self.keys})

    def _cast(self, part: PartitionFile, cells: polars.Series, dtype: polars.DataType, first_row: int) -> polars.Series:
        if cells.dtype.is_integer() and dtype.is_float():
            inexact = (cells > EXACT) | (cells < -EXACT)
            if inexact.any():
                row, other = int(inexact.arg_max() or 0), self.givers[cells.name].file.name
                raise DataError(
                    f"{cells[row]} is an integer beyond 2^53, and the column has fractions in {other}",
                    location=Location(source=part.file.name, row=first_row + row, column=cells.name),
                    hint="Write the column with the same type in all files: as text, if it is an id.",
                )
        return cells.cast(dtype)


def _check_key(part: PartitionFile, cells: polars.Series, value: str | None, first_row: int) -> None:
    """Raise a DataError if a column of a file has another value than the folder that stands for it."""
    texts = cells.cast(polars.String)
    same = texts.is_null() if value is None else (texts == value) | (texts == value.lstrip("0"))
    if not same.fill_null(value=False).all():
        row = int(same.fill_null(value=False).arg_min() or 0)
        raise DataError(
            f"the column is {quote(texts[row])} here, but {quote(value)} by the name of the folder",
            location=Location(source=part.file.name, row=first_row + row, column=cells.name),
            hint="Move the file to its folder, rename the folder, or remove the column.",
        )


def common_type(first: polars.DataType, other: polars.DataType) -> polars.DataType | None:
    """The type that holds the values of both types; None if there is none."""
    types = (first, other)
    if first == other or other == polars.Null:
        return first
    if first == polars.Null:
        return other
    if all(dtype == polars.String or isinstance(dtype, polars.Categorical | polars.Enum) for dtype in types):
        return polars.String()
    if all(dtype.is_integer() or dtype.is_float() for dtype in types):
        floats = [dtype for dtype in types if dtype.is_float()]
        if len(floats) == 2 or (not floats and polars.UInt64 not in types):
            return _supertype(first, other)
        return polars.Float64() if floats else None
    if isinstance(first, polars.Datetime) and isinstance(other, polars.Datetime) and first.time_zone == other.time_zone:
        return _supertype(first, other)
    return None


def _supertype(first: polars.DataType, other: polars.DataType) -> polars.DataType:
    parts = [polars.Series("", [], dtype).to_frame() for dtype in (first, other)]
    return polars.concat(parts, how="vertical_relaxed").dtypes[0]


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _type_name(dtype: polars.DataType) -> str:
    """What a type is called in messages."""
    if dtype.is_integer():
        return "an integer"
    if dtype.is_float() or dtype.is_decimal():
        return "a number"
    if dtype == polars.String or isinstance(dtype, polars.Categorical | polars.Enum):
        return "text"
    return {"Boolean": "true or false", "Date": "a date"}.get(str(dtype), str(dtype))


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
    numeric_names: frozenset[str] | None = None
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
        first_file = FirstFile(self.dialect, self.numeric_names or frozenset())
        return replace(self.options, first_file=first_file, first_bytes=None)

    def tables_of(self, part: PartitionFile, tables: Iterator[Table]) -> Iterator[Table]:
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

    def _new_notes(self, part: PartitionFile, table: Table) -> tuple[str, ...]:
        """The notes that no file had before; the others are counted."""
        texts = [note.removeprefix(f"{part.file.name}: ") for note in table.notes]
        new = tuple(note for note, text in zip(table.notes, texts, strict=True) if not self.notes[text])
        self.notes.update(texts)
        return new

    def _find_numbers(self, table: Table) -> None:
        """Note which columns of text were found to be numbers. Columns without a value are not known to be."""
        if len(table):
            numeric = frozenset(
                cells.name for cells in table.frame if cells.dtype == polars.Float64 and cells.null_count() < len(cells)
            )
            self.numeric_names = numeric if self.numeric_names is None else self.numeric_names & numeric

    def _check_dialect(self, part: PartitionFile, table: Table) -> None:
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

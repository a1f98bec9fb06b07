"""`nncli head`: what nncli sees of a table, from its beginning: columns, kinds and a few rows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import polars as pl

from nncli.api.options import HeadOptions
from nncli.base.errors import Advice, Location, UsageError
from nncli.base.findings import Finding, FindingCode, note, ordered
from nncli.base.option import operation
from nncli.base.scratch import Scratch
from nncli.base.spec import non_defaults
from nncli.base.text import join_quoted, json_safe, quote
from nncli.config.errors.messages import validate
from nncli.config.loading import with_preset
from nncli.config.schema import Config, DataSection
from nncli.config.yaml.document import Document
from nncli.data.formats.read_options import ReadOptions
from nncli.data.invalid_cells import remove_invalid_cells
from nncli.data.profile import ColumnProfile, profile
from nncli.data.sources.open import open_reader
from nncli.data.sources.read_table import read_pieces
from nncli.data.sources.table_reader import TableChoice, TableReader
from nncli.data.sources.table_source import TableLocation, as_source
from nncli.data.store.column_store import write_store
from nncli.data.table import Table, joined, replace_na_values
from nncli.fitting.checks.notes import dates_as_categories, short_years, table_reading
from nncli.fitting.table_summary import NO_TARGET, unreadable_column

SAMPLE_ROWS = 10_000
"""Rows from which the kinds of columns follow."""
SAMPLE_BYTES = 32 << 20
"""Bytes of cells after which fewer rows are enough."""
REFUSED = "refused"


@dataclass(frozen=True)
class HeadColumn:
    """A column: its `profile` in the first rows, and its `type` in the table, which is String in a CSV."""

    profile: ColumnProfile
    type: str

    @property
    def name(self) -> str:
        """The name of the column."""
        return self.profile.name

    @property
    def kind(self) -> str:
        """What the column is to a training: numeric, categorical, date, text, boolean, id-like, constant, empty, or
        refused, if it is not used unless its cells are corrected or its kind is set."""
        is_refused = self.profile.error is not None and not self.profile.recommended
        return REFUSED if is_refused else self.profile.label.value


@dataclass(frozen=True, eq=False)
class TableHead:
    """The beginning of a table.

    The `columns` are those of the first `seen` rows, and `width` is the number of all; `rows` is the number of all
    rows, None if that is not known without reading them. `frame` has the first rows, `details` say how the table was
    read. If the source does not say which of several tables is meant, `choice` has their names, and there are no
    columns.
    """

    source: str
    rows: int | None
    seen: int
    columns: tuple[HeadColumn, ...]
    frame: pl.DataFrame
    details: tuple[tuple[str, str | int], ...] = ()
    findings: tuple[Finding, ...] = ()
    choice: TableChoice | None = None
    width: int = 0

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of each column by its name."""
        return {column.name: column.kind for column in self.columns}

    def json(self) -> dict[str, Any]:
        """The head as a JSON object; None for what is not known."""
        return {
            "source": self.source,
            "rows": self.rows,
            "seen": self.seen,
            "width": self.width,
            "read_as": dict(self.details),
            "columns": [
                {
                    "name": column.name,
                    "kind": column.kind,
                    "type": column.type,
                    "missing": column.profile.missing,
                    "distinct": column.profile.distinct,
                    "unit": column.profile.unit,
                    "error": None if column.profile.error is None else column.profile.error.message,
                }
                for column in self.columns
            ],
            "first_rows": [[_json_value(value) for value in row] for row in shortest(self.frame).rows()],
            "choice": None if self.choice is None else {"kind": self.choice.kind, "names": list(self.choice.names)},
            "findings": [finding.as_json for finding in self.findings],
        }


def head_with(source: TableLocation, options: HeadOptions) -> TableHead:
    """Show what a table is, from its beginning: its columns with their kinds, and its first rows.

    `source` is a path, pattern, folder, URL or `-` for standard input, or a TableSource. Assignments are of keys under
    data, such as `data.separator=;`.

    Raises:
        UsageError: the source is of no known kind, `rows` is negative, or `columns` is not positive.
        ConfigError: an assignment is wrong.
        DataError: the table cannot be read.
    """
    if options.rows < 0:
        raise UsageError("the number of rows is negative")
    if options.columns < 1:
        raise UsageError("the number of columns is less than 1")
    table_source = as_source(source)
    section = {**non_defaults(table_source), "target": NO_TARGET}
    config = validate(Config, with_preset(Document({"data": section}, {}, "nncli head", ()), options.assignments))
    reader = open_reader(config.data.source)
    if (choice := reader.choice()) is not None:
        return TableHead(reader.name, None, 0, (), pl.DataFrame(), choice=choice)
    tables, is_whole = _beginning(reader, ReadOptions(config.data.dialect, None, config.data.missing_values))
    seen, width = sum(map(len, tables)), len(tables[0].names)
    if width > options.columns:
        names = tables[0].names[: options.columns]
        tables = [replace(table, frame=table.frame[names]) for table in tables]
    first = tables[0]
    types = {name: str(dtype) for name, dtype in first.frame.schema.items()}
    tables, profiles, findings = _profiles(tables, config.data)
    reading = [note(FindingCode.TABLE_READING, text) for table in tables for text in table.notes]
    if width > options.columns:
        text = f"the first {options.columns:,} of {width:,} columns are shown"
        reading.append(
            note(FindingCode.TABLE_READING, text, hint=Advice("For all: ", HeadOptions.use("columns", width)))
        )
    return TableHead(
        reader.name,
        seen if is_whole else reader.count_rows(),
        seen,
        tuple(HeadColumn(profile, types[profile.name]) for profile in profiles),
        _first_rows(tables, options.rows),
        first.details,
        width=width,
        findings=ordered(
            [*reading, *findings, *_refused(profiles), *_dates(profiles, reader.name, config.data.date_format)]
        ),
    )


head = operation(HeadOptions)(head_with)


def _beginning(reader: TableReader, options: ReadOptions) -> tuple[list[Table], bool]:
    """The first rows of a table, as one or several tables, and whether there are no others."""
    tables: list[Table] = []
    missing, size = SAMPLE_ROWS, 0.0
    with closing(read_pieces(reader, replace(options, rows=SAMPLE_ROWS, limit=SAMPLE_ROWS + 1))) as pieces:
        for table in pieces:
            if tables and len(table) and (missing == 0 or size > SAMPLE_BYTES):
                return tables, False
            tables.append(table.part(0, missing))
            missing, size = missing - len(tables[-1]), size + table.frame.estimated_size()
            if len(tables[-1]) < len(table):
                return tables, False
    return tables, True


def _first_rows(tables: Sequence[Table], rows: int) -> pl.DataFrame:
    """The first rows of the tables below each other, with the columns of the first table."""
    names = tables[0].names
    frames = [table.frame.head(rows)[names] for table in tables]
    return joined(frames).head(rows)


def _profiles(tables: list[Table], data: DataSection) -> tuple[list[Table], list[ColumnProfile], list[Finding]]:
    """The profiles of the columns; again with other missing values and a thousands separator where these are found."""
    words, thousands = list[str](), data.thousands
    while True:
        profiles, invalid = _profile(tables, data)
        spellings = sorted({word for profile in profiles for word in profile.na_spellings})
        separator = next((profile.thousands for profile in profiles if profile.thousands), None)
        if not spellings and separator is None:
            notes = _notes(words, thousands if thousands != data.thousands else None)
            return tables, profiles, [*notes, *invalid]
        words, thousands = [*words, *spellings], thousands or separator
        dialect = tables[0].dialect
        dialect = dialect.model_copy(update={"thousands": separator or dialect.thousands})
        tables = [replace(t, frame=replace_na_values(t.frame, spellings), dialect=dialect) for t in tables]


def _profile(tables: Sequence[Table], data: DataSection) -> tuple[list[ColumnProfile], list[Finding]]:
    """The profiles of the columns of tables that are below each other, as a training sees them, and the findings."""
    with Scratch(None) as scratch:
        store = write_store(lambda: iter(tables), lambda table: table.names, scratch, text_columns=())
        store = remove_invalid_cells(store, data.columns, store.header.names, data.on_error)
        return list(profile(store)), table_reading(replace(store.header, notes=()))


def _notes(words: Sequence[str], thousands: str | None) -> list[Finding]:
    """Notes on spellings that `init` would write into a configuration."""
    notes = []
    if words:
        text = f"{join_quoted(words)} {'is' if len(words) == 1 else 'are'} read as missing, as `nncli init` would"
        notes.append(note(FindingCode.TABLE_READING, text))
    if thousands is not None:
        text = f"{quote(thousands)} is read as the thousands separator, as `nncli init` would"
        notes.append(note(FindingCode.TABLE_READING, text))
    return notes


def _refused(profiles: Sequence[ColumnProfile]) -> list[Finding]:
    """Warnings of the columns that a training does not read as they are meant."""
    return [unreadable_column(profile, profile.error) for profile in profiles if profile.error is not None]


def _dates(profiles: Sequence[ColumnProfile], source: str, configured: str) -> list[Finding]:
    """Warnings of the columns that look like dates and are not read as such, and notes on years of two digits."""
    return [
        dates_as_categories(profile.name, profile.date_doubt, Location(source=source))
        for profile in profiles
        if profile.date_doubt is not None
    ] + short_years(((profile.name, profile.short_dates) for profile in profiles), configured)


def shortest(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with the numbers of single precision as the doubles of the fewest digits: 0.1, not 0.10000000149."""
    return frame.with_columns(pl.selectors.by_dtype(pl.Float32).cast(pl.String).cast(pl.Float64))


def cell_text(value: object) -> str:
    """A cell as text."""
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)


def _json_value(value: object) -> Any:
    """A cell as JSON; None in place of NaN and infinite numbers."""
    if value is None or isinstance(value, bool | int | float | str):
        return json_safe(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list):
        return [_json_value(item) for item in value]
    if isinstance(value, dict):
        return {name: _json_value(item) for name, item in value.items()}
    return cell_text(value)

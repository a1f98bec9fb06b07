"""Reading a table: CSV, TSV, Parquet or JSON lines, whole or in chunks.

In CSV every column is text and every cell is as it is spelled: 007 stays 007. Parquet and JSON lines keep their
types. A text that is one of the `missing` words, exactly, becomes null; the empty cell is the word "". What a cell
means beyond that is for nncli/data/columns/parsing.py to say.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path, PurePath

import polars

from nncli.data.dialect import AUTO, COMMA, TAB, CsvDialect
from nncli.data.io.csv.blocks import BLOCK_BYTES
from nncli.data.io.csv.reader import read_delimited
from nncli.data.io.jsonlines import read_json_lines
from nncli.data.io.parquet import read_parquet
from nncli.data.io.prefetch import prefetch
from nncli.data.io.streams import (
    PARQUET_MAGIC,
    UTF8_MARK,
    is_stream,
    name_of,
    open_input,
    to_temporary_file,
    translate_os_errors,
)
from nncli.data.table import Table, replace_na_values
from nncli.errors import Location, UsageError
from nncli.text import closest_match

CHUNK_ROWS = 65_536
ANY = CsvDialect()
UTF16_OBJECTS = (b"\xff\xfe{\0", b"\xfe\xff\0{")
"""How JSON lines begin in UTF-16, mark included."""


class Format(Enum):
    """How a table is written down."""

    CSV = "csv"
    PARQUET = "parquet"
    JSONL = "jsonl"


SUFFIXES = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".txt": Format.CSV,
    ".parquet": Format.PARQUET,
    ".pq": Format.PARQUET,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
}
SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".ods")
SEPARATORS = {".csv": COMMA, ".tsv": TAB}
PARSERS = 2
"""Threads that parse blocks of a file; Polars, which has its own, leaves cores idle between its blocks."""


def suffix_of(path: PurePath) -> str:
    """The suffix that says the format, in lower case: .csv for train.CSV.gz."""
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()


def separator_of(path: PurePath | None) -> str | None:
    """The separator the name of a CSV file says; None when the name leaves it open (.txt, standard input)."""
    return None if path is None else SEPARATORS.get(suffix_of(path))


def format_of(path: PurePath) -> Format:
    """The format the name of a file says, .gz aside.

    Raises:
        UsageError: the suffix is none that is known, or .parquet.gz, or there is none and it is a folder.
    """
    suffix = suffix_of(path)
    if suffix not in SUFFIXES:
        if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises when the name is too long
            message = "this is a folder, not a file"
            raise UsageError(message, place=Location(source=str(path)), hint="Name a file inside it.")
        near = closest_match(suffix, SUFFIXES) if suffix else None
        raise UsageError(
            f"the name ends in {suffix}, which is no table nncli knows"
            if suffix
            else "the name does not say the format",
            place=Location(source=str(path)),
            hint=("In the spreadsheet program, save the sheet as CSV. " if suffix in SPREADSHEETS else "")
            + (f"Did you mean {near}? " if near else "")
            + f"Known are {', '.join(SUFFIXES)}, all but Parquet also followed by .gz.",
        )
    if SUFFIXES[suffix] is Format.PARQUET and path.suffix.lower() == ".gz":
        hint = "Parquet is compressed already: leave out the .gz."
        raise UsageError("a Parquet file cannot be inside a .gz file", place=Location(source=str(path)), hint=hint)
    return SUFFIXES[suffix]


def digest(path: Path) -> str:
    """The SHA-256 of the file's bytes, in hexadecimal.

    Raises:
        DataError: the file cannot be read.
    """
    with translate_os_errors(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_table(
    path: Path | None,
    *,
    format: Format | None = None,  # noqa: A002
    missing_values: Sequence[str] = (),
    dialect: CsvDialect = ANY,
    trained: CsvDialect | None = None,
) -> Table:
    """Read the whole of `path` (None: standard input); a table of no rows is a table.

    The columns of JSON lines are all keys in the order they first appear. `dialect` is what the person says, `trained`
    the dialect of the table a model learnt from, which settles what is open.

    Raises:
        DataError: it cannot be read, or not as a table; place and hint say more.
        UsageError: the format is neither given nor known from the name.
    """
    tables = list(read_pieces(path, format, ReadOptions(dialect, trained, tuple(missing_values))))
    if len(tables) == 1:
        return tables[0]
    notes = tuple(note for table in tables for note in table.notes)
    return replace(tables[0], frame=polars.concat([table.frame for table in tables]), notes=notes)


def read_chunks(
    path: Path | None,
    *,
    format: Format | None = None,  # noqa: A002
    missing_values: Sequence[str] = (),
    dialect: CsvDialect = ANY,
    trained: CsvDialect | None = None,
    numbers: Collection[str] = (),
    rows: int = CHUNK_ROWS,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[Table]:
    """Yield `path` (None: standard input) in chunks of at most `rows` rows, at least one chunk, if of no rows.

    Memory does not grow with the table. The cells are those of `read_table`. In JSON lines a chunk has the keys,
    and the types, of its own block of text: a key may be of whole numbers in one chunk and of fractions in the next.
    `numbers` are columns that are of use only as numbers: in a CSV they may come as Float64, where their text would
    give the same numbers. `block_bytes` is how much text is parsed at a time.

    Raises:
        DataError, UsageError: as `read_table`, when the chunk in question is reached.
    """
    reading = ReadOptions(
        dialect, trained, tuple(missing_values), numbers=frozenset(numbers), rows=rows, block_bytes=block_bytes
    )
    return read_pieces(path, format, reading)


@dataclass(frozen=True)
class ReadOptions:
    """How to read: the dialect, and in what portions. `rows` None: in as few as the format allows; `first_bytes`: of
    what other size the first block of text is."""

    dialect: CsvDialect
    training_dialect: CsvDialect | None
    missing_values: tuple[str, ...]
    numbers: frozenset[str] | None = frozenset()
    texts: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()
    rows: int | None = None
    block_bytes: int = BLOCK_BYTES
    first_bytes: int | None = None


def read_pieces(path: Path | None, chosen: Format | None, reading: ReadOptions) -> Iterator[Table]:
    """Yield the tables of any format."""
    tables = read_format(path, chosen, reading)
    for table in tables if is_stream(path) else prefetch(tables):
        if reading.rows is None or len(table) <= reading.rows:
            yield table
            continue
        for start in range(0, len(table), reading.rows):
            part = table.part(start, start + reading.rows)
            yield replace(part, notes=()) if start else part


def read_format(path: Path | None, chosen: Format | None, reading: ReadOptions) -> Generator[Table]:
    """Yield the tables as the format's own reader gives them."""
    source = name_of(path)
    known = chosen or (None if path is None or is_stream(path) else format_of(path))
    if known is Format.PARQUET and path is not None and not is_stream(path):
        with translate_os_errors(path):
            yield from as_tables(read_parquet(path, source, reading.rows), source, reading)
        return
    with open_input(path) as (head, stream):
        match known or detect_format(head):
            case Format.CSV:
                usual, size = separator_of(path), reading.block_bytes
                yield from read_delimited(
                    stream,
                    source,
                    dialect=reading.dialect,
                    default_separator=usual,
                    training_dialect=reading.training_dialect,
                    missing_values=reading.missing_values,
                    numbers=reading.numbers,
                    texts=reading.texts,
                    codes=reading.codes,
                    size=size,
                    first=reading.first_bytes,
                    workers=0 if path is None or is_stream(path) else PARSERS,
                )
            case Format.JSONL:
                portion = None if reading.rows is None else reading.block_bytes
                encoding, fallback = (
                    reading.dialect.encoding,
                    reading.training_dialect.encoding if reading.training_dialect else AUTO,
                )
                frames = read_json_lines(stream, source, size=portion, encoding=encoding, fallback=fallback)
                yield from as_tables(frames, source, reading)
            case Format.PARQUET:
                with to_temporary_file(stream) as copy:
                    yield from as_tables(read_parquet(copy, source, reading.rows), source, reading)


def as_tables(frames: Iterator[tuple[int, polars.DataFrame]], source: str, reading: ReadOptions) -> Iterator[Table]:
    """The frames of a format with types, each with the number of its first row, as tables."""
    dialect = (reading.training_dialect or reading.dialect).settled()
    for first, frame in frames:
        yield Table(replace_na_values(frame, reading.missing_values), source, first, dialect=dialect)


def detect_format(head: bytes) -> Format:
    """The format of a stream that has no name, from its first bytes: CSV unless they say otherwise."""
    if head == PARQUET_MAGIC:
        return Format.PARQUET
    begins = head.removeprefix(UTF8_MARK).lstrip().startswith(b"{") or head in UTF16_OBJECTS
    return Format.JSONL if begins else Format.CSV

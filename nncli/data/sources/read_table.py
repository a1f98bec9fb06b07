"""Read a table from wherever it is, whole or in chunks.

In CSV every column is text and cells are not changed: 007 stays 007. Parquet and JSON lines keep their types. Text that
equals one of the missing values becomes null; the empty cell is the text "". Further parsing is in nncli/data/columns
and nncli/data/encoders.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import replace

from nncli.data.dialect import CsvDialect
from nncli.data.formats.prefetch import prefetch
from nncli.data.formats.read_options import ANY_DIALECT, BLOCK_BYTES, NumericColumns, ReadOptions
from nncli.data.formats.registry import Format
from nncli.data.sources.open import open_reader
from nncli.data.sources.table_reader import TableReader
from nncli.data.sources.table_source import TableLocation, as_source
from nncli.data.table import RowOrigins, Table, joined

CHUNK_ROWS = 65_536


def read_table(
    location: TableLocation | None,
    *,
    format: Format | None = None,  # noqa: A002
    missing_values: Sequence[str] = (),
    dialect: CsvDialect = ANY_DIALECT,
    training_dialect: CsvDialect | None = None,
    keys: Collection[str] = (),
) -> Table:
    """Read the whole table at `location` (None: standard input), which may have no rows.

    The columns of JSON lines are all keys in the order they first appear. `dialect` is what the user configured;
    `training_dialect` is that of the table a model was trained on, and decides what `dialect` leaves open. For
    `keys` see ReadOptions.

    Raises:
        DataError: the file cannot be read, or is not a table.
        UsageError: `format` is None and the file name does not tell the format.
    """
    source = as_source(location)
    reader, dialect = open_reader(source, format), dialect.with_quote(source.quote)
    options = ReadOptions(dialect, training_dialect, tuple(missing_values), keys=frozenset(keys))
    tables = list(read_pieces(reader, options))
    if len(tables) == 1:
        return tables[0]
    frame = joined([table.frame for table in tables])
    notes = tuple(note for table in tables for note in table.notes)
    return replace(tables[0], frame=frame, notes=notes, origins=RowOrigins.joined(table.origins for table in tables))


def read_chunks(
    location: TableLocation | None,
    *,
    format: Format | None = None,  # noqa: A002
    missing_values: Sequence[str] = (),
    dialect: CsvDialect = ANY_DIALECT,
    training_dialect: CsvDialect | None = None,
    numeric_names: Collection[str] = (),
    keys: Collection[str] = (),
    rows: int = CHUNK_ROWS,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[Table]:
    """Yield the table at `location` (None: standard input) in chunks of at most `rows` rows.

    There is at least one chunk, which may be empty.

    Memory does not grow with the table. The cells are those of `read_table`. In JSON lines the columns and types are
    those of the chunk: a key may be an integer in one chunk and a float in the next. `numeric_names` are columns that
    are only needed as numbers: in a CSV they may be Float64 instead of text. `block_bytes` of text are parsed at a
    time.

    Raises:
        DataError, UsageError: as `read_table`, when the chunk is reached.
    """
    source = as_source(location)
    options = ReadOptions(
        dialect.with_quote(source.quote),
        training_dialect,
        tuple(missing_values),
        numeric_columns=NumericColumns.only(numeric_names),
        keys=frozenset(keys),
        rows=rows,
        block_bytes=block_bytes,
    )
    return read_pieces(open_reader(source, format), options)


def read_pieces(reader: TableReader, options: ReadOptions) -> Generator[Table]:
    """Yield the tables of a reader, none of more than `options.rows` rows, with the missing words of a training."""
    tables, trained = reader.read(options), options.training_dialect
    for table in tables if reader.is_read_once else prefetch(tables):
        if trained is not None and trained.missing_words:
            table = replace(table, dialect=table.dialect.with_missing_words(trained))
        if options.rows is None or len(table) <= options.rows:
            yield table
            continue
        for start in range(0, len(table), options.rows):
            part = table.part(start, start + options.rows)
            yield replace(part, notes=()) if start else part

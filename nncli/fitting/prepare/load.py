"""Loading a training table into a column store."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from nncli.base.errors import DataError, Location
from nncli.base.logs import log_duration
from nncli.base.scratch import Scratch
from nncli.base.text import join_quoted
from nncli.config.schema import Config, ValidationFile
from nncli.data.dialect import CsvDialect
from nncli.data.formats.read_options import NumericColumns, ReadOptions
from nncli.data.invalid_cells import remove_invalid_cells
from nncli.data.sources.local_copies import local_copies
from nncli.data.sources.open import open_original, open_reader
from nncli.data.sources.read_table import read_pieces
from nncli.data.sources.table_reader import TableReader
from nncli.data.sources.table_source import TableSource
from nncli.data.store.column_store import ColumnStore, write_store
from nncli.data.table import Table
from nncli.nn.arrays import RowIndices
from nncli.targets.target import kind_of
from nncli.targets.target_base import TargetBase

COLUMNAR_ROWS = 1 << 17
"""Rows of a table of typed columns that are read at a time."""


FIRST_BYTES = 1 << 18
"""Bytes of a CSV that are parsed as text to infer the columns' types; parsing text is slow, so only the first block."""


def table_copies(config: Config, folder: Path | None = None, *, again: bool = False) -> AbstractContextManager[None]:
    """Within the block, read the tables of a configuration from local copies, where they need one.

    The copies are in a temporary folder in `folder`, or else in that of the system. A pipe cannot be read `again`.

    Raises:
        DataError: a table cannot be read.
    """
    validation = config.validation
    sources = [config.data.source, *([validation.source] if isinstance(validation, ValidationFile) else [])]
    return local_copies([s for s in sources if not (again and s.is_standard_input)], open_original, folder)


def load_labeled_rows(
    config: Config,
    source: TableSource,
    scratch: Scratch,
    training_dialect: CsvDialect | None = None,
    *,
    all_columns: bool = False,
) -> ColumnStore:
    """Load the rows of a table that have a target; of a training table, those of the sample. See `load_table`."""
    table = load_table(config, source, scratch, training_dialect, all_columns=all_columns)
    return select_rows(config, table) if training_dialect is None else drop_missing_targets(table, config)


def load_numbered_rows(config: Config, numbers: RowIndices, dialect: CsvDialect, scratch: Scratch) -> ColumnStore:
    """Load rows by their numbers, from 1, with all columns: of the validation file if there is one, else of the table.

    `dialect` is that of the training table.
    """
    if isinstance(config.validation, ValidationFile):
        table = load_labeled_rows(config, config.validation, scratch, dialect, all_columns=True)
    else:
        table = load_labeled_rows(config, config.data, scratch, all_columns=True)
    return replace(table, row_numbers=numbers)


def select_rows(config: Config, table: ColumnStore) -> ColumnStore:
    """The rows of a training table that have a target, or a sample of them, with a note in `header.notes`.

    Raises:
        DataError: no row is left.
    """
    data = config.data
    table = drop_missing_targets(table, config, every=False)
    if data.sample is None or len(table) <= data.sample.rows:
        return table
    rows = data.sample.draw(table.columns(data.target[:1]).column(data.target[0]))
    note = f"{table.header.source}: a random sample of {len(rows):,} of {len(table):,} rows (data.sample)"
    header = replace(table.header, notes=(*table.header.notes, note))
    return replace(table.take(rows), header=header)


def load_table(
    config: Config,
    source: TableSource,
    scratch: Scratch,
    training_dialect: CsvDialect | None = None,
    *,
    all_columns: bool = False,
) -> ColumnStore:
    """Load a table and check that it has every column that the configuration names.

    Only the columns that training needs are kept, unless `all_columns`. Notes on the reading are in `header.notes`.
    A training table is read with types inferred from its first block, and again as text where a later block does not
    fit them. A table with a given `training_dialect`, or from a pipe, is read once, so its cells stay text: a column
    may be text in the training table and happen to hold only numbers here.

    Raises:
        DataError: the table cannot be read, or lacks a column.
    """
    data, reader = config.data, open_reader(source.source)
    # A validation or test table is not split, so it needs neither group nor time.
    row_columns = data.row_columns
    if training_dialect is not None:
        row_columns = tuple(filter(None, (data.sample_weight, *data.context_columns)))
    required = [*data.target, *(data.features or ()), *data.drop, *data.columns, *config.monotone, *row_columns]
    required += [name for names in config.interactions for name in names]

    def kept(table: Table) -> set[str]:
        table.require(required)
        if all_columns:
            return set(table.names)
        return {*(data.features or set(table.names) - data.excluded), *data.target, *row_columns}

    read_once = training_dialect is not None or reader.is_read_once
    as_text, class_ids = _text_columns(config, all_columns=all_columns)
    dialect = data.dialect.with_quote(source.quote)
    passes = iter(_passes(config, reader, dialect, training_dialect, as_text, class_ids, read_once=read_once))
    with log_duration(f"reading {reader.name}") as stage:
        table = write_store(
            lambda: read_pieces(reader, next(passes)),
            kept,
            scratch,
            text_columns=None if read_once else as_text,
            class_ids=class_ids,
        )
        stage.details.append(f"{len(table):,} rows, {len(table.header.names):,} columns")
    of_rows = {*data.row_columns, *data.drop}
    read = {
        name
        for name in table.types
        if name not in as_text | of_rows and (training_dialect is None or name in data.columns)
    }
    return remove_invalid_cells(table, data.columns, read, data.on_error, targets=data.target)


def _text_columns(config: Config, *, all_columns: bool) -> tuple[set[str], frozenset[str]]:
    """The columns to keep as text, and those to keep as text if their first block may hold class ids.

    Whether a target without a configured loss is a class is inferred later, from its original text.
    """
    data = config.data
    losses = [config.loss_of_target(name) for name in data.target]
    open_targets = {name for name, loss in zip(data.target, losses, strict=True) if loss is None}
    inferred = set() if all_columns else open_targets
    classes = {
        name
        for name, loss in zip(data.target, losses, strict=True)
        if loss and name in kind_of(loss).text_columns(data.target)
    }
    texts = {name for name, kind in data.columns.items() if kind.needs_text}
    texts |= (classes | open_targets) - inferred
    texts |= set(data.drop) if all_columns else set()
    return texts, frozenset(inferred)


def _passes(
    config: Config,
    reader: TableReader,
    dialect: CsvDialect,
    training_dialect: CsvDialect | None,
    texts: set[str],
    class_ids: frozenset[str],
    *,
    read_once: bool,
) -> tuple[ReadOptions, ...]:
    """The options of each pass over the file: inferring numeric columns first, and all text if that fails."""
    data = config.data
    options = ReadOptions(
        dialect, training_dialect, data.missing_values, rows=COLUMNAR_ROWS if reader.is_columnar else None
    )
    if read_once:
        return (options,)
    options = replace(options, first_bytes=FIRST_BYTES)
    return (replace(options, numeric_columns=NumericColumns.any_except(texts), class_ids=class_ids), options)


def drop_missing_targets(table: ColumnStore, config: Config, *, every: bool = True) -> ColumnStore:
    """Drop the rows without a target, by the kind that the loss is for, and add a note of their number.

    Unless rows need `every` one of several targets, as the loss may say, one suffices.

    Raises:
        DataError: no row is left.
    """
    names, kind = config.data.target, TargetBase if config.loss is None else kind_of(config.loss)
    rows = kind.rows_with_target(table.columns(names), names, every=every)
    source = table.header.source
    if not len(table):
        raise DataError("the table has no rows", location=Location(source=source), hint="Is this the right file?")
    if not len(rows):
        raise DataError(
            "no row has a target",
            location=table.header.location(column=names[0]),
            hint="Name another column as data.target.",
        )
    if len(rows) == len(table):
        return table
    dropped = len(table) - len(rows)
    note = f"{source}: left out {dropped:,} of {len(table):,} rows, which have no {join_quoted(names, last='or')}"
    header = replace(table.header, notes=(*table.header.notes, note))
    return replace(table.take(rows), header=header)

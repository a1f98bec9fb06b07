"""Loading the training table."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from nncli.config.schema import Config
from nncli.data.dialect import CsvDialect
from nncli.data.encoders.target import rows_with_target
from nncli.data.io.formats import Format, ReadOptions, format_of, read_pieces
from nncli.data.io.streams import is_stream
from nncli.data.store.column_store import ColumnStore
from nncli.data.store.scratch import Scratch
from nncli.data.store.writer import write_store
from nncli.data.table import Table
from nncli.errors import DataError, Location
from nncli.text import join_quoted
from nncli.utils.logs import log_duration

PARQUET_ROWS = 1 << 17
"""Rows of a Parquet file that are read at a time."""


FIRST_BYTES = 1 << 18
"""Text of a CSV of which is found out what the columns hold: it has to be parsed as text, which takes long."""


def load_table(
    config: Config,
    path: str,
    notes: list[str],
    scratch: Scratch,
    training_dialect: CsvDialect | None = None,
    *,
    all_columns: bool = False,
) -> ColumnStore:
    """The table at `path`, once it has every column that the configuration names; `trained` settles its dialect.

    The columns that the training needs are kept, or, of the `whole` table, all of them. What is text in the training
    table may be plain numbers in another one, given its dialect, and a pipe is read but once: of these every cell stays
    as it is spelled.
    """
    data, file = config.data, Path(path)
    named = [*data.target, *(data.features or ()), *data.drop, *data.columns]
    apart = (
        data.row_columns if training_dialect is None else tuple(filter(None, [data.sample_weight]))
    )  # another table is not split
    named += apart
    by_rows = not is_stream(file) and format_of(file) is Format.PARQUET
    reading = ReadOptions(data.dialect, training_dialect, data.missing_values, rows=PARQUET_ROWS if by_rows else None)

    def kept(table: Table) -> set[str]:
        table.require(named)
        if all_columns:
            return set(table.names)
        features = set(data.features or set(table.names) - set(data.row_columns)) - set(data.drop)
        return {*features, *data.target, *apart}

    # a target that may turn out to be one of classes stays as it is spelled, as it would if that had been said
    undecided = config.loss is None and not all_columns
    classes = data.target if config.loss is None or config.loss.task == "classification" else ()
    texts = {*(() if undecided else classes), *(name for name, kind in data.columns.items() if kind.needs_text)}
    codes = frozenset(data.target if undecided else ())
    texts |= set(data.drop) if all_columns else set()
    once = training_dialect is not None or is_stream(file)
    reading = reading if once else replace(reading, first_bytes=FIRST_BYTES)
    finding = replace(reading, numbers=None, texts=frozenset(texts), codes=codes)
    readings = iter((reading,) if once else (finding, reading))
    with log_duration(f"reading {path}") as told:
        tables = partial(read_pieces, file, None)
        table = write_store(lambda: tables(next(readings)), kept, scratch, texts=None if once else texts, codes=codes)
        told.details.append(f"{len(table):,} rows, {len(table.header.names):,} columns")
    notes += table.header.notes
    return table


def drop_missing_targets(table: ColumnStore, names: tuple[str, ...], notes: list[str]) -> ColumnStore:
    """The rows that have a target; how many had none is noted."""
    rows = rows_with_target(table.columns(names), names)
    source = table.header.source
    if not len(table):
        raise DataError("the table has no rows", place=Location(source=source), hint="Is this the right file?")
    if not len(rows):
        raise DataError(
            "no row has a target",
            place=table.header.place(column=names[0]),
            hint="Name another column as data.target.",
        )
    if len(rows) == len(table):
        return table
    dropped = len(table) - len(rows)
    notes.append(f"{source}: left out {dropped:,} of {len(table):,} rows, which have no {join_quoted(names)}")
    return table.take(rows)

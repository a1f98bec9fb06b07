"""Tables read for a model, as its training table was read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nncli.base.logs import log_duration
from nncli.data.formats.dataframes import as_polars
from nncli.data.formats.read_options import BLOCK_BYTES
from nncli.data.sources.read_table import read_chunks, read_table
from nncli.data.sources.table_source import TableLocation, TableSource, as_source
from nncli.data.table import Table, replace_na_values
from nncli.models.ensemble import AnyModel, Ensemble

if TYPE_CHECKING:
    from nncli.data.formats.dataframes import Frame

MIN_BLOCK_BYTES, BLOCK_BYTES_PER_COLUMN = 1 << 20, 80 << 10
"""Several blocks are in memory at a time, as text, as cells and encoded."""


def source_name(data: TableLocation | Frame) -> str:
    """The path or URL of a table, or "the frame"."""
    return str(as_source(data).path) if isinstance(data, TableSource | str | os.PathLike) else "the frame"


def table_of(model: AnyModel, data: Frame) -> Table:
    """A frame as a table to predict from, with the missing values of the training table replaced."""
    return Table(replace_na_values(as_polars(data), model.spec.missing_values), "the frame", dialect=model.spec.dialect)


def read_data(model: AnyModel, data: TableLocation | Frame) -> Table:
    """Read a whole table as the training table was read: a file, the standard input (`-`), or a frame.

    Raises:
        DataError: the table cannot be read.
    """
    if not isinstance(data, TableSource | str | os.PathLike):
        return table_of(model, data)
    source = as_source(data)
    with log_duration(f"reading {source.path}") as log:
        table = read_table(
            source,
            missing_values=model.spec.missing_values,
            training_dialect=model.spec.dialect,
            keys=model.names,
        )
        log.details.append(f"{len(table):,} rows, {len(table.names):,} columns")
    return table


def read_to_predict(
    model: AnyModel,
    location: TableLocation | None,
    *,
    keys: Sequence[str] = (),
    as_text: Sequence[str] = (),
) -> Iterator[Table]:
    """Read a table chunk by chunk, as the training table was read, None for standard input.

    `keys` are columns that must be there besides the features; those of `as_text` keep their spelling.
    """
    return read_chunks(
        location,
        missing_values=model.spec.missing_values,
        training_dialect=model.spec.dialect,
        numeric_names=model.plain_number_columns.difference(as_text),
        keys=[*model.names, *keys],
        block_bytes=block_bytes(model),
    )


def block_bytes(model: AnyModel) -> int:
    """Bytes of text that are predicted at a time; for an ensemble only some ten thousand rows, which keep it busy."""
    if not isinstance(model, Ensemble):
        return BLOCK_BYTES
    return max(MIN_BLOCK_BYTES, min(BLOCK_BYTES, len(model.names) * BLOCK_BYTES_PER_COLUMN))

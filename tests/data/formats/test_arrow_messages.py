"""Messages of Arrow's interprocess format: their sizes and their depth, before they are decompressed."""

from __future__ import annotations

import io
from typing import Literal

import polars as pl
import pytest

from nncli.data.formats.arrow_messages import (
    ArrowError,
    BatchSize,
    Kind,
    Message,
    batch_size,
    file_schema_depth,
    read_file_messages,
    read_messages,
    schema_depth,
)

FRAME = pl.DataFrame({"x": [0.5, 1.5, 2.5], "lists": [[[1, 2], [3]], [], [[4, 5]]]})


def file_of(
    frame: pl.DataFrame,
    compression: Literal["uncompressed", "lz4", "zstd"] = "uncompressed",
    batch_rows: int | None = 2,
) -> io.BytesIO:
    buffer = io.BytesIO()
    frame.write_ipc(buffer, compression=compression, record_batch_size=batch_rows)
    return buffer


def stream_of(frame: pl.DataFrame) -> list[Message]:
    buffer = io.BytesIO()
    frame.write_ipc_stream(buffer)
    buffer.seek(0)
    return list(read_messages(buffer))


def test_the_size_of_a_batch_has_its_rows_and_the_items_of_its_longest_array() -> None:
    schema, batch = stream_of(FRAME)
    assert batch_size(schema) == BatchSize(0, 0, 0)
    size = batch_size(batch)
    assert (size.rows, size.items) == (3, 5)
    assert size.n_bytes >= 3 * 8 + 5 * 8


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_the_bytes_of_a_compressed_batch_are_those_after_decompression(compression: Literal["lz4", "zstd"]) -> None:
    zeros = pl.DataFrame({"x": [0.0] * 10_000})
    file = file_of(zeros, compression, batch_rows=None)
    sizes = [batch_size(message) for message in read_file_messages(file)]
    assert sum(size.n_bytes for size in sizes) >= 80_000 > len(file.getvalue())
    assert sum(size.rows for size in sizes) == 10_000


def test_a_file_has_the_batches_and_dictionaries_of_its_index() -> None:
    categories = pl.DataFrame({"c": pl.Series(["a", "b", "a"], dtype=pl.Categorical)})
    kinds = [message.kind for message in read_file_messages(file_of(categories))]
    assert {Kind.DICTIONARY, Kind.BATCH} == set(kinds)
    assert sum(batch_size(message).rows for message in read_file_messages(file_of(FRAME))) == 3


@pytest.mark.parametrize(
    ("cell", "depth"), [(1, 1), ([1], 2), ([[1]], 3), ([{"a": 1}], 3), ({"a": {"b": [1]}}, 4)], ids=str
)
def test_the_depth_of_a_schema_is_that_of_its_deepest_column(cell: object, depth: int) -> None:
    frame = pl.DataFrame({"x": [0.5], "nested": [cell]})
    assert schema_depth(stream_of(frame)[0]) == depth
    assert file_schema_depth(file_of(frame)) == depth


@pytest.mark.parametrize("end", [20, -5])
def test_a_file_that_ends_too_early_is_an_error(end: int) -> None:
    damaged = io.BytesIO(file_of(FRAME).getvalue()[:end])
    with pytest.raises(ArrowError):
        list(read_file_messages(damaged))
    with pytest.raises(ArrowError):
        file_schema_depth(damaged)

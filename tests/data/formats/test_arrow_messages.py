"""Messages of Arrow's interprocess format: streams and files that end too early."""

from __future__ import annotations

import io

import polars as pl
import pytest

from nncli.data.formats.arrow_messages import ArrowError, MessageType, read_batch_heights, read_messages

FRAME = pl.DataFrame({"x": [0.5, 1.5, 2.5], "lists": [[[1, 2], [3]], [], [[4, 5]]]})


def stream_of(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc_stream(buffer)
    return buffer.getvalue()


def file_of(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc(buffer, record_batch_size=2)
    return buffer.getvalue()


def test_a_stream_has_a_schema_dictionaries_and_batches() -> None:
    categories = pl.DataFrame({"c": pl.Series(["a", "b", "a"], dtype=pl.Categorical)})
    kinds = [message.kind for message in read_messages(io.BytesIO(stream_of(categories)))]
    assert kinds == [MessageType.SCHEMA, MessageType.DICTIONARY, MessageType.BATCH]


def test_a_file_has_the_rows_of_its_batches_in_its_index() -> None:
    assert sum(read_batch_heights(io.BytesIO(file_of(FRAME)))) == 3


@pytest.mark.parametrize("end", [20, -5])
def test_what_ends_too_early_is_an_error(end: int) -> None:
    with pytest.raises(ArrowError):
        list(read_batch_heights(io.BytesIO(file_of(FRAME)[:end])))
    with pytest.raises(ArrowError):
        list(read_messages(io.BytesIO(stream_of(FRAME)[: end - 20 if end < 0 else end])))

"""What reliability/serve_fuzz.py has found, each as a test of its own."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Literal

import pytest

from nncli.data.formats.arrow_messages import ArrowError, Kind, batch_size, read_messages
from tests.serving.asgi_client import AsgiClient
from tests.serving.conftest import client, models, runs
from tests.serving.trained import ROWS, table_of

LZ4_FRAME = b"\x04\x22\x4d\x18"


def test_a_damaged_compressed_block_of_an_arrow_file_is_a_problem_of_the_body(client: AsgiClient) -> None:
    buffer = io.BytesIO()
    table_of().head(20).drop("y", "z", "two", "many").write_ipc(buffer, compression="lz4")
    data, statuses = bytearray(buffer.getvalue()), set[int]()
    begin = data.index(LZ4_FRAME)
    for at in range(begin + 4, begin + 40):
        for bit in (0x10, 0x04, 0x40):
            data[at] ^= bit
            statuses.add(client.post("/predict", bytes(data), "application/vnd.apache.arrow.file").status)
            data[at] ^= bit
    assert statuses <= {200, 400, 422}


def test_a_negative_number_of_values_does_not_end_the_process(client: AsgiClient) -> None:
    """In a page of a Parquet file: Polars takes it for 2^61 bytes, and aborts."""
    buffer = io.BytesIO()
    table_of().head(20).drop("y", "z", "two", "many").write_parquet(buffer, compression="uncompressed")
    data, statuses = bytearray(buffer.getvalue()), set[int]()
    for at in [at for at, byte in enumerate(data) if byte == 40]:  # 20 values, as the headers of pages write it
        for negative in (1, 63, 127):
            data[at] = negative
            statuses.add(client.post("/predict", bytes(data), "application/vnd.apache.parquet").status)
            data[at] = 40
    assert {400} < statuses <= {200, 400, 422}


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_a_buffer_outside_of_its_message_does_not_reach_polars(compression: Literal["uncompressed", "lz4"]) -> None:
    """It would report it as an error of its own, on stderr."""
    buffer = io.BytesIO()
    table_of().write_ipc_stream(buffer, compression=compression)
    buffer.seek(0)
    (batch,) = [message for message in read_messages(buffer) if message.kind == Kind.BATCH]
    assert batch_size(batch).rows == ROWS
    with pytest.raises(ArrowError):
        batch_size(replace(batch, data=batch.data[:-64]))


def test_lists_in_lists_of_the_metadata_of_a_parquet_file_are_bounded(client: AsgiClient) -> None:
    metadata = b"\x19" * 5000  # a field that is a list of one list of one list …
    data = b"PAR1" + metadata + len(metadata).to_bytes(4, "little") + b"PAR1"
    client.post("/predict", data, "application/vnd.apache.parquet").problem(400)


def test_a_text_without_records_by_one_separator_is_a_problem_of_the_body(client: AsgiClient) -> None:
    """By the comma it is a quotation that never ends; by two other separators it is a header."""
    client.post("/predict", b', ";|', "text/csv").problem(400)


__all__ = ["client", "models", "pytest", "runs"]

"""What reliability/serve_fuzz.py has found, each as a test of its own."""

from __future__ import annotations

import io

import pytest

from tests.serving.asgi_client import AsgiClient
from tests.serving.conftest import client, models, runs
from tests.serving.trained import table_of

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


__all__ = ["client", "models", "pytest", "runs"]

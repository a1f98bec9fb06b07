"""The body of a request, as the application receives it."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import Any

from nncli.serving.connections import Body, HttpLimits, MemoryBudget


def test_small_chunks_take_the_memory_of_their_bytes() -> None:
    number = 0

    async def receive() -> dict[str, Any]:
        nonlocal number
        number += 1
        return {"type": "http.request", "body": b"%c1" % (number % 256), "more_body": number < 30_000}

    async def received() -> int:
        body = Body(HttpLimits(), MemoryBudget(1_000_000), receive, lambda: None)
        async with asyncio.timeout(20) as body.deadline:
            return len((await body.receive())["body"])

    tracemalloc.start()
    try:
        assert asyncio.run(received()) == 60_000
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 400_000

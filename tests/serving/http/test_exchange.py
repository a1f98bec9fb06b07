"""A request and its answer."""

from __future__ import annotations

import tracemalloc
from typing import Any, cast

from nncli.serving.http.connections import Connections
from nncli.serving.http.exchange import Exchange
from nncli.serving.http.limits import HttpLimits
from tests.serving.http.support import EchoApp


def test_small_chunks_take_the_memory_of_their_bytes() -> None:
    app = EchoApp()
    exchange = Exchange(cast("Any", None), app, {}, Connections(app, HttpLimits()))
    tracemalloc.start()
    try:
        for number in range(30_000):
            assert exchange.add_body(b"%c1" % (number % 256)) is None
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert exchange.received == 60_000
    assert used < 2 * exchange.received

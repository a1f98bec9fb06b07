"""One line of JSON for each request."""

from __future__ import annotations

import io
import json
import sys
from contextvars import copy_context

import pytest

from nncli.serving.access_log import access_record, log_access
from nncli.serving.http.exchange import Exchange
from nncli.serving.http.limits import HttpLimits
from nncli.serving.job import PREDICTED, Predicted
from tests.serving.http.support import serving


def answered() -> Exchange:
    """An exchange of a client that has left."""
    found: list[Exchange] = []
    with serving(HttpLimits()) as server:
        server.shared.on_answer = lambda exchange, _: found.append(exchange)
        server.answer(b"POST /p?q=secret HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
    return found[0]


def test_a_record_has_what_is_known() -> None:
    exchange = answered()

    def recorded() -> dict[str, object]:
        PREDICTED.set(Predicted("reg", 7))
        return access_record(exchange, 0.0123456, 0.0)

    known = {
        "time": "1970-01-01T00:00:00.000+00:00",
        "client": "127.0.0.1",
        "method": "POST",
        "path": "/p",
        "status": 200,
        "milliseconds": 12.346,
        "request_bytes": 3,
    }
    assert copy_context().run(recorded) == {**known, "model": "reg", "rows": 7}
    assert access_record(exchange, 0.0123456, 0.0) == {**known, "model": None, "rows": None}


def test_a_log_that_cannot_be_written_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = answered()
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    log_access(exchange, 1.0)
    assert json.loads(stream.getvalue())["path"] == "/p"
    stream.close()
    log_access(exchange, 1.0)

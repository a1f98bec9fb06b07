"""The access log: a line of JSON for each request, without anything of its headers or body, or values of its query."""

from __future__ import annotations

import json
import re
import time
from typing import Any
from urllib.parse import parse_qsl, quote

from nncli.serving.batching.job import predicted_of
from nncli.serving.http.exchange import Exchange
from nncli.serving.models.model_slots import ModelSlots
from nncli.serving.parameters import NAMES
from nncli.serving.problems.response import REASON
from nncli.serving.process.log import utc_time
from nncli.serving.process.log_writer import write_line

MAX_PATH = 500
"""Characters of a path that are written."""
MODEL_PATH = re.compile(r"(?:/v2)?/models/([^/]+)(?:/.*)?|/(?:predict|invocations)/?")
"""Addresses of models; that of the first has no name."""


def log_access(exchange: Exchange, seconds: float, slots: ModelSlots) -> None:
    """Write the line of a request that was answered, or whose client has left. A full disk is no reason to stop."""
    write_line(json.dumps(access_record(exchange, seconds, time.time(), slots)))


def access_record(exchange: Exchange, seconds: float, now: float, slots: ModelSlots) -> dict[str, Any]:
    """What is written of a request.

    `status` is null if the client has left before its answer, `rows` if none were read, `model` if the address is that
    of none, and `reason` unless the request was refused. `parameters` are the names of those that are known. The path
    is percent-encoded ASCII. Of what is not an HTTP request, the method is empty.
    """
    scope, predicted = exchange.scope, predicted_of(exchange.scope)
    client = scope["client"]
    return {
        "time": utc_time(now),
        "client": None if client is None else client[0],
        "method": scope["method"],
        "path": quote(scope["path"], safe="/")[:MAX_PATH],
        "status": exchange.status,
        "milliseconds": round(1000 * seconds, 3),
        "request_bytes": exchange.received,
        "model": _model_of(scope["path"], slots) if predicted is None else predicted.model,
        "rows": None if predicted is None else predicted.rows,
        "parameters": _parameters(scope["query_string"]),
        "reason": scope.get("state", {}).get(REASON),
    }


def _model_of(path: str, slots: ModelSlots) -> str | None:
    """The name of the model of an address; None if it is that of none."""
    found = MODEL_PATH.fullmatch(path)
    slot = None if found is None else slots.find(found[1])
    return None if slot is None else slot.name


def _parameters(query: bytes) -> list[str]:
    """The parameters of predictions that a request asks for."""
    given = {name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)}
    return [name for name in NAMES if name in given]

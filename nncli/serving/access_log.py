"""The access log: a line of JSON for each request, without its headers, its body and the values of its query."""

from __future__ import annotations

import json
import re
import time
from collections.abc import MutableMapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl, quote

from nncli.base.credentials import redacted
from nncli.serving.batching.job import predicted_of
from nncli.serving.http.exchange import Exchange
from nncli.serving.models.model_slots import ModelSlots
from nncli.serving.models.prediction_options import PARAMETERS
from nncli.serving.problems.response import REASON
from nncli.serving.process.log import utc_time
from nncli.serving.process.log_writer import write_line

MAX_PATH = 500
"""Characters of a path that are written."""
MODEL_PATH = re.compile(r"(?:/v2)?/models/([^/]+)(?:/.*)?|/(?:predict|invocations)/?")
"""Paths of models; those of the first have no name."""


def log_access(exchange: Exchange, seconds: float, slots: ModelSlots) -> None:
    """Write the line of a request that was answered, or whose client has left. A full disk is no reason to stop."""
    write_line(json.dumps(access_record(exchange, seconds, time.time(), slots)))


def access_record(exchange: Exchange, seconds: float, now: float, slots: ModelSlots) -> dict[str, Any]:
    """What is written of a request.

    `client` is an IP address, that of X-Forwarded-For if a proxy on this machine has sent it. `status` is null if the
    client has left before its answer, `rows` if none were read, `model` if the path is not that of a model, and
    `reason` unless the request was refused. `parameters` are the names of parameters of predictions. The path is
    percent-encoded ASCII. Of what is not an HTTP request, the method is empty.
    """
    scope, predicted = exchange.scope, predicted_of(exchange.scope)
    return {
        "time": utc_time(now),
        "client": _client_of(scope),
        "method": scope["method"],
        "path": quote(redacted(scope["path"]), safe="/*")[:MAX_PATH],
        "status": exchange.status,
        "milliseconds": round(1000 * seconds, 3),
        "request_bytes": exchange.received,
        "model": _model_of(scope["path"], slots) if predicted is None else predicted.model,
        "rows": None if predicted is None else predicted.rows,
        "parameters": _parameters(scope["query_string"]),
        "reason": scope.get("state", {}).get(REASON),
    }


def _client_of(scope: MutableMapping[str, Any]) -> str | None:
    """The IP address of the client; None if it has none, or if other text is in its header X-Forwarded-For."""
    text = scope["client"][0].partition("%")[0] if scope["client"] else ""
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def _model_of(path: str, slots: ModelSlots) -> str | None:
    """The name of the model of a path; None if there is no such model."""
    match = MODEL_PATH.fullmatch(path)
    slot = None if match is None else slots.find(match[1])
    return None if slot is None else slot.name


def _parameters(query: bytes) -> list[str]:
    """The parameters of predictions that a request asks for."""
    names = {name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)}
    return [name for name in PARAMETERS if name in names]

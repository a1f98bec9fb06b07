"""The access log: one line of JSON for each request, without anything of its headers, its query or its body."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from nncli.serving.http.exchange import Exchange
from nncli.serving.job import PREDICTED

MAX_PATH = 500
"""Characters of a path that are written."""


def log_access(exchange: Exchange, seconds: float) -> None:
    """Write the line of a request that was answered, or whose client has left. A full disk is no reason to stop."""
    with suppress(OSError, ValueError):
        sys.stderr.write(json.dumps(access_record(exchange, seconds, time.time())) + "\n")
        sys.stderr.flush()


def access_record(exchange: Exchange, seconds: float, now: float) -> dict[str, Any]:
    """What is written of a request.

    `status` is null if the client has left before its answer, `rows` and `model` if no rows were predicted. The path is
    percent-encoded ASCII. Of what is no HTTP request, the method is empty.
    """
    scope, predicted = exchange.scope, PREDICTED.get(None)
    client = scope["client"]
    return {
        "time": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        "client": None if client is None else client[0],
        "method": scope["method"],
        "path": quote(scope["path"], safe="/")[:MAX_PATH],
        "status": exchange.status,
        "milliseconds": round(1000 * seconds, 3),
        "request_bytes": exchange.received,
        "model": None if predicted is None else predicted.model,
        "rows": None if predicted is None else predicted.rows,
    }

"""The connections of a server: its limits, the headers of CORS, what is counted and what is logged."""

from __future__ import annotations

import asyncio
from functools import partial

from nncli.serving.access import Cors
from nncli.serving.access_log import log_access
from nncli.serving.http.exchange import Exchange
from nncli.serving.http.limits import HttpLimits
from nncli.serving.http.protocol import uvicorn_protocol
from nncli.serving.metrics import OTHER
from nncli.serving.state import ServerState


def connection_protocol(state: ServerState) -> type[asyncio.Protocol]:
    """What `uvicorn.Config` takes as `http`."""
    cors = state.options.cors

    def on_answer(exchange: Exchange, seconds: float) -> None:
        if exchange.is_refused and exchange.status is not None:  # the application counts the others
            state.metrics.count_request(OTHER, exchange.scope["method"], exchange.status, seconds, exchange.received, 0)
        if state.options.access_log:
            log_access(exchange, seconds)

    limits = HttpLimits.of(state.options)
    if cors is None:
        return uvicorn_protocol(limits, on_answer=on_answer)
    return uvicorn_protocol(limits, partial(Cors, origin=cors), on_answer)

"""The connections of a server: its limits, the headers of CORS, what is counted and what is logged."""

from __future__ import annotations

import asyncio
from functools import partial

from nncli.serving.access_log import log_access
from nncli.serving.app import ROUTES
from nncli.serving.http.exchange import Exchange
from nncli.serving.http.limits import HttpLimits
from nncli.serving.http.protocol import uvicorn_protocol
from nncli.serving.metrics.registry import OTHER
from nncli.serving.middleware.access import Cors
from nncli.serving.middleware.request_metrics import CLIENT_CLOSED_REQUEST, AddressPatterns
from nncli.serving.state import ServerState


def connection_protocol(state: ServerState) -> type[asyncio.Protocol]:
    """What `uvicorn.Config` takes as `http`."""
    cors, patterns = state.options.cors, AddressPatterns(ROUTES)

    def on_answer(exchange: Exchange, seconds: float) -> None:
        if not_counted := _status_of_uncounted(exchange):
            address = OTHER if exchange.is_refused else patterns.of(exchange.scope)
            state.metrics.count_request(address, exchange.scope["method"], not_counted, seconds, exchange.received, 0)
        if state.options.access_log:
            log_access(exchange, seconds, state.slots)

    limits = HttpLimits.of(state.options)
    if cors is None:
        return uvicorn_protocol(limits, on_answer=on_answer)
    return uvicorn_protocol(limits, partial(Cors, origin=cors), on_answer)


def _status_of_uncounted(exchange: Exchange) -> int | None:
    """The status of a request that the application did not count itself: refused before, too late, or cancelled."""
    if exchange.is_refused or exchange.is_late:
        return exchange.status
    return CLIENT_CLOSED_REQUEST if exchange.is_lost and not exchange.is_answered else None

"""The connections of a server: its application and limits, the headers of CORS, what is counted and what is logged."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from nncli.serving.access_log import log_access
from nncli.serving.app import ROUTES, build_app
from nncli.serving.http.connections import Connections
from nncli.serving.http.exchange import Exchange, Progress
from nncli.serving.http.limits import HttpLimits
from nncli.serving.metrics.registry import OTHER
from nncli.serving.middleware.access import Cors
from nncli.serving.middleware.request_metrics import CLIENT_CLOSED_REQUEST, PathPatterns
from nncli.serving.state import ServerState

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def connections_of(state: ServerState) -> Connections:
    """The connections of a server, with its application behind them."""
    cors, patterns = state.options.cors, PathPatterns(ROUTES)

    def on_answer(exchange: Exchange, seconds: float) -> None:
        if not_counted := _status_of_uncounted(exchange):
            address = OTHER if exchange.is_refused else patterns.of(exchange.scope)
            state.metrics.count_request(address, exchange.scope["method"], not_counted, seconds, exchange.received, 0)
        if state.options.access_log:
            log_access(exchange, seconds, state.slots)

    app, limits = _behind_proxies(build_app(state)), HttpLimits.of(state.options)
    if cors is None:
        return Connections(app, limits, on_answer=on_answer)
    return Connections(app, limits, partial(Cors, origin=cors), on_answer)


def _behind_proxies(app: ASGIApp) -> ASGIApp:
    """Take the client and the scheme from X-Forwarded-For and X-Forwarded-Proto of proxies on this machine.

    As for uvicorn, the variable FORWARDED_ALLOW_IPS may list the addresses of other proxies instead.
    """
    proxies = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")
    wrap: Callable[[ASGIApp, str], ASGIApp] = cast("Any", ProxyHeadersMiddleware)  # has types of its own for ASGI
    return wrap(app, proxies)


def _status_of_uncounted(exchange: Exchange) -> int | None:
    """The status of a request that the application did not count itself: refused before, too late, or cancelled."""
    if exchange.is_refused or exchange.is_late:
        return exchange.status
    return CLIENT_CLOSED_REQUEST if exchange.progress is Progress.DISCONNECTED else None

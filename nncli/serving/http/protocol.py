"""The connections as uvicorn makes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nncli.serving.http.connection import Connection
from nncli.serving.http.limits import HttpLimits
from nncli.serving.http.shared import Shared

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from uvicorn.config import Config

    from nncli.serving.http.exchange import Exchange
    from nncli.serving.http.state import ConnectionState


def uvicorn_protocol(
    limits: HttpLimits,
    decorate: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    on_answer: Callable[[Exchange, float], None] | None = None,
) -> type[asyncio.Protocol]:
    """What `uvicorn.Config` takes as `http`: a function that makes connections.

    `decorate` gives answers that the application does not make its headers; `on_answer` is called with each exchange
    and its seconds.
    """
    shared: list[Shared] = []

    def connection(config: Config, server_state: ConnectionState, app_state: Any, _loop: Any = None) -> Connection:
        if not shared:
            shared.append(
                Shared(
                    app=config.loaded_app,
                    limits=limits,
                    state=server_state,
                    decorate=decorate,
                    on_answer=on_answer,
                )
            )
        return Connection(shared[0])

    return connection  # type: ignore[return-value]  # uvicorn only calls it

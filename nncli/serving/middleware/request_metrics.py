"""Counting requests: their paths, status codes, durations and bodies."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import MutableMapping, Sequence
from time import perf_counter
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nncli.serving.metrics.registry import OTHER, Metrics

CLIENT_CLOSED_REQUEST = 499
"""The status that stands for a request whose client left, as in the logs of nginx."""
INTERNAL_SERVER_ERROR = 500


class PathPatterns:
    """The patterns of paths, such as `/models/{model}/predict`, by which requests are counted."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        own = [route for route in routes if isinstance(route, Route)]
        self._patterns: dict[object, str] = {
            (route.endpoint, frozenset(route.param_convertors)): route.path for route in own
        }
        self._paths = frozenset(route.path for route in own)

    def of(self, scope: MutableMapping[str, Any]) -> str:
        """The pattern of the route; of a request that was refused before, the path if a route has it."""
        path: str = scope["path"]
        if path in self._paths:  # several such routes may have the same endpoint
            return path
        key = (scope.get("endpoint"), frozenset(scope.get("path_params", ())))
        return self._patterns.get(key, OTHER)


class RequestMetrics:
    """Middleware that counts the requests to an application with these routes; not those that are cancelled."""

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: Sequence[BaseRoute]) -> None:
        self._app, self._metrics = app, metrics
        self._patterns = PathPatterns(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer and count a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, received, sent = perf_counter(), CLIENT_CLOSED_REQUEST, 0, 0

        async def counting_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def counting_send(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                sent += len(message.get("body", b""))
            await send(message)

        self._metrics.in_progress.inc()
        try:
            await self._app(scope, counting_receive, counting_send)
        except CancelledError:  # whoever cancels it knows why
            raise
        except Exception as error:
            is_fault = status == CLIENT_CLOSED_REQUEST and not isinstance(error, ClientDisconnect)
            self._count(scope, INTERNAL_SERVER_ERROR if is_fault else status, start, received, sent)
            raise
        else:
            self._count(scope, status, start, received, sent)
        finally:
            self._metrics.in_progress.dec()

    def _count(self, scope: Scope, status: int, start: float, received: int, sent: int) -> None:
        address = self._patterns.of(scope)
        self._metrics.count_request(address, scope["method"], status, perf_counter() - start, received, sent)

"""Counting requests: their addresses, status codes, durations and bodies."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nncli.serving.metrics import OTHER, Metrics

CLIENT_CLOSED_REQUEST = 499
"""The status that stands for a request whose client left, as in the logs of nginx."""
INTERNAL_SERVER_ERROR = 500


class RequestMetrics:
    """Middleware that counts all requests to an application with these routes."""

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: Sequence[BaseRoute]) -> None:
        self._app, self._metrics = app, metrics
        own = [route for route in routes if isinstance(route, Route)]
        self._patterns: dict[object, str] = {
            (route.endpoint, frozenset(route.param_convertors)): route.path for route in own
        }
        self._paths = frozenset(route.path for route in own)

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
        except ClientDisconnect:
            raise
        except Exception:
            status = INTERNAL_SERVER_ERROR if status == CLIENT_CLOSED_REQUEST else status
            raise
        finally:
            self._metrics.in_progress.dec()
            seconds = perf_counter() - start
            self._metrics.count_request(self._address(scope), scope["method"], status, seconds, received, sent)

    def _address(self, scope: Scope) -> str:
        """The pattern of the route; of a request that was refused before, the path if there is such an address."""
        key = (scope.get("endpoint"), frozenset(scope.get("path_params", ())))
        path: str = scope["path"]
        return self._patterns.get(key) or (path if path in self._paths else OTHER)

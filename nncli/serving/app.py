"""The application: all routes, the middleware, the answers to errors, the access log, and its connections."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, MutableMapping, Sequence
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl, quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from nncli.base.credentials import redacted
from nncli.serving.batching import predicted_of
from nncli.serving.connections import Connections, HttpLimits, RequestResponse
from nncli.serving.metrics.prometheus import OTHER
from nncli.serving.middleware import (
    AccessControl,
    ModelVersionHeader,
    OverloadControl,
    WithoutTrailingSlash,
    cors_of,
)
from nncli.serving.models.reload import ModelSlots
from nncli.serving.models.served_model import PARAMETERS
from nncli.serving.problems import REASON, Problem, ProblemError, problem_response
from nncli.serving.process.log import utc_time, write_line
from nncli.serving.routes import mlflow, pages, predict, status
from nncli.serving.state import ServerState

ROUTES = [*predict.ROUTES, *status.ROUTES, *mlflow.ROUTES, *pages.ROUTES]
PREDICTIONS = [route for route in ROUTES if route.methods is not None and "POST" in route.methods]
"""All POST routes: each predicts, and is refused while the queue is full. Another one must be left out here."""


def build_app(state: ServerState) -> Starlette:
    """The ASGI application of a server."""
    cors = [] if state.options.cors is None else [Middleware(cors_of(state.options.cors))]
    app = Starlette(
        routes=ROUTES,
        middleware=[
            Middleware(WithoutTrailingSlash),
            *cors,
            Middleware(AccessControl, options=state.options),
            Middleware(OverloadControl, routes=PREDICTIONS, slots=state.slots, batcher=state.batcher),
            Middleware(ModelVersionHeader),
        ],
        exception_handlers={ProblemError: _answer_problem, HTTPException: _answer_http_exception},
    )
    app.state.server, app.state.descriptions = state, pages.Descriptions()
    return app


async def _answer_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return problem_response(error.problem, request.scope["path"])


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    """No route has this path, or not with this method."""
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    hint = "GET /docs lists the addresses."
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        hint = f"Use {'POST' if 'POST' in headers.get('Allow', '') else 'GET'}; {hint}"
    problem = Problem(status, f"{request.method} {request.scope['path']}: {status.phrase}", hint, headers=headers)
    return problem_response(problem, request.scope["path"])


def connections_of(state: ServerState) -> Connections:
    """The connections of a server, with its application behind them."""
    patterns = PathPatterns(ROUTES)

    def on_answer(served: RequestResponse, seconds: float) -> None:
        address = OTHER if served.is_refused else patterns.of(served.scope)
        status = CLIENT_CLOSED_REQUEST if served.is_lost or served.status is None else served.status
        method, received, sent = served.scope["method"], served.received, served.sent
        state.metrics.count_request(address, method, status, seconds, received, sent)
        if state.options.access_log:
            log_access(served, seconds, state.slots)

    cors = state.options.cors
    decorate: Callable[[ASGIApp], ASGIApp] = (lambda app: app) if cors is None else cors_of(cors)
    connections = Connections(build_app(state), HttpLimits.of(state.options), decorate, on_answer)
    state.metrics.in_progress.set_function(lambda: connections.in_progress)
    return connections


CLIENT_CLOSED_REQUEST = 499
"""The status that stands for a request whose client left, as in the logs of nginx."""


class PathPatterns:
    """The patterns of paths, such as `/models/{model}/predict`, by which requests are counted."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        paths = [route for route in routes if isinstance(route, Route)]
        self._patterns: dict[object, str] = {
            (route.endpoint, frozenset(route.param_convertors)): route.path for route in paths
        }
        self._paths = frozenset(route.path for route in paths)

    def of(self, scope: MutableMapping[str, Any]) -> str:
        """The pattern of the route; of a request that was refused before, the path if a route has it."""
        path: str = scope["path"]
        if path in self._paths:  # several such routes may have the same endpoint
            return path
        key = (scope.get("endpoint"), frozenset(scope.get("path_params", ())))
        return self._patterns.get(key, OTHER)


MAX_PATH = 500
"""Characters of a path that are written."""
MODEL_PATH = re.compile(r"/models/([^/]+)(?:/.*)?|/(?:predict|invocations)/?")
"""Paths of models; those of the first have no name."""


def log_access(served: RequestResponse, seconds: float, slots: ModelSlots) -> None:
    """Write the line of a request that was answered, or whose client has left. A full disk is no reason to stop."""
    write_line(json.dumps(access_record(served, seconds, time.time(), slots)))


def access_record(served: RequestResponse, seconds: float, now: float, slots: ModelSlots) -> dict[str, Any]:
    """What is written of a request.

    `client` is an IP address, that of X-Forwarded-For if a proxy on this machine has sent it. `status` is null if the
    client has left before its answer, `rows` if none were read, `model` if the path is not that of a model, and
    `reason` unless the request was refused. `parameters` are the names of parameters of predictions. The path is
    percent-encoded ASCII. Of what is not an HTTP request, the method is empty.
    """
    scope, predicted = served.scope, predicted_of(served.scope)
    return {
        "time": utc_time(now),
        "client": _client_of(scope),
        "method": scope["method"],
        "path": quote(redacted(scope["path"]), safe="/*")[:MAX_PATH],
        "status": served.status,
        "milliseconds": round(1000 * seconds, 3),
        "request_bytes": served.received,
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

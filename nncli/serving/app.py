"""The application: all routes, the middleware, and the answers to errors."""

from __future__ import annotations

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from nncli.serving.middleware.access import AccessControl, Cors
from nncli.serving.middleware.model_version import ModelVersionHeader
from nncli.serving.middleware.overload import OverloadControl
from nncli.serving.middleware.request_metrics import RequestMetrics
from nncli.serving.middleware.trailing_slash import WithoutTrailingSlash
from nncli.serving.pages.descriptions import Descriptions
from nncli.serving.problems.problem import Problem, ProblemError
from nncli.serving.problems.response import problem_response
from nncli.serving.routes import docs, health, metrics, mlflow, models, open_inference, openapi, page, predict
from nncli.serving.state import ServerState

ROUTES = [
    *page.ROUTES,
    *predict.ROUTES,
    *models.ROUTES,
    *health.ROUTES,
    *metrics.ROUTES,
    *mlflow.ROUTES,
    *open_inference.ROUTES,
    *openapi.ROUTES,
    *docs.ROUTES,
]
PREDICTIONS = [route for route in ROUTES if route.methods is not None and "POST" in route.methods]
"""The routes of predictions."""


def build_app(state: ServerState) -> Starlette:
    """The ASGI application of a server."""
    cors = [] if state.options.cors is None else [Middleware(Cors, origin=state.options.cors)]
    app = Starlette(
        routes=ROUTES,
        middleware=[
            Middleware(WithoutTrailingSlash),
            Middleware(RequestMetrics, metrics=state.metrics, routes=ROUTES),
            *cors,
            Middleware(AccessControl, options=state.options),
            Middleware(OverloadControl, routes=PREDICTIONS, slots=state.slots, batcher=state.batcher),
            Middleware(ModelVersionHeader),
        ],
        exception_handlers={ProblemError: _answer_problem, HTTPException: _answer_http_exception},
    )
    app.state.server, app.state.descriptions = state, Descriptions()
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

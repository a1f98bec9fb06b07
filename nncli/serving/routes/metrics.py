"""`GET /metrics` for Prometheus, and the profile of the rows that a model was asked for."""

from __future__ import annotations

from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nncli.serving.problems import Problem, ProblemError
from nncli.serving.routes.predict import find_slot
from nncli.serving.state import ServerState


async def metrics(request: Request) -> Response:
    """All metrics, as text or OpenMetrics."""
    state: ServerState = request.app.state.server
    body, media_type = await run_in_threadpool(state.metrics.exposition, request.headers.get("accept", ""))
    return Response(body, headers={"content-type": media_type})


async def profile(request: Request) -> Response:
    """The profile of the rows since the start, as `nncli predict --profile` writes it; DELETE begins another one."""
    state: ServerState = request.app.state.server
    model = find_slot(state, request.path_params["model"]).current
    profiles = state.metrics.rows.profiles
    found = await run_in_threadpool(profiles.profile, model, take=request.method == "DELETE")
    if found is None:
        detail = f"the run of {model.name} has no reference profile"
        hint = "Train the run again with this version of nncli: its profile is compared with that of its training rows."
        raise ProblemError(Problem(HTTPStatus.NOT_FOUND, detail, hint))
    return Response(found.to_json(), media_type="application/json")


ROUTES = [
    Route("/metrics", metrics),
    Route("/models/{model}/profile", profile, methods=["GET", "DELETE"]),
]

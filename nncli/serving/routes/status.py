"""What is asked about a server: whether it lives and is ready, its metrics, its models, the profiles of their rows."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nncli.serving.batching import STOPPING
from nncli.serving.models.reload import ModelSlot
from nncli.serving.problems import Problem, ProblemError
from nncli.serving.routes.predict import find_slot
from nncli.serving.state import ServerState


async def live(request: Request) -> Response:
    """Whether the process answers."""
    return JSONResponse({"live": True})


async def ready(request: Request) -> Response:
    """Whether requests should be sent here: not before the models are loaded, nor once the server stops."""
    state: ServerState = request.app.state.server
    if not state.is_ready:
        raise ProblemError(STOPPING)
    return JSONResponse({"ready": True})


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
    snapshot = await run_in_threadpool(profiles.profile, model, take=request.method == "DELETE")
    if snapshot is None:
        detail = f"the run of {model.name} has no reference profile"
        hint = "Train the run again with this version of nncli: its profile is compared with that of its training rows."
        raise ProblemError(Problem(HTTPStatus.NOT_FOUND, detail, hint))
    return Response(snapshot.to_json(), media_type="application/json")


async def models(request: Request) -> Response:
    """The models in the order of the command line; the first answers addresses without a name."""
    state: ServerState = request.app.state.server
    return JSONResponse({"models": [_described(slot) for slot in state.slots.all]})


def _described(slot: ModelSlot) -> dict[str, Any]:
    """A model. It is not the latest if the run at its path cannot take its place; the log says why."""
    served = slot.current
    target = served.model.spec.target
    return {
        "name": slot.name,
        "version": served.version,
        "loaded": served.loaded.isoformat(timespec="seconds"),
        "task": target.task,
        "target": list(target.names),
        "is_latest": slot.problem is None,
    }


ROUTES = [
    Route("/models", models),
    Route("/health/live", live),
    Route("/health/ready", ready),
    Route("/metrics", metrics),
    Route("/models/{model}/profile", profile, methods=["GET", "DELETE"]),
]

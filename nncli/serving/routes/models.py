"""`GET /models`: the models with their versions."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nncli.serving.models.reload import ModelSlot
from nncli.serving.state import ServerState


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


ROUTES = [Route("/models", models)]

"""`GET /health/live` and `GET /health/ready`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nncli.serving.batching import STOPPING
from nncli.serving.problems import ProblemError
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


ROUTES = [Route("/health/live", live), Route("/health/ready", ready)]

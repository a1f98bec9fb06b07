"""`GET /openapi.json`: the addresses of the server and the columns of its models, for programs."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nncli.serving.openapi.operations import openapi_document
from nncli.serving.pages.descriptions import Descriptions, Models
from nncli.serving.state import ServerState


async def openapi(request: Request) -> Response:
    """The document in OpenAPI 3.1."""
    state: ServerState = request.app.state.server
    has_token = state.options.token is not None

    def document(models: Models) -> str:
        return json.dumps(openapi_document(models, has_token=has_token), ensure_ascii=False, allow_nan=False)

    descriptions: Descriptions = request.app.state.descriptions
    text = await descriptions.text("openapi", state.slots, document)
    return Response(text, headers={"Cache-Control": "no-store"}, media_type="application/json")


ROUTES = [Route("/openapi.json", openapi)]

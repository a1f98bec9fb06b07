"""`GET /docs`: the addresses of the server and the columns of its models, for people."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nncli.serving.middleware import has_token as is_authorized
from nncli.serving.pages.descriptions import Descriptions, Models
from nncli.serving.pages.docs_page import content_security_policy, docs_page, with_origin
from nncli.serving.pages.page_headers import page_headers
from nncli.serving.routes.page import login
from nncli.serving.state import ServerState

HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
"""Hosts that a shell reads as they are written."""


async def docs(request: Request) -> Response:
    """The page about the server."""
    state: ServerState = request.app.state.server
    has_token = state.options.token is not None
    if state.options.token is not None and not is_authorized(request.headers.raw, state.options.token):
        return login()

    def page(models: Models) -> str:
        return docs_page(models, has_token=has_token)

    descriptions: Descriptions = request.app.state.descriptions
    text = with_origin(await descriptions.text("docs", state.slots, page), _origin(request))
    headers = page_headers(content_security_policy())
    return Response(text, headers=headers, media_type="text/html")


def _origin(request: Request) -> str:
    """The scheme, host and port that the client called; a proxy may have told the scheme."""
    host = request.headers.get("host", "")
    told = request.headers.get("x-forwarded-proto", request.scope["scheme"])
    scheme = "https" if told == "https" else "http"
    return f"{scheme}://{host}" if HOST.fullmatch(host) else "http://localhost:8000"


ROUTES = [Route("/docs", docs)]

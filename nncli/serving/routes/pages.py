"""The pages and documents for people and programs: forms of models, `/docs` and `/openapi.json`."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import field
from http import HTTPStatus
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nncli.base.dataclass import dataclass
from nncli.serving.middleware import has_token
from nncli.serving.models.reload import ModelSlots
from nncli.serving.models.served_model import ServedModel
from nncli.serving.openapi import openapi_document
from nncli.serving.pages import docs_page, form_page
from nncli.serving.routes.predict import find_slot
from nncli.serving.state import ServerState

Models: TypeAlias = tuple[ServedModel, ...]
HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
"""Hosts that a shell reads as they are written."""


@dataclass
class Descriptions:
    """Texts that are made on another thread when they are first asked for, and again once a model is replaced.

    The versions of the models are kept, not the models, whose memory is free once they are replaced.
    """

    _known: dict[str, tuple[list[str], str]] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def text(self, name: str, slots: ModelSlots, make: Callable[[Models], str]) -> str:
        """The text called `name` of the models of all slots, as `make` makes it."""
        async with self._lock:
            models = tuple(slot.current for slot in slots.all)
            versions = [model.version for model in models]
            known, text = self._known.get(name, ([], ""))
            if known != versions:
                text = await asyncio.to_thread(make, models)
                self._known[name] = versions, text
            return text


async def page(request: Request) -> Response:
    """The page of a model, to try it by hand, at `/` or `/models/NAME/`."""
    state: ServerState = request.app.state.server
    if (login := _login(request)) is not None:
        return login
    name = request.path_params.get("model")
    slot = find_slot(state, name)
    links = form_page.Links(tuple(one.name for one in state.slots.all), is_first_page=name is None)

    def make(models: Models) -> str:
        return form_page.model_page(models[0], state.options, links)

    text = await _described(request, f"page {name or ''}", make, ModelSlots([slot]))
    return _page(text, form_page.content_security_policy())


async def docs(request: Request) -> Response:
    """The page about the addresses of the server and the columns of its models."""
    if (login := _login(request)) is not None:
        return login
    is_protected = request.app.state.server.options.token is not None
    text = await _described(request, "docs", lambda models: docs_page.docs_page(models, has_token=is_protected))
    return _page(docs_page.with_origin(text, _origin(request)), docs_page.content_security_policy())


async def openapi(request: Request) -> Response:
    """The addresses of the server and the columns of its models in OpenAPI 3.1."""
    is_protected = request.app.state.server.options.token is not None

    def document(models: Models) -> str:
        return json.dumps(openapi_document(models, has_token=is_protected), ensure_ascii=False, allow_nan=False)

    text = await _described(request, "openapi", document)
    return Response(text, headers={"Cache-Control": "no-store"}, media_type="application/json")


async def _described(
    request: Request, name: str, make: Callable[[Models], str], slots: ModelSlots | None = None
) -> str:
    """The text called `name` of all models, or of some."""
    descriptions: Descriptions = request.app.state.descriptions
    return await descriptions.text(name, slots or request.app.state.server.slots, make)


def _login(request: Request) -> Response | None:
    """A page that asks for the token, and then shows the page of its address; None if the request has it."""
    token = request.app.state.server.options.token
    if token is None or has_token(request.headers.raw, token):
        return None
    answer = _page(form_page.login_page(), form_page.content_security_policy(), HTTPStatus.UNAUTHORIZED)
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _page(text: str, policy: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """A page with its content security policy, of which browsers keep nothing and tell others nothing."""
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(text, status, headers, media_type="text/html")


def _origin(request: Request) -> str:
    """The scheme, host and port that the client called; a proxy may have told the scheme."""
    host = request.headers.get("host", "")
    told = request.headers.get("x-forwarded-proto", request.scope["scheme"])
    scheme = "https" if told == "https" else "http"
    return f"{scheme}://{host}" if HOST.fullmatch(host) else "http://localhost:8000"


ROUTES = [
    Route("/", page),
    Route("/models/{model}/", page),
    Route("/openapi.json", openapi),
    Route("/docs", docs),
]

"""`GET /`: the page to try the model by hand, and `GET /models/NAME/` for one of several models."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nncli.serving.access import has_token
from nncli.serving.page import Links, content_security_policy, login_page, model_page
from nncli.serving.routes.predict import find_slot
from nncli.serving.state import ServerState


@dataclass
class PageCache:
    """The pages of the models that are served now, by their addresses; each with the version of its model."""

    _pages: dict[str, tuple[str, str]] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def page_of(self, state: ServerState, name: str | None) -> str:
        """The page of a model, made on another thread for the first request that asks for it."""
        slot = find_slot(state, name)
        links = Links(tuple(one.name for one in state.slots.all), is_first_page=name is None)
        async with self._lock:
            model, key = slot.current, name or ""
            known, page = self._pages.get(key, ("", ""))
            if known != model.version:
                page = await asyncio.to_thread(model_page, model, state.options, links)
                self._pages[key] = model.version, page
            return page


def _headers() -> dict[str, str]:
    return {
        "Content-Security-Policy": content_security_policy(),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def login() -> Response:
    """A page that asks for the token, and then shows the page of its address."""
    headers = {**_headers(), "WWW-Authenticate": "Bearer"}
    return Response(login_page(), HTTPStatus.UNAUTHORIZED, headers, media_type="text/html")


async def page(request: Request) -> Response:
    """The page of a model, or without the token that the server needs a page that asks for it."""
    state: ServerState = request.app.state.server
    if state.options.token is not None and not has_token(request.headers.raw, state.options.token):
        return login()
    cache: PageCache = request.app.state.pages
    content = await cache.page_of(state, request.path_params.get("model"))
    return Response(content, headers=_headers(), media_type="text/html")


ROUTES = [Route("/", page), Route("/models/{model}/", page)]

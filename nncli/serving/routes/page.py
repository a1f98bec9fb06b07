"""`GET /`: the page to try the model by hand, and `GET /models/NAME/` for one of several models."""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nncli.serving.middleware import has_token
from nncli.serving.models.reload import ModelSlots
from nncli.serving.pages.descriptions import Descriptions, Models
from nncli.serving.pages.form_page import Links, content_security_policy, login_page, model_page
from nncli.serving.pages.page_headers import page_headers
from nncli.serving.routes.predict import find_slot
from nncli.serving.state import ServerState


def login() -> Response:
    """A page that asks for the token, and then shows the page of its address."""
    headers = {**page_headers(content_security_policy()), "WWW-Authenticate": "Bearer"}
    return Response(login_page(), HTTPStatus.UNAUTHORIZED, headers, media_type="text/html")


async def page(request: Request) -> Response:
    """The page of a model, or without the token that the server needs a page that asks for it."""
    state: ServerState = request.app.state.server
    if state.options.token is not None and not has_token(request.headers.raw, state.options.token):
        return login()
    headers = page_headers(content_security_policy())
    return Response(await _model_page(request), headers=headers, media_type="text/html")


async def _model_page(request: Request) -> str:
    state: ServerState = request.app.state.server
    name = request.path_params.get("model")
    slot = find_slot(state, name)
    links = Links(tuple(one.name for one in state.slots.all), is_first_page=name is None)

    def make(models: Models) -> str:
        return model_page(models[0], state.options, links)

    descriptions: Descriptions = request.app.state.descriptions
    return await descriptions.text(f"page {name or ''}", ModelSlots([slot]), make)


ROUTES = [Route("/", page), Route("/models/{model}/", page)]

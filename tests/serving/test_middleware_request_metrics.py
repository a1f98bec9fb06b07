"""Every request is counted once, by the pattern of its address, whatever becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message

from nncli.serving.app import ROUTES as ADDRESSES
from nncli.serving.middleware import RequestMetrics
from nncli.serving.models.served_model import ServedModel
from tests.serving.asgi_client import AsgiClient, Call
from tests.serving.metered import Metered, metered


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body(), status_code=int(request.query_params.get("status", 200)))


async def fail(request: Request) -> Response:
    raise RuntimeError


async def refuse(request: Request) -> Response:
    raise HTTPException(429)


ROUTES = [
    Route("/echo", echo, methods=["GET", "POST"]),
    Route("/echo/{name}", echo, methods=["GET", "POST"]),
    Route("/fail", fail),
    Route("/refuse", refuse),
]


@pytest.fixture
def app(models: Mapping[str, ServedModel]) -> Iterator[Metered]:
    """The metrics of an application with ROUTES, which `/metrics` of another one shows."""
    with metered([models["number"]]) as app:
        yield app


def client_of(app: Metered) -> AsgiClient:
    middleware = [Middleware(RequestMetrics, metrics=app.state.metrics, routes=ROUTES)]
    return AsgiClient(Starlette(routes=ROUTES, middleware=middleware))


def counted(app: Metered) -> dict[tuple[str, ...], float]:
    return {key: n for key, n in app.samples("nncli_requests_total").items() if key[0] != "/metrics"}


@pytest.mark.parametrize(
    ("call", "labels"),
    [
        (Call("GET", "/echo"), ("/echo", "GET", "200")),
        (Call("POST", "/echo/a?status=418"), ("/echo/{name}", "POST", "418")),
        (Call("GET", '/echo/%22}"\n'), ("/echo/{name}", "GET", "200")),
        (Call("HEAD", "/echo/a"), ("/echo/{name}", "HEAD", "200")),
        (Call("DELETE", "/echo"), ("/echo", "DELETE", "405")),
        (Call("BREW", "/echo"), ("/echo", "other", "405")),
        (Call("GET", "/nowhere"), ("other", "GET", "404")),
        (Call("GET", "/echo/a/b"), ("other", "GET", "404")),
        (Call("GET", "/refuse"), ("/refuse", "GET", "429")),
    ],
)
def test_labels_are_patterns_of_addresses(app: Metered, call: Call, labels: tuple[str, ...]) -> None:
    client_of(app).call_all([call] * 3)
    assert counted(app) == {labels: 3.0}
    assert app.samples("nncli_request_seconds_count")[labels[:1]] == 3.0
    assert app.samples("nncli_requests_in_progress") == {(): 1.0}  # that of /metrics itself


def test_a_fault_of_the_server_is_counted_as_500(app: Metered) -> None:
    with pytest.raises(RuntimeError):
        client_of(app).get("/fail")
    assert counted(app) == {("/fail", "GET", "500"): 1.0}


def test_a_client_that_leaves_is_counted_as_499(app: Metered) -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        return

    scope = {"type": "http", "method": "POST", "path": "/echo", "headers": [], "query_string": b""}

    async def answered() -> None:
        await client_of(app).app(scope, receive, send)

    with pytest.raises(ClientDisconnect):
        asyncio.run(answered())
    assert counted(app) == {("/echo", "POST", "499"): 1.0}


def test_bodies_are_counted_in_bytes(app: Metered) -> None:
    before = app.samples("nncli_answer_body_bytes_total")[()]
    client_of(app).call(Call("POST", "/echo", (b"12345", b"678")))
    assert app.samples("nncli_request_body_bytes_total") == {(): 8.0}
    after = app.samples("nncli_answer_body_bytes_total")[()]
    assert after - before > 8.0  # and the text of the metrics


def test_a_request_that_is_refused_early_has_its_address(app: Metered) -> None:
    async def refuse_all(scope: object, receive: object, send: object) -> None:
        raise RuntimeError

    for path in ("/echo", "/nowhere"):
        with pytest.raises(RuntimeError):
            AsgiClient(RequestMetrics(refuse_all, app.state.metrics, ROUTES)).get(path)
    assert set(counted(app)) == {("/echo", "GET", "500"), ("other", "GET", "500")}


def test_every_address_of_the_server_is_counted_as_its_own(app: Metered) -> None:
    """Also if it shares its endpoint, as `/health/ready` and `/v2/health/ready` do."""
    paths = [route.path for route in ADDRESSES]
    assert {"/health", "/health/live", "/health/ready", "/ping", "/v2/health/live", "/v2/health/ready"} <= set(paths)
    for path in paths:
        app.client.get(path.replace("{model}", "number").replace("{version}", "1"))
        assert {key[0] for key in counted(app)} == set(paths[: paths.index(path) + 1]) - {"/metrics"}

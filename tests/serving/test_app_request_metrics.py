"""Every request is counted once, by the pattern of its address, whatever becomes of it."""

from __future__ import annotations

import asyncio
import re
import socket
from functools import partial

import pytest

from nncli.serving.app import ROUTES, connections_of
from nncli.serving.connections import HttpConnection
from nncli.serving.server_options import ServerOptions
from nncli.serving.state import ServerState
from tests.serving.test_app_connections import HOST, ROWS, state, talk

POST = b"POST %s HTTP/1.1\r\n" + HOST + b"Content-Type: text/csv\r\nContent-Length: %d\r\n\r\n%s"
COUNT = re.compile(r'nncli_requests_total\{address="([^"]*)",method="([^"]*)",status="([^"]*)"\} ([0-9.]+)')


def counted(text: str) -> dict[tuple[str, str, str], float]:
    """The requests by address, method and status."""
    return {(address, method, status): float(n) for address, method, status, n in COUNT.findall(text)}


def value(text: str, name: str) -> float:
    """The value of a metric without labels."""
    match = re.search(rf"^{name} ([0-9.]+)$", text, re.MULTILINE)
    assert match is not None
    return float(match[1])


@pytest.mark.parametrize(
    ("line", "labels"),
    [
        (b"GET /health/live", ("/health/live", "GET", "200")),
        (b"GET /models/number/", ("/models/{model}/", "GET", "200")),
        (b'GET /models/%22}"%0a/', ("/models/{model}/", "GET", "404")),
        (b"HEAD /version", ("/version", "HEAD", "200")),
        (b"POST /models/number/predict", ("/models/{model}/predict", "POST", "400")),
        (b"POST /predict/", ("/predict", "POST", "400")),
        (b"DELETE /predict", ("/predict", "DELETE", "405")),
        (b"BREW /predict", ("/predict", "other", "405")),
        (b"GET /nowhere", ("other", "GET", "404")),
        (b"GET /models/a/b/c", ("other", "GET", "404")),
    ],
)
def test_labels_are_patterns_of_addresses(state: ServerState, line: bytes, labels: tuple[str, str, str]) -> None:
    text = talk(state, ServerOptions(), *[line + b" HTTP/1.1\r\n" + HOST + b"\r\n"] * 3).metrics
    assert counted(text) == {labels: 3.0}
    assert f'nncli_request_seconds_count{{address="{labels[0]}"}} 3.0' in text


def test_every_address_of_the_server_is_counted_as_its_own(state: ServerState) -> None:
    """Also if it shares its endpoint, as `/health/ready` and `/ping` do."""
    paths = [route.path for route in ROUTES]
    assert {"/health", "/health/live", "/health/ready", "/ping"} <= set(paths)
    named = [path.replace("{model}", "number").encode() for path in paths]
    text = talk(state, ServerOptions(), *(b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n" for path in named)).metrics
    assert {address for address, _, _ in counted(text)} == set(paths)


def test_bodies_are_counted_in_bytes_and_a_request_for_the_metrics_is_in_progress(state: ServerState) -> None:
    post = POST % (b"/predict", len(ROWS), ROWS)
    done = talk(state, ServerOptions(), post, b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n")
    answer, metrics = (answer.partition(b"\r\n\r\n")[2] for answer in done.answers)
    assert value(metrics.decode(), "nncli_requests_in_progress") == 1.0
    assert value(done.metrics, "nncli_requests_in_progress") == 0.0
    assert value(done.metrics, "nncli_request_body_bytes_total") == len(ROWS)
    assert value(done.metrics, "nncli_response_body_bytes_total") == len(answer) + len(metrics)


def test_a_fault_of_the_server_is_counted_as_500(state: ServerState, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> bytes:
        raise RuntimeError

    monkeypatch.setattr(state.batcher, "answer", fail)
    live = b"GET /health/live HTTP/1.1\r\n" + HOST + b"\r\n"
    done = talk(state, ServerOptions(), POST % (b"/predict", len(ROWS), ROWS) + live)
    assert done.answers[0].startswith(b"HTTP/1.1 500 ")
    assert b"HTTP/1.1 200 " in done.answers[0]  # the connection stays
    assert counted(done.metrics) == {("/predict", "POST", "500"): 1.0, ("/health/live", "GET", "200"): 1.0}


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/predict", "/models/number/predict", "/invocations"])
def test_a_refusal_of_a_full_queue_is_counted_at_its_address(state: ServerState, path: str) -> None:
    full = ServerState(state.slots, ServerOptions(queue=0))
    done = talk(full, full.options, POST % (path.encode(), len(ROWS), ROWS))
    assert done.answers[0].startswith(b"HTTP/1.1 503 ")
    assert counted(done.metrics) == {(path.replace("number", "{model}"), "POST", "503"): 1.0}


def test_a_client_that_leaves_is_counted_as_499(state: ServerState, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    async def answer_never(*_: object) -> bytes:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def leave() -> None:
        connections = connections_of(state)
        make = partial(HttpConnection, connections)
        async with asyncio.timeout(20), await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0) as server:
            client = socket.create_connection(server.sockets[0].getsockname())
            client.sendall(POST % (b"/predict", len(ROWS), ROWS))
            await begun.wait()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
            client.close()
            while not connections.are_done:
                await asyncio.sleep(0.01)

    monkeypatch.setattr(state.batcher, "answer", answer_never)
    asyncio.run(leave())
    assert counted(state.metrics.exposition("")[0].decode()) == {("/predict", "POST", "499"): 1.0}


__all__ = ["state"]

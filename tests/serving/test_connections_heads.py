"""Which heads are requests: those that h11 accepts, except where a proxy may read another one, within bounds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from threading import Event

import pytest

from nncli.serving.connections import HttpLimits, RequestResponse
from tests.serving.http_server import SECONDS, Server, serving

POST = b"POST /p HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(HttpLimits(timeout=5.0, linger=1.0)) as running:
        yield running


@pytest.mark.parametrize(
    "data",
    [
        POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        POST + b"Content-Length: -3\r\n\r\nabc",
        POST + b"Content-Length: +3\r\n\r\nabc",
        POST + b"Content-Length: 0x3\r\n\r\nabc",
        POST + b"Content-Length: 99999999999999999999999\r\n\r\nabc",
        POST + b"Content-Length: \r\n\r\nabc",
        POST + b"Content-Length: 1 2\r\n\r\nabc",
        POST + b"Content-Length : 3\r\n\r\nabc",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        b"POST /p HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"X\r\n\r\n",
        POST + b"X: a\0b\r\n\r\n",
        b"GET /p HTTP/1.1\r\nHost: x\rY: z\r\n\r\n",
        b"GET /p HTTP/1.1\r\n\r\n",
        b"GET /p HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /p\0q HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /p\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /p?y=\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[::1/x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT a:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /p HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET /p HTTP/1.9\r\nHost: x\r\n\r\n",
        b"GET /p HTTP/0.9\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET\t/p HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"\0" * 300,
        CHUNKED + b"g\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"2\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"\r\nabc\r\n0\r\n\r\n",
    ],
)
def test_what_proxies_may_read_otherwise_is_refused(server: Server, data: bytes) -> None:
    with server.client() as client:
        answer = client.send(data).answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert answer.json["detail"]
        assert client.is_closed()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (POST + b"Content-Length: 3 \r\n\r\nabc", ["POST", "/p", "", 3, "616263"]),
        (CHUNKED + b'3;a=b;c="d"\r\nabc\r\n1\r\n\n\r\n0\r\n\r\n', ["POST", "/p", "", 4, "6162630a"]),
        (CHUNKED + b"3\r\nabc\r\n0\r\nX: y\r\nHost: z\r\n\r\n", ["POST", "/p", "", 3, "616263"]),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", ["OPTIONS", "*", "", 0, ""]),
        (b"GET http://a:80/x?y=%20 HTTP/1.1\r\nHost: x\r\n\r\n", ["GET", "/x", "y=%20", 0, ""]),
        (b"GET http://a?y HTTP/1.1\r\nHost: x\r\n\r\n", ["GET", "/", "y", 0, ""]),
        (b"GET //a/%2e%2E/%00%ff%c3%a9 HTTP/1.1\r\nHost: x\r\n\r\n", ["GET", "//a/../\0\ufffd\u00e9", "", 0, ""]),
        (b"GET http://[::1]/x HTTP/1.1\r\nHost: x\r\n\r\n", ["GET", "/x", "", 0, ""]),
        (b"GET /p HTTP/1.1\nHost: x\n\n", ["GET", "/p", "", 0, ""]),
        (b"GET /p HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", ["GET", "/p", "", 0, ""]),
        (CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n", ["POST", "/p", "", 3, "616263"]),
        (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", ["POST", "/p", "", 3, "616263"]),
        (b"HUH /p HTTP/1.1\r\nHost: x\r\n\r\n", ["HUH", "/p", "", 0, ""]),
        (b"PURGE /p HTTP/1.1\r\nHost: x\r\n\r\n", ["PURGE", "/p", "", 0, ""]),
        (b"GET /p HTTP/1.0\r\n\r\n", ["GET", "/p", "", 0, ""]),
        (b"GET /p HTTP/1.1\r\nHost:\r\n\r\n", ["GET", "/p", "", 0, ""]),
        (b"\r\n\r\nGET /p HTTP/1.1\r\nHost: x\r\n\r\n", ["GET", "/p", "", 0, ""]),
    ],
)
def test_unusual_requests_are_answered(server: Server, data: bytes, expected: list[object]) -> None:
    answer = server.answer(data)
    assert (answer.status, answer.json) == (200, expected)


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
@pytest.mark.parametrize("step", [1, 1000])
def test_a_wish_for_another_protocol_is_ignored(server: Server, protocol: bytes, step: int) -> None:
    """As of Java's HttpClient, which sends one with the body of its first request."""
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: " + protocol + b"\r\n"
    requests = [
        POST + upgrade + b"Content-Length: 3\r\n\r\nabc",
        b"GET /g HTTP/1.1\r\nHost: x\r\n" + upgrade + b"\r\n",
        POST + upgrade + b"Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n",
        b"GET /last HTTP/1.1\r\nHost: x\r\n\r\n",
    ]
    data = b"".join(requests)
    with server.client() as client:
        for at in range(0, len(data), step):
            client.send(data[at : at + step])
        bodies = [client.answer().json for _ in requests]
    assert [body[1] for body in bodies] == ["/p", "/g", "/p", "/last"]
    assert [body[4] for body in bodies] == ["616263", "", "6465", ""]


def test_a_request_may_arrive_byte_by_byte(server: Server) -> None:
    with server.client() as client:
        for byte in CHUNKED + b"3\r\nabc\r\n0\r\n\r\n":
            client.send(bytes([byte]))
        assert client.answer().json[4] == "616263"


HEAD = b"GET /p HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /" + b"p" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /" + b"p" * 1_000_000, 414),
        (HEAD + b"X: " + b"y" * 17_000 + b"\r\n\r\n", 431),
        (HEAD + b"X: " + b"y" * 1_000_000, 431),
        (HEAD + b"X" * 1_000_000, 431),
        (HEAD + b"X: y\r\n" * 101 + b"\r\n", 431),
        (HEAD + (b"X: " + b"y" * 900 + b"\r\n") * 20 + b"\r\n", 431),
        (CHUNKED + b"1;" + b"x" * 1_000_000, 431),
        (CHUNKED + b"0\r\nX: " + b"y" * 1_000_000, 431),
        (CHUNKED + b"0\r\n" + b"X: y\r\n" * 10_000, 431),
    ],
)
def test_a_head_and_what_surrounds_a_body_is_bounded(server: Server, data: bytes, status: int) -> None:
    with server.client() as client:
        client.send(data)
        assert client.answer().status == status
        assert client.is_closed()


@pytest.mark.parametrize(
    "data",
    [
        b"GET /" + b"p" * 8000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        HEAD + b"X: " + b"y" * 16_000 + b"\r\n\r\n",
        HEAD + b"X: y\r\n" * 99 + b"\r\n",
    ],
)
def test_a_head_may_be_as_large_as_the_limits(server: Server, data: bytes) -> None:
    assert server.answer(data).status == 200


@pytest.mark.slow
def test_requests_that_were_sent_at_once_are_answered_in_order(server: Server) -> None:
    many = 3000
    with server.client() as client:
        client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % k for k in range(many)))
        assert [json.loads(client.answer().body)[1] for _ in range(many)] == [f"/{k}" for k in range(many)]


@pytest.mark.slow
@pytest.mark.parametrize("data", [CHUNKED + b"f" * 17 + b"\r\nabc\r\n0\r\n\r\n", CHUNKED + b"3\nabc\n0\n\n"])
def test_chunks_that_do_not_end_are_a_timeout(data: bytes) -> None:
    with serving(HttpLimits(timeout=0.4, linger=0.4)) as server, server.client() as client:
        assert client.send(data).answer().status == 408
        assert client.is_closed()


@pytest.mark.parametrize("digits", [19, 4000, 5000])
def test_a_length_of_many_digits_is_refused(server: Server, digits: int, caplog: pytest.LogCaptureFixture) -> None:
    """Also on a connection that has been used, where it is parsed once the request before is answered."""
    data = POST + b"Content-Length: " + b"9" * digits + b"\r\n\r\n"
    with server.client() as client:
        client.send(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n" + data)
        assert client.answer().status == 200
        assert client.answer().status in (400, 413)
        assert client.is_closed()
    assert "Traceback" not in caplog.text


@pytest.mark.slow
def test_small_chunks_do_not_hold_up_other_connections(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server waits until both requests have arrived, and its state is read where it answers the second one."""
    unparsed: dict[str, int] = {}

    def on_answer(served: RequestResponse, _: float) -> None:
        unparsed[served.scope["path"]] = sum(len(item.unparsed) for item in server.connections.open)

    monkeypatch.setattr(server.connections, "on_answer", on_answer)
    connections, have_arrived = [server.client() for _ in range(2)], Event()
    server.loop.call_soon_threadsafe(have_arrived.wait, SECONDS)
    connections[0].send(CHUNKED + b"1\r\nx\r\n" * 30_000)
    connections[1].send(b"GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
    have_arrived.set()
    assert connections[1].answer().status == 200
    connections[0].send(b"0\r\n\r\n")
    assert connections[0].answer().json[3] == 30_000
    assert unparsed["/other"] > 0


def test_what_follows_a_last_request_is_ignored(server: Server) -> None:
    last = b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with server.client() as client:
        client.send(last + b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.answer().headers["connection"] == "close"
        assert client.is_closed()


def test_garbage_after_a_request_does_not_take_its_answer(server: Server) -> None:
    with server.client() as client:
        client.send(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n\0\0\0\0")
        assert (client.answer().status, client.answer().status) == (200, 400)
        assert client.is_closed()

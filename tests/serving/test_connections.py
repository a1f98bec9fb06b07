"""Connections: deadlines, memory, the end, and clients that do not do their part."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from nncli.serving.connections import HttpLimits
from tests.serving.http_server import Client, Server, serving

LIMITS = HttpLimits(max_body=100_000, timeout=0.4, idle=0.4, linger=0.4, memory=400_000)
GET = b"GET /p HTTP/1.1\r\nHost: x\r\n\r\n"


def post(body: bytes, path: bytes = b"/p", *headers: bytes) -> bytes:
    lines = [b"POST " + path + b" HTTP/1.1", b"Host: x", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"", body])


def eventually(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(LIMITS) as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [b"G", GET[:-2], b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", post(b"")[:-2] + b"X"],
)
def test_a_request_that_does_not_arrive_is_a_timeout(server: Server, data: bytes) -> None:
    with server.client() as client:
        answer = client.send(data).answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert client.is_closed()


def trickle(client: Client) -> None:
    with suppress(OSError):
        for _ in range(60):
            client.send(b"X: y\r\n")
            time.sleep(0.05)


@pytest.mark.slow
def test_a_trickle_does_not_extend_the_time(server: Server) -> None:
    with server.client() as client:
        client.send(b"GET /p HTTP/1.1\r\nHost: x\r\n")
        begun = time.monotonic()
        sent = threading.Thread(target=trickle, args=(client,))
        sent.start()
        assert client.answer().status == 408
        assert time.monotonic() - begun < 2
        assert client.is_closed()
        sent.join()


@pytest.mark.slow
@pytest.mark.parametrize("data", [b"", b"\r\n", GET])
def test_an_idle_connection_is_closed_without_a_word(server: Server, data: bytes) -> None:
    with server.client() as client:
        if data.strip():
            client.send(data).answer()
        begun = time.monotonic()
        client.send(b"" if data.strip() else data)
        assert client.is_closed()
        assert 0.2 < time.monotonic() - begun < 2


@pytest.mark.slow
def test_an_answer_that_takes_too_long_is_a_503(server: Server) -> None:
    with server.client() as client:
        answer = client.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").answer()
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert server.app.cancelled.wait(5)
        assert client.send(GET).answer().status == 200  # the connection stays


def test_the_work_for_a_client_that_left_ends(server: Server) -> None:
    with server.client() as client:
        client.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert eventually(lambda: server.app.calls == ["/slow"])
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
    assert server.app.cancelled.wait(0.3)
    assert eventually(lambda: server.logged == [("/slow", None)])


@pytest.mark.slow
def test_a_client_that_does_not_read_is_dropped() -> None:
    with serving(replace(LIMITS, timeout=1.0)) as server, server.client() as client:
        client.send(post(b"50000000", b"/large"))
        assert eventually(lambda: server.connections.answers.used > 1_000_000)
        with server.client() as other:  # nothing more is begun while so much is held
            answer = other.send(post(b"x")).answer()
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert server.answer(GET).status == 200
        assert eventually(lambda: not server.connections.open)
        assert eventually(lambda: server.connections.answers.used == server.connections.bodies.used == 0)


@pytest.mark.slow
def test_a_client_that_reads_slowly_gets_all() -> None:
    with serving(replace(LIMITS, timeout=5.0)) as server, server.client() as client:
        client.send(post(b"20000000", b"/large"))
        time.sleep(0.2)
        assert len(client.answer().body) == 20_000_000
        assert client.send(GET).answer().status == 200


@pytest.mark.parametrize("length", [100_001, 10**12, 2**63])
def test_a_body_above_the_limit_is_refused_before_it_arrives(server: Server, length: int) -> None:
    head = b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length
    with server.client() as client:
        answer = client.send(head).answer()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert "max-body" in answer.json["hint"]
        client.send(bytes(100_000))  # what was on its way does not take the answer back
        assert client.is_closed()


@pytest.mark.parametrize("size", [100, 50_000])
def test_chunks_are_counted(server: Server, size: int) -> None:
    chunk = b"%x\r\n%s\r\n" % (size, bytes(size))
    with server.client() as client:
        client.send(b"POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(chunk * (200_000 // size))
        assert client.answer().status == 413
        assert client.is_closed()
    assert eventually(lambda: server.connections.bodies.used == 0)


@pytest.mark.slow
def test_no_more_is_read_than_what_waits_for_the_answer_before(server: Server) -> None:
    with server.client() as client:
        client.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" + GET * 400)
        assert eventually(lambda: server.app.calls == ["/slow"])
        (connection,) = server.connections.open
        assert eventually(lambda: not connection._transport.is_reading())
        assert [client.answer().status for _ in range(401)] == [503] + [200] * 400
        assert client.send(GET).answer().status == 200  # and it reads again


def test_the_largest_body_is_taken(server: Server) -> None:
    with server.client() as client:
        for _ in range(5):
            assert client.send(post(bytes(100_000))).answer().json[3] == 100_000
    assert eventually(lambda: server.connections.bodies.used == 0)


def test_the_bodies_of_all_connections_are_bounded() -> None:
    with serving(replace(LIMITS, timeout=5.0)) as server:
        clients = [server.client() for _ in range(5)]
        for client in clients[:4]:
            client.send(post(bytes(100_000))[:-1])
        assert eventually(lambda: server.connections.bodies.used > 390_000)
        assert clients[4].send(post(bytes(100_000))).answer().status == 503
        assert server.answer(post(bytes(1000))).status == 200  # a small one does not count
        for client in clients[:4]:
            assert client.send(b"\0").answer().json[3] == 100_000
        assert server.answer(post(bytes(100_000))).status == 200
    assert eventually(lambda: server.connections.bodies.used == 0)


def test_continue_is_sent_when_the_body_is_wanted(server: Server) -> None:
    for path, status in ((b"/p", 200), (b"/early", 404)):
        head, _, body = post(b"abc", path, b"Expect: 100-continue").partition(b"\r\n\r\n")
        with server.client() as client:
            client.send(head + b"\r\n\r\n")
            answer = client.answer(has_body=status == 404)
            if status == 200:
                assert (answer.status, answer.headers) == (100, {})
                assert client.send(body).answer().json[4] == "616263"
            else:
                assert (answer.status, answer.headers["connection"]) == (404, "close")
                assert client.is_closed()


def test_a_body_with_its_head_is_not_asked_for(server: Server) -> None:
    assert server.answer(post(b"abc", b"/p", b"Expect: 100-continue")).status in (100, 200)
    assert server.answer(post(b"", b"/p", b"Expect: 100-continue")).status == 200


def test_an_early_answer_does_not_lose_what_follows_it(server: Server) -> None:
    """Sent as a whole, the body has been read, so the connection goes on or ends in order."""
    with server.client() as client:
        assert client.send(post(bytes(50_000), b"/early")).answer().status == 404
    with server.client() as client:
        client.send(post(bytes(90_000), b"/early")[:-50_000])
        assert client.answer().headers["connection"] == "close"
        client.send(bytes(50_000))
        assert client.is_closed()


def test_head_has_no_body(server: Server) -> None:
    with server.client() as client:
        answer = client.send(b"HEAD /p HTTP/1.1\r\nHost: x\r\n\r\n").answer(has_body=False)
        assert int(answer.headers["content-length"]) > 0
        answer = client.send(b"HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n").answer(has_body=False)
        assert "content-length" not in answer.headers
        assert client.send(GET).answer().status == 200


def test_a_body_of_unknown_length_is_chunked_or_ends_with_the_connection(server: Server) -> None:
    with server.client() as client:
        answer = client.send(post(b"abc", b"/stream")).answer()
        assert (answer.headers["transfer-encoding"], answer.body) == ("chunked", b"abc")
        assert client.send(GET).answer().status == 200
    old = server.answer(b"POST /stream HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc")
    assert (old.headers, old.body) == ({"connection": "close"}, b"abc")


def test_a_client_that_has_shut_its_side_gets_its_answers(server: Server) -> None:
    with server.client() as client:
        client.send(GET * 3 + b"GET")
        client.socket.shutdown(socket.SHUT_WR)
        assert [client.answer().status for _ in range(3)] == [200] * 3
        assert client.is_closed()


def test_a_failure_is_a_500_and_in_the_log(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with server.client() as client:
        answer = client.send(b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n").answer()
        assert (answer.status, b"KeyError" in answer.body) == (500, False)
        assert client.send(GET).answer().status == 200
    assert "KeyError: 'broken'" in caplog.text


def test_too_many_connections_are_refused_unless_one_is_idle() -> None:
    with serving(replace(LIMITS, connections=3, timeout=2.0, idle=5.0)) as server:
        clients = [server.client().send(b"G") for _ in range(3)]
        assert eventually(lambda: len(server.connections.open) == 3)
        answer = server.client().answer()
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert clients[0].send(GET[1:]).answer().status == 200  # now it is idle
        assert server.answer(GET).status == 200
        assert clients[0].is_closed()


def test_connections_are_closed_without_an_answer_if_too_many_wait_for_their_refusal() -> None:
    with serving(replace(LIMITS, connections=2, timeout=5.0, linger=5.0)) as server:
        clients = [server.client().send(b"G") for _ in range(2)]
        assert eventually(lambda: len(server.connections.open) == 2)
        refused = [server.client() for _ in range(2)]
        assert [client.answer().status for client in refused] == [503] * 2
        assert server.client().is_closed()
        assert [client.send(GET[1:]).answer().status for client in clients] == [200] * 2


@pytest.mark.slow
def test_a_server_that_stops_answers_what_it_has_begun() -> None:
    with serving(replace(LIMITS, timeout=5.0, idle=5.0)) as server:
        idle, next_one, half = (server.client() for _ in range(3))
        idle.send(GET).answer()
        half.send(GET[:9])
        assert eventually(lambda: len(server.connections.open) == 3)
        server.call(server.connections.drain)
        answer = next_one.send(GET).answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert idle.is_closed()
        assert half.send(GET[9:]).answer().headers["connection"] == "close"
        assert eventually(lambda: not server.connections.open)


def test_a_refusal_has_the_members_of_its_protocol(server: Server) -> None:
    with server.client() as client:
        answer = client.send(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n\r\n").answer()
    assert answer.status == 413
    assert {"error_code", "message"} <= answer.json.keys()

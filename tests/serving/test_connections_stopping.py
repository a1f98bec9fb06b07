"""When a server stops, every request that has arrived is answered, and idle connections end after a grace time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from starlette.types import Receive, Scope, Send

from nncli.serving import connections as connection_module
from nncli.serving.connections import Connections, HttpLimits
from nncli.serving.connections import HttpConnection as ServerConnection

REQUEST = b"POST /%s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"


@dataclass
class Connection:
    """A client's connection, and what the server knows of all connections."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    connections: Connections
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self, *names: bytes) -> None:
        self.writer.write(b"".join(REQUEST % name for name in names))

    async def answer(self) -> tuple[bytes, bool]:
        """The body of the next answer, and whether it says that the connection is closed."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        return await self.reader.readexactly(4), b"connection: close" in head

    async def is_closed(self) -> bool:
        return await self.reader.read(1) == b""


def connected(test: Callable[[Connection], Awaitable[None]]) -> None:
    """Run a test with a connection to an application that answers the path and the body once it may."""

    async def run() -> None:
        async with asyncio.timeout(20), connection() as client:
            await test(client)

    asyncio.run(run())


@asynccontextmanager
async def connection() -> AsyncIterator[Connection]:
    client: Connection

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        while message["more_body"]:
            client.begun.set()
            more = await receive()
            message = {**more, "body": message["body"] + more["body"]}
        client.begun.set()
        await client.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": scope["raw_path"][1:3] + message["body"]})

    connections = Connections(app, HttpLimits())
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ServerConnection(connections), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        client = Connection(reader, writer, connections)
        yield client
        writer.close()


def test_a_request_in_progress_is_answered_and_the_connection_closed() -> None:
    async def test(client: Connection) -> None:
        client.send(b"p1")
        await client.begun.wait()
        client.connections.drain()
        client.may_answer.set()
        assert await client.answer() == (b"p1ab", True)
        assert await client.is_closed()

    connected(test)


def test_a_request_that_was_on_its_way_on_an_idle_connection_is_answered() -> None:
    async def test(client: Connection) -> None:
        client.may_answer.set()
        client.send(b"p1")
        assert await client.answer() == (b"p1ab", False)
        client.connections.drain()
        await asyncio.sleep(0.05)
        client.send(b"p2")
        assert await client.answer() == (b"p2ab", True)
        assert await client.is_closed()

    connected(test)


@pytest.mark.parametrize("requests", [0, 1])
def test_an_idle_connection_is_closed_after_a_grace_time(requests: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "STOP_GRACE", 0.1)

    async def test(client: Connection) -> None:
        client.may_answer.set()
        for _ in range(requests):
            client.send(b"p1")
            await client.answer()
        while not client.connections.open:
            await asyncio.sleep(0.001)
        client.connections.drain()
        assert await client.is_closed()

    connected(test)


def test_all_pipelined_requests_are_answered_and_only_the_last_answer_closes() -> None:
    async def test(client: Connection) -> None:
        client.send(b"p1", b"p2")
        await client.begun.wait()
        client.connections.drain()
        await asyncio.sleep(0.05)
        client.send(b"p3")
        await asyncio.sleep(0.05)
        client.may_answer.set()
        answers = [await client.answer() for _ in range(3)]
        assert answers == [(b"p1ab", False), (b"p2ab", False), (b"p3ab", True)]
        assert await client.is_closed()

    connected(test)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [5, len(REQUEST % b"p1") - 1])
def test_a_request_that_has_half_arrived_is_answered(sent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if its other half comes after the time at which idle connections are closed."""
    monkeypatch.setattr(connection_module, "STOP_GRACE", 0.05)

    async def test(client: Connection) -> None:
        client.may_answer.set()
        request = REQUEST % b"p1"
        client.writer.write(request[:sent])
        await asyncio.sleep(0.1)
        client.connections.drain()
        await asyncio.sleep(0.2)
        client.writer.write(request[sent:])
        assert await client.answer() == (b"p1ab", True)

    connected(test)


def test_a_connection_that_is_accepted_late_is_served_or_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "STOP_GRACE", 0.1)

    async def test(client: Connection) -> None:
        client.may_answer.set()
        client.connections.drain()
        host, port = client.writer.get_extra_info("peername")
        reader, writer = await asyncio.open_connection(host, port)
        late = Connection(reader, writer, client.connections)
        late.send(b"p1")
        assert await late.answer() == (b"p1ab", True)
        idle, other = await asyncio.open_connection(host, port)
        assert await idle.read() == b""
        writer.close()
        other.close()

    connected(test)


def test_what_cannot_be_answered_in_time_is_closed_and_counted() -> None:
    async def test(client: Connection) -> None:
        client.send(b"p1")
        await client.begun.wait()
        client.connections.drain()
        assert client.connections.abort() == 1
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.answer()
        client.may_answer.set()

    connected(test)

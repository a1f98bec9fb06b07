"""A server of connections with an application of a test, and a client that sends any bytes."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

from nncli.serving.connections import Connections, HttpConnection, HttpLimits
from nncli.serving.problems import problem_response

SECONDS = 10.0


@dataclass(frozen=True)
class Answer:
    """A status, the headers by their names in lower case, and the body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Client:
    """A connection to a server, which may send what it likes."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self._file = self.socket.makefile("rb")

    def send(self, data: bytes) -> Client:
        """Send bytes."""
        self.socket.sendall(data)
        return self

    def answer(self, *, has_body: bool = True) -> Answer:
        """The next answer."""
        line = self._file.readline()
        assert line.startswith(b"HTTP/1.1 "), line
        headers: dict[str, str] = {}
        while (field := self._file.readline()) != b"\r\n":
            name, _, value = field.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body = b""
        if not has_body:
            pass
        elif "content-length" in headers:
            body = self._file.read(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            while size := int(self._file.readline(), 16):
                body += self._file.read(size)
                self._file.readline()
            self._file.readline()
        else:
            body = self._file.read()
        return Answer(int(line.split()[1]), headers, body)

    def is_closed(self) -> bool:
        """Whether the server has closed the connection, or does so in time."""
        try:
            return self._file.read(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        """End the connection."""
        self._file.close()
        self.socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class EchoApp:
    """Answers with what it got: method, path, query and body; paths name what it does besides."""

    def __init__(self) -> None:
        self.cancelled = Event()
        self.calls: list[str] = []

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        self.calls.append(scope["path"])
        if scope["path"] == "/early":
            await self._answer(send, 404, b"early")
            return
        if scope["path"] == "/slow":
            try:
                await asyncio.sleep(SECONDS)
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        if scope["path"] == "/broken":
            raise KeyError("broken")
        try:
            body = (await receive())["body"]
        except KeyError:
            return
        except Exception as error:
            problem = error.problem  # type: ignore[attr-defined]
            await problem_response(problem, scope["path"])(scope, receive, send)
            return
        if scope["path"] == "/large":
            body = bytes(int(body))
        elif scope["path"] == "/stream":
            await self._stream(send, body)
            return
        else:
            words = [
                scope["method"],
                scope["path"],
                scope["query_string"].decode("latin-1"),
                len(body),
                body[:99].hex(),
            ]
            body = json.dumps(words).encode()
        await self._answer(send, 200, body)

    async def _answer(self, send: Any, status: int, body: bytes) -> None:
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _stream(self, send: Any, body: bytes) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for byte in body:
            await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
        await send({"type": "http.response.body", "body": b""})


@dataclass
class Server:
    """A server that runs in a thread."""

    port: int
    app: EchoApp
    connections: Connections
    loop: asyncio.AbstractEventLoop
    logged: list[tuple[str, int | None]]
    clients: list[Client] = field(default_factory=list)

    def client(self) -> Client:
        """A new connection, which ends with the server at the latest."""
        self.clients.append(Client(self.port))
        return self.clients[-1]

    def answer(self, data: bytes) -> Answer:
        """The answer to one request."""
        with self.client() as client:
            return client.send(data).answer()

    def call(self, function: Any) -> None:
        """Call a function in the thread of the server."""
        done = Event()

        def call() -> None:
            function()
            done.set()

        self.loop.call_soon_threadsafe(call)
        assert done.wait(SECONDS)


@contextmanager
def serving(limits: HttpLimits) -> Iterator[Server]:
    """A server with these limits."""
    app, logged, started, result = EchoApp(), list[tuple[str, int | None]](), Event(), list[Server]()
    stop = asyncio.Event()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        connections = Connections(
            app, limits, on_answer=lambda served, _: logged.append((served.scope["path"], served.status))
        )
        listener = await loop.create_server(lambda: HttpConnection(connections), "127.0.0.1", 0)
        result.append(Server(listener.sockets[0].getsockname()[1], app, connections, loop, logged))
        started.set()
        await stop.wait()
        listener.close()
        for connection in list(connections.open):
            connection.abort()
        await asyncio.sleep(0.05)

    thread = Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert started.wait(SECONDS)
    try:
        yield result[0]
    finally:
        for client in result[0].clients:
            client.close()
        result[0].loop.call_soon_threadsafe(stop.set)
        thread.join(SECONDS)
        assert not thread.is_alive()

"""A connection: its requests one after the other, and a deadline for everything that it waits for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp

from nncli.serving.http.connections import Connections
from nncli.serving.http.exchange import Exchange
from nncli.serving.http.limits import WITH_REFUSED
from nncli.serving.http.reader import Head, RequestReader
from nncli.serving.problems import Problem, busy, problem_response

STOP_GRACE = 1.0
"""How long, in seconds, a connection without a request stays open once the server stops: one may be on its way."""
UNKNOWN = {"method": "", "path": "", "raw_path": b"", "query_string": b"", "headers": [], "http_version": "1.1"}
"""The scope of what is not a request."""


class Phase(Enum):
    """What a connection waits for."""

    IDLE = auto()
    STOPPING = auto()
    RECEIVING = auto()
    ANSWERING = auto()
    LATE = auto()
    WRITING = auto()
    LINGERING = auto()


class Connection(asyncio.BufferedProtocol):
    """The protocol of one connection."""

    def __init__(self, connections: Connections) -> None:
        self._connections, self._limits = connections, connections.limits
        self._loop = asyncio.get_running_loop()
        self._reader = RequestReader(self._limits, self)
        self._exchanges: deque[Exchange] = deque()
        self._incoming: Exchange | None = None
        self._unparsed = b""
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._phase: tuple[Phase, int] | None = None
        self._writable: asyncio.Event | None = None
        self._is_reading = True
        self._is_half_closed = self._was_refused = False

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse the connection if there are too many and none is idle."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0)
        self._addresses = {"client": _address(transport, "peername"), "server": _address(transport, "sockname")}
        self._connections.open.add(self)
        number = len(self._connections.open)
        if number > WITH_REFUSED * self._limits.connections:
            transport.abort()
        elif number > self._limits.connections:
            if self._connections.idle:
                next(iter(self._connections.idle)).close()
            else:
                self._reader.stop()
                self.refuse(busy("the server has too many connections"), None)
        self._update()

    def connection_lost(self, error: Exception | None) -> None:
        """End what is under way."""
        self._connections.open.discard(self)
        self._connections.idle.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
        self._reader.stop()
        if self._writable is not None:
            self._writable.set()
        for exchange in self._exchanges:
            exchange.disconnect()
            exchange.release()
            self._log(exchange)
        self._exchanges.clear()

    def get_buffer(self, size_hint: int) -> memoryview:
        """The buffer that all connections read into: what arrives is parsed at once."""
        return self._connections.buffer

    def buffer_updated(self, size: int) -> None:
        """Bytes have arrived."""
        if self._reader.is_over:
            return
        data = bytes(self._connections.buffer[:size])
        self._unparsed = self._reader.feed(self._unparsed + data if self._unparsed else data)
        if self._unparsed:  # what waits in the system takes no memory of this process
            self._set_reading(False)
        self._update()

    def eof_received(self) -> bool:
        """The client sends no more: it gets the answers to what it has sent in full."""
        self._is_half_closed = True
        return bool(self._exchanges) and self._incoming is None and not self._is_lingering

    def pause_writing(self) -> None:
        """The client has not read all that was sent."""
        self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        """The client has read everything."""
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    # What the server calls

    def drain_requests(self) -> None:
        """End the connection after the requests that it has begun."""
        self._update()

    # What the reader calls

    @property
    def is_busy(self) -> bool:
        """Whether a complete request waits for its answer."""
        return bool(self._exchanges) and self._exchanges[-1].is_received

    def begin(self, head: Head, scope: dict[str, Any], *, keep_alive: bool) -> None:
        """Let the application answer a request, whose body may still arrive."""
        self._incoming = exchange = self._exchange(self._connections.app, scope)
        exchange.keep_alive, exchange.expects_continue = keep_alive, head.expects_continue
        self._add(exchange)
        if self._connections.answers.is_exhausted and (head.content_length or head.is_chunked):
            self._reader.stop()
            self.refuse(busy("clients do not read their answers"), None)

    def add_body(self, part: bytes) -> None:
        """Keep a part of the body, if there is room for it."""
        assert self._incoming is not None
        problem = self._incoming.add_body(part)
        if problem is not None:
            self._reader.stop()
            self.refuse(problem, None)

    def end(self) -> None:
        """The request is complete."""
        assert self._incoming is not None
        self._incoming.finish_body()
        self._incoming = None

    def refuse(self, problem: Problem, scope: dict[str, Any] | None) -> None:
        """Answer with a problem, after the requests before, and end the connection."""
        self._was_refused = True
        if self._incoming is not None:
            self._incoming.fail(problem)
            self._incoming = None
        else:
            scope = scope or dict(UNKNOWN)
            answer = problem_response(problem, scope["path"])
            exchange = self._exchange(self._connections.decorate(answer), scope)
            exchange.is_refused = True
            self._add(exchange)

    # What exchanges call

    @property
    def default_headers(self) -> Iterable[tuple[bytes, bytes]]:
        """Headers of every answer."""
        return self._connections.default_headers

    @property
    def is_ending(self) -> bool:
        """Whether the connection ends after the answer: the server stops, and no other request has arrived."""
        return self._connections.is_draining and len(self._exchanges) == 1 and not self._unparsed

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if not self._transport.is_closing():
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait until the client has read what was sent, at most for the time that it has."""
        if self._writable is None:
            return
        size = self._transport.get_write_buffer_size()
        self._connections.answers.hold(size)
        self._update()
        try:
            await self._writable.wait()
        finally:
            self._connections.answers.give_back(size)

    def end_answer(self, exchange: Exchange) -> None:
        """Go on with the next request, or end the connection."""
        self._log(exchange)
        self._exchanges.popleft()
        if not exchange.keep_alive:
            self._end(is_clean=exchange.is_received and not self._was_refused)
        elif self._exchanges:
            self._start(self._exchanges[0])
        else:
            self._unparsed = self._reader.feed(self._unparsed)
            self._set_reading(not self._unparsed)
            if self._is_half_closed and not self.is_busy:
                self.close()
        self._update()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def close(self) -> None:
        """End the connection after what was written."""
        self._connections.idle.pop(self, None)
        self._transport.close()

    # Deadlines

    @property
    def _is_lingering(self) -> bool:
        """Whether the last answer is sent, and the client has time to read it."""
        return self._phase is not None and self._phase[0] is Phase.LINGERING

    def _update(self) -> None:
        """Set the deadline of what the connection waits for, if that has changed."""
        if self._transport.is_closing() or self._is_lingering:
            return
        phase = self._waits_for()
        if phase != self._phase:
            self._enter(phase)

    def _enter(self, phase: tuple[Phase, int]) -> None:
        """Wait for something else, with a deadline of its own."""
        self._phase = phase
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(self._seconds(phase[0]), self._expire)
        if phase[0] is Phase.IDLE:
            self._connections.idle[self] = None
        else:
            self._connections.idle.pop(self, None)

    def _waits_for(self) -> tuple[Phase, int]:
        """What the connection waits for, and for which request."""
        if self._exchanges:
            first, number = self._exchanges[0], self._count - len(self._exchanges)
            if self._writable is not None:
                return Phase.WRITING, number
            if first.is_late:
                return Phase.LATE, number
            return (Phase.RECEIVING if first is self._incoming else Phase.ANSWERING), number
        if self._reader.has_begun:
            return Phase.RECEIVING, self._count
        return (Phase.STOPPING if self._connections.is_draining else Phase.IDLE), self._count

    def _seconds(self, phase: Phase) -> float:
        times = {Phase.IDLE: self._limits.idle, Phase.STOPPING: STOP_GRACE, Phase.LINGERING: self._limits.linger}
        return times.get(phase, self._limits.timeout)

    def _expire(self) -> None:
        """The time is over."""
        assert self._phase is not None
        phase = self._phase[0]
        if phase in (Phase.IDLE, Phase.STOPPING):
            self.close()
        elif phase is Phase.RECEIVING:
            self._reader.stop()
            seconds = f"{self._limits.timeout:g} seconds"
            self.refuse(Problem(HTTPStatus.REQUEST_TIMEOUT, f"the request did not arrive within {seconds}"), None)
        elif phase is Phase.ANSWERING:
            self._exchanges[0].expire()
        else:
            self.abort()
        self._update()

    # Helpers

    def _exchange(self, app: ASGIApp, scope: dict[str, Any]) -> Exchange:
        scope |= {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "scheme": "http",
            "root_path": "",
            "state": {},
            **self._addresses,
        }
        exchange = Exchange(self, app, scope, self._connections)
        exchange.started = self._loop.time()
        return exchange

    def _add(self, exchange: Exchange) -> None:
        self._count += 1
        self._exchanges.append(exchange)
        if len(self._exchanges) == 1:
            self._start(exchange)

    def _start(self, exchange: Exchange) -> None:
        exchange.task = task = self._loop.create_task(exchange.run())
        self._connections.tasks.add(task)
        task.add_done_callback(self._connections.tasks.discard)

    def _set_reading(self, wanted: bool) -> None:
        if wanted is not self._is_reading and not self._transport.is_closing():
            self._is_reading = wanted
            (self._transport.resume_reading if wanted else self._transport.pause_reading)()

    def _end(self, *, is_clean: bool) -> None:
        """End the connection: at once if all it sent `is_clean` requests, else after it had time to read the answer."""
        self._reader.stop()
        self._incoming = None
        if self._is_half_closed or is_clean:
            self.close()
            return
        self._enter((Phase.LINGERING, self._count))
        self._set_reading(True)
        self._transport.write_eof()

    def _log(self, exchange: Exchange) -> None:
        if self._connections.on_answer is not None:
            self._connections.on_answer(exchange, self._loop.time() - exchange.started)


def _address(transport: asyncio.Transport, which: str) -> tuple[str, int] | None:
    """The host and the port of an end of the connection; None if it has none, as a Unix socket."""
    address = transport.get_extra_info(which)
    return (str(address[0]), int(address[1])) if isinstance(address, tuple) else None

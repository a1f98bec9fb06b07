"""HTTP/1.1 connections: those of uvicorn, with a bound and a deadline for everything that they wait for.

uvicorn and h11 parse requests and frame answers. What they leave open is here: how long a connection may take for a
head, a body or reading its answer, how much memory all of them take, how many there may be, and the answers to what is
not a request.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import unquote

import h11
from starlette.types import ASGIApp, Message, Receive, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from nncli.serving.problems import REASON, Problem, ProblemError, busy, problem_response
from nncli.serving.process.listeners import limit_of_open_files
from nncli.serving.server_options import ServerOptions

STOP_GRACE = 1.0
"""How long, in seconds, a connection without a request stays open once the server stops: one may be on its way."""
MAX_CONNECTIONS = 1000
WITH_REFUSED = 2
"""Connections above the limit are refused with an answer, up to so many times the limit; more are closed at once, since
each takes one of the open files of the process."""
OTHER_FILES = 64
"""Open files of the process besides its connections."""
PIECE = 4 * 1024
"""Bytes that are parsed at a time: h11 needs some milliseconds for as many chunks of one byte."""
FIELD_BYTES = 4
"""What a header takes besides its name and value: a colon, a space and the line end."""
ABSOLUTE = re.compile(rb"https?://(?:[^/?#\[\]]+|\[[0-9a-f:.]+\](?::[0-9]*)?)(/[^?#]*)?", re.IGNORECASE)
UNKNOWN = {"method": "", "path": "", "raw_path": b"", "query_string": b"", "headers": [], "http_version": "1.1"}
"""The scope of what is not a request."""


@dataclass(frozen=True)
class HttpLimits:
    """The limits of connections; sizes in bytes, times in seconds.

    The head of a request must have arrived `timeout` after its first byte, its body `timeout` later; it must be
    answered `timeout` later, and its answer must have been read `timeout` later. A connection without a request is
    closed after `idle`: later than the minute after which proxies end it, else one of their requests might meet the
    end. A refused client may send for `linger` until the connection ends, since a reset would discard the answer.
    Bodies above `small_body`, and answers that were not read yet, count for `memory`.
    """

    max_body: int = 10_000_000
    timeout: float = 30.0
    idle: float = 75.0
    linger: float = 2.0
    max_head: int = 16 * 1024
    max_target: int = 8 * 1024
    max_headers: int = 100
    small_body: int = 64 * 1024
    memory: int = 40_000_000
    connections: int = MAX_CONNECTIONS

    @classmethod
    def of(cls, options: ServerOptions) -> HttpLimits:
        """The limits of a server."""
        files = limit_of_open_files()
        most = MAX_CONNECTIONS if files is None else max(8, min(MAX_CONNECTIONS, (files - OTHER_FILES) // WITH_REFUSED))
        return cls(options.max_body, options.timeout, memory=4 * options.max_body, connections=most)

    @property
    def body_too_large(self) -> Problem:
        """The answer to a body above the limit."""
        return Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body is larger than {self.max_body:,} bytes",
            "Send fewer rows at a time, or have the server started with a larger max-body.",
        )

    @property
    def target_too_long(self) -> Problem:
        """The answer to an address above the limit."""
        return Problem(
            HTTPStatus.REQUEST_URI_TOO_LONG,
            f"the address of the request is longer than {self.max_target:,} bytes",
            "Send the rows in the body of a POST.",
        )

    @property
    def head_too_large(self) -> Problem:
        """The answer to headers above the limits."""
        return Problem(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"the headers are more than {self.max_headers}, or larger than {self.max_head:,} bytes",
            "Send fewer or shorter headers, such as cookies.",
        )

    @property
    def too_slow(self) -> Problem:
        """The answer to a request that has not arrived in time."""
        return Problem(HTTPStatus.REQUEST_TIMEOUT, f"the request did not arrive within {self.timeout:g} seconds")

    @property
    def too_long(self) -> Problem:
        """The answer to a request that was not answered in time."""
        detail = f"the response takes more than {self.timeout:g} seconds"
        return busy(detail, "Send fewer rows in a request, or have the server started with a longer timeout.")

    def problem(self, scope: MutableMapping[str, Any]) -> Problem | None:
        """What keeps a head from being answered."""
        headers, version, target = scope["headers"], scope["http_version"], scope["raw_path"]
        names = dict(headers)
        if version not in ("1.0", "1.1"):
            return _bad("the request is in another version than HTTP/1.1", "Use HTTP/1.1.")
        if b"transfer-encoding" in names and (version == "1.0" or b"content-length" in names):
            return _bad("the header Transfer-Encoding is beside Content-Length, or in HTTP/1.0", "Send one of them.")
        if len(target) + len(scope["query_string"]) > self.max_target:
            return self.target_too_long
        size = len(target) + sum(len(name) + len(value) + FIELD_BYTES for name, value in headers)
        if size > self.max_head or len(headers) > self.max_headers:
            return self.head_too_large
        if not (target.startswith((b"/", b"*")) or ABSOLUTE.fullmatch(target)):
            return _bad("the target of the request is not a valid address")
        return self.body_too_large if int(names.get(b"content-length", 0)) > self.max_body else None


def _bad(detail: str, hint: str | None = None) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, detail, hint)


class MemoryBudget:
    """Bytes that all connections hold together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.used = 0

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing more should be begun."""
        return self.used >= self._limit

    def take(self, size: int) -> bool:
        """Take `size` bytes, unless they are more than there are."""
        if self.used + size > self._limit:
            return False
        self.used += size
        return True

    def hold(self, size: int) -> None:
        """Count bytes that are there already, be they more than the limit; less than none are given back."""
        self.used += size


@dataclass
class RequestResponse:
    """A request and its answer: the bytes of both bodies, and the status, which is None if the client left before.

    What `is_refused` does not reach the application; the client of what `is_lost` has left before the end.
    """

    scope: MutableMapping[str, Any]
    received: int = 0
    sent: int = 0
    status: int | None = None
    is_refused: bool = False
    is_lost: bool = False


class Connections:
    """The connections of a server, and what they share.

    `decorate` adds the headers of the application to answers that it does not make, and `on_answer` is called with
    each `RequestResponse` and its seconds. Of all connections, those without a request are `idle`, the one that waits
    longest first. Once the server `is_draining`, every answer has `Connection: close`.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: HttpLimits,
        decorate: Callable[[ASGIApp], ASGIApp] = lambda app: app,
        on_answer: Callable[[RequestResponse, float], None] | None = None,
    ) -> None:
        self.limits, self.decorate, self.on_answer = limits, decorate, on_answer
        self.config = Config(
            cast("Any", app),  # uvicorn has types of its own for ASGI
            http=H11Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=cast("int", limits.idle),
            h11_max_incomplete_event_size=limits.max_head,
        )
        self.config.load()
        self.app: ASGIApp = cast("Any", self.config.loaded_app)
        self.state = ServerState()
        self.bodies, self.answers = MemoryBudget(limits.memory), MemoryBudget(limits.memory)
        self.idle: dict[HttpConnection, None] = {}
        self.is_draining = False

    @property
    def open(self) -> set[HttpConnection]:
        """All connections."""
        return cast("set[HttpConnection]", self.state.connections)

    def set_date(self) -> None:
        """Let answers from now on have the present time in their header Date."""
        self.state.default_headers = [(b"date", formatdate(usegmt=True).encode())]

    def drain(self) -> None:
        """Let every connection end with its next answer, idle ones after a grace time."""
        self.is_draining = True
        for connection in list(self.open):
            connection.update()

    @property
    def in_progress(self) -> int:
        """The number of requests that are being answered."""
        return len(self.state.tasks)

    @property
    def are_done(self) -> bool:
        """Whether all connections have ended, and the work for their requests too."""
        return not (self.open or self.in_progress)

    def abort(self) -> int:
        """Close the connections that are left, and return the number of those with a request that was not answered."""
        left = list(self.open)
        unanswered = sum(connection.has_request for connection in left)
        for connection in left:
            connection.abort()
        return unanswered


class Phase(Enum):
    """What a connection waits for."""

    IDLE = auto()
    STOPPING = auto()
    RECEIVING = auto()
    ANSWERING = auto()
    WRITING = auto()
    LINGERING = auto()


class HttpConnection(H11Protocol):
    """The protocol of one connection."""

    def __init__(self, connections: Connections) -> None:
        super().__init__(connections.config, connections.state, {})
        self.app = cast("Any", self._answer)
        self._shared, self._limits = connections, connections.limits
        self._timer: asyncio.TimerHandle | None = None
        self._phase: tuple[Phase, int] | None = None
        self._count = 0
        self._problem: Problem | None = None  # of the last request, since nothing more is parsed
        self._task: asyncio.Task[Any] | None = None
        self._unread = 0
        self.unparsed = bytearray()
        self._is_half_closed = self._is_refused = self._is_lost = self.is_over = False

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse the connection if there are too many and none is idle."""
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=0)
        self._transport = transport
        super().connection_made(cast("asyncio.Transport", _Ending(transport, self)))
        number = len(self._shared.open)
        if number > WITH_REFUSED * self._limits.connections:
            self.abort()
        elif number > self._limits.connections:
            if self._shared.idle:
                next(iter(self._shared.idle)).end()
            else:
                self._refuse(busy("the server has too many connections"))
        self.update()

    def data_received(self, data: bytes) -> None:
        """Bytes have arrived."""
        if not self._ignores_input:
            self.unparsed += data
            self._parse()

    @property
    def _ignores_input(self) -> bool:
        """Whether what arrives is ignored: after a last request, or after what is none."""
        return self.is_over or self._is_lost or self.conn.their_state in (h11.MUST_CLOSE, h11.CLOSED, h11.ERROR)

    def _parse(self) -> None:
        """Parse a few bytes at a time, between which other connections have their turn."""
        if self._ignores_input:
            self.unparsed.clear()
        data = bytes(self.unparsed[:PIECE])
        del self.unparsed[:PIECE]
        if self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            data = data.lstrip(b"\r\n")
        if data:
            super().data_received(data)
        self.update()
        if self.unparsed:
            self._transport.pause_reading()
            self.loop.call_soon(self._parse)
        elif not self.flow.read_paused:
            self._transport.resume_reading()

    def handle_events(self) -> None:
        """Let h11 parse what has arrived; it fails at lengths of thousands of digits."""
        try:
            super().handle_events()
        except ValueError:
            self.send_400_response("a number in the head is too long")

    def eof_received(self) -> bool:  # type: ignore[override] # uvicorn drops the answer
        """The client sends no more: it gets the answers to what it has sent in full."""
        self._is_half_closed = True
        return self.has_request and not self.cycle.more_body and not self.is_over

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is under way."""
        self._is_lost = True
        super().connection_lost(exc)
        self._shared.idle.pop(self, None)
        self._set_unread(0)
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """The client has not read all that was sent."""
        super().pause_writing()
        self._set_unread(self.transport.get_write_buffer_size())
        self.update()

    def resume_writing(self) -> None:
        """The client has read everything."""
        super().resume_writing()
        self._set_unread(0)
        self.update()

    # What uvicorn calls

    def send_400_response(self, msg: str) -> None:
        """Answer that what arrives is no request, or the body of one."""
        error = sys.exception()
        reason = error if isinstance(error, h11.RemoteProtocolError) else msg
        problem = _bad(f"this is not an HTTP request: {reason}", "Use an HTTP/1.1 client, without TLS.")
        if getattr(error, "error_status_hint", 0) == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
            is_target = not self.has_request and b"\n" not in self.conn.trailing_data[0]
            problem = self._limits.target_too_long if is_target else self._limits.head_too_large
        if self.has_request:
            self._problem = problem
            self.cycle.message_event.set()
        elif self.conn.our_state is h11.IDLE:
            self._refuse(problem)
        else:  # the rest of a body after its answer
            self.end()

    def on_response_complete(self) -> None:
        """Go on with the next request, or end the connection."""
        super().on_response_complete()
        if self._is_half_closed and not self.has_request:
            self.end()
        self.update()

    def _should_upgrade(self) -> bool:
        """A wish for another protocol is ignored."""
        return False

    # What all connections and the transport call

    @property
    def has_request(self) -> bool:
        """Whether a request has not been answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def abort(self) -> None:
        """End the connection at once."""
        self.transport.abort()

    def end(self) -> None:
        """End the connection after what was written: once the client had time to read it, if it has sent more."""
        if self.is_over:
            return
        self.is_over = True
        is_clean = self.conn.their_state in (h11.IDLE, h11.DONE, h11.MUST_CLOSE, h11.CLOSED)
        if (is_clean and not self._is_refused) or self._is_half_closed:
            self._transport.close()
        else:
            with suppress(OSError):
                self._transport.write_eof()
            self._transport.resume_reading()
        self.update()

    def update(self) -> None:
        """Set the deadline of what the connection waits for, if that has changed."""
        phase = self._waits_for()
        if phase == self._phase or self._is_lost:
            return
        self._phase = phase
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if phase[0] is Phase.IDLE:
            self._shared.idle[self] = None
        else:
            self._shared.idle.pop(self, None)
        if phase[0] is not Phase.ANSWERING:  # which has a deadline of its own
            times = {Phase.IDLE: self._limits.idle, Phase.STOPPING: STOP_GRACE, Phase.LINGERING: self._limits.linger}
            self._timer = self.loop.call_later(times.get(phase[0], self._limits.timeout), self._expire, phase[0])

    def _waits_for(self) -> tuple[Phase, int]:
        """What the connection waits for, and for which request."""
        if self.flow.write_paused:
            return Phase.WRITING, self._count
        if self.is_over:
            return Phase.LINGERING, 0
        if self.has_request:
            return Phase.ANSWERING, self._count
        if self.conn.their_state is h11.SEND_BODY:
            return Phase.LINGERING, self._count
        if self._has_begun:
            return Phase.RECEIVING, self._count
        return (Phase.STOPPING if self._shared.is_draining else Phase.IDLE), self._count

    @property
    def _has_begun(self) -> bool:
        """Whether bytes of the next request have arrived."""
        return bool(self.unparsed or self.conn.trailing_data[0])

    def _expire(self, phase: Phase) -> None:
        """The time is over."""
        if phase in (Phase.IDLE, Phase.STOPPING):
            self.end()
        elif phase is Phase.RECEIVING:
            self._refuse(self._limits.too_slow)
        else:
            self.abort()

    def _set_unread(self, size: int) -> None:
        """Count the bytes that the client has not read."""
        self._shared.answers.hold(size - self._unread)
        self._unread = size

    def _refuse(self, problem: Problem) -> None:
        """Answer what is not a request with a problem, and end the connection."""
        scope = {**UNKNOWN, "client": self.client, "state": {REASON: problem.reason}}
        response = problem_response(problem, "")
        headers = [*self.server_state.default_headers, *response.raw_headers, (b"connection", b"close")]
        events = (
            h11.Response(status_code=problem.status, headers=headers, reason=problem.status.phrase.encode()),
            h11.Data(data=bytes(response.body)),
            h11.EndOfMessage(),
        )
        self.transport.write(b"".join(filter(None, map(self.conn.send, events))))
        self._is_refused = True
        self._log(RequestResponse(scope, sent=len(response.body), status=problem.status, is_refused=True), 0.0)
        self.end()

    def _log(self, served: RequestResponse, seconds: float) -> None:
        if self._shared.on_answer is not None:
            self._shared.on_answer(served, seconds)

    # A request

    async def _answer(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Let the application answer a request; answer a problem if it fails or takes too long."""
        self._count += 1
        self._task = asyncio.current_task()
        started, cycle, served = self.loop.time(), self.cycle, RequestResponse(scope)
        cycle.waiting_for_100_continue = cycle.waiting_for_100_continue and cycle.more_body
        if match := ABSOLUTE.fullmatch(scope["raw_path"]):
            scope["raw_path"] = match[1] or b"/"
            scope["path"] = unquote(scope["raw_path"].decode("ascii"))

        async def send_and_note(message: Message) -> None:
            if message["type"] == "http.response.start":
                served.status = message["status"]
                is_last = self._shared.is_draining and not self._has_begun
                if is_last or cycle.more_body or served.is_refused:
                    message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            else:
                served.sent += len(message.get("body", b""))
            await send(message)

        try:
            problem = self._limits.problem(scope)
            if problem is None and (cycle.more_body or cycle.body) and self._shared.answers.is_exhausted:
                problem = busy("clients do not read their responses")
            if problem is None:
                problem = await self._let_app_answer(served, receive, send_and_note)
            else:
                served.is_refused = True
            if problem is None or cycle.response_complete:
                return
            if cycle.response_started:  # too late to say so
                self.abort()
            else:
                answer = problem_response(problem, scope["path"])
                await self._shared.decorate(answer)(scope, receive, send_and_note)
        except asyncio.CancelledError:  # the client has left, or the server ends: uvicorn would log either
            cycle.disconnected = True
        finally:
            if self.cycle is cycle:  # else the next request has begun
                self._task = None
            served.is_lost = not cycle.response_complete
            self._log(served, self.loop.time() - started)

    async def _let_app_answer(self, served: RequestResponse, receive: Receive, send: Send) -> Problem | None:
        """Let the application answer in time; the problem if it does not."""
        body = Body(self._limits, self._shared.bodies, receive, lambda: self._problem)
        try:
            async with asyncio.timeout(self._limits.timeout) as body.deadline:
                await self._shared.app(served.scope, body.receive, send)
        except TimeoutError:
            return self._limits.too_long if body.is_whole or not body.is_wanted else self._limits.too_slow
        except Exception as error:  # every request gets an answer
            logging.getLogger(__name__).error("a request failed", exc_info=error)
            return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the server has failed; see its log")
        finally:
            served.received = body.received
            body.release()
        return None


class Body:
    """The body of a request, as the application receives it: whole, or not at all."""

    def __init__(
        self, limits: HttpLimits, budget: MemoryBudget, receive: Receive, problem: Callable[[], Problem | None]
    ) -> None:
        self._limits, self._budget, self._receive, self._problem = limits, budget, receive, problem
        self.deadline: asyncio.Timeout
        self.received = self._held = 0
        self.is_wanted = self.is_whole = False

    async def receive(self) -> Message:
        """The whole body at once, then the end.

        Raises:
            ProblemError: the body is too large, or not sent as HTTP has it.
        """
        if self.is_whole:
            return await self._receive()
        self.is_wanted, body, more = True, bytearray(), True
        while more:
            message = await self._receive()
            if (problem := self._problem()) is not None:
                raise ProblemError(problem)
            if message["type"] != "http.request":
                return message
            body += message["body"]
            more = message["more_body"]
            self._take(len(message["body"]))
        self.is_whole = True
        self.deadline.reschedule(asyncio.get_running_loop().time() + self._limits.timeout)
        return {"type": "http.request", "body": bytes(body), "more_body": False}

    def _take(self, size: int) -> None:
        """Count bytes that have arrived. Raise a ProblemError if they are too many."""
        self.received += size
        if self.received > self._limits.max_body:
            raise ProblemError(self._limits.body_too_large)
        if self.received > self._limits.small_body:
            more = self.received - self._held
            if not self._budget.take(more):
                raise ProblemError(busy("the bodies of other requests take the memory that there is for them"))
            self._held += more

    def release(self) -> None:
        """Give back the memory of the body."""
        self._budget.hold(-self._held)
        self._held = 0


class _Ending:
    """The transport of a connection, as uvicorn has it: what it closes ends in order."""

    def __init__(self, transport: asyncio.Transport, connection: HttpConnection) -> None:
        self.transport, self._connection = transport, connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)

    def resume_reading(self) -> None:
        """Read on, unless there is something to parse."""
        if not self._connection.unparsed:
            self.transport.resume_reading()

    def is_closing(self) -> bool:
        """Whether the connection ends."""
        return self._connection.is_over or self.transport.is_closing()

    def close(self) -> None:
        """End the connection after what was written."""
        self._connection.end()

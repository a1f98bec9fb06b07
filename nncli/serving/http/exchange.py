"""A request and its answer, between a connection and the application."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable, MutableMapping
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, Protocol

from starlette.types import ASGIApp

from nncli.serving.http.connections import Connections
from nncli.serving.http.reader import body_too_large
from nncli.serving.problems import Problem, ProblemError, busy, problem_response

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
STATUS_LINES = {status.value: b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode()) for status in HTTPStatus}
NO_HEADER = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""Characters that would end a header, and begin another."""
BODILESS = (204, 304)


class Channel(Protocol):
    """The connection, as an exchange uses it."""

    @property
    def default_headers(self) -> Iterable[tuple[bytes, bytes]]:
        """Headers of every answer."""

    @property
    def is_ending(self) -> bool:
        """Whether the connection ends after the answer."""

    def write(self, data: bytes) -> None:
        """Send bytes to the client."""

    async def drain(self) -> None:
        """Wait until the client has read them."""

    def end_answer(self, exchange: Exchange) -> None:
        """The answer is complete, and the client has read it."""

    def abort(self) -> None:
        """End the connection at once."""


class Progress(Enum):
    """How far an answer is: not sent, begun, read by the client, or impossible since the connection has ended."""

    NOT_SENT = auto()
    BEGUN = auto()
    COMPLETE = auto()
    DISCONNECTED = auto()


class Exchange:
    """One request and its answer.

    `started` is a time of the event loop, `received` the bytes of the body, and `status` that of the answer. What
    `is_refused` does not reach the application.
    """

    def __init__(self, channel: Channel, app: ASGIApp, scope: dict[str, Any], connections: Connections) -> None:
        self._channel, self._app = channel, app
        self._limits, self._bodies = connections.limits, connections.bodies
        self._decorate = connections.decorate
        self.scope = scope
        self.keep_alive = self.expects_continue = False
        self.is_received = self.is_refused = self.is_late = False
        self.progress = Progress.NOT_SENT
        self.started = 0.0
        self.received = self._held = 0
        self.status: int | None = None
        self.task: asyncio.Task[None] | None = None
        self._body = bytearray()  # as a list, small parts would take many times their size
        self._problem: Problem | None = None
        self._changed = asyncio.Event()
        self._head: bytes | None = None
        self._is_chunked = self._is_read = False

    # What the connection does

    def add_body(self, part: bytes) -> Problem | None:
        """Keep a part of the body; the problem if that is too much."""
        self.received += len(part)
        if self._is_over or self._problem is not None:
            return None
        if self.received > self._limits.max_body:
            return body_too_large(self._limits)
        if self.received > self._limits.small_body:
            more = self.received - self._held
            if not self._bodies.take(more):
                return busy("the bodies of other requests take the memory that there is for them")
            self._held += more
        self._body += part
        return None

    def finish_body(self) -> None:
        """The request is complete."""
        self.is_received = True
        self._changed.set()

    def fail(self, problem: Problem) -> None:
        """Answer with a problem instead, if the answer has not begun; the rest of the body never arrives."""
        self._problem, self.keep_alive = problem, False
        self._changed.set()

    def expire(self) -> None:
        """Answer that it takes too long."""
        self.is_late = True
        detail = f"the answer takes more than {self._limits.timeout:g} seconds"
        self._problem = busy(detail, "Send fewer rows in a request, or start the server with a larger --timeout.")
        if self.task is not None:
            self.task.cancel()

    def disconnect(self) -> None:
        """The connection has ended: nobody waits for the answer."""
        self.progress = Progress.DISCONNECTED
        self._changed.set()
        if self.task is not None:
            self.task.cancel()

    def release(self) -> None:
        """Give back the memory of the body."""
        self._bodies.give_back(self._held)
        self._held = 0
        self._body = bytearray()

    # What the application does

    @property
    def _is_over(self) -> bool:
        """Whether nothing more is sent."""
        return self.progress in (Progress.COMPLETE, Progress.DISCONNECTED)

    async def run(self) -> None:
        """Let the application answer; answer a problem if it fails or takes too long."""
        try:
            await self._app(self.scope, self._receive, self._send)
        except asyncio.CancelledError:
            if not (self.is_late or self.progress is Progress.DISCONNECTED):
                raise
        except Exception as error:  # every request gets an answer
            logging.getLogger(__name__).error("a request failed", exc_info=error)
            self._problem = Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the server has failed; see its log")
        if self._is_over:
            return
        if self.progress is Progress.BEGUN:  # too late to say so
            self._channel.abort()
            return
        self._head = None
        problem = self._problem or Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the application gave no answer")
        answer = problem_response(problem, self.scope["path"])
        await self._decorate(answer)(self.scope, self._receive, self._send)

    async def _receive(self) -> MutableMapping[str, Any]:
        """The whole body at once, then the end.

        Raises:
            ProblemError: the body is too large, too slow, or not sent as HTTP has it.
        """
        if self.expects_continue and not (self.is_received or self._body or self._problem or self._is_over):
            self.expects_continue = False
            self._channel.write(CONTINUE)
        while not (self._is_over or self._problem or (self.is_received and not self._is_read)):
            self._changed.clear()
            await self._changed.wait()
        if self._is_over:
            return {"type": "http.disconnect"}
        if self._problem is not None:
            raise ProblemError(self._problem)
        self._is_read = True
        body, self._body = bytes(self._body), bytearray()
        return {"type": "http.request", "body": body, "more_body": False}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if self._is_over:
            return
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            self._head = self._answer_head(self.status, message.get("headers", ()))
            return
        more = bool(message.get("more_body", False))
        head, self._head = self._head or b"", None
        self._channel.write(head + self._encoded(bytes(message.get("body", b"")), more=more))
        self.progress = Progress.BEGUN
        await self._channel.drain()
        if not more and not self._is_over:
            self.progress = Progress.COMPLETE
            self._changed.set()
            self.release()
            self._channel.end_answer(self)

    def _answer_head(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The status line and headers; the connection ends if the request, or its body, has not arrived."""
        lines = [STATUS_LINES[status]]
        self.keep_alive = self.keep_alive and self.is_received and not self._channel.is_ending
        has_length = False
        for name, value in [*self._channel.default_headers, *headers]:
            if NO_HEADER.search(value) or NO_HEADER.search(name):
                raise ValueError("a header with a line end")
            has_length = has_length or name.lower() == b"content-length"
            lines.append(b"%s: %s\r\n" % (name, value))
        has_body = self.scope["method"] != "HEAD" and status not in BODILESS
        self._is_chunked = has_body and not has_length and self.scope["http_version"] == "1.1"
        if self._is_chunked:
            lines.append(b"transfer-encoding: chunked\r\n")
        if not (has_length or self._is_chunked) and has_body:
            self.keep_alive = False  # the end of the connection is that of the body
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        return b"".join([*lines, b"\r\n"])

    def _encoded(self, body: bytes, *, more: bool) -> bytes:
        """A part of the body as it is sent."""
        if self.scope["method"] == "HEAD" or self.status in BODILESS:
            return b""
        if not self._is_chunked:
            return body
        return (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + (b"" if more else b"0\r\n\r\n")

"""Requests parsed from the bytes of a connection, strictly, with bounds on what is held."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any, Protocol

import httptools

from nncli.serving.http.head import Head
from nncli.serving.http.limits import HttpLimits
from nncli.serving.problems.problem import Problem

PIECE = 4096
"""The parser gets so many bytes at a time, so that few requests are begun before the first of them is answered."""


class RequestSink(Protocol):
    """What gets requests as they arrive."""

    @property
    def is_busy(self) -> bool:
        """Whether parsing should stop, since complete requests wait for their answers."""

    def begin(self, head: Head, scope: dict[str, Any], *, keep_alive: bool) -> None:
        """The head of a request is complete."""

    def add_body(self, part: bytes) -> None:
        """A part of its body has arrived."""

    def end(self) -> None:
        """The request is complete."""

    def refuse(self, problem: Problem, scope: dict[str, Any] | None) -> None:
        """What arrives cannot be answered; nothing more is parsed. `scope` is None if it is not a request."""


class RequestReader:
    """A parser of requests that keeps little: a head, and no body.

    `has_begun` is whether bytes of an incomplete request have arrived.
    """

    def __init__(self, limits: HttpLimits, sink: RequestSink) -> None:
        self._limits, self._sink = limits, sink
        self._parser = httptools.HttpRequestParser(self)
        self._head = Head(limits)
        self._bytes_since_callback = 0
        self._had_callback = self._ignores_callbacks = self._is_upgrade_with_body = False
        self._keep_alive = True
        self.has_begun = self.is_over = False

    def feed(self, data: bytes) -> bytes:
        """Parse bytes; return those that were not parsed since the sink is busy."""
        at = 0
        while at < len(data) and not self.is_over:
            if self._sink.is_busy:
                return data[at:]
            at += self._feed_piece(data[at : at + PIECE])
        return b""

    def stop(self) -> None:
        """Ignore what arrives from now on."""
        self.is_over = True

    def _feed_piece(self, piece: bytes) -> int:
        """Parse a few bytes; return how many were parsed."""
        self._had_callback = False
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            return self._go_on_after_upgrade(max(1, int(upgrade.args[0])))
        except httptools.HttpParserCallbackError as error:
            logging.getLogger(__name__).error("a request failed", exc_info=error)
            self._refuse(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the server has failed; see its log"))
        except httptools.HttpParserError as error:
            self._refuse(
                Problem(
                    HTTPStatus.BAD_REQUEST,
                    f"this is not an HTTP request: {error}",
                    "Use an HTTP/1.1 client, without TLS.",
                )
            )
        # Header lines, chunk extensions and the like that never end are buffered or parsed without any callback.
        self._bytes_since_callback = 0 if self._had_callback else self._bytes_since_callback + len(piece)
        if self._bytes_since_callback > self._limits.max_head:
            self._head.size = self._bytes_since_callback
            self._refuse(self._head.size_problem)
        return len(piece)

    def _refuse(self, problem: Problem | None, scope: dict[str, Any] | None = None) -> None:
        if problem is not None and not self.is_over:
            self.is_over = True
            self._sink.refuse(problem, scope)

    # What the parser calls

    def on_message_begin(self) -> None:
        if not self._ignores_callbacks:
            self._had_callback = self.has_begun = True
            self._head = Head(self._limits)

    def on_url(self, target: bytes) -> None:
        if not (self.is_over or self._ignores_callbacks):
            self._had_callback = True
            self._head.add_target(target)
            self._refuse(self._head.size_problem)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not (self.is_over or self._ignores_callbacks):
            self._had_callback = True
            self._head.add_header(name, value)
            self._refuse(self._head.size_problem)

    def on_headers_complete(self) -> None:
        if self.is_over or self._ignores_callbacks:
            return
        self._had_callback = self._head.is_complete = True
        version, method = self._parser.get_http_version(), self._parser.get_method().decode("ascii")
        scope = self._head.scope()
        if scope is None:
            self._refuse(Problem(HTTPStatus.BAD_REQUEST, "the target of the request is not a valid address"))
            return
        scope |= {"method": method, "http_version": version}
        self._refuse(self._head.problem(version), scope)
        if self.is_over:
            return
        has_body = self._head.content_length > 0 or self._head.is_chunked
        self._is_upgrade_with_body = self._parser.should_upgrade() and has_body
        self._keep_alive = version == "1.1" and (self._parser.should_keep_alive() or self._is_upgrade_with_body)
        self._sink.begin(self._head, scope, keep_alive=self._keep_alive)

    def on_chunk_header(self) -> None:
        self._had_callback = True

    def on_body(self, part: bytes) -> None:
        if not self.is_over:
            self._had_callback = True
            self._sink.add_body(part)

    def on_message_complete(self) -> None:
        if self.is_over or self._is_upgrade_with_body:
            return
        self._had_callback = True
        self.has_begun = False
        self.is_over = not self._keep_alive  # before the sink, which may ask for it
        self._sink.end()

    def _go_on_after_upgrade(self, parsed: int) -> int:
        """Go on after a request to change the protocol, which is ignored; return how many bytes were `parsed`.

        The parser has stopped after the headers, without the body that the request may have. So a new parser gets
        headers that announce the same body.
        """
        self._parser = httptools.HttpRequestParser(self)
        if self._is_upgrade_with_body:
            length = b"Content-Length: %d" % self._head.content_length
            framing = b"Transfer-Encoding: chunked" if self._head.is_chunked else length
            self._ignores_callbacks = True
            self._parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n")
            self._ignores_callbacks = self._is_upgrade_with_body = False
        return parsed

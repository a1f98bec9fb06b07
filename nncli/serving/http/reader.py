"""Requests parsed from the bytes of a connection, strictly, with bounds on what is held."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import unquote

import httptools

from nncli.serving.http.limits import HttpLimits
from nncli.serving.problems import Problem

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


FIELD_BYTES = 4
"""What a header takes besides its name and value: a colon, a space and the line end."""


@dataclass
class Head:
    """A head as it arrives: the parser adds to it, and `problem` says what keeps it from being answered."""

    limits: HttpLimits
    target: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    size: int = 0
    is_complete: bool = False

    def add_target(self, target: bytes) -> None:
        """Add a part of the target, unless it is too long already."""
        self.size += len(target)
        if len(self.target) <= self.limits.max_target:
            self.target += target

    def add_header(self, name: bytes, value: bytes) -> None:
        """Add a header, or, after the body, a trailer, which is only counted."""
        self.size += len(name) + len(value) + FIELD_BYTES
        if not self.is_complete and len(self.headers) <= self.limits.max_headers:
            self.headers.append((name.lower(), value.strip(b" \t")))

    @property
    def size_problem(self) -> Problem | None:
        """Whether the head so far is too large."""
        if len(self.target) > self.limits.max_target:
            return Problem(
                HTTPStatus.REQUEST_URI_TOO_LONG,
                f"the address of the request is longer than {self.limits.max_target:,} bytes",
                "Send the rows in the body of a POST.",
            )
        if self.size > self.limits.max_head or len(self.headers) > self.limits.max_headers:
            return Problem(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                f"the headers are more than {self.limits.max_headers}, or larger than {self.limits.max_head:,} bytes",
                "Send fewer or shorter headers, such as cookies.",
            )
        return None

    def values(self, name: bytes) -> list[bytes]:
        """The values of all headers of this name in lower case."""
        return [value for one, value in self.headers if one == name]

    @property
    def content_length(self) -> int:
        """The value of Content-Length; 0 without it, as for a body that is sent in chunks."""
        lengths = self.values(b"content-length")
        return int(lengths[0]) if lengths else 0

    @property
    def is_chunked(self) -> bool:
        """Whether the body is sent in chunks."""
        return bool(self.values(b"transfer-encoding"))

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body."""
        return any(value.lower() == b"100-continue" for value in self.values(b"expect"))

    def problem(self, version: str) -> Problem | None:
        """What keeps a complete head from being answered."""
        if version not in ("1.0", "1.1"):
            return _bad("the request is in another version than HTTP/1.1", "Use HTTP/1.1.")
        hosts = self.values(b"host")
        if len(hosts) > 1 or (version == "1.1" and not hosts):
            return _bad("a request needs one header Host", "Send one header Host.")
        encodings = self.values(b"transfer-encoding")
        if encodings and (version == "1.0" or [one.lower() for one in encodings] != [b"chunked"]):
            return _bad("the header Transfer-Encoding is not `chunked`", "Send a Content-Length, or use chunked alone.")
        if self.content_length > self.limits.max_body:
            return body_too_large(self.limits)
        return None

    def scope(self) -> dict[str, Any] | None:
        """The part of an ASGI scope that the head determines; None if its target is not a valid address."""
        try:
            url = httptools.parse_url(self.target)
            raw_path = url.path or b"/"
            path = raw_path.decode("ascii")
        except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
            return None
        return {
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": url.query or b"",
            "headers": self.headers,
        }


def body_too_large(limits: HttpLimits) -> Problem:
    """The answer to a body above the limit."""
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body is larger than {limits.max_body:,} bytes",
        "Send fewer rows at a time, or start the server with a larger --max-body.",
    )


def _bad(detail: str, hint: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, detail, hint)

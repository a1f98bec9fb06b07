"""The head of a request: its target, its headers, and what they say about the body."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools

from nncli.serving.http.limits import HttpLimits
from nncli.serving.problems.problem import Problem

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

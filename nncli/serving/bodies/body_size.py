"""The limits of bodies: bytes, also once they are decompressed, and rows."""

from __future__ import annotations

import zlib

from nncli.base.text import quote
from nncli.serving.bodies.media_types import unsupported
from nncli.serving.problems import ProblemError, bad_request, too_large


def too_many_bytes(max_body: int) -> ProblemError:
    """The problem that a body is too large once it is decompressed."""
    detail = f"the body has more than {max_body:,} bytes when it is decompressed"
    return too_large(detail, "Send several requests of fewer rows.")


def too_many_rows(rows: int, max_rows: int) -> ProblemError:
    """The problem that a request has too many rows."""
    detail = f"the body has {rows:,} rows, and a request at most {max_rows:,}"
    return too_large(detail, f"Send several requests of at most {max_rows:,} rows.")


def check_rows(rows: int, max_rows: int) -> None:
    """Raise a ProblemError if a request has no rows, or too many."""
    if not rows:
        raise bad_request("the body has no rows", "Send at least one row.")
    if rows > max_rows:
        raise too_many_rows(rows, max_rows)


GZIP = ("gzip", "x-gzip")
MAX_MEMBERS = 16
"""Compressed streams of a body, one after the other: each is a copy of those that follow."""


def check_encoding(header: str | None) -> bool:
    """Whether a Content-Encoding says that the body is compressed by gzip.

    Raises:
        ProblemError: it is another one.
    """
    name = (header or "").strip().lower()
    if name in ("", "identity"):
        return False
    if name in GZIP:
        return True
    raise unsupported(
        f"the body has the Content-Encoding {quote(name)}", "Send it compressed with gzip, or not compressed."
    )


def gunzip(body: bytes, max_body: int) -> bytes:
    """The decompressed body.

    Raises:
        ProblemError: it is not gzip, or has more than `max_body` bytes when it is decompressed.
    """
    pieces, left = list[bytes](), max_body
    for _ in range(MAX_MEMBERS):
        decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            pieces.append(decoder.decompress(body, left + 1))
        except zlib.error as error:
            raise bad_request(f"the body is not compressed by gzip: {error}") from None
        left -= len(pieces[-1])
        if left < 0:
            raise too_many_bytes(max_body)
        if not decoder.eof:
            raise bad_request("the compressed body ends too early")
        body = decoder.unused_data.lstrip(b"\0")
        if not body:
            return b"".join(pieces)
    raise bad_request(f"the body has more than {MAX_MEMBERS} compressed streams", "Compress the body at once.")

"""Bodies that are compressed by gzip: decompressed up to the size that a body may have."""

from __future__ import annotations

import zlib

from nncli.base.text import quote
from nncli.serving.bodies.body_size import too_many_bytes
from nncli.serving.bodies.media_types import unsupported
from nncli.serving.problems.problem import bad_request

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

"""The body of a request for predictions, and the limits of its size."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from nncli.serving.bodies.body_size import BodyLimits
from nncli.serving.bodies.content_encoding import check_encoding, gunzip
from nncli.serving.state import ServerState


@dataclass(frozen=True)
class RequestBody:
    """The bytes of a body, perhaps compressed by gzip."""

    content: bytes
    limits: BodyLimits
    is_gzip: bool = False

    @classmethod
    async def of(cls, request: Request) -> RequestBody:
        """The body of a request.

        Raises:
            ProblemError: its Content-Encoding is not supported.
        """
        state: ServerState = request.app.state.server
        is_gzip = check_encoding(request.headers.get("content-encoding"))
        limits = BodyLimits(state.options.max_body, state.options.max_rows)
        return cls(await request.body(), limits, is_gzip)

    @property
    def size(self) -> int:
        """The bytes of the body as it was sent."""
        return len(self.content)

    def decompressed(self) -> bytes:
        """The body as it was before it was compressed.

        Raises:
            ProblemError: it is not gzip, or too large once it is decompressed.
        """
        return gunzip(self.content, self.limits.max_body) if self.is_gzip else self.content

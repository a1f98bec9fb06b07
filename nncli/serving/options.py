"""The options of a server."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address

from nncli.serving.token import Token


@dataclass(frozen=True)
class ServerOptions:
    """How a server listens, and what it refuses.

    `max_body` is in bytes, `max_rows` is that of one request, `timeout` in seconds is that of reading a request and of
    answering it. At most `queue` requests wait; more are answered with 503. With a `token`, every request must have it.
    `cors` is the origin of pages that may call the server, or `*`. With `reuse_port`, another server may listen at the
    same port, so that one takes over from the other.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    max_body: int = 10_000_000
    max_rows: int = 10_000
    timeout: float = 30.0
    queue: int = 64
    token: Token | None = None
    cors: str | None = None
    access_log: bool = False
    reuse_port: bool = False

    @cached_property
    def is_loopback(self) -> bool:
        """Whether programs of this machine alone can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:  # the name of a host
            return False

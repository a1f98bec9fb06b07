"""What connections may take: bytes, headers, time, memory, and how many there may be."""

from __future__ import annotations

from dataclasses import dataclass

from nncli.serving.options import ServerOptions
from nncli.serving.process.listeners import limit_of_open_files

MAX_CONNECTIONS = 1000
WITH_REFUSED = 2
"""Connections above the limit are refused with an answer, up to so many times the limit; more are closed at once, since
each takes one of the open files of the process."""
OTHER_FILES = 64
"""Open files of the process besides its connections."""


@dataclass(frozen=True)
class HttpLimits:
    """The limits of connections; sizes in bytes, times in seconds.

    A request must have arrived `timeout` after its first byte, must be answered `timeout` later, and its answer must
    have been read `timeout` later. A connection without a request is closed after `idle`: later than the minute
    after which proxies end it, else one of their requests might meet the end. A refused client may send for `linger`
    until the connection ends, since a reset would discard the answer. Bodies above `small_body`, and answers that were
    not read yet, count for `memory`.
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
        return cls(
            max_body=options.max_body,
            timeout=options.timeout,
            memory=4 * options.max_body,
            connections=_connection_limit(),
        )


def _connection_limit() -> int:
    """The most connections for which the process can open files."""
    files = limit_of_open_files()
    return MAX_CONNECTIONS if files is None else max(8, min(MAX_CONNECTIONS, (files - OTHER_FILES) // WITH_REFUSED))


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
        """Count bytes that are there already, be they more than the limit."""
        self.used += size

    def give_back(self, size: int) -> None:
        """Give back bytes that were counted."""
        self.used -= size

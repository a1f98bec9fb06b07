"""All connections of a server: what they share, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING

from nncli.serving.http.limits import HttpLimits, MemoryBudget

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from nncli.serving.http.connection import Connection
    from nncli.serving.http.exchange import Exchange

READ_SIZE = 64 * 1024
"""Bytes that are read at once: a connection keeps no more of requests while an earlier one is answered."""


@dataclass
class Connections:
    """The connections of a server, and what they share.

    `decorate` adds the headers of the application to answers that it does not make, and `on_answer` is called with
    each exchange and its seconds. Of the `open` connections, those without a request are `idle`, the one that waits
    longest first. Once the server `is_draining`, every answer has `Connection: close`.
    """

    app: ASGIApp
    limits: HttpLimits
    decorate: Callable[[ASGIApp], ASGIApp] = lambda app: app
    on_answer: Callable[[Exchange, float], None] | None = None
    open: set[Connection] = field(default_factory=set)
    idle: dict[Connection, None] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    default_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    buffer: memoryview = field(default_factory=lambda: memoryview(bytearray(READ_SIZE)))
    is_draining: bool = False

    def __post_init__(self) -> None:
        self.bodies, self.answers = MemoryBudget(self.limits.memory), MemoryBudget(self.limits.memory)

    def set_date(self) -> None:
        """Let answers from now on have the present time in their header Date."""
        self.default_headers = [(b"date", formatdate(usegmt=True).encode())]

    def drain(self) -> None:
        """Let every connection end with its next answer, idle ones after a grace time."""
        self.is_draining = True
        for connection in list(self.open):
            connection.drain_requests()

    def abort(self) -> int:
        """Close the connections that are left, and return the number of those with a request that was not answered."""
        left = list(self.open)
        unanswered = sum(connection.is_busy for connection in left)
        for connection in left:
            connection.abort()
        return unanswered

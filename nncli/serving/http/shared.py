"""What all connections of a server share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nncli.serving.http.limits import HttpLimits, MemoryBudget
from nncli.serving.http.state import ConnectionState

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from nncli.serving.http.connection import Connection
    from nncli.serving.http.exchange import Exchange

READ_SIZE = 64 * 1024
"""Bytes that are read at once: a connection keeps no more of requests while an earlier one is answered."""


@dataclass
class Shared:
    """What all connections of a server share. `decorate` gives the headers of the application to other answers."""

    app: ASGIApp
    limits: HttpLimits
    state: ConnectionState = field(default_factory=ConnectionState)
    decorate: Callable[[ASGIApp], ASGIApp] = lambda app: app
    on_answer: Callable[[Exchange, float], None] | None = None
    idle: dict[Connection, None] = field(default_factory=dict)
    buffer: memoryview = field(default_factory=lambda: memoryview(bytearray(READ_SIZE)))

    def __post_init__(self) -> None:
        self.connections: set[Any] = self.state.connections
        self.bodies, self.answers = MemoryBudget(self.limits.memory), MemoryBudget(self.limits.memory)

"""Connections of a server that stops: every request that has arrived is answered, and the client is told to leave."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

IDLE_SECONDS = 1.0
"""How long an idle connection stays open, so that a request that is on its way is answered rather than reset."""


class ConnectionState(ServerState):
    """What the connections of a server share. Once it `is_draining`, every answer has `Connection: close`."""

    def __init__(self) -> None:
        super().__init__()
        self.is_draining = False

    def drain(self) -> None:
        """Let every connection end with its next answer, idle ones after a grace time."""
        self.is_draining = True
        for connection in list(self.connections):
            connection.shutdown()

    def abort(self) -> int:
        """Close the connections that are left without an answer, and return their number."""
        left = list(self.connections)
        for connection in left:
            if connection.transport is not None:
                connection.transport.abort()
        return len(left)


class DrainingProtocol(HttpToolsProtocol):
    """HTTP/1.1 of uvicorn, whose connections end without losing a request when the server stops.

    uvicorn closes idle connections at once, and resets a request that has just been sent on one. Of pipelined requests,
    the last one alone is answered with `Connection: close`.
    """

    _is_receiving = False
    _kept_alive = False

    @property
    def is_draining(self) -> bool:
        """Whether the server stops."""
        state = self.server_state
        return isinstance(state, ConnectionState) and state.is_draining

    @property
    def is_idle(self) -> bool:
        """Whether no request of the connection is being received or answered."""
        return not self._is_receiving and (self.cycle is None or self.cycle.response_complete)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept a connection; it may have waited while the server was asked to stop."""
        super().connection_made(transport)  # type: ignore[arg-type]
        if self.is_draining:
            self._close_when_idle()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._is_receiving = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A request that is to be answered."""
        earlier: Any = self.cycle
        super().on_headers_complete()
        if not self.is_draining or self.cycle is earlier:
            return
        if earlier is not None and not earlier.response_started:
            earlier.keep_alive = self._kept_alive  # the answer to this request is the last one
        self._end_with_answer()

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        self._is_receiving = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The end of an answer, which had begun before the server was asked to stop if the connection is still open."""
        super().on_response_complete()
        if self.is_draining and not self.transport.is_closing() and self.is_idle:
            self._close_when_idle()

    def shutdown(self) -> None:
        """End the connection: with its next answer, or after a grace time if it is idle."""
        if self.is_idle:
            self._close_when_idle()
        elif self.cycle is not None and not self.cycle.response_started:
            self._end_with_answer()

    def _end_with_answer(self) -> None:
        self._kept_alive = self.cycle.keep_alive
        self.cycle.keep_alive = False

    def _close_when_idle(self) -> None:
        self._unset_keepalive_if_required()
        self.loop.call_later(IDLE_SECONDS, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if self.is_idle and not self.transport.is_closing():
            self.transport.close()

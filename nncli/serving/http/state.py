"""What uvicorn's server and its connections share."""

from __future__ import annotations

from uvicorn.server import ServerState


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
        """Close the connections that are left, and return the number of those with a request that was not answered."""
        left = list(self.connections)
        unanswered: int = sum(connection.is_busy for connection in left)  # type: ignore[union-attr]
        for connection in left:
            connection.abort()  # type: ignore[union-attr]
        return unanswered

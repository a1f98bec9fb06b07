"""A proxy on loopback that cuts connections."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class CuttingProxy:
    """Passes bytes on to a server. `limits` are the bytes of the server after which each connection is cut.

    0 cuts at once; connections after the last limit are not cut, but with `reads` after so many reads from the server.
    """

    server_port: int
    limits: list[int]
    reads: int | None = None
    connections: int = 0
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def serve(self) -> None:
        with suppress(OSError):  # the listener is closed at the end
            while True:
                client, _ = self.listener.accept()
                self.connections += 1
                limit = self.limits.pop(0) if self.limits else None
                threading.Thread(target=self.connect, args=(client, limit), daemon=True).start()

    def connect(self, client: socket.socket, limit: int | None) -> None:
        with client, socket.create_connection(("127.0.0.1", self.server_port)) as server:
            if limit == 0:
                return
            upstream = threading.Thread(target=_copy, args=(client, server, None), daemon=True)
            upstream.start()
            _copy(server, client, limit, self.reads)
            for end in (client, server):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            upstream.join()


def _copy(source: socket.socket, target: socket.socket, limit: int | None, reads: int | None = None) -> None:
    count = times = 0
    with suppress(OSError):
        while (data := source.recv(4096)) and (limit is None or count < limit) and times != reads:
            target.sendall(data)
            count += len(data)
            times += 1
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def cutting_proxy(server_port: int, limits: Sequence[int], reads: int | None = None) -> Iterator[CuttingProxy]:
    """A running proxy."""
    proxy = CuttingProxy(server_port, list(limits), reads)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        with suppress(OSError):
            proxy.listener.shutdown(socket.SHUT_RDWR)
        proxy.listener.close()
        thread.join()

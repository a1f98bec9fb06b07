"""A server that answers a few bytes to every request, to measure the clients: python benchmarks/serve_echo.py PORT."""

from __future__ import annotations

import asyncio
import sys
from typing import cast

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n{"prediction": 1.0}'


class Echo(asyncio.Protocol):
    """Counts what arrives by Content-Length, and answers whole requests."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.data = cast("asyncio.Transport", transport), b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            _, _, length = self.data[:end].lower().partition(b"content-length:")
            size = end + 4 + int(length.split(b"\r\n")[0] or 0)
            if len(self.data) < size:
                return
            self.data = self.data[size:]
            self.transport.write(ANSWER)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))

"""Clients of an HTTP server on loopback: one connection of ours, which is timed, and many by wrk."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WRK = shutil.which("wrk")
LUA = """
local requests, k = %REQUESTS%, 0
local lines = {}
for i, body in ipairs(requests) do
  lines[i] = wrk.format("POST", "%PATH%", {["Content-Type"] = "%TYPE%", ["Host"] = "127.0.0.1"}, body)
end
function request()
  k = k %% #lines + 1
  return lines[k]
end
%DELAY%
function done(summary, latency, requests)
  local e = summary.errors
  print(string.format('JSON {"requests": %d, "seconds": %f, "refused": %d, "failed": %d, "p50": %f, "p99": %f}',
    summary.requests, summary.duration / 1e6, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
""".replace("%%", "%")


@dataclass(frozen=True)
class Post:
    """A request: its path, its body and the type of it."""

    path: str
    body: bytes
    type: str = "application/json"

    @property
    def head(self) -> bytes:
        words = f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {self.type}\r\nContent-Length: "
        return f"{words}{len(self.body)}\r\n\r\n".encode()


@dataclass(frozen=True)
class Answer:
    """The status of an answer, its body, and the seconds from the request's first byte to the answer's last."""

    status: int
    body: bytes
    seconds: float


class Connection:
    """A connection that is kept, with one request at a time."""

    def __init__(self, port: int, timeout: float = 60.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def post(self, post: Post) -> Answer:
        """The answer to a request.

        Raises:
            OSError: the connection broke.
        """
        request = post.head + post.body
        start = time.perf_counter()
        self._socket.sendall(request)
        data = self._read(b"")
        while (end := data.find(b"\r\n\r\n")) < 0:
            data = self._read(data)
        head = data[:end].lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        while len(data) < end + 4 + length:
            data = self._read(data)
        seconds = time.perf_counter() - start
        return Answer(int(data.split(b" ", 2)[1]), data[end + 4 :], seconds)

    def _read(self, data: bytes) -> bytes:
        more = self._socket.recv(1 << 18)
        if not more:
            raise ConnectionResetError
        return data + more


def latencies(port: int, posts: Sequence[Post], seconds: float) -> list[float]:
    """The milliseconds of each request of one client that asks without a pause; the first ten are left out."""
    times: list[float] = []
    with Connection(port) as connection:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(times) < 20:
            answer = connection.post(posts[len(times) % len(posts)])
            if answer.status != 200:
                raise RuntimeError(f"{answer.status}: {answer.body[:500]!r}")
            times.append(1e3 * answer.seconds)
    return times[10:]


@dataclass(frozen=True)
class Load:
    """What wrk counted: `refused` are answers of other statuses than 2xx and 3xx; percentiles are milliseconds."""

    requests: int
    seconds: float
    refused: int
    failed: int
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """The answers of 2xx a second."""
        return (self.requests - self.refused) / self.seconds


def start_wrk(
    port: int, posts: Sequence[Post], clients: int, seconds: float, delay: float = 0.0
) -> subprocess.Popen[str]:
    """Begin a load of so many connections, each of which waits `delay` seconds between two requests.

    All bodies have the path and the type of the first.
    """
    assert WRK, "the load is made by wrk: apt-get install wrk"
    values: dict[str, str] = {
        "REQUESTS": "{" + ", ".join(_lua_text(post.body) for post in posts) + "}",
        "PATH": posts[0].path,
        "TYPE": posts[0].type,
        "DELAY": f"function delay() return math.random(0, {2e3 * delay:.0f}) end" if delay else "",
    }
    script = LUA
    for name, value in values.items():
        script = script.replace(f"%{name}%", value)
    with tempfile.NamedTemporaryFile("w", suffix=".lua", delete=False) as file:
        file.write(script)
    command = [WRK, "-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "-s", file.name]
    return subprocess.Popen([*command, f"http://127.0.0.1:{port}"], stdout=subprocess.PIPE, text=True)


def end_wrk(process: subprocess.Popen[str]) -> Load:
    """Wait for a load to end."""
    try:
        output, _ = process.communicate(timeout=200)
    finally:
        process.kill()
        Path(str(process.args[-2])).unlink(missing_ok=True)  # type: ignore[index]
    line = next((line for line in output.splitlines() if line.startswith("JSON ")), None)
    if line is None:
        raise RuntimeError(f"wrk: {output}")
    result: dict[str, Any] = json.loads(line[5:])
    return Load(**result)


def wrk(port: int, posts: Sequence[Post], clients: int, seconds: float) -> Load:
    """A load of so many connections, each of which asks without a pause."""
    return end_wrk(start_wrk(port, posts, clients, seconds))


def _lua_text(body: bytes) -> str:
    """A string of Lua with any bytes."""
    plain = set(b" !#$%&'()*+,-./:;<=>?@[]^_`{|}~") | set(range(48, 58)) | set(range(65, 91)) | set(range(97, 123))
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03d}" for b in body) + '"'

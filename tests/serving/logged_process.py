"""A process of `nncli serve` on a free port of the loopback address."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from threading import Thread
from typing import Any

from tests.cli.support import ROOT

SECONDS = 30.0


@dataclass(frozen=True)
class Answer:
    """A status, headers, and the body."""

    status: int
    headers: HTTPMessage
    body: bytes


def answer_of(connection: HTTPConnection) -> Answer:
    """The answer to the request of a connection."""
    with connection.getresponse() as response:
        return Answer(response.status, response.headers, response.read())


class ServerProcess:
    """A server that runs, with the lines of its log so far."""

    def __init__(self, *words: str | Path, program: str | None = None) -> None:
        start = ["-m", "nncli", "serve"] if program is None else ["-c", program]
        command = [sys.executable, *start, *map(str, words)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        self.lines: list[str] = []
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.lines.extend(iter(self.process.stderr.readline, ""))

    def wait_for(self, text: str) -> str:
        """The first line of the log with a text."""
        self.until(lambda: any(text in line for line in self.lines))
        return next(line for line in self.lines if text in line)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition."""
        end = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < end, self.lines
            time.sleep(0.01)

    @property
    def port(self) -> int:
        """The port at which it listens, once it does."""
        return int(self.wait_for("listening on http://").rpartition(":")[2].strip('"}\n'))

    def connection(self) -> HTTPConnection:
        """A connection to it."""
        return HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)

    def predict(self, row: dict[str, Any], connection: HTTPConnection | None = None) -> Answer:
        """The answer to a request of one row, on a new connection if none is given."""
        if connection is None:
            with closing(self.connection()) as connection:
                return self.predict(row, connection)
        connection.request("POST", "/predict", json.dumps(row), {"Content-Type": "application/json"})
        return answer_of(connection)

    def signal(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit code, once it has ended."""
        code = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        return code

    def stop(self) -> int:
        """Send SIGTERM; return the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()


@contextmanager
def running(*words: str | Path, program: str | None = None) -> Iterator[ServerProcess]:
    """A server that is killed at the end, if it still runs; of a `program` that starts it."""
    server = ServerProcess(*words, program=program)
    try:
        yield server
    finally:
        server.process.kill()
        server.wait()
        assert server.process.stderr is not None
        server.process.stderr.close()

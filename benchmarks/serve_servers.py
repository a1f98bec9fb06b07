"""Servers as processes: started, waited for, their memory read, ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from serve_clients import Connection, Post
from timing import COMMAND, HERE, ROOT

START_SECONDS = 90.0
"""Within which a server must answer."""


class NoServerError(Exception):
    """A server did not start."""


@dataclass(frozen=True)
class Server:
    """A server that answers: its process, its port and the seconds from its start to its first answer."""

    title: str
    process: subprocess.Popen[bytes]
    port: int
    first_answer: float

    @property
    def mib(self) -> float:
        """The resident memory of the process, without its children."""
        return resident_mib(self.process.pid)


def resident_mib(pid: int) -> float:
    """The resident memory of a process in MiB; 0 where Linux' /proc is missing."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def nncli_server(run: Path, probe: Post, *words: str) -> Iterator[Server]:
    """`nncli serve` of this folder."""
    port = free_port()
    command = [sys.executable, "-P", *COMMAND, "serve", str(run), "--port", str(port), *words]
    with _started("nncli serve", command, port, probe) as server:
        yield server


@contextmanager
def peer_server(title: str, python: Path, words: Sequence[str | Path], probe: Post) -> Iterator[Server]:
    """One of serve_peers.py, in an environment of its own."""
    port = free_port()
    command = [str(python), str(HERE / "serve_peers.py"), *map(str, words), str(port)]
    with _started(title, command, port, probe) as server:
        yield server


@contextmanager
def echo_server(probe: Post) -> Iterator[Server]:
    """A server that reads nothing of a request and answers a few bytes: what the clients themselves cost."""
    port = free_port()
    with _started("echo", [sys.executable, str(HERE / "serve_echo.py"), str(port)], port, probe) as server:
        yield server


@contextmanager
def _started(title: str, command: Sequence[str], port: int, probe: Post) -> Iterator[Server]:
    """A server in a process group of its own, which is ended whole."""
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    programs = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "PATH": programs}
    with tempfile.TemporaryFile() as log:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, process_group=0
        )
        try:
            while (status := _status(port, probe)) != 200:
                if process.poll() is not None or time.perf_counter() - start > START_SECONDS:
                    log.seek(0)
                    raise NoServerError(f"{title} answered {status}\n{log.read()[-2000:].decode(errors='replace')}")
                time.sleep(0.01)
            yield Server(title, process, port, time.perf_counter() - start)
        finally:
            _end(process)


def _status(port: int, post: Post) -> int | None:
    """The status of an answer, or None without one."""
    try:
        with Connection(port) as connection:
            return connection.post(post).status
    except OSError:
        return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children: SIGTERM, and SIGKILL ten seconds later."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(10)
        except ProcessLookupError:
            process.wait(10)
        except subprocess.TimeoutExpired:
            continue

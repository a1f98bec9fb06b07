"""An MLflow server as a process of its own, with a temporary store; and servers that misbehave."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

SECONDS_TO_START = 120.0
ENVIRONMENT = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


class MLflowServer:
    """An MLflow server on loopback."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{port}"
        self._log = folder / "log"
        command = [
            sys.executable,
            "-m",
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            "1",
        ]
        command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(folder)]
        with self._log.open("w") as log:
            # It starts processes of its own, which end with its group.
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                stdout=log,
                stderr=log,
                env={**os.environ, **ENVIRONMENT, "PYTHONWARNINGS": ""},
                start_new_session=True,
            )

    def wait_until_it_answers(self) -> None:
        """Wait until the server has started."""
        end = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < end and self._process.poll() is None:
            with suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
            time.sleep(0.2)
        self.stop()
        raise AssertionError(self._log.read_text())

    def stop(self) -> None:
        """End the server and all of its processes, by their group."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)


@contextmanager
def mlflow_server(folder: Path) -> Iterator[MLflowServer]:
    """A server that has started, and is stopped after the block."""
    server = MLflowServer(folder)
    try:
        server.wait_until_it_answers()
        yield server
    finally:
        server.stop()


@contextmanager
def silent_server() -> Iterator[str]:
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


class Proxy:
    """A server that passes everything on to another one, until `end` is called, or it has read `max_bytes`."""

    def __init__(self, target: str, max_bytes: float = math.inf) -> None:
        self._left = max_bytes
        self._target = int(target.rpartition(":")[2])
        self._server = socket.create_server(("127.0.0.1", 0))
        self.uri = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._connections += [client, server]
            threading.Thread(target=_copy, args=(client, server, self._count), daemon=True).start()
            threading.Thread(target=_copy, args=(server, client), daemon=True).start()

    def _count(self, read: int) -> None:
        self._left -= read
        if self._left < 0:
            self.end()

    def end(self) -> None:
        """Cut all connections, and refuse new ones."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


def _copy(source: socket.socket, target: socket.socket, count: Callable[[int], None] = lambda read: None) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 12):
            count(len(data))
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def client(uri: str) -> Any:
    """MLflow's client."""
    from mlflow import MlflowClient

    return MlflowClient(uri)


def runs_of(uri: str, experiment: str) -> dict[str, Any]:
    """The runs of an experiment by their names."""
    result = client(uri).get_experiment_by_name(experiment)
    assert result is not None
    runs = client(uri).search_runs([result.experiment_id])
    by_name = {run.info.run_name: run for run in runs}
    assert len(by_name) == len(runs)
    return by_name


def values(uri: str, run: Any, metric: str) -> list[tuple[int, float]]:
    """Steps and values of a metric."""
    history = client(uri).get_metric_history(run.info.run_id, metric)
    return sorted((point.step, point.value) for point in history)

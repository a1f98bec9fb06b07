"""A server process under test: its start, its answers to good requests, its memory and its log."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from nncli import train

COLORS, WORDS = ("red", "green", "Blue, dark", 'say "hi"', "ünï"), ("good", "bad", "warm", "cold", "not")
ROW = {"x": 1.5, "count": 3, "rate": 0.25, "color": "red", "flag": True, "day": "2024-02-29", "note": "good warm bad"}
SECONDS = 20.0
PANIC = re.compile(r"^thread '[^']*' .*panicked at (?:crates|/).*\n(?:(?!\{|2\d\d\d-|thread ).*\n)*", re.MULTILINE)
"""What Polars prints of an error of its own."""


def train_runs(folder: Path) -> list[Path]:
    """A run that predicts a number and one that predicts a class, of columns of all kinds."""
    rng = Random(0)
    lines = ["x,count,rate,color,flag,day,note,y,z"]
    for _ in range(120):
        x, color = rng.gauss(0, 1), rng.choice(COLORS).replace('"', '""')
        day = f"20{rng.randrange(10, 30)}-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}"
        note, flag = " ".join(rng.choices(WORDS, k=5)), rng.choice(("true", "false"))
        rate = "" if rng.random() < 0.1 else rng.random()
        lines.append(
            f'{x},{rng.randrange(9)},{rate},"{color}",{flag},{day},{note},{3 * x + rng.random()},{"ab"[x > 0]}'
        )
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    runs = []
    for name, target, other in (("reg", "y", "z"), ("cls", "z", "y")):
        data = {"path": "table.csv", "target": target, "drop": [other], "columns": {"note": "text"}}
        config = {"data": data, "layers": [8], "epochs": 2, "members": 2, "workers": 1, "backend": "numpy"}
        (folder / f"{name}.yaml").write_text(json.dumps(config))
        runs.append(train(folder / f"{name}.yaml", output=folder / name).run)
    return runs


@dataclass
class Server:
    """A running server; `reference` are the answers to good requests before anything else was sent."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    reference: list[bytes] = field(default_factory=list)

    def good_answers(self) -> list[bytes]:
        """The bodies of the answers to good requests."""
        header, cells = ",".join(ROW), ",".join(str(value) for value in ROW.values())
        split: dict[str, Any] = {"columns": list(ROW), "data": [list(ROW.values())]}
        requests = [
            ("/predict", "application/json", json.dumps(ROW)),
            ("/models/cls/predict?proba=true", "application/json", json.dumps({"rows": [ROW, {**ROW, "rate": None}]})),
            ("/predict", "text/csv", f"{header}\n{cells}\n"),
            ("/models/cls/invocations", "application/json", json.dumps({"dataframe_split": split})),
        ]
        return [self.answer_body(path, kind, body.encode()) for path, kind, body in requests]

    def answer_body(self, path: str, media_type: str, body: bytes) -> bytes:
        """The body of an answer that has to be a good one."""
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media_type}\r\nConnection: close\r\n"
        data = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        for _ in range(50):
            with socket.create_connection(("127.0.0.1", self.port), SECONDS) as client:
                client.sendall(data)
                answer = b"".join(iter(lambda: client.recv(65536), b""))
            if not answer.startswith(b"HTTP/1.1 503"):
                break
            time.sleep(0.1)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"a good request was refused: {answer.decode(errors='replace')}")
        return answer.partition(b"\r\n\r\n")[2]

    @property
    def peak(self) -> int:
        """The most memory that the process has held, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    @property
    def panics(self) -> int:
        """How often Polars has reported an error of its own, which it prints itself, and which is answered with 400."""
        return len(PANIC.findall(self.log.read_text(errors="replace")))

    def new_tracebacks(self) -> list[str]:
        """What the log holds that a server should not say."""
        text = PANIC.sub("", self.log.read_text(errors="replace"))
        return re.findall(r"^.*(?:Traceback|Error|Warning|error:|exception).*(?:\n.*){0,40}", text, re.MULTILINE)


@contextmanager
def serving(folder: Path, runs: list[Path]) -> Iterator[Server]:
    """A server of runs on a free port of the loopback address."""
    log = folder / "server.log"
    words = ["--port", "0", "--timeout", "3s", "--max-body", "1MB", "--max-rows", "5000", "--access-log"]
    command = [sys.executable, "-W", "always", "-m", "nncli", "serve", *map(str, runs), *words]
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stderr=errors, stdout=errors, env={**os.environ, "RUST_BACKTRACE": "0"})
    try:
        yield Server(process, _port(process, log), log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    """The port, once the server listens."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if match := re.search(r"listening on http://127\.0\.0\.1:(\d+)", log.read_text()):
            return int(match[1])
        time.sleep(0.05)
    raise SystemExit(f"the server did not start: {log.read_text()}")

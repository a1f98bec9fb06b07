"""Restart tests: `nncli serve` is given new models and is replaced by new processes, and no request may fail.

    python reliability/serve_restarts.py                                        # 20,000 requests, 5 swaps, 5 restarts
    python reliability/serve_restarts.py --requests 500 --swaps 1 --restarts 1  # some seconds

Clients of raw sockets send requests of one row without a pause and without ever sending one again: half of them on
connections that they keep, half on a new connection for every request. Meanwhile the run that is served is switched
between two trainings, with SIGHUP, and the server is replaced: a second process listens at the same port
(`--reuse-port`), and the first gets SIGTERM.

A request has failed if its connection is refused or ends, if its answer is not 200, takes more than ten seconds, has
other bits than `nncli predict` writes for the row with the version of the model that the answer names, or has no such
version. A client may find that a connection it keeps was closed while it had no request on it; then it makes another.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

import nncli
from nncli.run_directory.run import Run

SECONDS = 10.0
"""Longest time for an answer."""
SECONDS_OF_A_SERVER = 60.0
"""Longest time for a server to start, to load a model, or to end."""
ROWS = 40
VERSION_LETTERS = 12
CONFIG = "data: {path: table.csv, target: y}\nlayers: [16]\nepochs: 2\nmembers: 2\nworkers: 1\n"


@dataclass(frozen=True)
class Trained:
    """Two runs, a link to one of them that is served, and the predictions of rows by the version of the model."""

    runs: tuple[Path, Path]
    link: Path
    bodies: tuple[bytes, ...]
    predictions: dict[str, tuple[float, ...]]

    def serve(self, run: Path) -> None:
        """Let the link lead to a run."""
        new = self.link.with_name("next")
        new.symlink_to(run)
        new.replace(self.link)


@dataclass
class Tally:
    """What came of the requests."""

    counts: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    slowest: float = 0.0
    version: str = ""

    def wrong(self, message: str) -> None:
        """Count a request that failed."""
        self.counts["failed"] += 1
        self.complaints.append(message)


@dataclass
class Server:
    """A process of `nncli serve`."""

    process: asyncio.subprocess.Process
    port: int
    lines: list[str]

    @classmethod
    async def start(cls, link: Path, port: int) -> Server:
        """Start a server, and wait until it listens."""
        words = ["-m", "nncli", "serve", f"{link}=model", "--port", str(port), "--reuse-port"]
        process = await asyncio.create_subprocess_exec(sys.executable, *words, stderr=asyncio.subprocess.PIPE)
        assert process.stderr is not None
        lines: list[str] = []
        while not lines or "listening on http://" not in lines[-1]:
            line = await asyncio.wait_for(process.stderr.readline(), SECONDS_OF_A_SERVER)
            if not line:
                raise SystemExit(f"the server has ended: {''.join(lines)}")
            lines.append(line.decode())
        return cls(process, int(lines[-1].rpartition(":")[2]), lines)

    async def stop(self) -> int:
        """Send SIGTERM; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        _, errors = await asyncio.wait_for(self.process.communicate(), SECONDS_OF_A_SERVER)
        self.lines += errors.decode().splitlines(keepends=True)
        assert self.process.returncode is not None
        return self.process.returncode


def train(folder: Path) -> Trained:
    """Train two runs that differ in their seeds, and predict some rows with both."""
    rng = random.Random(0)
    names = [f"x{k}" for k in range(8)]
    table = pl.DataFrame({name: [rng.gauss(0.0, 1.0) for _ in range(300)] for name in names})
    table = table.with_columns(y=pl.sum_horizontal(names) + pl.col("x0") * pl.col("x1"))
    table.write_csv(folder / "table.csv")
    (folder / "config.yaml").write_text(CONFIG)
    rows = table[:ROWS].select(names)
    runs, predictions = [], {}
    for seed in (1, 2):
        run = nncli.train(folder / "config.yaml", output=folder / f"run-{seed}", set=[f"seed={seed}"]).run
        version = Run.open(run).load_manifest().checksum[:VERSION_LETTERS]
        predictions[version] = tuple(nncli.predict(run, rows)["prediction"].to_list())
        runs.append(run)
    trained = Trained(
        (runs[0], runs[1]), folder / "run", tuple(json.dumps(row).encode() for row in rows.to_dicts()), predictions
    )
    trained.serve(runs[0])
    return trained


async def client(k: int, port: int, trained: Trained, tally: Tally, is_over: Callable[[], bool]) -> None:
    """Send requests one after the other; clients of an even number keep their connections."""
    rng, keeps = random.Random(k), k % 2 == 0
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while not is_over():
        row = rng.randrange(ROWS)
        start = time.monotonic()
        tally.counts["requests"] += 1
        try:
            async with asyncio.timeout(SECONDS):
                if connection is not None and connection[0].at_eof():
                    tally.counts["connections closed while idle"] += 1
                    connection[1].close()
                    connection = None
                if connection is None:
                    tally.counts["connections"] += 1
                    connection = await asyncio.open_connection("127.0.0.1", port)
                answer, is_last = await exchange(connection, trained.bodies[row], keeps=keeps)
                check(answer, row, trained, tally)
        except (OSError, asyncio.IncompleteReadError, ValueError, KeyError) as error:
            tally.wrong(f"client {k}, after {time.monotonic() - start:.3f} s: {type(error).__name__}: {error}")
            is_last = True
        tally.slowest = max(tally.slowest, time.monotonic() - start)
        if is_last and connection is not None:
            connection[1].close()
            connection = None
        if rng.random() < 0.01:  # an idle moment, which may fall into the end of a server
            await asyncio.sleep(rng.choice([0.01, 0.1, 0.5, 2.5]))
    if connection is not None:
        connection[1].close()


@dataclass(frozen=True)
class Answer:
    """The head of an answer, and its body."""

    head: str
    body: bytes

    def header(self, name: str) -> str:
        """The value of a header; KeyError if there is none."""
        fields = dict(line.lower().split(": ", 1) for line in self.head.split("\r\n")[1:] if line)
        return fields[name]


async def exchange(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], body: bytes, *, keeps: bool
) -> tuple[Answer, bool]:
    """Send a request and read the answer; also whether it is the last of the connection."""
    reader, writer = connection
    close = b"" if keeps else b"Connection: close\r\n"
    head = (
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n"
    )
    writer.write(head % (close, len(body)) + body)
    answer = Answer((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"), b"")
    answer = Answer(answer.head, await reader.readexactly(int(answer.header("content-length"))))
    return answer, "connection: close" in answer.head.lower()


def check(answer: Answer, row: int, trained: Trained, tally: Tally) -> None:
    """Compare an answer with what the model that it names predicts."""
    if not answer.head.startswith("HTTP/1.1 200 "):
        tally.wrong(f"{answer.head.splitlines()[0]}: {answer.body.decode()}")
        return
    version = answer.header("x-model-version")
    result, expected = json.loads(answer.body)["prediction"], trained.predictions[version][row]
    if result != expected:
        tally.wrong(f"row {row}: {result!r} is not the prediction of version {version}, {expected!r}")
    tally.counts[f"answers of version {version}"] += 1
    tally.version = version


async def swap(server: Server, trained: Trained, tally: Tally) -> None:
    """Let the link lead to the other run, and wait for an answer of its model."""
    before = tally.version
    other = next(run for run in trained.runs if run.resolve() != trained.link.resolve())
    trained.serve(other)
    server.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + SECONDS_OF_A_SERVER
    while tally.version == before:
        if time.monotonic() > end:
            tally.wrong(f"the model was not replaced: {server.lines}")
            return
        await asyncio.sleep(0.01)
    tally.counts["swaps"] += 1


async def restart(server: Server, trained: Trained, tally: Tally) -> Server:
    """Start a second server at the same port, and stop the first."""
    second = await Server.start(trained.link, server.port)
    code = await server.stop()
    if code or any(word in line for line in server.lines for word in ("Traceback", "error")):
        tally.wrong(f"the server has ended with exit code {code}: {''.join(server.lines)}")
    tally.counts["restarts"] += 1
    return second


async def measure(trained: Trained, options: argparse.Namespace) -> Tally:
    """Send the requests while models and servers are replaced, evenly spread among them."""
    tally = Tally()
    events = ["swap", "restart"] * max(options.swaps, options.restarts)
    events = [name for k, name in enumerate(events) if k // 2 < getattr(options, f"{name}s")]
    server = await Server.start(trained.link, 0)
    are_over = False
    clients = [
        asyncio.create_task(
            client(k, server.port, trained, tally, lambda: are_over and tally.counts["requests"] >= options.requests)
        )
        for k in range(options.clients)
    ]
    try:
        for k, event in enumerate(events, start=1):
            while tally.counts["requests"] < k * options.requests // (len(events) + 1):
                await asyncio.sleep(0.01)
            if event == "swap":
                await swap(server, trained, tally)
            else:
                server = await restart(server, trained, tally)
        are_over = True
        await asyncio.gather(*clients)
        await server.stop()
    finally:
        for task in clients:
            task.cancel()
        with contextlib.suppress(ProcessLookupError):
            server.process.kill()
    return tally


def main() -> int:
    """Restart as often as asked, print the figures, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--swaps", type=int, default=5)
    parser.add_argument("--restarts", type=int, default=5)
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    os.environ.pop("NOTIFY_SOCKET", None)
    with tempfile.TemporaryDirectory(prefix="serve-restarts-") as name:
        trained = train(Path(name))
        start = time.monotonic()
        tally = asyncio.run(measure(trained, options))
        seconds = time.monotonic() - start
    for complaint in tally.complaints[:10]:
        print(complaint)
    for key in ("requests", "connections", "connections closed while idle", "swaps", "restarts", "failed"):
        print(f"{key:32}{tally.counts[key]:8,}")
    for version in trained.predictions:
        print(f"{f'answers of version {version}':32}{tally.counts[f'answers of version {version}']:8,}")
    print(f"{'slowest answer':32}{tally.slowest:8.3f} s")
    print(f"{'time':32}{seconds:8.1f} s")
    done = (tally.counts["swaps"], tally.counts["restarts"]) == (options.swaps, options.restarts)
    return 1 if tally.complaints or not done else 0


if __name__ == "__main__":
    sys.exit(main())

"""Fuzzing of `nncli serve` with hostile requests over sockets; counts what a server must not do.

    python reliability/serve_fuzz.py                  # 100,000 requests
    python reliability/serve_fuzz.py --requests 1000  # seconds

Every request goes over a connection of its own to a server process on the loopback address: random bytes, mutated good
requests, JSON that parsers disagree on, 2,000 naughty strings in all places, wrong lengths and chunks, damaged and
deceptive CSV, JSON lines and compressed bodies (hostile_requests.py). The seed and the number of a request determine
it.

The server must answer each or close its connection in time, with no status from 500 on but 503, and with well-formed
answers that hold no traceback. It must not write a traceback or a warning, stay within its memory, and answer good
requests afterwards with the same bytes as before.
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from hostile_requests import Hostile, hostile_request
from serve_process import ROW, Server, serving, train_runs

CLIENTS = 6
HANG = 20.0
"""Seconds; the server has 3 to receive a request, 3 to answer it, and 2 until it ends the connection."""
QUIET = 10.0
"""Seconds without a byte, more than the server has for anything but an idle connection."""
ROOM = 500 * 1024 * 1024
ANSWER = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [^\r\n]*\r\n((?:[!-~]+:[^\r\n\0]*\r\n)*)\r\n")
STATUS = re.compile(rb"^HTTP/1\.1 ([1-5][0-9][0-9]) ", re.MULTILINE)
"""Where a request may have been HEAD, whose answers have a length and no body."""
CHECK_EVERY = 2000


@dataclass
class Found:
    """Counts of answers, and what was wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def exchange(port: int, hostile: Hostile) -> bytes:
    """Send a request and return all that the server answers until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), HANG) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer = b""
        try:
            for piece in hostile.pieces:
                client.sendall(piece)
            if not hostile.waits:
                client.shutdown(socket.SHUT_WR)
        except OSError:  # the server has refused it already
            pass
        end = time.monotonic() + HANG
        client.settimeout(QUIET)
        try:
            while part := _receive(client, answer):
                answer += part
                if time.monotonic() > end:
                    raise TimeoutError
        except ConnectionError:
            pass
        return answer


def _receive(client: socket.socket, answer: bytes) -> bytes:
    """The next bytes; a client that has its answer leaves once the server is quiet, since it keeps the connection."""
    try:
        return client.recv(1 << 20)
    except TimeoutError:
        if not answer:
            raise
        client.settimeout(HANG)
        client.shutdown(socket.SHUT_WR)
        return client.recv(1 << 20)


def statuses(answer: bytes) -> list[int]:
    """The statuses of all answers; a ValueError if they are not well-formed."""
    result, at = [], 0
    while at < len(answer):
        match = ANSWER.match(answer, at)
        if match is None:
            raise ValueError(f"no answer at {at}: {answer[at : at + 200]!r}")
        result.append(int(match[1]))
        at = match.end()
        if result[-1] in (100, 204):
            continue
        length = re.search(rb"(?i)^content-length: ([0-9]+)\r$", match[2], re.MULTILINE)
        if length is None:
            return result
        body = answer[at : at + int(length[1])]
        at += int(length[1])
        if b"Traceback" in body or len(body) < int(length[1]):
            raise ValueError(f"a body with a traceback, or a part of one: {body[:500]!r}")
        if b"application/problem+json" in match[2] and json.loads(body)["status"] != result[-1]:
            raise ValueError(f"a problem of another status: {body[:500]!r}")
    return result


def attempt(server: Server, seed: int, number: int) -> tuple[str, str | None]:
    """Send request `number`; the kind with the first status, and what was wrong."""
    hostile = hostile_request(Random(f"{seed} {number}"), ROW)
    try:
        answer = exchange(server.port, hostile)
    except TimeoutError:
        return hostile.kind, "hang"
    except OSError as error:
        return hostile.kind, f"no connection: {error}"
    data = b"".join(hostile.pieces)
    try:
        result = statuses(answer) if b"HEAD" not in data else [int(item) for item in STATUS.findall(answer)]
    except ValueError as error:
        return hostile.kind, f"malformed: {error}"
    if any(status >= 500 and status != 503 for status in result):
        return hostile.kind, f"status {result}: {answer[:1000]!r}"
    return f"{hostile.kind}: {result[0] if result else 'closed'}", None


def fuzz(server: Server, seed: int, numbers: range, keep: Path | None) -> Found:
    """Send all requests, and look after the server in between."""
    result = Found()
    server.reference = server.good_answers()
    base = server.peak
    with ThreadPoolExecutor(CLIENTS) as clients:
        for start in range(numbers.start, numbers.stop, CHECK_EVERY):
            part = range(start, min(start + CHECK_EVERY, numbers.stop))
            for number, (what, wrong) in zip(part, clients.map(lambda k: attempt(server, seed, k), part), strict=True):
                result.counts[what] += 1
                if wrong is not None:
                    result.wrong.append(f"request {number}, {what}: {wrong}")
                    if keep is not None:
                        (keep / f"{number}.bin").write_bytes(
                            b"".join(hostile_request(Random(f"{seed} {number}"), ROW).pieces)
                        )
            result.wrong += _faults(server, base, part)
            print(f"{part.stop - numbers.start:,} requests, wrong: {len(result.wrong)}", file=sys.stderr)
            if server.process.poll() is not None:
                break
    return result


def _faults(server: Server, base: int, part: range) -> list[str]:
    """What is wrong with the server after some requests."""
    where = f"after request {part.stop - 1}"
    if server.process.poll() is not None:
        return [f"{where}: the server has ended with {server.process.returncode}: {server.log.read_text()[-3000:]}"]
    faults = []
    if server.good_answers() != server.reference:
        faults.append(f"{where}: good requests are answered otherwise")
    if server.peak > base + ROOM:
        faults.append(f"{where}: the server has held {server.peak >> 20} MiB, {base >> 20} MiB at its start")
    return faults


def main() -> int:
    """Print the counts; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first request")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for requests that went wrong, and the log of the server")
    arguments = parser.parse_args()
    if arguments.keep is not None:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        with serving(Path(folder), train_runs(Path(folder))) as server:
            numbers = range(arguments.first, arguments.first + arguments.requests)
            result = fuzz(server, arguments.seed, numbers, arguments.keep)
            peak = server.peak if server.process.poll() is None else 0
            result.counts["(messages of Polars about errors of its own)"] = server.panics
        result.wrong += [f"the log: {text}" for text in server.new_tracebacks()]
        if arguments.keep is not None:
            (arguments.keep / "server.log").write_bytes(server.log.read_bytes())
    for what, count in sorted(result.counts.items()):
        print(f"{count:8,}  {what}")
    seconds, wrong = time.monotonic() - begun, len(result.wrong)
    print(f"{arguments.requests:,} requests in {seconds:,.0f} s, {peak >> 20} MiB, wrong: {wrong}")
    for text in result.wrong[:50]:
        print(text[:3000])
    return 1 if result.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

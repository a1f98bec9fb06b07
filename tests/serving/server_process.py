"""A server as a process of its own, at a free port of the loopback address."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Timer

from tests.cli.support import ROOT

SECONDS_TO_START = 60.0


@contextmanager
def serving(arguments: Sequence[str]) -> Iterator[str]:
    """Run `nncli serve` while the block runs, and yield its host and port."""
    command = [sys.executable, "-m", "nncli", "serve", *arguments, "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = Timer(SECONDS_TO_START, process.kill)
    deadline.start()
    try:
        address = _address(process)
        deadline.cancel()
        yield address
    finally:
        deadline.cancel()
        process.terminate()
        process.communicate(timeout=SECONDS_TO_START)
    assert process.returncode == 0


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "listening on http://" in line:
            return line.rpartition("http://")[2].strip().rstrip("/")
    raise AssertionError("".join(lines))

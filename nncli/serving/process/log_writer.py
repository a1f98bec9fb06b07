"""Writing lines to stderr on a thread of its own: a reader that is stuck does not hold up the server."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Full, Queue
from threading import Thread

MAX_LINES = 10_000
"""Lines that may wait to be written; further ones are dropped and counted."""
FLUSH_SECONDS = 2.0
"""How long lines that wait are written when the server ends."""


class LineWriter:
    """Writes lines to a file descriptor; `describe` is the line that says how many were dropped."""

    def __init__(self, descriptor: int, describe: Callable[[int], str], limit: int = MAX_LINES) -> None:
        self._descriptor, self._describe = descriptor, describe
        self._lines = Queue[str | None](limit)
        self._dropped = 0
        self._thread = Thread(target=self._work, name="nncli log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Let a line be written, unless too many wait."""
        try:
            self._lines.put_nowait(line)
        except Full:
            self._dropped += 1

    def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """Write what waits, at most for so long."""
        with suppress(Full):
            self._lines.put(None, timeout=seconds)
            self._thread.join(seconds)

    def _work(self) -> None:
        while (line := self._lines.get()) is not None:
            self._write(line)
            if self._dropped and self._lines.empty():
                dropped, self._dropped = self._dropped, 0
                self._write(self._describe(dropped))

    def _write(self, line: str) -> None:
        """Write a line without the locks of sys.stderr, which the end of the interpreter would wait for."""
        data = f"{line}\n".encode(errors="backslashreplace")
        with suppress(OSError):  # a log that cannot be written is no reason to stop
            while data:
                data = data[os.write(self._descriptor, data) :]


_writers: list[LineWriter] = []


def write_line(line: str) -> None:
    """Write a line to stderr: at once, or on a thread within `writing_on_a_thread`. It never fails."""
    if _writers:
        _writers[-1].write(line)
        return
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - this is the log


@contextmanager
def writing_on_a_thread(describe: Callable[[int], str]) -> Iterator[None]:
    """Let a thread write the lines to stderr; all that wait are written at the end."""
    try:
        writer = LineWriter(sys.stderr.fileno(), describe)
    except (OSError, ValueError, AttributeError):  # stderr is closed, or no file
        yield
        return
    _writers.append(writer)
    try:
        yield
    finally:
        _writers.remove(writer)
        writer.close()

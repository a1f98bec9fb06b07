"""The log of a server: one line on stderr for each event, with its time in UTC."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from queue import Full, Queue
from threading import Thread
from types import TracebackType
from typing import TypeAlias

from nncli.base.text import escape_unprintable
from nncli.serving.process.native_stderr import panics_of

LOG = logging.getLogger("nncli.serving")
LOGGERS = ("nncli.serving", "uvicorn", "asyncio")
"""Loggers whose lines are shown: of uvicorn, which warns of every damaged request, errors; of asyncio warnings, too."""
ALWAYS = logging.INFO + 5
"""The level of what is shown also if the log is to be quiet: the address, whose port nobody else may know."""
PREFIXES = {logging.WARNING: "warning: ", logging.ERROR: "error: ", logging.CRITICAL: "error: "}

ExceptionInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class WithoutMessages(logging.Formatter):
    """Formats an exception as its type and its traceback: messages of libraries quote cells of requests."""

    def formatException(self, ei: ExceptionInfo) -> str:
        """The traceback, the type below."""
        kind, _, trace = ei
        lines = "".join(traceback.format_tb(trace)).splitlines()
        return "\n".join([*map(escape_unprintable, lines), "" if kind is None else kind.__qualname__])


class StderrLines(logging.Handler):
    """Writes records to stderr. A log that cannot be written is no reason to stop."""

    def __init__(self, *, as_json: bool = False) -> None:
        super().__init__()
        self._as_json = as_json
        formatter = WithoutMessages("{asctime}Z {message}", "%Y-%m-%dT%H:%M:%S", style="{")
        formatter.converter = time.gmtime
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, an exception with its traceback below."""
        with suppress(OSError, ValueError):
            line = logging.makeLogRecord(record.__dict__)
            line.exc_text = None  # another handler may have formatted it, with the message
            prefix = "" if self._as_json else PREFIXES.get(record.levelno, "")
            line.msg, line.args = prefix + escape_unprintable(record.getMessage()), ()
            text = self.format(line)
            if self._as_json:
                kind = PREFIXES.get(record.levelno, "info").rstrip(": ")
                text = json_line(kind, text.partition(" ")[2], record.created)  # without the time
            write_line(text)


def json_line(level: str, message: str, seconds: float) -> str:
    """A line of a log of JSON; `seconds` is the time since 1970, `level` is info, warning or error."""
    return json.dumps({"time": utc_time(seconds), "level": level, "message": message})


def dropped_line(number: int, *, as_json: bool) -> str:
    """The line that says how many lines could not be written."""
    message = f"lines of the log were dropped, since it was not read: {number:,}"
    return json_line("warning", message, time.time()) if as_json else f"{utc_time(time.time())} warning: {message}"


def utc_time(seconds: float) -> str:
    """A time since 1970 as text, with milliseconds, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def log_native_text(text: str) -> None:
    """Log what a library has written to stderr; of a panic its place alone, as the message may quote cells."""
    places = panics_of(text)
    for place in places:
        LOG.warning("a library reports an error of its own, at %s", place)
    for line in () if places else text.splitlines():
        LOG.warning("a library reports: %s", line)


def log_to_stderr(*, quiet: bool = False, as_json: bool = False) -> None:
    """Show the log of the server, with `quiet` its address, warnings and errors alone; each line `as_json` or text."""
    handler = StderrLines(as_json=as_json)
    levels = (ALWAYS if quiet else logging.INFO, logging.ERROR, logging.WARNING)
    for name, level in zip(LOGGERS, levels, strict=True):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


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
            if self._lines.empty():
                self._write_dropped()
        self._write_dropped()

    def _write_dropped(self) -> None:
        """Write how many lines were dropped since this was last written, if any."""
        if self._dropped:
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

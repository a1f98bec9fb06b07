"""The log of a server: one line on stderr for each event, with its time in UTC."""

from __future__ import annotations

import json
import logging
import time
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import TypeAlias

from nncli.base.native_stderr import panics_of
from nncli.base.text import escape_unprintable
from nncli.serving.process.log_writer import write_line

LOG = logging.getLogger("nncli.serving")
LOGGERS = ("nncli.serving", "uvicorn", "asyncio")
"""Loggers whose lines are shown; of the libraries, warnings alone."""
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
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        own = ALWAYS if quiet else logging.INFO
        logger.setLevel(own if name == LOG.name else logging.WARNING)

"""The log of a server: one line on stderr for each event, with its time in UTC."""

from __future__ import annotations

import logging
import sys
import time
import traceback
from contextlib import suppress
from types import TracebackType
from typing import TypeAlias

from nncli.text import escape_unprintable

LOG = logging.getLogger("nncli.serving")
LOGGERS = ("nncli.serving", "uvicorn", "asyncio")
"""Loggers whose lines are shown; of the libraries, warnings alone."""
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

    def __init__(self) -> None:
        super().__init__()
        formatter = WithoutMessages("{asctime}Z {message}", "%Y-%m-%dT%H:%M:%S", style="{")
        formatter.converter = time.gmtime
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, an exception with its traceback below."""
        with suppress(OSError, ValueError):
            line = logging.makeLogRecord(record.__dict__)
            line.exc_text = None  # another handler may have formatted it, with the message
            line.msg, line.args = PREFIXES.get(record.levelno, "") + escape_unprintable(record.getMessage()), ()
            print(self.format(line), file=sys.stderr, flush=True)  # noqa: T201 - this is the log


def log_to_stderr(*, quiet: bool = False) -> None:
    """Show the log of the server, with `quiet` warnings and errors alone."""
    handler = StderrLines()
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO if name == LOG.name and not quiet else logging.WARNING)

"""The terminal: standard streams, signals, and messages on stderr. stdout is for data."""

from __future__ import annotations

import errno
import io
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from nncli.base import text
from nncli.base.credentials import redacted
from nncli.base.errors import NncliError, UsageError
from nncli.base.text import escape_unprintable

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Buffer

    from nncli.targets.metrics.bootstrap import ConfidenceInterval


def echo_err(message: str) -> None:
    """Print a line on stderr, without the credentials of URLs in it.

    A log on a full disk is no reason to stop; a reader who has left is one.

    Raises:
        BrokenPipeError: the reader of the pipe has closed it.
    """
    try:
        print(escape_unprintable(redacted(message)), file=sys.stderr, flush=True)  # noqa: T201
    except BrokenPipeError:
        raise
    except OSError:
        pass


def print_path(path: Path) -> None:
    """Print the path of what was written on stdout; on stderr if stdout is closed, since nothing is lost then.

    A program gets the bytes of the path; on a terminal, characters that could control it are escaped.
    """
    try:
        typer.echo(escape_unprintable(str(path)) if sys.stdout.isatty() else os.fsencode(path))
    except NncliError:
        echo_err(f"written to {path}")


def print_json(document: Mapping[str, Any]) -> None:
    """Print a JSON object as a line on stdout and flush it; a path may not be valid Unicode."""
    import json

    typer.echo(json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace"))


class _StderrHandler(logging.Handler):
    """Prints log records on the present sys.stderr, which a live view may have replaced."""

    def emit(self, record: logging.LogRecord) -> None:
        echo_err(record.getMessage())


def interval_text(interval: ConfidenceInterval | None) -> str:
    """`0.88 to 0.95`; a dash for no interval."""
    return "–" if interval is None else f"{format_number(interval.low)} to {format_number(interval.high)}"


def set_verbose(verbose: bool) -> None:
    """Switch the log of stages on or off (-v); an earlier command of this process may have switched it on."""
    log = logging.getLogger("nncli")
    log.setLevel(logging.INFO if verbose else logging.WARNING)
    log.handlers = [_StderrHandler()] if verbose else []
    log.propagate = not verbose


def announce_input(what: str) -> None:
    """Print a note before standard input is read if it is a terminal.

    Raises:
        UsageError: standard input is closed.
    """
    if sys.stdin is None:
        raise UsageError("standard input is closed", hint="Name a file, or pipe one in.")
    if sys.stdin.isatty():
        echo_err(f"reading {what} from the terminal; end it with Ctrl-D on an empty line")


def rows(count: int) -> str:
    """A number of rows, for example `1 row` or `1,024 rows`."""
    return f"{count:,} row{'' if count == 1 else 's'}"


def terminal() -> Console | None:
    """A Rich console on stderr if that is a terminal that can redraw lines, else None.

    CI is no terminal even where it looks like one. Markup and highlighting are off: the text may come from a table.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") in ("dumb", "unknown"):
        return None
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        return None
    from rich.console import Console

    no_color = True if os.environ.get("CLICOLOR") == "0" else None  # None: Rich reads NO_COLOR
    return Console(stderr=True, markup=False, highlight=False, emoji=False, no_color=no_color)


def format_number(value: float | None) -> str:
    """`nncli.base.text.format_number` in ASCII, so that numbers can be pasted; a dash for None and NaN."""
    return text.format_number(value).replace("−", "-").replace("∞", "inf")


STOP_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Signals that end a program: Ctrl-C, kill, a closed terminal."""

STOPPING = "stopping after this batch; again to stop now"
"""The answer to the first signal."""
SECONDS_TO_ANSWER = 1.0
"""Longest wait for that answer."""


class StoppedError(NncliError):
    """A signal stopped the work, which is saved; the exit code is 128 + `number`."""

    def __init__(self, message: str, *, number: int = signal.SIGINT, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.number = number

    @property
    def code(self) -> int:
        """The exit code by the convention of shells."""
        return 128 + self.number


class SecondSignalError(BaseException):
    """A second signal: stop at once. It is no Exception, so that no handler catches it; `hint` says how to resume."""

    def __init__(self, number: int, hint: str = "") -> None:
        super().__init__(number)
        self.number = number
        self.hint = hint


def no_answer() -> None:
    """Answer a stop request with nothing, and wait for nothing."""


class StopRequest:
    """The signal that asked for a stop, if any; calling it returns whether there was one, once that is answered."""

    number: int | None = None
    wait_for_answer: Callable[[], object] = no_answer

    def __call__(self) -> bool:
        if self.number is None:
            return False
        self.wait_for_answer()  # before a live display closes, with which the answer must not mix
        return True


def answer_stop_request() -> Callable[[], object]:
    """Print that the training stops, on a thread: the signal may have interrupted another print.

    Returns a function that waits until it is printed.
    """
    from threading import Thread

    thread = Thread(target=echo_err, args=(STOPPING,), daemon=True)
    thread.start()
    return partial(thread.join, SECONDS_TO_ANSWER)


@contextmanager
def asked_to_stop(
    resume: str = "", answer: Callable[[], Callable[[], object]] = lambda: no_answer
) -> Iterator[StopRequest]:
    """Yield a StopRequest that a signal sets inside the block, and that `answer` is called for at once.

    A second signal raises SecondSignalError with the command `resume`. Signals that the parent process had ignored, as
    nohup does with SIGHUP, stay ignored.
    """
    request = StopRequest()

    def handle(number: int, frame: FrameType | None) -> None:
        if request.number is not None:
            raise SecondSignalError(number, f"To resume: {resume}" if resume else "")
        request.number = number
        request.wait_for_answer = answer()

    handled = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, handle) for number in handled}
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def interrupt_at_once() -> None:
    """Restore Python's handler of Ctrl-C: that of Polars does not interrupt a blocking read."""
    signal.signal(signal.SIGINT, signal.getsignal(signal.SIGINT))


def end_first_process_at_once() -> None:
    """End the process at SIGTERM if it is the first one, as that of a container, which ignores signals otherwise."""
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(128 + number))


DESCRIPTORS = (0, 1, 2)


class _ClosedOutput(io.TextIOBase):
    """Stands in for a closed standard output: every write is an error, since the data would be lost."""

    @property
    def buffer(self) -> _ClosedOutput:
        """The binary stream."""
        return self

    def write(self, data: Any) -> NoReturn:
        """Raise an NncliError."""
        raise NncliError(
            "standard output is closed, so the result cannot be written",
            hint="Redirect it to a file or to /dev/null.",
        )


class _WholeWrites(io.BufferedIOBase):
    """Writes everything at once, however often a signal interrupts it.

    With PYTHONUNBUFFERED, Python writes to the descriptor directly, and drops what an interrupted write left over.
    """

    def __init__(self, raw: io.RawIOBase) -> None:
        self.raw = raw

    def write(self, data: Buffer) -> int:
        """Write all bytes of `data`."""
        rest = memoryview(data).cast("B")
        length = len(rest)
        while rest:
            written = self.raw.write(rest)
            if written is None:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), length - len(rest))
            rest = rest[written:]
        return length

    def writable(self) -> bool:
        """Whether the stream can be written to."""
        return self.raw.writable()

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self.raw.isatty()

    def fileno(self) -> int:
        """The descriptor."""
        return self.raw.fileno()


def prepare_standard_streams() -> None:
    """Replace closed and unbuffered standard streams, and let unencodable characters be written as escapes.

    A closed descriptor is opened on the null device: otherwise the next file to be opened would get its number, and a
    library that prints to stderr would write into that file.
    """
    for descriptor in DESCRIPTORS:
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is `descriptor`
    if sys.stdout is None:
        sys.stdout = _ClosedOutput()
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - open until the process ends
    if os.name == "posix" and _is_descriptor_2(sys.stderr):  # see nncli/serving/process/native_stderr.py
        sys.stderr.flush()
        raw = io.FileIO(os.dup(2), "w", closefd=False)  # open until the process ends
        sys.stderr = io.TextIOWrapper(_WholeWrites(raw), sys.stderr.encoding, write_through=True)
    sys.stdout, sys.stderr = _with_whole_writes(sys.stdout), _with_whole_writes(sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # instead of UnicodeEncodeError
            stream.reconfigure(errors="backslashreplace")


def _is_descriptor_2(stream: Any) -> bool:
    try:
        return bool(stream.fileno() == 2)
    except (OSError, ValueError, AttributeError):
        return False


def _with_whole_writes(stream: Any) -> Any:
    raw = getattr(stream, "buffer", None)
    if not isinstance(raw, io.RawIOBase):
        return stream
    return io.TextIOWrapper(_WholeWrites(raw), stream.encoding, stream.errors, write_through=True)


def check_standard_output() -> None:
    """Raise an NncliError if the standard output is closed, before a long computation of what it would get."""
    if isinstance(sys.stdout, _ClosedOutput):
        sys.stdout.write("")

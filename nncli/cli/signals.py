"""Handling of signals: during a training the first one asks for a checkpoint and a stop, the second stops at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from shlex import quote
from types import FrameType

from nncli.base.errors import NncliError

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

    from nncli.cli.console import echo_err

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


class EventPrinter:
    """Base class of the printers of training events."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self._stop_request: StopRequest | None = None

    def until_asked_to_stop(self, command: str, run: Path) -> AbstractContextManager[StopRequest]:
        """A block in which a signal asks for a stop; `command` resumes `run`."""
        resume = f"nncli {command} --resume {quote(str(run))}"
        return asked_to_stop(resume) if self.quiet else asked_to_stop(resume, answer_stop_request)

    def asked_to_stop(self) -> bool:
        """Whether a signal has asked for a stop since the training started."""
        return self._stop_request is not None and self._stop_request()


def renamed_run_note(requested: Path | None, created: Path) -> list[str]:
    """A note if the requested directory existed and another one was created."""
    if requested is None or requested == created:
        return []
    return [f"{requested} already exists; this run is written to {created}"]

"""Signals: as a request while a network trains (the first asks, the second insists), else at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from nncli.errors import NncliError

ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Signals by which a person, a scheduler or a terminal that closes ends a program."""


class StoppedError(NncliError):
    """The work was stopped by signal `number`, and what there was of it is saved; exit code 128 + number."""

    def __init__(self, message: str, *, number: int = signal.SIGINT, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.number = number

    @property
    def code(self) -> int:
        """The exit code that shells give to a program ended by the signal."""
        return 128 + self.number


class SecondSignalError(BaseException):
    """A second signal came: stop at once. Not an Exception, so that nothing takes it for a fault and goes on."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class StopRequest:
    """Which signal has asked the work to end, if any: call it to know whether."""

    number: int | None = None

    def __call__(self) -> bool:
        return self.number is not None


@contextmanager
def asked_to_stop() -> Iterator[StopRequest]:
    """Yield what tells whether a signal has come. A second one raises InsistedError.

    A signal that whoever started us has us ignore, as nohup does with SIGHUP, stays ignored.
    """
    asked = StopRequest()

    def ask(number: int, frame: FrameType | None) -> None:
        if asked():
            raise SecondSignalError(number)
        asked.number = number

    heard = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, ask) for number in heard}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupt_at_once() -> None:
    """Take Ctrl-C back from Polars, whose handler leaves a read that waits for input waiting."""
    signal.signal(signal.SIGINT, signal.getsignal(signal.SIGINT))


class EventPrinter:
    """Somebody who watches trainings, quietly or not."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._asked: StopRequest | None = None

    def asked_to_stop(self) -> bool:
        """Whether a signal has come since the trainings began."""
        return self._asked is not None and self._asked()


def renamed_run_note(wanted: Path | None, made: Path) -> list[str]:
    """A note where the directory that was named existed, and another was made."""
    if wanted is None or wanted == made:
        return []
    return [f"{wanted} exists, and is left as it is; this run is {made}"]

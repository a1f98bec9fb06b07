"""Ctrl-C: as a request while a network trains (the first asks, the second insists), else at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import ClassVar

from nncli.errors import NncliError


class StoppedError(NncliError):
    """The work was stopped as asked, and what there was of it is saved."""

    exit_code: ClassVar[int] = 130


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether SIGINT has come. A second SIGINT raises KeyboardInterrupt."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


def interrupt_at_once() -> None:
    """Take Ctrl-C back from Polars, whose handler leaves a read that waits for input waiting."""
    signal.signal(signal.SIGINT, signal.getsignal(signal.SIGINT))

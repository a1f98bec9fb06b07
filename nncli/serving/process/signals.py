"""Signals to a server: SIGTERM and SIGINT stop it, SIGHUP lets it load its models again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TypeAlias

from nncli.base.native_stderr import python_descriptor

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
SECONDS_OF_ONE_STOP = 0.5
"""Signals that follow the first so soon belong to it: `timeout` sends one to a process, and another to its group."""

Handler: TypeAlias = Callable[[int, FrameType | None], None]


@contextmanager
def signals_while_loading() -> Iterator[None]:
    """Until the server has begun, SIGTERM ends the process, and SIGHUP does not.

    The first process of a container would otherwise not be ended by SIGTERM at all.
    """

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    handlers: dict[int, Handler | signal.Handlers] = {signal.SIGTERM: leave}
    if hasattr(signal, "SIGHUP"):
        handlers[signal.SIGHUP] = signal.SIG_IGN
    with _handlers(handlers):
        yield


@contextmanager
def signals_while_serving(
    loop: asyncio.AbstractEventLoop, stop: Callable[[], None], reload: Callable[[], None]
) -> Iterator[None]:
    """Call `stop` in the event loop on the first SIGINT or SIGTERM, and `reload` on every SIGHUP.

    A later SIGINT or SIGTERM ends the process at once. A SIGHUP that comes since the terminal of the server was closed
    is one to stop.
    """
    is_stopping, last = False, 0.0
    has_terminal = _has_terminal()

    def on_stop(number: int, frame: FrameType | None) -> None:
        nonlocal is_stopping, last
        if is_stopping and time.monotonic() > last + SECONDS_OF_ONE_STOP:
            with suppress(OSError):  # not by the log, which may be in the midst of a line
                os.write(python_descriptor(), b"nncli: stopped at once\n")
            os._exit(128 + number)
        is_stopping, last = True, time.monotonic()
        loop.call_soon_threadsafe(stop)

    def on_hangup(number: int, frame: FrameType | None) -> None:
        if has_terminal and not _has_terminal():
            on_stop(number, frame)
        else:
            loop.call_soon_threadsafe(reload)

    handlers: dict[int, Handler | signal.Handlers] = dict.fromkeys(STOP_SIGNALS, on_stop)
    if hasattr(signal, "SIGHUP"):
        handlers[signal.SIGHUP] = on_hangup
    with _handlers(handlers):
        yield


@contextmanager
def _handlers(handlers: Mapping[int, Handler | signal.Handlers]) -> Iterator[None]:
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _has_terminal() -> bool:
    """Whether the process writes to a terminal that controls it and is open."""
    if sys.platform == "win32" or not os.isatty(python_descriptor()):
        return False
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True

"""Signals to a server: SIGTERM and SIGINT stop it, SIGHUP lets it load its models again."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TypeAlias

from nncli.serving.process.native_stderr import python_descriptor

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


def notify(state: str) -> None:
    """Send a state such as READY=1 to the socket of NOTIFY_SOCKET, if systemd has started the process."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
        return
    if state.startswith("RELOADING"):
        state += f"\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
        notifier.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)


ALLOCATIONS_BETWEEN_COLLECTIONS = 10_000
"""So many objects are searched for garbage in less than a millisecond."""
SECONDS_BETWEEN_SWITCHES = 0.001
"""How long a thread that reads or writes in Python may hold the interpreter while another waits for it. The event loop
gives it away at every call of the system: at Python's 5 ms, one answer would wait several times so long."""


@contextmanager
def short_pauses() -> Iterator[None]:
    """Keep garbage collections short and thread switches frequent; the settings of before are restored at the end."""
    thresholds, interval, is_frozen = gc.get_threshold(), sys.getswitchinterval(), gc.get_freeze_count() > 0
    gc.freeze()  # a collection of all that was imported and loaded would hold up every answer
    gc.set_threshold(ALLOCATIONS_BETWEEN_COLLECTIONS)
    sys.setswitchinterval(SECONDS_BETWEEN_SWITCHES)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)
        if not is_frozen:  # else by the caller
            gc.unfreeze()

"""A thread that calls a tracker, so that one that fails, hangs or is slow neither ends nor slows the work."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Full, Queue
from threading import Event, Thread
from typing import Generic, Protocol, TypeVar

from nncli.base.credentials import redacted
from nncli.base.errors import Advice, RunCommand, UseOption
from nncli.base.findings import Finding, FindingCode, warning
from nncli.tracking.tracker import Tracker, TrackerChoice

MAX_WAITING = 10_000
"""What waits for a tracker at most, by calls of `put`; an epoch is one."""
PAUSE = 1.0
"""Seconds between two flushes: what came meanwhile is written together."""
MAX_REASON = 300
"""Characters of the message of an error."""


@dataclass(frozen=True)
class CloseTimeouts:
    """Seconds that `TrackerThread.close` waits for a tracker.

    `opening` is for the imports of its package, `silence` since its last answer, and `total` for all of it.
    """

    opening: float = 60.0
    silence: float = 10.0
    total: float = 60.0


DEFAULT_TIMEOUTS = CloseTimeouts()
SIGNAL_TIMEOUTS = CloseTimeouts(1.0, 1.0, 1.0)
"""For an end by a second signal."""

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Receiver(Protocol[T_contra]):
    """What is called on the thread; any of it may fail or never return."""

    def receive(self, item: T_contra) -> None:
        """Handle one item."""

    def flush(self) -> None:
        """Write what was collected."""

    def close(self) -> None:
        """Release everything."""


class TrackerThread(Generic[T]):
    """Hands items to a receiver that is opened and called on a thread of its own.

    `put` never waits. After the first failure, or once too many items wait, nothing more is handed over, and `failure`
    says why. The thread does not keep the process from ending.
    """

    def __init__(self, opened: Callable[[], Receiver[T]], max_waiting: int = MAX_WAITING) -> None:
        self._open = opened
        self._queue: Queue[tuple[T, ...] | None] = Queue(max_waiting)
        self._is_open, self._is_closing, self._has_ended = Event(), Event(), Event()
        self._last_answer = time.monotonic()
        self._failure: str | None = None
        Thread(target=self._run, name="nncli-tracking", daemon=True).start()

    @property
    def failure(self) -> str | None:
        """Why nothing more is handed over; None while all is well."""
        return self._failure

    def put(self, *items: T) -> None:
        """Hand over items, unless the tracker has failed; together they take one place of those that may wait."""
        self._put(items)

    def close(self, timeouts: CloseTimeouts = DEFAULT_TIMEOUTS) -> None:
        """Wait until all items are handled, within the timeouts; `failure` says if they were exceeded."""
        self._put(None)
        self._is_closing.set()
        start = time.monotonic()
        while self._failure is None and not self._has_ended.wait(0.02):
            now = time.monotonic()
            silence = now - max(start, self._last_answer)
            if silence > (timeouts.silence if self._is_open.is_set() else timeouts.opening):
                self._fail(f"no answer for {silence:.0f} s")
            elif now - start > timeouts.total:
                self._fail(f"it was not done {timeouts.total:.0f} s after the end")

    def _put(self, items: tuple[T, ...] | None) -> None:
        if self._failure is not None:
            return
        try:
            self._queue.put_nowait(items)
        except Full:
            self._fail(f"no answer while {self._queue.maxsize:,} items were waiting")

    def _run(self) -> None:
        try:
            receiver = self._open()
            self._last_answer = time.monotonic()
            self._is_open.set()
            try:
                self._call(receiver)
            except Exception as error:
                self._fail(reason_of(error))
            finally:
                receiver.close()
        except Exception as error:
            self._fail(reason_of(error))
        finally:
            self._has_ended.set()

    def _call(self, receiver: Receiver[T]) -> None:
        """Call the receiver until the end, or until it has failed; it is flushed once nothing more waits."""
        is_last = False
        while self._failure is None and not is_last:
            items = self._queue.get()
            is_last = items is None
            for item in items or ():
                if self._failure is not None:
                    return
                receiver.receive(item)
                self._last_answer = time.monotonic()
            if is_last or self._queue.empty():
                receiver.flush()
                self._last_answer = time.monotonic()
                self._is_closing.wait(PAUSE)

    def _fail(self, reason: str) -> None:
        self._failure = self._failure or reason


def is_connection_error(error: BaseException) -> bool:
    """Whether an error, or one that caused it, is that a server could not be reached or did not answer."""
    # By name, since the clients of servers have classes of their own.
    names = {base.__name__ for base in type(error).__mro__}
    if names & {"ConnectionError", "TimeoutError", "Timeout", "gaierror"}:
        return True
    cause = error.__cause__ or error.__context__
    return cause is not None and is_connection_error(cause)


def reason_of(error: Exception) -> str:
    """An error on one line, without the credentials of URLs in it."""
    text = redacted(" ".join(str(error).split())) or type(error).__name__
    return text if len(text) <= MAX_REASON else text[: MAX_REASON - 1] + "…"


class TrackerThreads(Generic[T]):
    """Hands items to all trackers of a run directory; `receiver` makes what calls a tracker, on its thread."""

    def __init__(self, choices: Sequence[TrackerChoice], run: Path, receiver: Callable[[Tracker], Receiver[T]]) -> None:
        self._run = run
        self._threads: dict[TrackerChoice, TrackerThread[T]] = {
            choice: TrackerThread(partial(_open, choice, run, receiver)) for choice in choices
        }
        self._reported: set[TrackerChoice] = set()

    def put(self, *items: T) -> None:
        """Hand over items to every tracker that has not failed; this does not wait."""
        for thread in self._threads.values():
            thread.put(*items)

    def close(self, timeouts: CloseTimeouts = DEFAULT_TIMEOUTS) -> None:
        """Wait for each tracker in turn within the timeouts."""
        for thread in self._threads.values():
            thread.close(timeouts)

    def new_warnings(self) -> tuple[Finding, ...]:
        """A warning for every tracker that has failed since the last call."""
        failures = {choice: thread.failure for choice, thread in self._threads.items()}
        new = {choice: why for choice, why in failures.items() if why is not None and choice not in self._reported}
        self._reported.update(new)
        return tuple(
            warning(
                FindingCode.TRACKING,
                f"{choice.title} is not written to any more: {reason}",
                hint=Advice(
                    "The training is not affected. To write it later: ",
                    RunCommand("track", (str(self._run),), (UseOption("to", "to", str(choice)),)),
                ),
            )
            for choice, reason in new.items()
        )


def _open(choice: TrackerChoice, run: Path, receiver: Callable[[Tracker], Receiver[T]]) -> Receiver[T]:
    return receiver(choice.open(run))

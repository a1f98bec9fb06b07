"""A thread for every tracker of a run, and one warning for each that fails."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from nncli.base.findings import Finding, FindingCode, warning
from nncli.tracking.tracker import Tracker, TrackerChoice
from nncli.tracking.tracker_thread import DEFAULT_TIMEOUTS, CloseTimeouts, Receiver, TrackerThread

T = TypeVar("T")


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
        return tuple(tracker_warning(choice, reason, self._run) for choice, reason in new.items())


def tracker_warning(choice: TrackerChoice, reason: str, run: Path) -> Finding:
    """The warning about a tracker that failed."""
    command = f"nncli track {shlex.quote(str(run))} --to {shlex.quote(str(choice))}"
    message = f"{choice.title} is not written to any more: {reason}"
    return warning(FindingCode.TRACKING, message, hint=f"The training is not affected. To write it later: {command}")


def _open(choice: TrackerChoice, run: Path, receiver: Callable[[Tracker], Receiver[T]]) -> Receiver[T]:
    return receiver(choice.open(run))

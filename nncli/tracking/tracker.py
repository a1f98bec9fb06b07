"""The interface of trackers, and what they are given: runs, points of metrics, the end of a run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

KEY_DIGITS = 32
Value: TypeAlias = str | int | float | bool
"""The value of a parameter."""
Outcome: TypeAlias = Literal["done", "stopped", "failed"]
"""How a run ended."""


@dataclass(frozen=True)
class TrackedRun:
    """A run of a tracker.

    `key` identifies the training on every tracker and across its resumptions. `name` is what people read: that of the
    run directory; a child's begins with that of its `parent` and a slash. `parameters` are keys of a configuration with
    their values, `started` is in seconds since 1970.
    """

    key: str
    name: str
    started: float
    parameters: tuple[tuple[str, Value], ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    parent: TrackedRun | None = None


@dataclass(frozen=True)
class Point:
    """The `value` of a metric after `step` epochs, or trials, at `time`, in seconds since 1970."""

    metric: str
    step: int
    value: float
    time: float


@dataclass(frozen=True)
class Ending:
    """The end of a run at `time`, in seconds since 1970: its final scores, and files that are kept with it."""

    outcome: Outcome
    time: float
    scores: tuple[Point, ...] = ()
    files: tuple[Path, ...] = ()


def run_key(*identity: str) -> str:
    """The key of a run whose identity consists of these texts."""
    return hashlib.sha256("\n".join(identity).encode("utf-8", "surrogateescape")).hexdigest()[:KEY_DIGITS]


class Tracker(Protocol):
    """A place where the metrics of runs are collected. Any method may raise any error, or never return.

    A run that is started may be known already, from a training that is resumed or because it is tracked again: what
    follows then begins at the first epoch again, and every step is kept once.
    """

    def start(self, run: TrackedRun) -> None:
        """Start a run, or continue it; the parent of a child has been started."""

    def log(self, run: TrackedRun, points: Sequence[Point]) -> None:
        """Add points to a run that was started, in the order of their steps."""

    def rewind(self, run: TrackedRun, step: int) -> None:
        """Forget the points after `step`: the training has gone back, and repeats these steps with other values."""

    def end(self, run: TrackedRun, ending: Ending) -> None:
        """End a run."""

    def flush(self) -> None:
        """Let what was logged be seen; called often."""

    def close(self) -> None:
        """End the runs that have not ended, as after an error, as failed; release files and connections."""

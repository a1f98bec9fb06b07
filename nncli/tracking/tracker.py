"""The interface of trackers, what they are given, and the choice of one by `tensorboard` or `mlflow=URI`.

The kinds of trackers are entry points, also those of this package: see pyproject.toml.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Literal, Protocol, TypeAlias

from nncli.base import plugins
from nncli.base.credentials import without_credentials
from nncli.base.errors import Advice, InstallExtra, UsageError
from nncli.base.plugins import NamedPart
from nncli.base.text import closest_match, quote

KEY_DIGITS = 32
LoggedValue: TypeAlias = str | int | float | bool
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
    parameters: tuple[tuple[str, LoggedValue], ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    parent: TrackedRun | None = None


@dataclass(frozen=True)
class Point:
    """The `value` of a metric after `step` epochs, or trials, at `time`, in seconds since 1970.

    The value of a distribution is its median; its `quantiles` are at the levels `nncli.extend.HEALTH_LEVELS`.
    """

    metric: str
    step: int
    value: float
    time: float
    quantiles: tuple[float, ...] = ()


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
        """Add points to a run that was started, those of a metric in the order of their steps."""

    def rewind(self, run: TrackedRun, step: int) -> None:
        """Forget the points after `step`: the training has gone back, and repeats these steps with other values."""

    def end(self, run: TrackedRun, ending: Ending) -> None:
        """End a run."""

    def flush(self) -> None:
        """Let what was logged be seen; called often."""

    def close(self) -> None:
        """End the runs that have not ended, as after an error, as failed; release files and connections."""


@dataclass(frozen=True)
class TrackerKind(NamedPart):
    """A kind of tracker, as `--track NAME` or `--track NAME=TARGET` names it.

    `title` is the name that people know, `example` a target. `requires` is a package that is imported when a tracker is
    opened, and `extra` the extra of nncli that has it. `target` is the target as messages and runs may show it, without
    credentials; it raises a UsageError for an invalid one. `open` makes the tracker of a target for a run directory.
    """

    plugin_kind: ClassVar[str] = "trackers"

    name: str
    title: str
    open: Callable[[str | None, Path], Tracker]
    example: str = ""
    requires: str | None = None
    extra: str = ""
    target: Callable[[str], str] = without_credentials


@dataclass(frozen=True)
class TrackerChoice:
    """A kind of tracker and where it writes to: a log directory, or the URI of a server without its credentials."""

    kind: TrackerKind
    target: str | None = None

    @classmethod
    def parse(cls, text: str) -> TrackerChoice:
        """The choice in `KIND` or `KIND=TARGET`; its packages are installed.

        Raises:
            UsageError: there is no such kind, its package is not installed, or the target is no place to write to.
        """
        word, is_given, target = text.partition("=")
        kind: TrackerKind | None = plugins.find("trackers", word)
        if kind is None:
            near = closest_match(word, plugins.names("trackers"))
            examples = [f"{each.name}={each.example}" for each in plugins.load_all("trackers").values()]
            hint = f"Did you mean {near}?" if near else f"Trackers are {' and '.join(examples)}."
            raise UsageError(f"there is no tracker {quote(word)}", hint=hint)
        if is_given and not target:
            raise UsageError(f"nothing follows {word}=", hint=f"For example {word}={kind.example}.")
        if kind.requires is not None and find_spec(kind.requires) is None:
            hint = Advice(InstallExtra(kind.extra)) if kind.extra else f"pip install {kind.requires}"
            raise UsageError(f"the package {kind.requires} is not installed", hint=hint)
        return cls(kind, kind.target(target) if target else None)

    @property
    def title(self) -> str:
        """The name that people know."""
        return self.kind.title

    def __str__(self) -> str:
        return self.kind.name if self.target is None else f"{self.kind.name}={self.target}"

    def open(self, run: Path) -> Tracker:
        """The tracker for a run directory; this imports its package."""
        return self.kind.open(self.target, run)


def parse_trackers(words: Iterable[str]) -> tuple[TrackerChoice, ...]:
    """The choices, each once.

    Raises:
        UsageError: as for `TrackerChoice.parse`.
    """
    return tuple(dict.fromkeys(map(TrackerChoice.parse, words)))

"""The events of a search, in the order in which they come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from nncli.base.findings import Finding
from nncli.fitting.timing.clock import TimeLimit
from nncli.tuning.result.result import SearchResult
from nncli.tuning.space.space import SearchSpace
from nncli.tuning.trials.trials import Trial


@dataclass(frozen=True)
class SearchStarted:
    """A search begins, or goes on; trial 0 is not counted among `trials`, and no trial begins after the `limit`."""

    path: Path
    trials: int
    folds: int
    workers: int
    metric: str
    higher_is_better: bool
    space: SearchSpace
    limit: TimeLimit | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class RunningTrial:
    """A trial that is being trained: `folds_done` of its folds are."""

    number: int
    folds_done: int


@dataclass(frozen=True)
class SearchProgress:
    """The trials that were proposed so far, those that run, and the best one."""

    trials: tuple[Trial, ...]
    running: tuple[RunningTrial, ...]
    best: Trial | None
    seconds: float


@dataclass(frozen=True)
class TrialFinished:
    """A trial has ended; `is_best` if its score is the best so far."""

    trial: Trial
    is_best: bool


@dataclass(frozen=True)
class SearchEnded:
    """A search has ended: after all trials, at its time limit (`timed_out`), after all combinations, or by a stop.

    `seconds_late` is how long the trials that had begun took beyond the limit. `result` is None if it was stopped.
    """

    path: Path
    trials: tuple[Trial, ...]
    best: Trial | None
    stopped: bool = False
    timed_out: bool = False
    seconds_late: float = 0.0
    exhausted: bool = False
    result: SearchResult | None = None


SearchEvent: TypeAlias = SearchStarted | SearchProgress | TrialFinished | SearchEnded

"""Tracking a search of hyperparameters: a run for the search, a child for every finished trial.

A search that runs hands its trials to a `SearchTracking`; one that has ended is written by `track_search`:

    tracking = SearchTracking(parse_trackers(["mlflow"]), path, search)
    tracking.add(trial)             # once a trial is finished, in order; those before a resumption too
    findings = tracking.failures()  # warnings about trackers that have failed since the last call
    findings = tracking.end("done")
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from nncli.base.findings import Finding
from nncli.targets.metrics.registry import is_better
from nncli.tracking.choice import TrackerChoice
from nncli.tracking.points import tracker_name
from nncli.tracking.tracker import Ending, Outcome, Point, TrackedRun, Tracker, Value
from nncli.tracking.tracker_thread import DEFAULT_TIMEOUTS, CloseTimeouts
from nncli.tracking.tracker_threads import TrackerThreads

TrialState: TypeAlias = Literal["complete", "pruned", "failed"]
TRIALS = "trials"


@dataclass(frozen=True)
class TrackedSearch:
    """A search: its run, and the metric by which trials are compared.

    The run's key must be the same when the search is resumed, such as a digest of what `tune.json` records; its
    parameters are the keys of the configuration that all trials share.
    """

    run: TrackedRun
    metric: str


@dataclass(frozen=True)
class TrackedTrial:
    """A finished trial: the values that it was trained with, and its score, None if it has none.

    `started` and `ended` are in seconds since 1970. Only complete trials can be the best one.
    """

    number: int
    values: tuple[tuple[str, Value], ...]
    state: TrialState
    score: float | None
    started: float
    ended: float


class SearchTracking:
    """Writes a search to trackers, each on a thread of its own: it neither ends nor slows the search."""

    def __init__(self, choices: Sequence[TrackerChoice], path: Path, search: TrackedSearch) -> None:
        def receiver(tracker: Tracker) -> _SearchWriter:
            return _SearchWriter(tracker, search)

        self._threads: TrackerThreads[TrackedTrial | _End] = TrackerThreads(choices, path, receiver)

    def add(self, *trials: TrackedTrial) -> None:
        """Hand over finished trials, those of a resumed search all at once; this does not wait."""
        self._threads.put(*trials)

    def failures(self) -> tuple[Finding, ...]:
        """A warning for every tracker that has failed since the last call."""
        return self._threads.new_warnings()

    def end(
        self, outcome: Outcome, files: tuple[Path, ...] = (), timeouts: CloseTimeouts = DEFAULT_TIMEOUTS
    ) -> tuple[Finding, ...]:
        """End the run of the search, with files such as trials.csv, and wait for the trackers for a bounded time."""
        self._threads.put(_End(outcome, files))
        self._threads.close(timeouts)
        return self.failures()


def track_search(
    search: TrackedSearch,
    trials: Iterable[TrackedTrial],
    outcome: Outcome,
    tracker: Tracker,
    files: tuple[Path, ...] = (),
) -> None:
    """Write a search that has ended to a tracker; raises whatever the tracker raises."""
    writer = _SearchWriter(tracker, search)
    for trial in trials:
        writer.receive(trial)
    writer.receive(_End(outcome, files))
    writer.flush()


@dataclass(frozen=True)
class _End:
    outcome: Outcome
    files: tuple[Path, ...]


@dataclass
class _SearchWriter:
    """Calls a tracker for the trials of a search."""

    tracker: Tracker
    search: TrackedSearch
    best: TrackedTrial | None = None
    last: float = field(init=False)

    def __post_init__(self) -> None:
        self.last = self.search.run.started
        self.tracker.start(self.search.run)

    def receive(self, item: TrackedTrial | _End) -> None:
        """Write a trial, or the end of the search."""
        if isinstance(item, _End):
            self._end(item)
            return
        trial, name, run = item, tracker_name(self.search.metric), self._run_of(item)
        self.last = max(self.last, trial.ended)
        self.tracker.start(run)
        scores = () if trial.score is None else (Point(name, trial.number, trial.score, trial.ended),)
        self.tracker.end(run, Ending("failed" if trial.state == "failed" else "done", trial.ended, scores))
        if self._is_best(trial):
            self.best = trial
        # The score of a pruned trial is that of fewer folds: it is not compared with the others.
        points = list(scores) if trial.state == "complete" else []
        if self.best is not None and self.best.score is not None:
            points.append(Point(tracker_name(f"best_{self.search.metric}"), trial.number, self.best.score, trial.ended))
        if points:
            self.tracker.log(self.search.run, points)

    def flush(self) -> None:
        """Let what was written be seen."""
        self.tracker.flush()

    def close(self) -> None:
        """Close the tracker."""
        self.tracker.close()

    def _run_of(self, trial: TrackedTrial) -> TrackedRun:
        parent, inside = self.search.run, f"{TRIALS}/{trial.number:04}"
        return TrackedRun(
            key=f"{parent.key}/{inside}",
            name=f"{parent.name}/{inside}",
            started=trial.started,
            parameters=(*trial.values, ("trial.state", trial.state)),
            tags=(("nncli.trial", str(trial.number)), ("nncli.trial.state", trial.state)),
            parent=parent,
        )

    def _is_best(self, trial: TrackedTrial) -> bool:
        if trial.state != "complete" or trial.score is None:
            return False
        return is_better(self.search.metric, trial.score, None if self.best is None else self.best.score)

    def _end(self, end: _End) -> None:
        scores: tuple[Point, ...] = ()
        if self.best is not None and self.best.score is not None:
            number = self.best.number
            scores = (Point("best_trial", number, float(number), self.last),)
        self.tracker.end(self.search.run, Ending(end.outcome, self.last, scores, end.files))

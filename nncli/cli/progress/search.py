"""How far a search is."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from statistics import stdev
from typing import TYPE_CHECKING, Any

from nncli.base.logs import format_duration
from nncli.cli.console import format_number
from nncli.cli.progress.chart import Curve, LineRole
from nncli.cli.progress.status import Curves, Speed, Status, Work, left

if TYPE_CHECKING:
    from nncli.tuning.search import RunningTrial, SearchStarted
    from nncli.tuning.trials import Trial

MAX_RUNNING = 8
"""Running trials that are shown with their folds."""
MIN_TRIALS = 3
"""Finished trials from which on the curve is drawn."""
MAX_LINE = 118
"""Characters of the line of a trial, from which on values are left out; trials.csv has all."""


class SearchStatus(Work):
    """The state of a search; the trials of earlier sessions are included from the first progress on."""

    begins_at_once = ends_with_line = False
    period = inf  # a line for each trial, see `lines`

    def __init__(self, started: SearchStarted) -> None:
        from nncli.tuning.trials import TrialValues

        self.started = started
        self.values = TrialValues(started.space)
        self.names = short_names([parameter.name for parameter in started.space.parameters])
        self.curve = Curve()
        """The best score after each finished trial."""
        self.best: Trial | None = None
        self.changed_values_of_best: dict[str, str] = {}
        self.best_at = 0
        """The number of trials that were finished when the best one was found."""
        self.first: Trial | None = None
        """Trial 0, once it is finished."""
        self.running: tuple[RunningTrial, ...] = ()
        self.seconds = 0.0
        self.counts = {"complete": 0, "pruned": 0, "failed": 0}
        self._numbers: set[int] = set()
        self._speed: Speed | None = None
        self._start, self._time = time.monotonic(), 0.0
        self._has_begun, self._was_late = False, False

    def update(self, event: Any) -> None:
        """Record the progress, or a trial that has ended."""
        from nncli.tuning.search import SearchProgress, TrialFinished

        if isinstance(event, TrialFinished):
            self.add(event.trial)
        elif isinstance(event, SearchProgress):
            if self._speed is None:
                for trial in event.trials:
                    if trial.is_finished:
                        self.add(trial)
                self._speed = Speed(len(self._numbers))
            self.running, self.seconds = event.running, event.seconds

    def lines(self, event: Any) -> Iterator[str]:
        """A trial that has ended, and once how many had ended in earlier sessions, and that the time limit is over."""
        from nncli.tuning.search import TrialFinished

        if isinstance(event, TrialFinished):
            yield self.line(event.trial, is_best=event.is_best)
        elif not self._has_begun and self.finished:
            yield f"trials {self.done}/{self.started.trials} were finished before"
        self._has_begun = True
        if self.is_late and self.running and not self._was_late:
            self._was_late = True
            yield f"time limit: no trial begins; {len(self.running)} run to their end"

    def status(self) -> Status:
        """The best trial and its values, the numbers of trials, and the best score so far as a curve."""
        if not self.is_over:
            self._time = time.monotonic() - self._start
        curves = None
        if self.finished >= MIN_TRIALS:
            curves = Curves(Curve(), self.curve, self.finished, self.best_at or None, "trials")
        return Status(
            "trials", self.done, self.started.trials, self.time_left, self._values(), (), self._details(), curves=curves
        )

    def _values(self) -> tuple[tuple[str, LineRole | None], ...]:
        """The best trial so far, its score beside that of trial 0, and its values that differ."""
        best, first = self.best, self.first
        if best is None:
            return ()
        parts = [self.spread_of(best)] if self.spread_of(best) else []
        if first is not None and first is not best:
            parts.append(f"trial 0 {format_number(first.score)}")
        parts += texts(self.changed_values_of_best)
        return (f"best trial {best.number}: {self.score_of(best)}", "best"), *((part, None) for part in parts)

    def _details(self) -> tuple[str, ...]:
        """The numbers of trials, the time, and the folds of the trials that run."""
        running = () if self.is_over else self.running
        counts = {"running": len(running), **self.counts}
        counted = [f"{name} {counts[name]}" for name in ("running", "pruned", "failed") if counts[name]]
        folds = self.started.folds
        trials = (
            f"trial {trial.number}" + (f": {trial.folds_done}/{folds} folds" if folds > 1 else "")
            for trial in running[:MAX_RUNNING]
        )
        return *counted, f"time {format_duration(self._time)}", *trials

    def add(self, trial: Trial) -> None:
        """Record a finished trial."""
        if trial.number in self._numbers:
            return
        self._numbers.add(trial.number)
        self.running = tuple(running_trial for running_trial in self.running if running_trial.number != trial.number)
        self.counts[trial.state] += 1
        if trial.number == 0:
            self.first = trial
        if trial.state == "complete" and trial.score is not None and self._is_better(trial.score):
            self.best, self.best_at = trial, len(self._numbers)
            self.changed_values_of_best = self._changed(trial)
        self.curve.add(None if self.best is None else self.best.score)
        if self._speed is not None:
            self._speed.add(len(self._numbers))

    def _is_better(self, score: float) -> bool:
        from nncli.targets.metrics.registry import is_better

        return is_better(self.started.metric, score, None if self.best is None else self.best.score)

    @property
    def finished(self) -> int:
        """The number of finished trials, trial 0 included."""
        return len(self._numbers)

    @property
    def done(self) -> int:
        """The number of finished trials, without trial 0 as in the number of trials that were asked for."""
        return self.finished - (0 in self._numbers)

    @property
    def seconds_left(self) -> float | None:
        """The seconds that the other trials take at the present speed, or until the time limit."""
        remaining = max(self.started.trials + 1 - self.finished, 0)
        estimates = [None if self._speed is None else self._speed.seconds_left(remaining), self._until_limit]
        return min((seconds for seconds in estimates if seconds is not None), default=None)

    @property
    def _until_limit(self) -> float | None:
        limit = self.started.limit
        return None if limit is None else max(limit.left, 0.0)

    @property
    def time_left(self) -> str:
        """The time left as text; empty if it is not known yet."""
        return "time limit: no trial begins" if self.is_late else left(self.seconds_left)

    @property
    def is_late(self) -> bool:
        """Whether the time limit is over, so that no trial begins, and those that have begun run to their end."""
        return self._until_limit == 0.0

    def score_of(self, trial: Trial) -> str:
        """The metric and the score of a trial."""
        return f"{self.started.metric} {format_number(trial.score)}"

    def spread_of(self, trial: Trial) -> str:
        """The standard deviation of the scores of a trial's folds; empty for one fold."""
        scores = [score for score in trial.folds if score is not None]
        return f"± {format_number(stdev(scores))} between folds" if len(scores) > 1 else ""

    def _changed(self, trial: Trial) -> dict[str, str]:
        """The values that differ from the configuration, by their short names."""
        changed = self.values.changed(trial) if trial.number else {}
        return {self.names[name]: label for name, label in changed.items()}

    def line(self, trial: Trial, *, is_best: bool) -> str:
        """A finished trial on one line: number, state, score and the values that differ from the configuration.

        Values that make the line longer than MAX_LINE are left out.
        """
        if trial.state == "failed":
            parts = [f"failed: {trial.message}"]
        elif trial.state == "pruned":
            folds = f"{len(trial.folds)} of {self.started.folds} folds"
            parts = [f"pruned after {folds}"]
            if trial.comparable_score is not None:  # the score of its folds alone says nothing beside the others
                parts.append(f"{self.started.metric} about {format_number(trial.comparable_score)} on all folds")
        else:
            parts = [self.score_of(trial), *["best so far"] * is_best]
        values = texts(self._changed(trial)) if trial.number else ["the configuration itself"]
        line = "  ".join([f"trial {trial.number}", *parts])
        for i, value in enumerate(values):
            separator = " · " if i else "  "
            if i and len(line) + len(separator) + len(value) > MAX_LINE:
                return f"{line} · …"
            line += f"{separator}{value}"
        return line


def texts(labels: Mapping[str, str]) -> list[str]:
    """`name value` for each value.

    >>> texts({"learning_rate": "0.01", "layers": "[64]"})
    ['learning_rate 0.01', 'layers [64]']
    """
    return [f"{name} {label}" for name, label in labels.items()]


def short_names(names: Sequence[str]) -> dict[str, str]:
    """The last part of each name, or as many as it takes to tell it from others; a number is never alone.

    >>> short_names(["learning_rate.peak", "layers.0.units", "layers.1.units", "layers.2"])
    {'learning_rate.peak': 'peak', 'layers.0.units': '0.units', 'layers.1.units': '1.units', 'layers.2': 'layers.2'}
    """
    ends = {name: [name[match.start() :].lstrip(".") for match in re.finditer(r"(^|\.)[^.]+", name)] for name in names}
    counts: dict[str, int] = {}
    for possible in ends.values():
        for end in possible:
            counts[end] = counts.get(end, 0) + 1
    return {name: _shortest(name, possible, counts) for name, possible in ends.items()}


def _shortest(name: str, ends: Sequence[str], counts: dict[str, int]) -> str:
    """The shortest end of a name that no other has, and that has a word."""
    return next((end for end in reversed(ends) if counts[end] == 1 and re.search(r"[^\W\d]", end)), name)

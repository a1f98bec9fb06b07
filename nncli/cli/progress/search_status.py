"""The state of a search by its events, and its text."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import stdev
from typing import TYPE_CHECKING

from nncli.base.logs import format_duration
from nncli.cli.console import format_number
from nncli.cli.progress.chart import Curve
from nncli.cli.progress.parameter_names import short_names
from nncli.cli.progress.training import Speed

if TYPE_CHECKING:
    from nncli.tuning.events import RunningTrial, SearchProgress, SearchStarted, TrialFinished
    from nncli.tuning.trials.trials import Trial

MAX_LINE = 118
"""Characters of the line of a trial, from which on values are left out; trials.csv has all."""


class SearchStatus:
    """The state of a search; the trials of earlier sessions are included from the first progress on."""

    def __init__(self, started: SearchStarted) -> None:
        from nncli.tuning.trials.trial_values import TrialValues

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

    def start(self, progress: SearchProgress) -> None:
        """Record the trials of earlier sessions, once."""
        if self._speed is None:
            for trial in progress.trials:
                if trial.is_finished:
                    self.add(trial)
            self._speed = Speed(len(self._numbers))

    def update(self, event: SearchProgress | TrialFinished) -> None:
        """Record the progress, or a trial that has ended."""
        from nncli.tuning.events import SearchProgress

        if isinstance(event, SearchProgress):
            self.start(event)
            self.running, self.seconds = event.running, event.seconds
        else:
            self.add(event.trial)

    def add(self, trial: Trial) -> None:
        """Record a finished trial."""
        if trial.number in self._numbers:
            return
        self._numbers.add(trial.number)
        self.running = tuple(one for one in self.running if one.number != trial.number)
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
        known = [None if self._speed is None else self._speed.seconds_left(remaining), self._until_limit]
        return min((seconds for seconds in known if seconds is not None), default=None)

    @property
    def _until_limit(self) -> float | None:
        limit = self.started.limit
        return None if limit is None else max(limit.left, 0.0)

    @property
    def time_left(self) -> str:
        """The time left as text; empty if it is not known yet."""
        if self.is_late:
            return "time limit: no trial begins"
        seconds = self.seconds_left
        return "" if seconds is None else f"{format_duration(seconds)} left"

    @property
    def is_late(self) -> bool:
        """Whether the time limit is over, so that no trial begins, and those that have begun run to their end."""
        return self._until_limit == 0.0

    @property
    def counted(self) -> list[str]:
        """The numbers of trials that run, were pruned and failed, those that are not 0."""
        counts = {"running": len(self.running), **self.counts}
        return [f"{name} {counts[name]}" for name in ("running", "pruned", "failed") if counts[name]]

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
            parts = [f"pruned after {folds}", self.score_of(trial)]
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

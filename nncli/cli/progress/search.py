"""Progress of a search, live or line by line."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Mapping, Sequence
from statistics import stdev
from threading import Lock
from typing import TYPE_CHECKING

from nncli.base.logs import format_duration
from nncli.cli.console import echo_err, format_number
from nncli.cli.progress.chart import Curve, chart
from nncli.cli.progress.live import (
    MAX_CHART_HEIGHT,
    MAX_WIDTH,
    MIN_CHART_HEIGHT,
    MIN_CHART_WIDTH,
    STYLES,
    bar,
    supports_unicode,
    wrapped,
)
from nncli.cli.progress.training import Speed

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from nncli.api.tune import TuneEnded
    from nncli.tuning.search import RunningTrial, SearchProgress, SearchStarted, TrialFinished
    from nncli.tuning.trials.trials import Trial

MAX_RUNNING = 8
"""Running trials that are shown with their folds."""
MIN_TRIALS = 3
"""Finished trials from which on the curve is drawn."""


class PlainSearch:
    """Progress for pipes, logs and CI: a line for each finished trial."""

    def __init__(self, started: SearchStarted) -> None:
        self._status = SearchStatus(started)
        self._has_begun, self._is_late = False, False

    def update(self, event: SearchProgress | TrialFinished) -> None:
        """Print a trial that has ended, and at the beginning how many had ended in earlier sessions."""
        from nncli.tuning.search import TrialFinished

        self._status.update(event)
        if isinstance(event, TrialFinished):
            echo_err(self._status.line(event.trial, is_best=event.is_best))
        elif not self._has_begun and self._status.finished:
            echo_err(f"trials {self._status.done}/{self._status.started.trials} were finished before")
        self._has_begun = True
        if self._status.is_late and self._status.running and not self._is_late:
            self._is_late = True
            echo_err(f"time limit: no trial begins; {len(self._status.running)} run to their end")

    def end(self, ended: TuneEnded) -> None:
        """Print nothing: the result is printed after it."""

    def close(self) -> None:
        """Print nothing more."""


class LiveSearch:
    """Progress for terminals: a bar over the trials, the best score so far as a curve, and the best trial."""

    def __init__(self, started: SearchStarted, console: Console) -> None:
        from nncli.cli.progress.display import Display

        self._status = SearchStatus(started)
        self._queue: deque[SearchProgress | TrialFinished] = deque()
        self._lock, self._start, self._end = Lock(), time.monotonic(), 0.0
        self._unicode = supports_unicode(console.encoding)
        self._live = Display(self, console)
        self._live.start()

    def update(self, event: SearchProgress | TrialFinished) -> None:
        """Record the progress, or a trial that has ended, for the next refresh."""
        self._queue.append(event)

    def end(self, ended: TuneEnded) -> None:
        """Print nothing: the result is printed below the display."""

    def close(self) -> None:
        """Stop the display and leave its last state on the screen."""
        self._end = time.monotonic()
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the current state."""
        with self._lock:
            while self._queue:
                self._status.update(self._queue.popleft())
            lines = self._lines(options.max_width, console.height)
        yield from lines

    def _lines(self, width: int, height: int) -> list[Text]:
        trial, counts = wrapped(self._best(), width), wrapped(self._counts(), width)
        lines = [self._bar(width), *trial, *counts][: max(height - 1, 1)]
        rows = min(height - 1 - len(lines), MAX_CHART_HEIGHT)
        has_chart = width >= MIN_CHART_WIDTH and rows >= MIN_CHART_HEIGHT and self._status.finished >= MIN_TRIALS
        return [lines[0], *(self._chart(min(width, MAX_WIDTH), rows) if has_chart else ()), *lines[1:]]

    def _bar(self, width: int) -> Text:
        status = self._status
        left = "" if self._end else status.time_left
        return bar(status.done, status.started.trials, left, width, unicode=self._unicode, noun="trials")

    def _chart(self, width: int, height: int) -> list[Text]:
        from rich.text import Text

        status = self._status
        lines = chart(
            Curve(),
            status.curve,
            epoch=status.finished,
            best=status.best_at or None,
            width=width,
            height=height,
            braille=self._unicode,
            unit="trials",
        )
        return [Text.assemble(*((text, STYLES[role]) for text, role in line)) for line in lines]

    def _best(self) -> list[Text]:
        """The best trial so far, its score beside that of trial 0, and its values that differ."""
        from rich.text import Text

        status = self._status
        best, first = status.best, status.first
        if best is None:
            return []
        parts = [Text(f"best trial {best.number}: {status.score_of(best)}", STYLES["best"])]
        if spread := status.spread_of(best):
            parts.append(Text(spread))
        if first is not None and first is not best:
            parts.append(Text(f"trial 0 {format_number(first.score)}"))
        return [*parts, *map(Text, texts(status.changed_values_of_best))]

    def _counts(self) -> list[Text]:
        """The numbers of trials, the time, and the folds of the trials that run."""
        from rich.text import Text

        status = self._status
        seconds = (self._end or time.monotonic()) - self._start
        counted = [text for text in status.counted if not (self._end and text.startswith("running "))]
        parts = [*counted, f"time {format_duration(seconds)}"]
        running = () if self._end else status.running[:MAX_RUNNING]
        if status.started.folds > 1:
            parts += [f"trial {one.number}: {one.folds_done}/{status.started.folds} folds" for one in running]
        else:
            parts += [f"trial {one.number}" for one in running]
        return list(map(Text, parts))


MAX_LINE = 118
"""Characters of the line of a trial, from which on values are left out; trials.csv has all."""


class SearchStatus:
    """The state of a search; the trials of earlier sessions are included from the first progress on."""

    def __init__(self, started: SearchStarted) -> None:
        from nncli.tuning.trials.trials import TrialValues

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
        from nncli.tuning.search import SearchProgress

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

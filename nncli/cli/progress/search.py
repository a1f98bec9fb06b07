"""Progress of a search, live or line by line."""

from __future__ import annotations

import time
from collections import deque
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
from nncli.cli.progress.search_status import SearchStatus, texts

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from nncli.api.tune import TuneEnded
    from nncli.tuning.events import SearchProgress, SearchStarted, TrialFinished

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
        from nncli.tuning.events import TrialFinished

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

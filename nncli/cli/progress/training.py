"""The course of a training, as it is told while it goes on: figures, the time left, and the plain form of both."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nncli.cli.console import echo_err, format_number
from nncli.cli.progress.chart import Curve
from nncli.training.loop import EpochReport, LearningRateHalved
from nncli.utils.logs import format_duration

if TYPE_CHECKING:
    from nncli.pipeline.train.events import Started

SECONDS_BETWEEN_LINES = 2.0
MOST_SAMPLES = 64


class Speedometer:
    """How fast something goes on, by the latter half of what was done: the beginning may have been slow, or fast."""

    def __init__(self, done: int | None = None) -> None:
        """`done` is where it starts, now; None: where it is first seen."""
        self._samples: list[tuple[float, int]] = [] if done is None else [(time.monotonic(), done)]

    def note(self, done: int) -> None:
        """So much is done by now; less than before means that something went back, and the count begins anew."""
        if self._samples and done < self._samples[-1][1]:
            self._samples.clear()
        if not self._samples or done > self._samples[-1][1]:
            self._samples.append((time.monotonic(), done))
        if len(self._samples) > MOST_SAMPLES:
            del self._samples[1:-1:2]

    @property
    def per_second(self) -> float | None:
        """How much is done in a second; None as long as nothing was."""
        if len(self._samples) < 2:
            return None
        (_, first), (now, done) = self._samples[0], self._samples[-1]
        then, before = next(s for s in reversed(self._samples[:-1]) if s[1] <= first + (done - first) / 2)
        return (done - before) / max(now - then, 1e-9)

    def left(self, remaining: int) -> float | None:
        """The seconds that so much more takes."""
        return None if self.per_second is None else remaining / self.per_second


class TrainingProgress:
    """What was reported of a training, in this session and before it."""

    def __init__(self, started: Started) -> None:
        self.started = started
        self.epoch = started.done
        self.latest: EpochReport | None = None
        self.loss, self.val_loss = Curve(), Curve()
        self._bests: list[EpochReport] = []
        for report in started.reports:
            self._note(report)
        self._trained = 0
        self._pace = Speedometer(0)

    def update(self, event: EpochReport | LearningRateHalved) -> None:
        """Take note of an epoch, or that the training went back."""
        if isinstance(event, EpochReport):
            self._trained += 1
            self._note(event)
            return
        self.epoch = event.epoch
        self.loss.go_back(event.epoch)
        self.val_loss.go_back(event.epoch)
        while self._bests and self._bests[-1].epoch > event.epoch:
            self._bests.pop()

    def _note(self, report: EpochReport) -> None:
        self.epoch, self.latest = report.epoch, report
        self.loss.add(report.loss)
        self.val_loss.add(report.val_loss)
        if report.is_best:
            self._bests.append(report)

    @property
    def best(self) -> EpochReport | None:
        """The best epoch so far."""
        return self._bests[-1] if self._bests else None

    def sample(self) -> None:
        """Note how far it is by now, for the pace."""
        self._pace.note(self._trained)

    @property
    def left(self) -> str | None:
        """The time left, in words, if all epochs are trained; None before the first epoch of the session."""
        seconds = self._pace.left(self.started.epochs - self.epoch)
        return None if seconds is None else f"{format_duration(seconds)} left"

    @property
    def rows_per_second(self) -> float | None:
        """Training rows a second."""
        pace = self._pace.per_second
        return None if pace is None else pace * self.started.training_rows

    @property
    def figures(self) -> list[str]:
        """The figures of the latest epoch, each with its name; none before the first. The last is the rate."""
        report = self.latest
        if report is None:
            return []
        parts = [f"loss {format_number(report.loss)}"]
        if report.penalty:
            parts.append(f"penalty {format_number(report.penalty)}")
        if report.val_loss is not None:
            parts.append(f"val_loss {format_number(report.val_loss)}")
        if self.started.metric is not None:
            parts.append(f"{self.started.metric} {format_number(report.metric)}")
        if self.best is not None:
            loss = self.best.loss if self.best.val_loss is None else self.best.val_loss
            parts.append(f"best {format_number(loss)} at {self.best.epoch}")
        return [*parts, f"lr {report.learning_rate:.3g}"]


class PlainProgress:
    """For pipes, logs and CI: the first epoch, the last, and one line every couple of seconds between."""

    def __init__(self, started: Started) -> None:
        self._course = TrainingProgress(started)
        self._next = 0.0
        self._shown = self._course.latest

    def update(self, event: EpochReport | LearningRateHalved) -> None:
        """Take note of an epoch, or that the training went back, and show it when it is time."""
        self._course.update(event)
        if time.monotonic() >= self._next and self._course.latest is not self._shown:
            self._show()

    def _show(self) -> None:
        course = self._course
        course.sample()
        self._next, self._shown = time.monotonic() + SECONDS_BETWEEN_LINES, course.latest
        left = [] if course.left is None else [course.left]
        echo_err("  ".join([f"epoch {course.epoch}/{course.started.epochs}", *course.figures, *left]))

    def close(self) -> None:
        """Show the last epoch, unless it was shown."""
        if self._course.latest is not self._shown:
            self._show()

"""Progress of a training: the latest metrics, the speed and the time left, and their line-by-line form."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nncli.base.logs import format_duration
from nncli.cli.console import echo_err, format_number
from nncli.cli.progress.chart import Curve
from nncli.nn.training.loop import EpochReport, LearningRateHalved
from nncli.targets.metrics.calibration import CALIBRATED_LOG_LOSS

if TYPE_CHECKING:
    from nncli.fitting.train.events import Started

SECONDS_BETWEEN_LINES = 2.0
MAX_SAMPLES = 64
LOSSES = ("loss", "val_loss", f"val_{CALIBRATED_LOG_LOSS.name}")
"""Monitored values that are on the scale of the training loss."""


def shown_name(monitor: str) -> str:
    """The name of a monitored value as it is shown: that of the metric, or val_loss."""
    return monitor if monitor == "val_loss" else monitor.removeprefix("val_")


class Speed:
    """The speed of a task over the latter half of the work: the first part may be slower or faster."""

    def __init__(self, done: int | None = None) -> None:
        """Start at `done` now, or with None at the first call of `add`."""
        self._samples: list[tuple[float, int]] = [] if done is None else [(time.monotonic(), done)]

    def add(self, done: int) -> None:
        """Record the work done by now; if it has decreased, the measurement restarts."""
        if self._samples and done < self._samples[-1][1]:
            self._samples.clear()
        if not self._samples or done > self._samples[-1][1]:
            self._samples.append((time.monotonic(), done))
        if len(self._samples) > MAX_SAMPLES:
            del self._samples[1:-1:2]

    @property
    def per_second(self) -> float | None:
        """The work per second; None before there is any."""
        if len(self._samples) < 2:
            return None
        (_, first), (now, done) = self._samples[0], self._samples[-1]
        then, before = next(s for s in reversed(self._samples[:-1]) if s[1] <= first + (done - first) / 2)
        return (done - before) / max(now - then, 1e-9)

    def seconds_left(self, remaining: int) -> float | None:
        """The seconds that the remaining work takes; None if the speed is unknown."""
        return None if self.per_second is None else remaining / self.per_second


class TrainingProgress:
    """The state of a training by its reports, those before a resume included."""

    def __init__(self, started: Started) -> None:
        self.started = started
        self.epoch = started.done
        self.latest: EpochReport | None = None
        self.loss, self.monitored = Curve(), Curve()
        self._bests: list[EpochReport] = []
        for report in started.reports:
            self._add(report)
        self._trained = 0
        self._speed = Speed(0)

    def update(self, event: EpochReport | LearningRateHalved) -> None:
        """Record an epoch, or a return to an earlier one."""
        if isinstance(event, EpochReport):
            self._trained += 1
            self._add(event)
            return
        self.epoch = event.epoch
        self.loss.truncate(event.epoch)
        self.monitored.truncate(event.epoch)
        while self._bests and self._bests[-1].epoch > event.epoch:
            self._bests.pop()

    def _add(self, report: EpochReport) -> None:
        self.epoch, self.latest = report.epoch, report
        self.loss.add(report.loss)
        self.monitored.add(report.monitored(self._second))
        if report.is_best:
            self._bests.append(report)

    @property
    def _second(self) -> str:
        """The value that is drawn beside the training loss: the monitored one, else the validation loss."""
        return "val_loss" if self.started.monitor == "loss" else self.started.monitor

    @property
    def second_name(self) -> str:
        """The name of the value that is drawn beside the training loss."""
        return shown_name(self._second)

    @property
    def draws_loss(self) -> bool:
        """Whether the training loss is drawn: where the other value is on the same scale."""
        return self.started.monitor in LOSSES

    @property
    def best(self) -> EpochReport | None:
        """The best epoch so far."""
        return self._bests[-1] if self._bests else None

    def sample(self) -> None:
        """Take a sample for the speed."""
        self._speed.add(self._trained)

    @property
    def time_left(self) -> str | None:
        """The time left as text if all epochs are trained; None before the first epoch of the session."""
        seconds = self._speed.seconds_left(self.started.epochs - self.epoch)
        return None if seconds is None else f"{format_duration(seconds)} left"

    @property
    def rows_per_second(self) -> float | None:
        """Training rows per second."""
        speed = self._speed.per_second
        return None if speed is None else speed * self.started.training_rows

    @property
    def metrics(self) -> list[str]:
        """The metrics of the latest epoch as `name value`; empty before the first. The last is the learning rate."""
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
            monitor = self.started.monitor
            value = format_number(self.best.monitored(monitor))
            parts.append(f"best {shown_name(monitor)} {value} at {self.best.epoch}")
        return [*parts, f"learning rate {report.learning_rate:.3g}"]


class PlainProgress:
    """Progress for pipes, logs and CI: a line for the first and the last epoch, and every two seconds between."""

    def __init__(self, started: Started) -> None:
        self._progress = TrainingProgress(started)
        self._next = 0.0
        self._shown = self._progress.latest

    def update(self, event: EpochReport | LearningRateHalved) -> None:
        """Record an epoch, or a return to an earlier one, and print a line if it is due."""
        self._progress.update(event)
        if time.monotonic() >= self._next and self._progress.latest is not self._shown:
            self._show()

    def _show(self) -> None:
        progress = self._progress
        progress.sample()
        self._next, self._shown = time.monotonic() + SECONDS_BETWEEN_LINES, progress.latest
        left = [] if progress.time_left is None else [progress.time_left]
        echo_err("  ".join([f"epoch {progress.epoch}/{progress.started.epochs}", *progress.metrics, *left]))

    def close(self) -> None:
        """Print the last epoch if it has not been printed."""
        if self._progress.latest is not self._shown:
            self._show()

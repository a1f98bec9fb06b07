"""How far a training is, or the trainings of an ensemble or a cross-validation."""

from __future__ import annotations

from nncli.base.memory import format_bytes, peak_rss_bytes, rss_bytes
from nncli.cli.console import format_number
from nncli.cli.progress.chart import Curve, LineRole
from nncli.cli.progress.status import Curves, Speed, Status, Work, left
from nncli.fitting.train.events import MembersProgress, Progress, Started
from nncli.nn.training.loop import EpochReport, LearningRateHalved
from nncli.targets.metrics.temperature_scaling import CALIBRATED_LOG_LOSS

LOSSES = ("loss", "val_loss", f"val_{CALIBRATED_LOG_LOSS.name}")
"""Monitored values that are on the scale of the training loss."""


def shown_name(monitor: str) -> str:
    """The name of a monitored value as it is shown: that of the metric, or val_loss."""
    return monitor if monitor == "val_loss" else monitor.removeprefix("val_")


class TrainingProgress(Work):
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

    def update(self, event: object) -> None:
        """Record an epoch, or a return to an earlier one."""
        if isinstance(event, EpochReport):
            self._trained += 1
            self._add(event)
        elif isinstance(event, LearningRateHalved):
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
    def best(self) -> EpochReport | None:
        """The best epoch so far."""
        return self._bests[-1] if self._bests else None

    def status(self) -> Status:
        """The figures of the latest epoch, the curves, and the time left if all epochs are trained."""
        self._speed.add(self._trained)
        speed, memory, peak = self._speed.per_second, rss_bytes(), peak_rss_bytes()
        details = [] if speed is None else [f"{float(f'{speed * self.started.training_rows:.3g}'):,.0f} rows/s"]
        if memory is not None:
            details.append(f"memory {format_bytes(memory)}")
        elif peak is not None:
            details.append(f"peak memory {format_bytes(peak)}")
        draws_loss = self.started.monitor in LOSSES  # where the other value is on the same scale
        best = self.best.epoch if self.best else None
        return Status(
            "epoch",
            self.epoch,
            self.started.epochs,
            left(self._speed.seconds_left(self.started.epochs - self.epoch)),
            self._values(draws_loss=draws_loss),
            () if self.latest is None else (f"learning rate {self.latest.learning_rate:.3g}",),
            tuple(details),
            curves=Curves(self.loss if draws_loss else Curve(), self.monitored, self.epoch, best),
        )

    def _values(self, *, draws_loss: bool) -> tuple[tuple[str, LineRole | None], ...]:
        """The metrics of the latest epoch; none before the first."""
        report, monitor = self.latest, self.started.monitor
        if report is None:
            return ()
        roles: dict[str, LineRole] = {shown_name(self._second): "monitored", "best": "best"}
        if draws_loss:
            roles["loss"] = "loss"
        values = [("loss", format_number(report.loss))]
        if report.penalty:
            values.append(("penalty", format_number(report.penalty)))
        if report.val_loss is not None:
            values.append(("val_loss", format_number(report.val_loss)))
        if self.started.metric is not None:
            values.append((self.started.metric, format_number(report.metric)))
        if self.best is not None:
            value = format_number(self.best.monitored(monitor))
            values.append(("best", f"{shown_name(monitor)} {value} at {self.best.epoch}"))
        return tuple((f"{name} {value}", roles.get(name)) for name, value in values)


class TrainingsProgress(Work):
    """The state of the trainings of an ensemble or a cross-validation, which the `noun` names."""

    def __init__(self, noun: str) -> None:
        self._noun, self._speed, self._progress = noun, Speed(), MembersProgress(())

    def update(self, event: object) -> None:
        """Record the progress of all trainings."""
        if isinstance(event, MembersProgress):
            self._progress = event

    def status(self) -> Status:
        """The numbers of trainings and of epochs, and the mean of the value that chooses the best epoch."""
        progress = self._progress
        if progress.members:
            self._speed.add(progress.trained)  # not `epochs`: those skipped by early stopping took no time
        values = [f"{self._noun} {progress.done}/{len(progress.members)}"]
        if progress.mean is not None:
            name, value = progress.mean
            values.append(f"best {shown_name(name)} {format_number(value)} on average")
        return Status(
            "epoch",
            progress.epochs,
            progress.epochs_of_all,
            left(self._speed.seconds_left(progress.epochs_of_all - progress.epochs)),
            tuple((text, None) for text in values),
            running=tuple(f"{i}: {_line(m)}" for i, m in enumerate(progress.members, 1) if m.epoch and not m.done),
        )


def _line(member: Progress) -> str:
    best = ""
    if member.best_epoch:
        best = f", best {shown_name(member.metric)} {format_number(member.value)} at {member.best_epoch}"
    return f"epoch {member.epoch}/{member.epochs}{best}"

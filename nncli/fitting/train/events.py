"""The events of a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from nncli.base.findings import Finding
from nncli.models.scores import ScoreCard
from nncli.nn.training.health import Health
from nncli.nn.training.loop import EpochReport, LearningRateHalved


@dataclass(frozen=True)
class Progress:
    """The progress of one training; `value` is that of the best epoch, by the `metric` that chooses it."""

    epoch: int = 0
    epochs: int = 0
    metric: str = "loss"
    value: float | None = None
    best_epoch: int = 0
    done: bool = False
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class MembersStarted:
    """`members` trainings start or resume, `workers` of them at a time; `noun` names them in messages.

    The training takes about `estimate` seconds, and up to `longest` if the held-out rows choose further epochs.
    """

    run: Path
    members: int
    workers: int
    findings: tuple[Finding, ...]
    noun: str = "members"
    estimate: float | None = None
    longest: float | None = None


@dataclass(frozen=True)
class MembersProgress:
    """The progress of every member's training, in order."""

    members: tuple[Progress, ...]

    @property
    def done(self) -> int:
        """The number of trainings that are done."""
        return sum(member.done for member in self.members)

    @property
    def trained(self) -> int:
        """The total of epochs trained."""
        return sum(member.epoch for member in self.members)

    @property
    def epochs(self) -> int:
        """The total of epochs trained, or skipped by early stopping."""
        return sum(member.epochs if member.done else member.epoch for member in self.members)

    @property
    def epochs_of_all(self) -> int:
        """The maximal total of epochs; a training that has not started counts as the longest one."""
        longest = max((member.epochs for member in self.members), default=0)
        return sum(member.epochs or longest for member in self.members)

    @property
    def mean(self) -> tuple[str, float] | None:
        """The name of the metric, and its mean at the best epochs so far."""
        values = [(member.metric, member.value) for member in self.members if member.value is not None]
        return (values[0][0], sum(value for _, value in values) / len(values)) if values else None


@dataclass(frozen=True)
class Started:
    """The training starts, or resumes after epoch `done`.

    `metric` is the metric in the reports of epochs, `monitor` the value that selects the best epoch: loss, val_loss or
    val_ and the metric. `reports` and `health` are of the epochs before. The training takes about `estimate` seconds.
    """

    run: Path
    training_rows: int
    validation_rows: int
    features: int
    parameters: int
    epochs: int
    done: int
    metric: str | None
    findings: tuple[Finding, ...]
    reports: tuple[EpochReport, ...] = ()
    health: tuple[Health, ...] = ()
    monitor: str = "loss"
    estimate: float | None = None


@dataclass(frozen=True)
class ScoredTraining:
    """All epochs are done, and the other network of a refit is trained, without the validation rows, for the scores."""

    run: Path


@dataclass(frozen=True)
class TrackingStopped:
    """A tracker of metrics has failed or does not answer; the training goes on without it."""

    finding: Finding


@dataclass(frozen=True)
class HealthWarning:
    """Something is clearly wrong with the layers of a network; of each kind there is one in a training."""

    finding: Finding


@dataclass(frozen=True)
class Finished:
    """The run directory is complete. `best_epoch` 0 means that no epoch was completed.

    For an ensemble `epochs` and `best_epoch` are the maximum over the members; a stopped one has no scores. The
    `validation` scores are `out_of_fold` if each row is predicted by the members that were not trained on it, and
    `findings` are the warnings about the scores. Where the best epoch is chosen for all members together, it is the
    first of the `averaged_epochs`, and of several the networks after each are averaged.
    `targets` has the training and the validation scores of each of several targets.
    A network is `taught` by a run; of a `refit`, another network, without the validation rows, predicted these.
    """

    run: Path
    status: Literal["done", "stopped"]
    epochs: int
    best_epoch: int
    seconds: float
    training: ScoreCard | None
    validation: ScoreCard | None
    out_of_fold: bool = False
    findings: tuple[Finding, ...] = ()
    averaged_epochs: tuple[int, ...] = ()
    taught: Literal["once", "refit"] | None = None
    targets: Mapping[str, tuple[ScoreCard | None, ScoreCard | None]] = field(default_factory=dict)


Event: TypeAlias = (
    Started
    | EpochReport
    | Health
    | HealthWarning
    | LearningRateHalved
    | ScoredTraining
    | MembersStarted
    | MembersProgress
    | TrackingStopped
    | Finished
)

"""How far the members of an ensemble have come, as events."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from nncli.scoring import ScoreCard
from nncli.training.loop import EpochReport, LearningRateHalved


@dataclass(frozen=True)
class Progress:
    """How far a training has come: `value` is the metric, or without validation rows the loss, of the best epoch."""

    epoch: int = 0
    epochs: int = 0
    metric: str = "loss"
    value: float | None = None
    best_epoch: int = 0
    done: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class MembersStarted:
    """So many members are about to be trained, or to go on, so many of them at a time; `called` is a word for them."""

    run: Path
    members: int
    workers: int
    notes: tuple[str, ...]
    called: str = "members"


@dataclass(frozen=True)
class MembersProgress:
    """How far every training has come, in the order of the members."""

    members: tuple[Progress, ...]

    @property
    def done(self) -> int:
        """Trainings that are done."""
        return sum(member.done for member in self.members)

    @property
    def trained(self) -> int:
        """Epochs trained."""
        return sum(member.epoch for member in self.members)

    @property
    def epochs(self) -> int:
        """Epochs trained or no longer needed."""
        return sum(member.epochs if member.done else member.epoch for member in self.members)

    @property
    def epochs_of_all(self) -> int:
        """Epochs at the most; a training that has not begun, and may not know, has as many as the longest."""
        longest = max((member.epochs for member in self.members), default=0)
        return sum(member.epochs or longest for member in self.members)

    @property
    def mean(self) -> tuple[str, float] | None:
        """The name of the metric, and its mean at the best epochs so far."""
        known = [(member.metric, member.value) for member in self.members if member.value is not None]
        return (known[0][0], sum(value for _, value in known) / len(known)) if known else None


@dataclass(frozen=True)
class Started:
    """The training is about to begin, or to go on after epoch `done`.

    `metric` is the one that epochs report; `notes` want to be read; `reports` are of the epochs before.
    """

    run: Path
    training_rows: int
    validation_rows: int
    features: int
    parameters: int
    epochs: int
    done: int
    metric: str | None
    notes: tuple[str, ...]
    reports: tuple[EpochReport, ...] = ()


@dataclass(frozen=True)
class Finished:
    """The run directory is complete. `best_epoch` 0 means that not one epoch was completed.

    Of members `epochs` and `best_epoch` are the most of any; stopped, they have no scores together.
    """

    run: Path
    status: Literal["done", "stopped"]
    epochs: int
    best_epoch: int
    seconds: float
    training: ScoreCard | None
    validation: ScoreCard | None


Event: TypeAlias = Started | EpochReport | LearningRateHalved | MembersStarted | MembersProgress | Finished

"""What is known of a training: its losses, its health, its rows and its scores, by which problems are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, isfinite

import numpy as np
import numpy.typing as npt

from nncli.base.findings import Finding
from nncli.base.median import median
from nncli.config.schema import Config
from nncli.nn.training.health import Health, LayerHealth
from nncli.nn.training.loop import EpochReport


@dataclass(frozen=True)
class RateTrial:
    """A short training at a constant learning `rate`, and its training loss at the end; infinite if it diverged."""

    rate: float
    loss: float


@dataclass(frozen=True)
class RowEvidence:
    """What the training rows tell about a training.

    `baseline` is the loss of the best constant output, `zero` that of equal probabilities of classes, 0 without.
    `contradicting` is the fraction of rows with the features of another row and another target than most of these;
    two such rows are an `example`. `heavy` is the fraction of the gradient at that constant that the steepest
    hundredth of the rows has, such as `heavy_rows`. `widest` is the feature with the largest values as the network
    gets it, of the root mean square `size`. `neighbors` and `network` are scores of the training rows, of the name
    `score`: of the five nearest other rows, and of the network, with the weights of the loss. Of the classes of ten
    rows, `missed` has the lowest `recall` of the network. Numbers of a target have the root mean square
    `target_size`.
    """

    baseline: float
    zero: float = 0.0
    score: str = "R²"
    target_size: float = 1.0
    contradicting: float = 0.0
    example: tuple[int, int] | None = None
    heavy: float = 0.0
    heavy_rows: tuple[int, ...] = ()
    widest: str = ""
    size: float = 1.0
    neighbors: float | None = None
    network: float | None = None
    missed: str = ""
    recall: float = 1.0


@dataclass(frozen=True)
class HeldOutScore:
    """What predicts, by the rows that it was not trained on: the weights of the best epochs, averaged over networks.

    The `metric` is that of the verdict of a report, such as the log loss; `error` and `baseline` are its values, lower
    being better. `linear` is that of a linear model, None if there is none, and the run is clearly worse than it if
    `is_below_linear`.
    """

    metric: str
    error: float
    baseline: float
    linear: float | None = None
    is_below_linear: bool = False

    @property
    def gain(self) -> float:
        """The fraction of the baseline's error that the model avoids."""
        return (self.baseline - self.error) / abs(self.baseline) if self.baseline else 0.0


@dataclass(frozen=True)
class ClassRecall:
    """A class that the model misses on held-out rows: `rows` of them have it, and the `recall` of the model."""

    label: str
    rows: int
    share: float
    recall: float
    n_classes: int


@dataclass(frozen=True)
class Evidence:
    """What is known of a training; `rows` are None if its table is not there, `rates` empty without a sweep.

    `recorded` are the findings that the run has about its table and scores. `held_out` are the scores of what
    predicts, None without validation rows, and `missed` is a class that it misses. `diverged` if the training ended so.
    The training, on so many `training_rows`, is one of so many `networks` that are averaged.
    """

    config: Config
    health: Sequence[Health] = ()
    reports: Sequence[EpochReport] = ()
    rows: RowEvidence | None = None
    rates: Sequence[RateTrial] = ()
    recorded: Sequence[Finding] = ()
    diverged: bool = False
    held_out: HeldOutScore | None = None
    missed: ClassRecall | None = None
    networks: int = 1
    training_rows: int = 0

    @property
    def predicts_well(self) -> bool:
        """Whether what predicts is good by rows that it was not trained on, whatever its last epoch was like."""
        score = self.held_out
        return score is not None and not self.diverged and score.gain > 0.0 and not score.is_below_linear

    @cached_property
    def losses(self) -> npt.NDArray[np.float64]:
        """The training loss of every epoch."""
        return np.array([report.loss for report in self.reports])

    @cached_property
    def scale(self) -> float:
        """The loss of a network that has learned nothing: the baseline's, or that before the first step."""
        if self.rows is not None:
            return abs(self.rows.baseline)
        return abs(self.health[0].loss) if self.health and isfinite(self.health[0].loss) else inf

    @cached_property
    def learned(self) -> float:
        """The fraction of the scale by which the best training loss is below it."""
        if not self.reports or not isfinite(self.scale) or not self.scale:
            return 0.0
        start = self.rows.baseline if self.rows is not None else self.health[0].loss
        return float((start - np.nanmin(self.losses)) / self.scale)

    @cached_property
    def update_ratio(self) -> float:
        """The largest update relative to the weights, of the middle layer, over all moments."""
        ratios = [
            median(np.array([x for x in (p.update_ratio for p in dense(m)) if isfinite(x)] or [0.0]))
            for m in self.health
        ]
        return max(ratios, default=0.0)

    @cached_property
    def roughness(self) -> float:
        """How much the training loss goes up and down between epochs; see `roughness_of`."""
        return roughness_of(self.losses, self.scale)

    @cached_property
    def peak(self) -> float:
        """The highest learning rate."""
        rates = [moment.learning_rate for moment in self.health] + [report.learning_rate for report in self.reports]
        return max(rates, default=0.0)


def roughness_of(losses: npt.NDArray[np.float64], scale: float) -> float:
    """Twice the mean rise of a loss between two epochs of the second half, relative to it; 0 if it only falls."""
    late = losses[len(losses) // 2 :]
    if len(late) < 3 or not isfinite(scale):
        return 0.0
    return float(2.0 * np.maximum(np.diff(late), 0.0).mean() / max(late.mean(), 0.05 * scale))


def dense(moment: Health) -> tuple[LayerHealth, ...]:
    """The layers of a moment without the input."""
    return moment.layers[1:]

"""Learning-rate schedules: the rate as a function of the step.

`every` and `decay` count epochs, so that a schedule keeps its meaning if the batch size changes; `warmup_steps` counts
steps. reduce_on_plateau, the one schedule that depends on results, keeps them in a `PlateauState` that the training
loop holds and a checkpoint saves.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from math import cos, floor, inf, log2, pi
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nncli.base.bounds import LARGEST
from nncli.base.spec import (
    NonNegativeInt,
    NonNegativeSetting,
    PositiveInt,
    PositiveSetting,
    Shorthand,
    Spec,
    expand_name,
)
from nncli.nn.layers.layer import annealing_factor

DecayFactor = Annotated[float, Field(strict=True, gt=0, lt=1)]
Divisor = Annotated[float, Field(strict=True, ge=1, le=LARGEST, allow_inf_nan=False)]


MAX_SNAPSHOTS = 16
"""Epochs of a training whose weights are kept at most, so that they fit on the disk."""


@dataclass(frozen=True)
class TrainingLength:
    """The length of the training, in epochs and steps."""

    epochs: int
    steps_per_epoch: int

    @property
    def steps(self) -> int:
        """The total number of steps."""
        return self.epochs * self.steps_per_epoch


@dataclass(frozen=True)
class PlateauState:
    """State of reduce_on_plateau: the best value so far (lower is better), epochs since then, and the factor."""

    best: float = inf
    waited: int = 0
    factor: float = 1.0


class ScheduleBase(Spec):
    """A learning rate for every step. It rises linearly during the first `warmup_steps` steps."""

    plugin_kind: ClassVar[str | None] = "schedules"

    warmup_steps: NonNegativeInt = 0

    @model_validator(mode="after")
    def _final_is_lower(self) -> Self:
        final, peak = getattr(self, "final", 0.0), getattr(self, "peak", 0.0)
        if final and final > peak:
            raise ValueError(f"final, {final:g}, must not be above peak, {peak:g}")
        return self

    def rate(self, step: int, length: TrainingLength, plateau: PlateauState) -> float:
        """The learning rate of step `step`, counted from 0."""
        ramp = (step + 1) / self.warmup_steps if step < self.warmup_steps else 1.0
        return ramp * plateau.factor * self.base_rate(step, length)

    def with_auto_peak(self, peak: float) -> Self:
        """This schedule with `peak` in place of `peak: auto`."""
        return self

    def with_auto_cycle(self, epochs: float) -> Self:
        """This schedule with a first cycle of `epochs` epochs in place of `first_cycle: auto`."""
        return self

    @abstractmethod
    def base_rate(self, step: int, length: TrainingLength) -> float:
        """The rate without warm-up."""

    def progress(self, step: int, length: TrainingLength) -> float:
        """The fraction of the current cycle, or of the training where there are no cycles, before step `step`."""
        return step / length.steps

    def snapshot_epochs(self, epochs: int) -> tuple[int, ...]:
        """The epochs of a training whose weights are worth keeping, in order: sixteen, evenly spaced, with the last."""
        count = min(epochs, MAX_SNAPSHOTS)
        return tuple(sorted({max(1, round(epochs * i / count)) for i in range(1, count + 1)}))

    def observe(self, plateau: PlateauState, value: float) -> PlateauState:
        """The state after an epoch's result (lower is better); only reduce_on_plateau changes it."""
        return plateau


class ConstantRate(ScheduleBase):
    """A constant rate; a bare number in the configuration."""

    type: Literal["constant"] = "constant"
    peak: PositiveSetting

    def base_rate(self, step: int, length: TrainingLength) -> float:
        return self.peak


class StepRate(ScheduleBase):
    """peak · factor^(epoch // every)."""

    type: Literal["step"] = "step"
    peak: PositiveSetting
    factor: DecayFactor = 0.5
    every: PositiveInt = 10

    def base_rate(self, step: int, length: TrainingLength) -> float:
        return float(self.peak * self.factor ** (step // length.steps_per_epoch // self.every))


class ExponentialRate(ScheduleBase):
    """peak · decay^epoch, updated at every step."""

    type: Literal["exponential"] = "exponential"
    peak: PositiveSetting
    decay: DecayFactor = 0.95

    def base_rate(self, step: int, length: TrainingLength) -> float:
        return float(self.peak * self.decay ** (step / length.steps_per_epoch))


class CosineRate(ScheduleBase):
    """From peak to final along half a cosine after the warm-up. Loshchilov and Hutter, "SGDR", 2017, one cycle."""

    type: Literal["cosine"] = "cosine"
    peak: PositiveSetting
    final: NonNegativeSetting = 0.0

    def base_rate(self, step: int, length: TrainingLength) -> float:
        n_steps = max(1, length.steps - self.warmup_steps)
        t = min(1.0, max(0, step - self.warmup_steps) / n_steps)
        return self.final + (self.peak - self.final) * (1.0 + cos(pi * t)) / 2.0


class OneCycleRate(ScheduleBase):
    """Up from peak / start_divisor to peak in the first `pct_start` of the steps, then down to peak / end_divisor.

    Both along half a cosine. Smith and Topin, "Super-convergence", 2018.
    """

    type: Literal["one_cycle"] = "one_cycle"
    peak: PositiveSetting
    pct_start: DecayFactor = 0.3
    start_divisor: Divisor = 25.0
    end_divisor: Divisor = 10_000.0

    def base_rate(self, step: int, length: TrainingLength) -> float:
        last = max(1, length.steps - 1)
        t = min(1.0, step / last)
        low, share = (
            (self.peak / self.start_divisor, t / self.pct_start)
            if t < self.pct_start
            else (self.peak / self.end_divisor, 1.0 - (t - self.pct_start) / (1.0 - self.pct_start))
        )
        return low + (self.peak - low) * (1.0 - cos(pi * share)) / 2.0


class FlatCosineRate(ScheduleBase):
    """peak for the first half of the steps, then down to final along half a cosine.

    Holzmüller, Grinsztajn and Steinwart, "Better by default", 2024.
    """

    type: Literal["flat_cosine"] = "flat_cosine"
    peak: PositiveSetting
    final: NonNegativeSetting = 0.0

    def base_rate(self, step: int, length: TrainingLength) -> float:
        return self.final + (self.peak - self.final) * annealing_factor("flat_cosine", step / length.steps)


class CoslogRate(ScheduleBase):
    """peak · (1 - cos(2 pi log2(1 + z))) / 2: cycles from 0 to 0, each twice as long as the last.

    z is the number of epochs in units of the first cycle, so that cycle c ends at z = 2^c - 1; it is taken at the
    middle of each step, so that no step has a rate of zero. The training has `cycles` cycles; or the first one has
    `first_cycle` epochs, so that a longer training begins with the same steps as a shorter one, and there are at most
    `cycles` if the epochs are auto. `auto` depends on the task and on the number of training rows.
    Holzmüller, Grinsztajn and Steinwart, "Better by default", 2024, with 4 cycles.
    """

    type: Literal["coslog"] = "coslog"
    peak: PositiveSetting | Literal["auto"] = "auto"
    cycles: Annotated[int, Field(strict=True, ge=1, le=16)] = 4
    first_cycle: PositiveSetting | Literal["auto"] | None = None

    def with_auto_peak(self, peak: float) -> Self:
        return self.model_copy(update={"peak": peak}) if self.peak == "auto" else self

    def with_auto_cycle(self, epochs: float) -> Self:
        return self.model_copy(update={"first_cycle": float(epochs)}) if self.first_cycle == "auto" else self

    def base_rate(self, step: int, length: TrainingLength) -> float:
        if self.peak == "auto":
            raise ValueError("peak: auto is not resolved")
        z = (step + 0.5) / (self._first_cycle(length.epochs) * length.steps_per_epoch)
        return self.peak * (1.0 - cos(2.0 * pi * log2(1.0 + z))) / 2.0

    def progress(self, step: int, length: TrainingLength) -> float:
        z = step / (self._first_cycle(length.epochs) * length.steps_per_epoch)
        cycle_length = 2.0 ** floor(log2(1.0 + z))
        return min(1.0, (1.0 + z) / cycle_length - 1.0)

    def snapshot_epochs(self, epochs: int) -> tuple[int, ...]:
        """The ends of the cycles, where the rate is 0, and the last epoch."""
        ends = {max(1, round(epoch)) for epoch in self.cycle_ends(epochs)}
        return tuple(sorted({*(end for end in ends if end <= epochs), epochs}))

    def cycle_ends(self, epochs: int) -> tuple[float, ...]:
        """The ends of the cycles of a training, in epochs."""
        first = self._first_cycle(epochs)
        n_cycles = int(log2(1.0 + (epochs + 0.5) / first))
        return tuple(first * (2**cycle - 1) for cycle in range(1, n_cycles + 1))

    def _first_cycle(self, epochs: int) -> float:
        """The length of the first cycle in epochs."""
        if self.first_cycle == "auto":
            raise ValueError("first_cycle: auto is not resolved")
        return epochs / (2**self.cycles - 1) if self.first_cycle is None else self.first_cycle


class ReduceOnPlateau(ScheduleBase):
    """peak, times `factor` whenever the monitored value has not fallen by `min_delta` for `patience` epochs."""

    type: Literal["reduce_on_plateau"] = "reduce_on_plateau"
    peak: PositiveSetting
    factor: DecayFactor = 0.5
    patience: PositiveInt = 10
    min_delta: NonNegativeSetting = 0.0
    final: NonNegativeSetting = 0.0

    def base_rate(self, step: int, length: TrainingLength) -> float:
        return self.peak

    def observe(self, plateau: PlateauState, value: float) -> PlateauState:
        if value < plateau.best - self.min_delta:
            return replace(plateau, best=value, waited=0)
        if plateau.waited + 1 < self.patience:
            return replace(plateau, waited=plateau.waited + 1)
        return replace(plateau, waited=0, factor=max(plateau.factor * self.factor, self.final / self.peak))


def _expand(value: Any) -> Any:
    """A bare number is a constant rate."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"type": "constant", "peak": value}
    return expand_name(value)


Schedule = Annotated[
    Annotated[
        ConstantRate
        | StepRate
        | ExponentialRate
        | CosineRate
        | FlatCosineRate
        | CoslogRate
        | OneCycleRate
        | ReduceOnPlateau,
        Field(discriminator="type"),
    ],
    Shorthand(_expand, also=PositiveSetting),
]

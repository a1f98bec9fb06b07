"""Optimizers. The parameters are one vector, so each optimizer is a few lines.

theta is updated in blocks that fit the second-level cache, so that ten passes over a block cost about as much as one.
An optimizer's state vectors are shaped as theta, zero at the start, and part of a checkpoint; `t` counts steps from 1.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from math import sqrt
from typing import Annotated, ClassVar, Literal, Self, TypeAlias

import numpy as np
from pydantic import Field, model_validator

from nncli.base.spec import Fraction, NameShorthand, NonNegativeSetting, PositiveSetting, Spec, StrictBool
from nncli.nn.arrays import Array, scalar, zeros_aligned
from nncli.nn.layers.layer import Annealing, annealing_factor
from nncli.nn.parameters import DECAYED, ParamGroup

BLOCK = 65_536
"""Numbers in a block: 256 KiB of float32. Two or three blocks fit the cache, and the calls are few."""

Step: TypeAlias = Callable[[float, int], None]
"""step(learning_rate, t) updates theta once from grad."""


GroupName: TypeAlias = Literal["weight", "embedding", "numeric", "bias", "scale", "alpha"]
"""The trained groups, as the configuration names them."""


class GroupOptions(Spec):
    """Multipliers of the learning rate and the weight decay for one group.

    Without `weight_decay_multiplier` it is 1 for weights and embeddings, and 0 for the others.
    """

    learning_rate_multiplier: NonNegativeSetting = 1.0
    weight_decay_multiplier: NonNegativeSetting | None = None

    def decay_of(self, group: ParamGroup) -> float:
        """The multiplier of the weight decay."""
        return float(group in DECAYED) if self.weight_decay_multiplier is None else self.weight_decay_multiplier


def merge_groups(
    options: Mapping[GroupName, GroupOptions], groups: Mapping[ParamGroup, slice]
) -> Iterator[tuple[slice, float, float]]:
    """The slices of theta with the same two multipliers; `groups` are in order and without a gap."""
    by_name: dict[str, GroupOptions] = dict(options.items())

    def multipliers(group: ParamGroup) -> tuple[float, float]:
        options = by_name.get(group.name.lower(), GroupOptions())
        return options.learning_rate_multiplier, options.decay_of(group)

    for (rate_multiplier, decay_multiplier), run in groupby(groups, key=multipliers):
        spans = [groups[group] for group in run]
        yield slice(spans[0].start, spans[-1].stop), rate_multiplier, decay_multiplier


class OptimizerBase(Spec):
    """The interface of an optimizer, with learning rates and weight decay by group of parameters."""

    plugin_kind: ClassVar[str | None] = "optimizers"

    param_groups: dict[GroupName, GroupOptions] = Field({})

    default_learning_rate: ClassVar[float] = 0.001
    """The learning rate if the configuration names none."""
    state: ClassVar[tuple[str, ...]] = ()
    decays: ClassVar[bool] = False
    """Whether there is a weight decay, which a group may multiply."""

    @model_validator(mode="after")
    def _decay_needs_weight_decay(self) -> Self:
        if not self.decays and any(
            factors.weight_decay_multiplier is not None for factors in self.param_groups.values()
        ):
            raise ValueError("weight_decay_multiplier needs an optimizer with weight_decay, such as adamw")
        return self

    @property
    def state_factors(self) -> Mapping[str, float]:
        """The factors of state vectors that make them those of the formula; 1 where there is none."""
        return {}

    def with_auto_weight_decay(self, weight_decay: float) -> Self:
        """This optimizer with `weight_decay` in place of `weight_decay: auto`."""
        return self

    def init_state(self, theta: Array) -> dict[str, Array]:
        """The named state vectors before the first step: zeros like theta."""
        return {name: zeros_aligned(theta.size, theta.dtype) for name in self.state}

    def bind(
        self,
        theta: Array,
        grad: Array,
        moments: Mapping[str, Array],
        *,
        groups: Mapping[ParamGroup, slice],
        progress: Array,
    ) -> Step:
        """Bind the optimizer to its vectors.

        `groups` are the slices of theta, in order and without a gap; `progress` () is the fraction of the training
        steps that have been taken, which the training loop updates.
        """
        scratch = np.empty(min(BLOCK, theta.size), theta.dtype)
        steps: list[Step] = []
        for span, rate_multiplier, decay_multiplier in merge_groups(self.param_groups, groups):
            for start in range(span.start, span.stop, BLOCK):
                s = slice(start, min(start + BLOCK, span.stop))
                vectors = [moments[name][s] for name in self.state]
                update = self.bind_block(theta[s], grad[s], vectors, scratch[: s.stop - start])
                steps.append(self.bind_multipliers(update, theta[s], rate_multiplier, decay_multiplier, progress))
        if len(steps) == 1:
            return steps[0]

        def step(learning_rate: float, t: int) -> None:
            for block in steps:
                block(learning_rate, t)

        return step

    def bind_multipliers(
        self, update: Step, theta: Array, rate_multiplier: float, decay_multiplier: float, progress: Array
    ) -> Step:
        """The step of a block whose plain step is `update`, with the multipliers of its group."""
        if rate_multiplier == 1.0:
            return update

        def step(learning_rate: float, t: int) -> None:
            update(learning_rate * rate_multiplier, t)

        return step

    @abstractmethod
    def bind_block(self, theta: Array, grad: Array, moments: list[Array], s: Array) -> Step:
        """The step for one block; `s` is scratch of the block's length."""


class DecoupledWeightDecay(OptimizerBase):
    """Weight decay that is separate from the gradient: theta ← (1 - rate · decay · weight_decay · s) theta.

    `rate` is the learning rate before the group's multiplier, `decay` the group's multiplier of the weight decay, and s
    the factor of `decay_schedule`. `weight_decay: auto` depends on the numbers of training rows and of inputs.
    Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.
    """

    weight_decay: NonNegativeSetting | Literal["auto"] = 0.0
    decay_schedule: Annealing = "constant"

    decays: ClassVar[bool] = True

    def with_auto_weight_decay(self, weight_decay: float) -> Self:
        return self.model_copy(update={"weight_decay": weight_decay}) if self.weight_decay == "auto" else self

    @property
    def strength(self) -> float:
        """The weight decay.

        Raises:
            ValueError: it depends on the table.
        """
        if self.weight_decay == "auto":
            raise ValueError("weight_decay: auto is not resolved")
        return self.weight_decay

    def bind_multipliers(
        self, update: Step, theta: Array, rate_multiplier: float, decay_multiplier: float, progress: Array
    ) -> Step:
        step_without_decay = super().bind_multipliers(update, theta, rate_multiplier, decay_multiplier, progress)
        strength, schedule = decay_multiplier * self.strength, self.decay_schedule
        if strength == 0.0:
            return step_without_decay
        shrinkage = scalar(0.0, theta)

        def step(learning_rate: float, t: int) -> None:
            shrinkage.fill(1.0 - learning_rate * strength * annealing_factor(schedule, progress.item()))
            np.multiply(theta, shrinkage, out=theta)
            step_without_decay(learning_rate, t)

        return step


class Sgd(OptimizerBase):
    """theta ← theta - rate · g; with momentum v ← momentum · v + g and theta ← theta - rate · v.

    With `nesterov` theta ← theta - rate · (g + momentum · v). Polyak, 1964; Sutskever et al., 2013.
    """

    type: Literal["sgd"] = "sgd"
    momentum: Fraction = 0.0
    nesterov: StrictBool = False

    default_learning_rate: ClassVar[float] = 0.01
    state: ClassVar[tuple[str, ...]] = ("velocity",)

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Sgd:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0, such as momentum: 0.9")
        return self

    def bind_block(self, theta: Array, grad: Array, moments: list[Array], s: Array) -> Step:
        (v,), momentum, nesterov = moments, self.momentum, self.nesterov
        rate = scalar(0.0, theta)

        def plain(learning_rate: float, t: int) -> None:
            rate.fill(learning_rate)
            np.multiply(grad, rate, out=s)
            np.subtract(theta, s, out=theta)

        def with_momentum(learning_rate: float, t: int) -> None:
            np.multiply(v, momentum, out=v)
            np.add(v, grad, out=v)
            if nesterov:
                np.multiply(v, momentum, out=s)
                np.add(s, grad, out=s)
                np.multiply(s, learning_rate, out=s)
            else:
                np.multiply(v, learning_rate, out=s)
            np.subtract(theta, s, out=theta)

        return with_momentum if momentum else plain


class RmsProp(OptimizerBase):
    """v ← rho · v + (1 - rho) g²; theta ← theta - rate · g / (sqrt(v) + epsilon). Tieleman and Hinton, 2012."""

    type: Literal["rmsprop"] = "rmsprop"
    rho: Fraction = 0.9
    epsilon: PositiveSetting = 1e-8

    state: ClassVar[tuple[str, ...]] = ("square",)

    def bind_block(self, theta: Array, grad: Array, moments: list[Array], s: Array) -> Step:
        (v,), rho, epsilon = moments, self.rho, self.epsilon

        def step(learning_rate: float, t: int) -> None:
            np.multiply(grad, grad, out=s)
            np.multiply(s, 1.0 - rho, out=s)
            np.multiply(v, rho, out=v)
            np.add(v, s, out=v)
            np.sqrt(v, out=s)
            np.add(s, epsilon, out=s)
            np.divide(grad, s, out=s)
            np.multiply(s, learning_rate, out=s)
            np.subtract(theta, s, out=theta)

        return step


class Adagrad(OptimizerBase):
    """v ← v + g²; theta ← theta - rate · g / (sqrt(v) + epsilon). Duchi, Hazan and Singer, 2011."""

    type: Literal["adagrad"] = "adagrad"
    epsilon: PositiveSetting = 1e-10

    default_learning_rate: ClassVar[float] = 0.01
    state: ClassVar[tuple[str, ...]] = ("square",)

    def bind_block(self, theta: Array, grad: Array, moments: list[Array], s: Array) -> Step:
        (v,), epsilon = moments, self.epsilon

        def step(learning_rate: float, t: int) -> None:
            np.multiply(grad, grad, out=s)
            np.add(v, s, out=v)
            np.sqrt(v, out=s)
            np.add(s, epsilon, out=s)
            np.divide(grad, s, out=s)
            np.multiply(s, learning_rate, out=s)
            np.subtract(theta, s, out=theta)

        return step


class Adam(OptimizerBase):
    """theta ← theta - rate · m̂ / (sqrt(v̂) + epsilon). Kingma and Ba, "Adam", 2015, algorithm 1.

    The paper keeps m ← beta1 m + (1 - beta1) g and v ← beta2 v + (1 - beta2) g². Kept here are M = m / (1 - beta1)
    and V = v / (1 - beta2), which saves two passes; with c = sqrt((1 - beta2) / (1 - beta2ᵗ)), so that
    sqrt(v̂) = c sqrt(V), the same step is rate · (1 - beta1) / (1 - beta1ᵗ) / c · M / (sqrt(V) + epsilon / c).
    """

    type: Literal["adam"] = "adam"
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    epsilon: PositiveSetting = 1e-8

    state: ClassVar[tuple[str, ...]] = ("mean", "square")

    @property
    def state_factors(self) -> Mapping[str, float]:
        return {"mean": 1.0 - self.beta1, "square": 1.0 - self.beta2}

    def bind_block(self, theta: Array, grad: Array, moments: list[Array], s: Array) -> Step:
        (M, V), beta1, beta2, epsilon = moments, self.beta1, self.beta2, self.epsilon
        b1, b2, e, rate = (scalar(value, theta) for value in (beta1, beta2, 0.0, 0.0))

        def step(learning_rate: float, t: int) -> None:
            c = sqrt((1.0 - beta2) / (1.0 - beta2**t))
            e.fill(epsilon / c)
            rate.fill(learning_rate * (1.0 - beta1) / (1.0 - beta1**t) / c)
            np.multiply(M, b1, out=M)
            np.add(M, grad, out=M)
            np.multiply(V, b2, out=V)
            np.multiply(grad, grad, out=s)
            np.add(V, s, out=V)
            np.sqrt(V, out=s)
            np.add(s, e, out=s)
            np.divide(M, s, out=s)
            np.multiply(s, rate, out=s)
            np.subtract(theta, s, out=theta)

        return step


class AdamW(DecoupledWeightDecay, Adam):
    """theta ← (1 - rate · weight_decay) theta, then as Adam theta ← theta - rate · m̂ / (sqrt(v̂) + epsilon).

    Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.

    `weight_decay: auto` is 0.02, or 0.2 for more than 500 inputs that are also more than the training rows.
    """

    type: Literal["adamw"] = "adamw"  # type: ignore[assignment]  # the tag of the union
    weight_decay: NonNegativeSetting | Literal["auto"] = 0.01


class Lion(DecoupledWeightDecay):
    """theta ← theta - rate · (sign(beta1 m + (1 - beta1) g) + weight_decay · theta); m ← beta2 m + (1 - beta2) g.

    Chen et al., "Symbolic discovery of optimization algorithms", 2023, algorithm 2.
    """

    type: Literal["lion"] = "lion"
    beta1: Fraction = 0.9
    beta2: Fraction = 0.99

    default_learning_rate: ClassVar[float] = 0.0001
    state: ClassVar[tuple[str, ...]] = ("mean",)

    def bind_block(self, theta: Array, grad: Array, moments: list[Array], s: Array) -> Step:
        (m,), beta1, beta2 = moments, self.beta1, self.beta2

        def step(learning_rate: float, t: int) -> None:
            np.subtract(m, grad, out=m)
            np.multiply(m, beta1, out=s)
            np.add(s, grad, out=s)  # beta1 m + (1 - beta1) g = beta1 (m - g) + g
            np.sign(s, out=s)
            np.multiply(s, learning_rate, out=s)
            np.subtract(theta, s, out=theta)
            np.multiply(m, beta2, out=m)
            np.add(m, grad, out=m)  # beta2 m + (1 - beta2) g, likewise

        return step


Optimizer = Annotated[
    Annotated[Sgd | RmsProp | Adagrad | Adam | AdamW | Lion, Field(discriminator="type")],
    NameShorthand,
]

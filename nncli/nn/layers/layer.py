"""The interface of a layer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import cos, pi
from typing import ClassVar, Literal, Self, TypeAlias

import numpy as np

from nncli.base.spec import Spec
from nncli.nn.arrays import Array, BoundLayer, Mask, Signs
from nncli.nn.parameters import ParameterBounds, ParamSpec, ParamViews
from nncli.nn.program.values import Value

Annealing: TypeAlias = Literal["constant", "flat_cosine"]
"""How a hyper-parameter, such as a weight decay or a dropout rate, changes during training."""


def annealing_factor(annealing: Annealing, t: float) -> float:
    """The factor of a hyper-parameter after the fraction t of the training steps.

    1, or with flat_cosine 1 for t < 1/2 and then (1 + cos(pi (2t - 1))) / 2, which ends at 0.
    Holzmüller, Grinsztajn and Steinwart, "Better by default", 2024.
    """
    return 1.0 if annealing == "constant" or t < 0.5 else (1.0 + cos(pi * (2.0 * min(t, 1.0) - 1.0))) / 2.0


@dataclass(frozen=True)
class Units:
    """What units depend on: their `signs` (units,), and the `sets` (units, sets) of columns that may act together.

    The units of a set read a unit that belongs to it. A hidden unit belongs to one set, an input to one or several, and
    an output to none.
    """

    signs: Signs
    sets: Mask


@dataclass(frozen=True)
class TrainingContext:
    """What layers need if the network is bound for training.

    `rng` draws dropout masks. `progress` () is the fraction of the training steps that have been taken; the training
    loop updates it, and a layer may change its behavior with it. `watch` is called with the name and the array of each
    value as soon as it is computed, such as layers.0.Z and layers.0.dZ; it may change the array.
    """

    rng: np.random.Generator
    progress: Array = field(default_factory=lambda: np.zeros(()))
    watch: Callable[[str, Array], None] | None = None

    def within(self, layer: str) -> TrainingContext:
        """The context of a layer, whose name precedes those of its values."""
        watch = self.watch
        if watch is None:
            return self
        return replace(self, watch=lambda name, value: watch(f"{layer}.{name}", value))


def watch_output(bound: BoundLayer, training: TrainingContext | None, name: str = "Y") -> BoundLayer:
    """The bound layer; `watch`, if there is one, sees its output and the gradient of that."""
    if training is None or training.watch is None:
        return bound
    watch = training.watch

    def forward() -> None:
        bound.forward()
        watch(name, bound.Y)

    def backward(dY: Array) -> Array:
        watch(f"d{name}", dY)
        return bound.backward(dY)

    return BoundLayer(bound.Y, forward, backward)


def watch_input(bound: BoundLayer, training: TrainingContext | None, name: str, X: Array) -> BoundLayer:
    """The bound layer; `watch`, if there is one, sees its input X and the gradient of that."""
    if training is None or training.watch is None:
        return bound
    watch = training.watch

    def forward() -> None:
        watch(name, X)
        bound.forward()

    def backward(dY: Array) -> Array:
        dX = bound.backward(dY)
        watch(f"d{name}", dX)
        return dX

    return BoundLayer(bound.Y, forward, backward)


class LayerBase(Spec):
    """A layer: its output width, its parameters, and how it is bound to buffers."""

    plugin_kind: ClassVar[str | None] = "layers"
    mixes_units: ClassVar[bool] = True
    """Whether an output may depend on more than the input at its position, which `interactions` do not allow."""

    @property
    def mixes_rows(self) -> bool:
        """Whether a row's output in training depends on the other rows of its batch."""
        return False

    @property
    def needs_data_init(self) -> bool:
        """Whether the initialization depends on the training rows; see `init_from_data`."""
        return False

    @property
    def inner_layers(self) -> Sequence[LayerBase]:
        """The layers inside this one."""
        return ()

    @property
    def output_name(self) -> str:
        """The name of the output in formulas: Y, or Z where no activation follows the weighted sums."""
        return "Y"

    @property
    def formulas(self) -> Mapping[str, str]:
        """The formula of each value, by its name: of the output, of dX, and of d and the name of a parameter."""
        return {"Y": self.formula()}

    def with_defaults(self, defaults: Mapping[str, object]) -> Self:
        """This layer, and those inside it, with the network's defaults in the fields of dense layers that are unset."""
        return self

    def with_auto_units(self, units: int) -> Self:
        """This layer, and those inside it, with `units` in place of `units: auto`."""
        return self

    def out_features(self, in_features: int) -> int:
        """The number of output units. Raises ValueError if the layer cannot have `in_features` inputs."""
        return in_features

    def parameters(self, in_features: int) -> tuple[ParamSpec, ...]:
        """The layer's parameters for a number of input units."""
        return ()

    def bound(self, bounds: ParameterBounds, units: Units, out: Units | None) -> Units:
        """Narrow the bounds of the parameters so that the outputs are what is returned, for inputs that are `units`.

        `out` are given outputs. By default no bounds make the layer monotone, nor keep sets of columns apart if it
        `mixes_units`.

        Raises:
            ValueError: there are no such bounds.
        """
        if units.signs.any():
            raise ValueError(f"a layer of type {self.model_dump()['type']} can break `monotone`")
        if self.mixes_units and units.sets.shape[1] > 1:
            raise ValueError(f"a layer of type {self.model_dump()['type']} can mix units, which breaks `interactions`")
        return units

    @abstractmethod
    def bind(
        self, p: ParamViews, g: ParamViews, X: Array, *, training: TrainingContext | None, needs_dX: bool
    ) -> BoundLayer:
        """Bind the layer to its parameters, its gradients and its input buffer X (rows, in_features).

        With `training` None, as for prediction, dropout is off and statistics are the running ones. Without `needs_dX`,
        as in the first layer of a network, `backward` does not compute the gradient of the input and returns a buffer
        of arbitrary values.
        """

    @abstractmethod
    def lower(self, p: ParamViews, x: Value) -> Value:
        """The operations of the layer in prediction, for its parameters p and its input x (rows, in_features)."""

    def init_from_data(self, p: ParamViews, X: Array, rng: np.random.Generator) -> Array:
        """Initialize the data-dependent part of p from X (rows, in_features), and return the layer's output."""
        bound = self.bind(p, p, X, training=None, needs_dX=False)  # backward is not called, so no gradient is written
        bound.forward()
        return bound.Y

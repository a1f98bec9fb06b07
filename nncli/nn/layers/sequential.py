"""Layers in sequence, the output of one being the input of the next: activation, dropout, and blocks of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.base.spec import Fraction
from nncli.nn.activations import ElementwiseActivation
from nncli.nn.arrays import Array, BoundLayer, scalar
from nncli.nn.layers.dense import Dense, check_monotone
from nncli.nn.layers.layer import Annealing, LayerBase, TrainingContext, Units, annealing_factor, watch_output
from nncli.nn.parameters import ParameterBounds, ParamSpec, ParamViews, by_prefix
from nncli.nn.program.values import Value


@dataclass(frozen=True)
class Sequential:
    """Layers in sequence, each with the prefix of its parameters' names: `layers.0`, `layers.1` and so on."""

    named_layers: tuple[tuple[str, LayerBase], ...]

    @classmethod
    def of(cls, layers: Sequence[LayerBase], output: LayerBase | None = None) -> Sequential:
        """The layers, named by their position, and then the output layer, if there is one, named `output`."""
        numbered = tuple((f"layers.{i}", layer) for i, layer in enumerate(layers))
        return cls(numbered if output is None else (*numbered, ("output", output)))

    def all_layers(self) -> Iterator[tuple[str, LayerBase]]:
        """Each layer with its full name, those inside a layer such as a residual block before it."""
        for name, layer in self.named_layers:
            for inner, part in Sequential.of(layer.inner_layers).all_layers():
                yield f"{name}.{inner}", part
            yield name, layer

    def infer_widths(self, in_features: int) -> Iterator[tuple[str, LayerBase, int]]:
        """Each layer with its name and the width of its input.

        Raises:
            ValueError: a layer cannot follow the one before it; the message names it.
        """
        d = in_features
        for name, layer in self.named_layers:
            try:
                width = layer.out_features(d)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
            yield name, layer, d
            d = width

    def parameters(self, in_features: int) -> Iterator[ParamSpec]:
        """The parameters of all layers, named `layers.0.weight` and so on."""
        for name, layer, d in self.infer_widths(in_features):
            yield from (spec.with_prefix(name) for spec in layer.parameters(d))

    def bound(self, bounds: ParameterBounds, units: Units, out: Units) -> None:
        """Narrow the bounds of all layers so that the units of the last one are `out`.

        Raises:
            ValueError: a layer breaks it; the message names it.
        """
        last = max((i for i, (_, layer) in enumerate(self.named_layers) if isinstance(layer, Dense)), default=-1)
        for i, (name, layer) in enumerate(self.named_layers):
            try:
                units = layer.bound(bounds.within(name), units, out if i == last else None)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error

    def init_from_data(self, p: ParamViews, X: Array, rng: np.random.Generator) -> Array:
        """Initialize the data-dependent layers in turn, each from its input, and return the last output."""
        parts = by_prefix(p, dict(self.named_layers))
        for name, layer in self.named_layers:
            X = layer.init_from_data(parts[name], X, rng)
        return X

    def bind(
        self, p: ParamViews, g: ParamViews, X: Array, *, training: TrainingContext | None, needs_dX: bool
    ) -> BoundLayer:
        """Bind the layers in turn. Backward runs them in reverse order.

        A layer without parameters, none before it and no `needs_dX` has nothing to compute in the backward pass.
        """
        forwards: list[Callable[[], None]] = []
        backwards: list[Callable[[Array], Array]] = []
        Y, needs_grad = X, needs_dX
        names = dict(self.named_layers)
        of_p, of_g = by_prefix(p, names), by_prefix(g, names)
        for name, layer, d in self.infer_widths(X.shape[1]):
            context = training and training.within(name)
            bound = layer.bind(of_p[name], of_g[name], Y, training=context, needs_dX=needs_grad)
            bound = watch_output(bound, context, layer.output_name)
            Y = bound.Y
            forwards.append(bound.forward)
            has_parameters = bool(layer.parameters(d))
            if needs_grad or has_parameters:
                backwards.insert(0, bound.backward)
            needs_grad = needs_grad or has_parameters

        def forward() -> None:
            for step in forwards:
                step()

        def backward(dY: Array) -> Array:
            for step in backwards:
                dY = step(dY)
            return dY

        return BoundLayer(Y, forward, backward)

    def lower(self, p: ParamViews, x: Value) -> Value:
        """The operations of the layers in turn."""
        parts = by_prefix(p, dict(self.named_layers))
        for name, layer in self.named_layers:
            x = layer.lower(parts[name], x)
        return x


class ActivationLayer(LayerBase):
    """Y = f(X), an activation that is not part of a dense layer, for example after a normalization."""

    type: Literal["activation"] = "activation"
    mixes_units: ClassVar[bool] = False
    activation: ElementwiseActivation

    @property
    def formulas(self) -> Mapping[str, str]:
        return {"Y": f"Y = f(X), {self.activation.formula()}", "dX": "dX = dY ⊙ f'(X)"}

    def bound(self, bounds: ParameterBounds, units: Units, out: Units | None) -> Units:
        if units.signs.any():
            check_monotone(self.activation)
        return units

    def bind(
        self, p: ParamViews, g: ParamViews, X: Array, *, training: TrainingContext | None, needs_dX: bool
    ) -> BoundLayer:
        return self.activation.bind(X)

    def lower(self, p: ParamViews, x: Value) -> Value:
        return self.activation.lower(x)


class Dropout(LayerBase):
    """Each unit is set to 0 with probability `rate` in training, and the others are scaled by 1 / (1 - rate).

    Srivastava et al., 2014, in the inverted form: prediction needs no correction. The rate is exact within 2^-16. With
    the `schedule` flat_cosine it holds for half of the training steps, then falls to 0 along half a cosine.
    """

    type: Literal["dropout"] = "dropout"
    mixes_units: ClassVar[bool] = False
    rate: Fraction = 0.5
    schedule: Annealing = "constant"

    @property
    def formulas(self) -> Mapping[str, str]:
        """Those of docs/mathematics.md, with the mask M."""
        return {"Y": "Y = X ⊙ M", "dX": "dX = dY ⊙ M"}

    def bound(self, bounds: ParameterBounds, units: Units, out: Units | None) -> Units:
        return units

    def bind(
        self, p: ParamViews, g: ParamViews, X: Array, *, training: TrainingContext | None, needs_dX: bool
    ) -> BoundLayer:
        if not training or self.rate == 0.0:
            return BoundLayer(X, lambda: None, lambda dY: dY)
        Y, M, keep = np.empty_like(X), np.empty_like(X), np.empty(X.shape, bool)
        rate, schedule, progress, scale = self.rate, self.schedule, training.progress, scalar(1.0, X)
        draw = bind_mask(training.rng, keep)

        def forward() -> None:
            scale.fill(1.0 / draw(rate * annealing_factor(schedule, progress.item())))
            np.copyto(M, keep)
            np.multiply(M, scale, out=M)
            np.multiply(X, M, out=Y)

        def backward(dY: Array) -> Array:
            return np.multiply(dY, M, out=dY)

        return BoundLayer(Y, forward, backward)

    def lower(self, p: ParamViews, x: Value) -> Value:
        return x


DrawMask: TypeAlias = Callable[[float], float]
"""draw(rate) keeps each unit with probability 1 - rate, within 2^-16, and returns the exact probability."""


EVEN = 1 << 15
"""Even thresholds among the numbers of sixteen bits."""


def bind_mask(rng: np.random.Generator, keep: npt.NDArray[np.bool_]) -> DrawMask:
    """Bind the drawing of masks to `keep`, a contiguous array of any shape, which it fills."""
    m = -(-keep.size // 12)
    D = np.empty(4 * m)
    words = D.view(np.uint64)
    thirds, fourth = [words[i * m : (i + 1) * m] for i in range(3)], words[3 * m :]
    bits, flat = words[: 3 * m].view(np.uint16)[: keep.size], keep.reshape(-1)
    one, sixteen, threshold = np.array(1.0), np.array(16, np.uint64), np.array(0, np.uint16)

    def draw(rate: float) -> float:
        n_dropped = min(round(rate * EVEN), EVEN - 1)
        rng.random(out=D)
        np.add(D, one, out=D)
        for words in thirds:  # bits 0 to 47 of the fourth, sixteen at a time, replace the constant ones
            np.left_shift(fourth, sixteen, out=fourth)
            np.bitwise_xor(words, fourth, out=words)
        threshold.fill(2 * n_dropped)
        np.greater_equal(bits, threshold, out=flat)
        return 1.0 - n_dropped / EVEN

    return draw

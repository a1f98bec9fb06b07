"""Layers in sequence: the output of one is the input of the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nncli.nn.arrays import Array, BoundLayer
from nncli.nn.layers.base import LayerBase, TrainingContext
from nncli.nn.parameters import ParamSpec, ParamViews, with_prefix
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

    def init_from_data(self, p: ParamViews, X: Array, rng: np.random.Generator) -> Array:
        """Initialize the data-dependent layers in turn, each from its input, and return the last output."""
        for name, layer in self.named_layers:
            X = layer.init_from_data(with_prefix(p, name), X, rng)
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
        for name, layer, d in self.infer_widths(X.shape[1]):
            bound = layer.bind(with_prefix(p, name), with_prefix(g, name), Y, training=training, needs_dX=needs_grad)
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
        for name, layer in self.named_layers:
            x = layer.lower(with_prefix(p, name), x)
        return x

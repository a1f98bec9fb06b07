"""Layers with one learned number per unit: a scale, and the strength of an activation."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from nncli.nn.activations import ElementwiseActivation
from nncli.nn.arrays import Array, BoundLayer
from nncli.nn.initializers import Constant
from nncli.nn.layers.base import LayerBase, TrainingContext
from nncli.nn.parameters import ParamGroup, ParamSpec, ParamViews
from nncli.nn.program.values import Value

ONE = Constant(value=1.0)


class Scale(LayerBase):
    """Y = s · X, unit by unit; s starts at 1.

    Before the first dense layer and with its own learning rate it learns which inputs matter. Holzmüller, Grinsztajn
    and Steinwart, "Better by default", 2024.
    """

    type: Literal["scale"] = "scale"

    def out_features(self, in_features: int) -> int:
        return in_features

    def parameters(self, in_features: int) -> tuple[ParamSpec, ...]:
        return (ParamSpec("scale", (in_features,), ParamGroup.SCALE, ONE),)

    def bind(
        self, p: ParamViews, g: ParamViews, X: Array, *, training: TrainingContext | None, needs_dX: bool
    ) -> BoundLayer:
        s, ds = p["scale"], g["scale"]
        Y, S, ones = np.empty_like(X), np.empty_like(X), np.ones(len(X), X.dtype)

        def forward() -> None:
            np.copyto(S, s)
            np.multiply(X, S, out=Y)

        def backward(dY: Array) -> Array:
            np.multiply(dY, X, out=Y)  # Y is free now: the layer above has used it
            np.dot(ones, Y, out=ds)
            return np.multiply(dY, S, out=dY) if needs_dX else dY

        return BoundLayer(Y, forward, backward)

    def lower(self, p: ParamViews, x: Value) -> Value:
        return x * p["scale"]


class ParametricActivation(LayerBase):
    """Y = X + alpha · (f(X) - X): each unit learns the strength alpha of its activation f; alpha starts at 1.

    Holzmüller, Grinsztajn and Steinwart, "Better by default", 2024.
    """

    type: Literal["parametric_activation"] = "parametric_activation"
    activation: ElementwiseActivation

    def out_features(self, in_features: int) -> int:
        return in_features

    def parameters(self, in_features: int) -> tuple[ParamSpec, ...]:
        return (ParamSpec("alpha", (in_features,), ParamGroup.ALPHA, ONE),)

    def bind(
        self, p: ParamViews, g: ParamViews, X: Array, *, training: TrainingContext | None, needs_dX: bool
    ) -> BoundLayer:
        alpha, dalpha = p["alpha"], g["alpha"]
        D, delta, df = self.activation.bind_delta(X)
        Y, A, ones = np.empty_like(X), np.empty_like(X), np.ones(len(X), X.dtype)

        def forward() -> None:
            delta()  # D = f(X) - X
            np.copyto(A, alpha)
            np.multiply(A, D, out=Y)
            np.add(Y, X, out=Y)

        def backward(dY: Array) -> Array:
            np.multiply(dY, D, out=Y)  # Y is free now: the layer above has used it
            np.dot(ones, Y, out=dalpha)
            if not needs_dX:
                return dY
            np.multiply(dY, A, out=Y)
            return np.add(dY, df(Y), out=dY)

        return BoundLayer(Y, forward, backward)

    def lower(self, p: ParamViews, x: Value) -> Value:
        return x + self.activation.lower_delta(x) * p["alpha"]


ParametricLayer: TypeAlias = Scale | ParametricActivation
"""The registry of layers with one parameter per feature."""

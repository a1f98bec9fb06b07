"""Residual blocks, layers with learned strengths, and the union of all layers, which is the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
from pydantic import Field

from nncli.base.spec import PositiveInt, Shorthand, expand_name
from nncli.nn.activations import ElementwiseActivation
from nncli.nn.arrays import Array, BoundLayer
from nncli.nn.initializers import Constant
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.layer import LayerBase, TrainingContext, Units
from nncli.nn.layers.normalization import Normalization
from nncli.nn.layers.sequential import ActivationLayer, Dropout, Sequential
from nncli.nn.parameters import ParameterBounds, ParamGroup, ParamSpec, ParamViews
from nncli.nn.program.values import Value


class Residual(LayerBase):
    """Y = X + F(X), where F is the list of layers inside. He et al., "Deep residual learning", 2016."""

    type: Literal["residual"] = "residual"
    layers: Annotated[tuple[Layer, ...], Field(min_length=1)]

    @property
    def inner_layers(self) -> Sequence[LayerBase]:
        return self.layers

    @property
    def mixes_rows(self) -> bool:
        return any(layer.mixes_rows for layer in self.layers)

    @property
    def needs_data_init(self) -> bool:
        return any(layer.needs_data_init for layer in self.layers)

    def with_defaults(self, defaults: Mapping[str, object]) -> Self:
        return self.model_copy(update={"layers": tuple(layer.with_defaults(defaults) for layer in self.layers)})

    def with_auto_units(self, units: int) -> Self:
        return self.model_copy(update={"layers": tuple(layer.with_auto_units(units) for layer in self.layers)})

    def out_features(self, in_features: int) -> int:
        width = in_features
        for _, layer, d in Sequential.of(self.layers).infer_widths(in_features):
            width = layer.out_features(d)
        if width != in_features:
            raise ValueError(
                f"the layers of a residual must have as many outputs as inputs: {in_features} in, {width} out"
            )
        return in_features

    def parameters(self, in_features: int) -> tuple[ParamSpec, ...]:
        return tuple(Sequential.of(self.layers).parameters(in_features))

    def bound(self, bounds: ParameterBounds, units: Units, out: Units | None) -> Units:
        Sequential.of(self.layers).bound(bounds, units, units)
        return units

    def init_from_data(self, p: ParamViews, X: Array, rng: np.random.Generator) -> Array:
        return X + Sequential.of(self.layers).init_from_data(p, X, rng)

    def bind(
        self, p: ParamViews, g: ParamViews, X: Array, *, training: TrainingContext | None, needs_dX: bool
    ) -> BoundLayer:
        F, inner_forward, inner_backward = Sequential.of(self.layers).bind(
            p, g, X, training=training, needs_dX=needs_dX
        )
        Y, skip = np.empty_like(X), np.empty_like(X)

        def forward() -> None:
            inner_forward()
            np.add(X, F, out=Y)

        def backward(dY: Array) -> Array:
            np.copyto(skip, dY)  # the layers inside may overwrite dY
            dF = inner_backward(dY)
            return np.add(skip, dF, out=skip) if needs_dX else dF

        return BoundLayer(Y, forward, backward)

    def lower(self, p: ParamViews, x: Value) -> Value:
        return x + Sequential.of(self.layers).lower(p, x)


def _expand(value: Any) -> Any:
    """`64` for `{type: dense, units: 64}`, `batch_norm` for `{type: batch_norm}`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {"type": "dense", "units": value}
    return expand_name(value)


ONE = Constant(value=1.0)


class Scale(LayerBase):
    """Y = s · X, unit by unit; s starts at 1.

    Before the first dense layer and with its own learning rate it learns which inputs matter. Holzmüller, Grinsztajn
    and Steinwart, "Better by default", 2024.
    """

    type: Literal["scale"] = "scale"
    mixes_units: ClassVar[bool] = False

    @property
    def formulas(self) -> Mapping[str, str]:
        return {"Y": "Y = s · X", "dscale": "ds = Σᵢ dYᵢ ⊙ Xᵢ", "dX": "dX = dY · s"}

    def parameters(self, in_features: int) -> tuple[ParamSpec, ...]:
        return (ParamSpec("scale", (in_features,), ParamGroup.SCALE, ONE),)

    def bound(self, bounds: ParameterBounds, units: Units, out: Units | None) -> Units:
        bounds.low["scale"][units.signs != 0] = 0.0
        return units

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
    mixes_units: ClassVar[bool] = False
    activation: ElementwiseActivation

    @property
    def formulas(self) -> Mapping[str, str]:
        return {
            "Y": f"Y = X + alpha · (f(X) - X), {self.activation.formula()}",
            "dalpha": "dalpha = Σᵢ dYᵢ ⊙ (f(X) - X)ᵢ",
        }

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


Layer = Annotated[
    Annotated[
        Dense | Dropout | Normalization | ActivationLayer | ParametricLayer | Residual,
        Field(discriminator="type"),
    ],
    Shorthand(_expand, also=PositiveInt),
]

Residual.model_rebuild()

"""The dense layer: Y = f(X W + b)."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Literal, Self, TypeAlias

import numpy as np

from nncli.base.spec import PositiveInt, StrictBool
from nncli.nn.activations import ElementwiseActivation, Identity
from nncli.nn.arrays import Array, BoundLayer, scalar
from nncli.nn.initializers import DataDependent, Initializer, InitializerBase, Normal, Zeros, init_dense_from_data
from nncli.nn.layers.base import LayerBase, TrainingContext, watch_input
from nncli.nn.parameters import ParamGroup, ParamSpec, ParamViews
from nncli.nn.program.values import Value

Parametrization: TypeAlias = Literal["standard", "ntk"]


class Dense(LayerBase):
    """Y = f(X W + b). Every unit sees every input.

    With the parametrization `ntk`, Z = X W / sqrt(d) + b and W starts from N(0, 1), so that one learning rate suits
    layers of any width. Jacot, Gabriel and Hongler, "Neural tangent kernel", 2018. `units: auto` depends on the numbers
    of training rows and of inputs.
    """

    type: Literal["dense"] = "dense"
    units: PositiveInt | Literal["auto"]
    activation: ElementwiseActivation | None = None
    bias: StrictBool = True
    init: Initializer | None = None
    parametrization: Parametrization | None = None

    @property
    def needs_data_init(self) -> bool:
        return isinstance(self.init, DataDependent)

    def with_defaults(self, defaults: Mapping[str, object]) -> Self:
        return self.model_copy(update={key: value for key, value in defaults.items() if getattr(self, key) is None})

    def with_auto_units(self, units: int) -> Self:
        return self.model_copy(update={"units": units}) if self.units == "auto" else self

    @property
    def output_name(self) -> str:
        return "Z" if isinstance(self.activation or Identity(), Identity) else "Y"

    @property
    def formulas(self) -> Mapping[str, str]:
        """Those of docs/mathematics.md."""
        product, of_product = ("X W", "") if self.parametrization != "ntk" else ("X W / √d", " / √d")
        return {
            "Z": f"Z = {product} + b" if self.bias else f"Z = {product}",
            "Y": f"Y = f(Z), {(self.activation or Identity()).formula()}",
            "dZ": "dZ = dY ⊙ f'(Z)",
            "dweight": f"dW = Xᵀ dZ{of_product}",
            "dbias": "db = Σᵢ dZᵢ",
            "dX": f"dX = dZ Wᵀ{of_product}",
        }

    def out_features(self, in_features: int) -> int:
        if self.units == "auto":
            raise ValueError("units: auto is not resolved")
        return self.units

    def factor(self, d: int) -> float:
        """The factor of X W."""
        return 1.0 / sqrt(max(1, d)) if self.parametrization == "ntk" else 1.0

    def parameters(self, in_features: int) -> tuple[ParamSpec, ...]:
        default: InitializerBase = (self.activation or Identity()).default_init
        init = self.init or (Normal(std=1.0) if self.parametrization == "ntk" else default)
        units = self.out_features(in_features)
        weight = ParamSpec("weight", (in_features, units), ParamGroup.WEIGHT, init)
        return (weight, ParamSpec("bias", (units,), ParamGroup.BIAS, Zeros())) if self.bias else (weight,)

    def init_from_data(self, p: ParamViews, X: Array, rng: np.random.Generator) -> Array:
        if self.needs_data_init:
            init_dense_from_data(p["weight"], p.get("bias"), X, self.factor(X.shape[1]), rng)
        return super().init_from_data(p, X, rng)

    def bind(
        self, p: ParamViews, g: ParamViews, X: Array, *, training: TrainingContext | None, needs_dX: bool
    ) -> BoundLayer:
        W, dW, b, db = p["weight"], g["weight"], p.get("bias"), g.get("bias")
        rows, d = X.shape
        units = self.out_features(d)
        Z, B = np.empty((rows, units), X.dtype), np.empty((rows if self.bias else 0, units), X.dtype)
        dX = np.empty((rows if needs_dX else 0, d), X.dtype)
        ones, factor = np.ones(rows, X.dtype), scalar(self.factor(d), X)
        XT, WT, scaled = X.T, W.T, self.parametrization == "ntk"
        activation = (self.activation or Identity()).bind(Z, in_place=True)
        Y, activate, df = activation if self.output_name == "Z" else watch_input(activation, training, "Z", Z)

        def forward() -> None:
            np.dot(X, W, out=Z)  # as np.matmul, with less overhead for small matrices
            if scaled:
                np.multiply(Z, factor, out=Z)
            if b is not None:
                np.copyto(B, b)
                np.add(Z, B, out=Z)
            activate()

        def backward(dY: Array) -> Array:
            dZ = df(dY)
            if db is not None:
                np.dot(ones, dZ, out=db)  # the sum over rows, which BLAS does faster than np.sum
            if scaled:
                np.multiply(dZ, factor, out=dZ)
            np.dot(XT, dZ, out=dW)
            if needs_dX:
                np.dot(dZ, WT, out=dX)
            return dX

        return BoundLayer(Y, forward, backward)

    def lower(self, p: ParamViews, x: Value) -> Value:
        z = x @ p["weight"]
        if self.parametrization == "ntk":
            z = z * self.factor(x.width)
        if self.bias:
            z = z + p["bias"]
        return (self.activation or Identity()).lower(z)

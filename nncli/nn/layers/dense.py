"""The dense layer: Y = f(X W + b)."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Literal, Self, TypeAlias

import numpy as np

from nncli.base.spec import PositiveInt, StrictBool
from nncli.nn.activations import ElementwiseActivation, Identity
from nncli.nn.arrays import Array, BoundLayer, Signs, scalar
from nncli.nn.initializers import DataDependent, Initializer, InitializerBase, Normal, Zeros, init_dense_from_data
from nncli.nn.layers.layer import LayerBase, TrainingContext, Units, watch_input
from nncli.nn.parameters import ParameterBounds, ParamGroup, ParamSpec, ParamViews
from nncli.nn.program.values import Value

Parametrization: TypeAlias = Literal["standard", "ntk"]


MONOTONE_SHARE = 0.75
"""The share of the units of a layer that depend on monotone features, if there are others."""


def unit_signs(units: int, inputs: Signs) -> Signs:
    """The signs (units,) of the units of a hidden layer: half of the monotone units rise, and half fall.

    Rising units of a convex activation and weights above 0 make convex functions alone; falling ones make concave ones.
    """
    signs = np.zeros(units, np.int8)
    n = 0 if not inputs.any() else units if inputs.all() else max(1, round(MONOTONE_SHARE * units))
    signs[:n] = 1
    signs[n - n // 2 : n] = -1
    return signs


def hidden_units(count: int, inputs: Units) -> Units:
    """The units of a hidden layer: as many for each set of columns, with the signs of `unit_signs`."""
    n_sets, signs = inputs.sets.shape[1], np.zeros(count, np.int8)
    if count < n_sets:
        raise ValueError(f"{count} units cannot be divided among {n_sets} sets of columns")
    of_set = np.arange(count) * n_sets // count
    for j in range(n_sets):
        signs[of_set == j] = unit_signs(int(np.count_nonzero(of_set == j)), inputs.signs[inputs.sets[:, j]])
    return Units(signs, of_set[:, None] == np.arange(n_sets))


def check_monotone(activation: ElementwiseActivation) -> None:
    """Raise a ValueError if an activation falls somewhere."""
    if not activation.is_monotone:
        raise ValueError(f"the activation {activation.type} falls somewhere, so it can break `monotone`")


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

    def bound(self, bounds: ParameterBounds, units: Units, out: Units | None) -> Units:
        """A weight from a unit of sign s to one of sign t has the sign s t, and is 0 if t is 0 and s is not.

        It is also 0 to a unit with a set that the other is not in: more columns would act together there.
        """
        out = hidden_units(self.out_features(len(units.signs)), units) if out is None else out
        if out.signs.any():
            check_monotone(self.activation or Identity())
        both, low, high = np.outer(units.signs, out.signs), bounds.low["weight"], bounds.high["weight"]
        blocked = (units.signs != 0)[:, None] & (out.signs == 0)
        blocked |= (~units.sets).astype(np.float32) @ out.sets.T.astype(np.float32) > 0.0
        low[(both > 0) | blocked] = 0.0
        high[(both < 0) | blocked] = 0.0
        return out

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

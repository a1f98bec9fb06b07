"""Layers of one learned number per unit: a scale, and a share of an activation."""

from __future__ import annotations

from typing import Literal

import numpy as np

from nncli.nn.activations import ElementwiseActivation
from nncli.nn.arrays import Array, Bound
from nncli.nn.initializers import Constant
from nncli.nn.layers.base import LayerBase, Training
from nncli.nn.parameters import Group, Slot, Views

ONE = Constant(value=1.0)


class Scale(LayerBase):
    """Y = s · X, unit by unit; s starts at 1.

    In front of the first dense layer and with a rate of its own it learns which inputs matter. Holzmüller, Grinsztajn
    and Steinwart, "Better by default", 2024.
    """

    type: Literal["scale"] = "scale"

    def width(self, d: int) -> int:
        return d

    def slots(self, d: int) -> tuple[Slot, ...]:
        return (Slot("scale", (d,), Group.SCALE, ONE),)

    def bind(self, p: Views, g: Views, X: Array, *, training: Training | None, needs_dX: bool) -> Bound:
        s, ds = p["scale"], g["scale"]
        Y, S, ones = np.empty_like(X), np.empty_like(X), np.ones(len(X), X.dtype)

        def forward() -> None:
            np.copyto(S, s)
            np.multiply(X, S, out=Y)

        def backward(dY: Array) -> Array:
            np.multiply(dY, X, out=Y)  # Y is free now: the layer above has used it
            np.dot(ones, Y, out=ds)
            return np.multiply(dY, S, out=dY) if needs_dX else dY

        return Bound(Y, forward, backward)


class Parametric(LayerBase):
    """Y = X + alpha · (f(X) - X): as much of the activation f as each unit wants, all of it at the start.

    Holzmüller, Grinsztajn and Steinwart, "Better by default", 2024.
    """

    type: Literal["parametric"] = "parametric"
    activation: ElementwiseActivation

    def width(self, d: int) -> int:
        return d

    def slots(self, d: int) -> tuple[Slot, ...]:
        return (Slot("alpha", (d,), Group.ALPHA, ONE),)

    def bind(self, p: Views, g: Views, X: Array, *, training: Training | None, needs_dX: bool) -> Bound:
        alpha, dalpha = p["alpha"], g["alpha"]
        D, bend, df = self.activation.bind_bend(X)
        Y, A, ones = np.empty_like(X), np.empty_like(X), np.ones(len(X), X.dtype)

        def forward() -> None:
            bend()  # D = f(X) - X
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

        return Bound(Y, forward, backward)

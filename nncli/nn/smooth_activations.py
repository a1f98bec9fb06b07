"""Activations like ReLU without its corner: GELU and Mish. See activations.py."""

from __future__ import annotations

from math import pi, sqrt
from typing import Literal

import numpy as np

from nncli.nn.activation_base import ActivationBase
from nncli.nn.arrays import Array, BoundLayer, scalar
from nncli.nn.program.values import Value, exp, minimum, tanh


class Gelu(ActivationBase):
    """f(z) = z (1 + t) / 2 with t = tanh u, u = sqrt(2/π) (z + 0.044715 z³).

    The tanh form of Hendrycks and Gimpel, "Gaussian error linear units", 2016, within 5e-4 of z Φ(z).
    f' = (1 + t) / 2 + z (1 - t²) u' / 2 with u' = sqrt(2/π) (1 + 3 · 0.044715 z²).
    """

    type: Literal["gelu"] = "gelu"

    def bind(self, Z: Array, *, in_place: bool = False) -> BoundLayer:
        Y, T, D, c, k = np.empty_like(Z), np.empty_like(Z), np.empty_like(Z), sqrt(2.0 / pi), 0.044715

        def forward() -> None:
            np.multiply(Z, Z, out=T)
            np.multiply(T, c * k, out=T)
            np.add(T, c, out=T)
            np.multiply(T, Z, out=T)  # T = u
            np.tanh(T, out=T)
            np.add(T, 1.0, out=Y)
            np.multiply(Y, 0.5, out=Y)
            np.multiply(Y, Z, out=Y)

        def backward(dY: Array) -> Array:
            np.multiply(Z, Z, out=D)
            np.multiply(D, 3.0 * c * k, out=D)
            np.add(D, c, out=D)
            np.multiply(D, Z, out=D)  # D = z u'
            np.multiply(dY, 0.5, out=dY)
            np.add(T, 1.0, out=Y)  # Y is free now: the layer above has used it
            np.subtract(1.0, T, out=T)
            np.multiply(T, Y, out=T)  # T = 1 - t²
            np.multiply(D, T, out=D)
            np.add(D, Y, out=D)
            return np.multiply(dY, D, out=dY)

        return BoundLayer(Y, forward, backward)

    def lower(self, z: Value) -> Value:
        c, k = sqrt(2.0 / pi), 0.044715
        return (tanh(z * (z * z * (c * k) + c)) + 1.0) * 0.5 * z


class Mish(ActivationBase):
    """f(z) = z tanh(softplus z) = z + z r with r = -2 / (n + 2), n = e (e + 2), e = eᶻ. Misra, 2020.

    e is computed from min(z, 20), beyond which r vanishes beside 1, so that nothing overflows.
    f' = 1 + r - z r (2 + r (e + 2)).
    """

    type: Literal["mish"] = "mish"

    def bind(self, Z: Array, *, in_place: bool = False) -> BoundLayer:
        D, delta, df = self.bind_delta(Z)
        Y, S = np.empty_like(Z), np.empty_like(Z)

        def forward() -> None:
            delta()
            np.add(Z, D, out=Y)

        def backward(dY: Array) -> Array:
            np.copyto(S, dY)
            return np.add(df(dY), S, out=dY)

        return BoundLayer(Y, forward, backward)

    def lower(self, z: Value) -> Value:
        return z + self.lower_delta(z)

    def lower_delta(self, z: Value) -> Value:
        e = exp(minimum(z, 20.0))
        return z * (-2.0 / (e * (e + 2.0) + 2.0))

    def bind_delta(self, Z: Array) -> BoundLayer:
        D, R, E, H = np.empty_like(Z), np.empty_like(Z), np.empty_like(Z), np.empty_like(Z)
        max_z, two, minus_two = np.full_like(Z, 20.0), scalar(2.0, Z), scalar(-2.0, Z)

        def forward() -> None:
            np.minimum(Z, max_z, out=E)
            np.exp(E, out=E)
            np.add(E, two, out=H)
            np.multiply(E, H, out=E)  # E = n
            np.add(E, two, out=E)
            np.divide(minus_two, E, out=R)
            np.multiply(Z, R, out=D)

        def backward(dD: Array) -> Array:
            np.multiply(R, H, out=E)
            np.add(E, two, out=E)
            np.multiply(E, D, out=E)
            np.subtract(R, E, out=E)
            return np.multiply(dD, E, out=dD)

        return BoundLayer(D, forward, backward)

"""Activation functions Y = f(Z), each with its derivative.

`bind(Z, in_place=True)` may let Y share Z's memory if the derivative follows from Y alone. `backward(dY)`
overwrites dY with dZ = dY · f'(Z) and returns it. np.maximum and np.where are avoided on the hot path: they are
several times slower in NumPy than a comparison and a product.
"""

from __future__ import annotations

from abc import abstractmethod
from math import inf, pi, sqrt
from typing import Annotated, ClassVar, Literal, TypeAlias

import numpy as np
from pydantic import Field

from nncli.base.spec import NameShorthand, NonNegativeSetting, PositiveSetting, Spec
from nncli.nn.arrays import Array, BoundLayer, scalar
from nncli.nn.initializers import Glorot, He, InitializerBase, Lecun
from nncli.nn.program.values import Value, absolute, exp, expm1, log1p, maximum, minimum, select, tanh


class ActivationBase(Spec):
    """An element-wise function (softmax: row-wise) of a buffer Z (rows, units)."""

    plugin_kind: ClassVar[str | None] = "activations"

    default_init: ClassVar[InitializerBase] = He()
    """The default initializer of the weights before this activation."""
    output_range: ClassVar[tuple[float, float]] = (-inf, inf)
    """Bounds of the output: a target beyond them cannot be reached."""
    is_monotone: ClassVar[bool] = False
    """Whether f never falls, also as it is rounded."""

    @abstractmethod
    def bind(self, Z: Array, *, in_place: bool = False) -> BoundLayer:
        """Bind the function to its input buffer Z; with `in_place` Z may be overwritten."""

    @abstractmethod
    def lower(self, z: Value) -> Value:
        """The operations that compute f(z)."""

    def lower_delta(self, z: Value) -> Value:
        """The operations that compute f(z) - z."""
        return self.lower(z) - z

    def bind_delta(self, Z: Array) -> BoundLayer:
        """Bind D = f(Z) - Z, the difference from the identity, to its input buffer Z.

        `backward(dD)` overwrites dD with dD · (f'(Z) - 1). It may read D, which must still hold `forward`'s result.
        """
        Y, f, df = self.bind(Z)
        D, S = np.empty_like(Z), np.empty_like(Z)

        def forward() -> None:
            f()
            np.subtract(Y, Z, out=D)

        def backward(dD: Array) -> Array:
            np.copyto(S, dD)
            return np.subtract(df(dD), S, out=dD)

        return BoundLayer(D, forward, backward)


def output_buffer(Z: Array, *, in_place: bool) -> Array:
    """The buffer of Y: that of Z if it may be overwritten."""
    return Z if in_place else np.empty_like(Z)


class Identity(ActivationBase):
    """f(z) = z."""

    type: Literal["identity"] = "identity"
    is_monotone: ClassVar[bool] = True
    default_init: ClassVar[InitializerBase] = Glorot()

    def bind(self, Z: Array, *, in_place: bool = False) -> BoundLayer:
        return BoundLayer(Z, lambda: None, lambda dY: dY)

    def lower(self, z: Value) -> Value:
        return z


class Sigmoid(ActivationBase):
    """f(z) = 1 / (1 + e⁻ᶻ), computed as (1 + tanh(z/2)) / 2, which cannot overflow. f' = y (1 - y)."""

    type: Literal["sigmoid"] = "sigmoid"
    is_monotone: ClassVar[bool] = True
    output_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    default_init: ClassVar[InitializerBase] = Glorot()

    def bind(self, Z: Array, *, in_place: bool = False) -> BoundLayer:
        Y, D = output_buffer(Z, in_place=in_place), np.empty_like(Z)
        half, one = scalar(0.5, Z), scalar(1.0, Z)

        def forward() -> None:
            np.multiply(Z, half, out=Y)
            np.tanh(Y, out=Y)
            np.add(Y, one, out=Y)
            np.multiply(Y, half, out=Y)

        def backward(dY: Array) -> Array:
            np.subtract(one, Y, out=D)
            np.multiply(D, Y, out=D)
            return np.multiply(dY, D, out=dY)

        return BoundLayer(Y, forward, backward)

    def lower(self, z: Value) -> Value:
        return (tanh(z * 0.5) + 1.0) * 0.5


class Tanh(ActivationBase):
    """f(z) = tanh z. f' = 1 - y²."""

    type: Literal["tanh"] = "tanh"
    is_monotone: ClassVar[bool] = True
    output_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    default_init: ClassVar[InitializerBase] = Glorot()

    def bind(self, Z: Array, *, in_place: bool = False) -> BoundLayer:
        Y, D, one = output_buffer(Z, in_place=in_place), np.empty_like(Z), scalar(1.0, Z)

        def forward() -> None:
            np.tanh(Z, out=Y)

        def backward(dY: Array) -> Array:
            np.multiply(Y, Y, out=D)
            np.subtract(one, D, out=D)
            return np.multiply(dY, D, out=dY)

        return BoundLayer(Y, forward, backward)

    def lower(self, z: Value) -> Value:
        return tanh(z)


class Relu(ActivationBase):
    """f(z) = z where z > 0, else 0. f' = [z > 0]."""

    type: Literal["relu"] = "relu"
    is_monotone: ClassVar[bool] = True
    output_range: ClassVar[tuple[float, float]] = (0.0, inf)

    def bind(self, Z: Array, *, in_place: bool = False) -> BoundLayer:
        Y, D, on = output_buffer(Z, in_place=in_place), np.empty_like(Z), np.empty(Z.shape, bool)
        zeros, zero = np.zeros_like(Z), scalar(0.0, Z)

        def forward() -> None:
            np.maximum(Z, zeros, out=Y)  # against an array of zeros, which NumPy does twice as fast as against one 0

        def backward(dY: Array) -> Array:
            np.greater(Y, zero, out=on)
            np.copyto(D, on)
            return np.multiply(dY, D, out=dY)

        return BoundLayer(Y, forward, backward)

    def lower(self, z: Value) -> Value:
        return maximum(z, 0.0)


class LeakyRelu(ActivationBase):
    """f(z) = z where z > 0, else slope · z. Maas, Hannun and Ng, 2013."""

    type: Literal["leaky_relu"] = "leaky_relu"
    is_monotone: ClassVar[bool] = True
    slope: NonNegativeSetting = 0.01

    def bind(self, Z: Array, *, in_place: bool = False) -> BoundLayer:
        Y, D = output_buffer(Z, in_place=in_place), np.empty_like(Z)
        on, slope = np.empty(Z.shape, bool), self.slope

        def forward() -> None:  # D = f'(z) = slope + (1 - slope) [z > 0]
            np.greater(Z, 0.0, out=on)
            np.copyto(D, on)
            np.multiply(D, 1.0 - slope, out=D)
            np.add(D, slope, out=D)
            np.multiply(Z, D, out=Y)

        def backward(dY: Array) -> Array:
            return np.multiply(dY, D, out=dY)

        return BoundLayer(Y, forward, backward)

    def lower(self, z: Value) -> Value:
        return select(z > 0.0, z, z * self.slope)


def _exponential_tail(Z: Array, Y: Array, alpha: float, scale: float, *, delta: bool = False) -> BoundLayer:
    """scale · z where z > 0, else scale · alpha · (eᶻ - 1), into Y; with `delta`, minus z.

    Below zero the derivative is scale · alpha · (eᶻ - 1) + scale · alpha.
    """
    E, N, zeros = np.empty_like(Z), np.empty_like(Z), np.zeros_like(Z)
    on, a, straight = np.empty(Z.shape, bool), alpha * scale, 1.0 if delta else 0.0

    def forward() -> None:
        np.greater(Z, 0.0, out=on)
        np.minimum(Z, zeros, out=N)
        np.expm1(N, out=E)
        np.multiply(E, a, out=E)  # E = y where z <= 0, else 0
        np.subtract(Z, N, out=Y)  # max(z, 0)
        np.multiply(Y, scale - straight, out=Y)
        np.add(Y, E, out=Y)
        if delta:
            np.subtract(Y, N, out=Y)

    def backward(dY: Array) -> Array:
        np.add(E, a - straight, out=E)  # f' where z <= 0; where z > 0 it is a and must become scale
        np.copyto(N, on)
        np.multiply(N, scale - a, out=N)
        np.add(E, N, out=E)
        return np.multiply(dY, E, out=dY)

    return BoundLayer(Y, forward, backward)


def _lower_exponential_tail(z: Value, alpha: float, scale: float) -> Value:
    return maximum(z, 0.0) * scale + expm1(minimum(z, 0.0)) * (alpha * scale)


class Elu(ActivationBase):
    """f(z) = z where z > 0, else alpha (eᶻ - 1). Clevert, Unterthiner and Hochreiter, 2016."""

    type: Literal["elu"] = "elu"
    is_monotone: ClassVar[bool] = True
    alpha: PositiveSetting = 1.0

    def bind(self, Z: Array, *, in_place: bool = False) -> BoundLayer:
        return _exponential_tail(Z, output_buffer(Z, in_place=in_place), self.alpha, 1.0)

    def lower(self, z: Value) -> Value:
        return _lower_exponential_tail(z, self.alpha, 1.0)


class Selu(ActivationBase):
    """ELU with the constants that keep mean 0 and variance 1. Klambauer et al., "Self-normalizing networks", 2017."""

    type: Literal["selu"] = "selu"
    is_monotone: ClassVar[bool] = True
    default_init: ClassVar[InitializerBase] = Lecun()
    ALPHA: ClassVar[float] = 1.6732632423543772848170429916717
    SCALE: ClassVar[float] = 1.0507009873554804934193349852946

    def bind(self, Z: Array, *, in_place: bool = False) -> BoundLayer:
        return _exponential_tail(Z, output_buffer(Z, in_place=in_place), self.ALPHA, self.SCALE)

    def lower(self, z: Value) -> Value:
        return _lower_exponential_tail(z, self.ALPHA, self.SCALE)

    def bind_delta(self, Z: Array) -> BoundLayer:
        return _exponential_tail(Z, np.empty_like(Z), self.ALPHA, self.SCALE, delta=True)


class Silu(ActivationBase):
    """f(z) = z s with s = sigmoid(z). f' = s + y (1 - s). Elfwing, Uchibe and Doya, 2018."""

    type: Literal["silu"] = "silu"

    def bind(self, Z: Array, *, in_place: bool = False) -> BoundLayer:
        S, sigmoid, _ = Sigmoid().bind(Z)
        Y, D = np.empty_like(Z), np.empty_like(Z)

        def forward() -> None:
            sigmoid()
            np.multiply(Z, S, out=Y)

        def backward(dY: Array) -> Array:
            np.subtract(1.0, S, out=D)
            np.multiply(D, Y, out=D)
            np.add(D, S, out=D)
            return np.multiply(dY, D, out=dY)

        return BoundLayer(Y, forward, backward)

    def lower(self, z: Value) -> Value:
        return z * Sigmoid().lower(z)


class Softplus(ActivationBase):
    """f(z) = log(1 + eᶻ) = max(z, 0) + log(1 + e^-|z|). f' = sigmoid(z)."""

    type: Literal["softplus"] = "softplus"
    output_range: ClassVar[tuple[float, float]] = (0.0, inf)

    def bind(self, Z: Array, *, in_place: bool = False) -> BoundLayer:
        Y, P = np.empty_like(Z), np.empty_like(Z)
        S, sigmoid, _ = Sigmoid().bind(Z)
        zeros = np.zeros_like(Z)

        def forward() -> None:
            np.abs(Z, out=P)
            np.negative(P, out=P)
            np.exp(P, out=P)
            np.log1p(P, out=P)
            np.maximum(Z, zeros, out=Y)
            np.add(Y, P, out=Y)

        def backward(dY: Array) -> Array:
            sigmoid()
            return np.multiply(dY, S, out=dY)

        return BoundLayer(Y, forward, backward)

    def lower(self, z: Value) -> Value:
        return maximum(z, 0.0) + log1p(exp(absolute(z) * -1.0))


class Softmax(ActivationBase):
    """y_j = e^{z_j} / Σ e^{z_k}, row by row. dz_j = y_j (dy_j - Σ_k y_k dy_k)."""

    type: Literal["softmax"] = "softmax"
    output_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    default_init: ClassVar[InitializerBase] = Glorot()

    def bind(self, Z: Array, *, in_place: bool = False) -> BoundLayer:
        Y, D, r = output_buffer(Z, in_place=in_place), np.empty_like(Z), np.empty((len(Z), 1), Z.dtype)

        def forward() -> None:
            np.maximum.reduce(Z, 1, keepdims=True, out=r)
            np.copyto(D, r)
            np.subtract(Z, D, out=Y)
            np.exp(Y, out=Y)
            np.add.reduce(Y, 1, keepdims=True, out=r)
            np.copyto(D, r)
            np.divide(Y, D, out=Y)

        def backward(dY: Array) -> Array:
            np.multiply(dY, Y, out=D)
            np.add.reduce(D, 1, keepdims=True, out=r)
            np.copyto(D, r)
            np.subtract(dY, D, out=dY)
            return np.multiply(dY, Y, out=dY)

        return BoundLayer(Y, forward, backward)

    def lower(self, z: Value) -> Value:
        e = exp(z - z.max())
        return e / e.sum()


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


Elementwise: TypeAlias = Identity | Sigmoid | Tanh | Relu | LeakyRelu | Elu | Selu | Gelu | Silu | Mish | Softplus
"""The registry of elementwise activations."""

ElementwiseActivation = Annotated[Annotated[Elementwise, Field(discriminator="type")], NameShorthand]
"""An activation of a hidden layer."""

Activation = Annotated[Annotated[Elementwise | Softmax, Field(discriminator="type")], NameShorthand]
"""An activation of the output."""

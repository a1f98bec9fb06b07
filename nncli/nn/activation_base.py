"""The interface of an activation function."""

from __future__ import annotations

from abc import abstractmethod
from math import inf
from typing import ClassVar

import numpy as np

from nncli.base.spec import Spec
from nncli.nn.arrays import Array, BoundLayer
from nncli.nn.initializers import He, InitializerBase
from nncli.nn.program.values import Value


class ActivationBase(Spec):
    """An element-wise function (softmax: row-wise) of a buffer Z (rows, units)."""

    default_init: ClassVar[InitializerBase] = He()
    """The default initializer of the weights before this activation."""
    output_range: ClassVar[tuple[float, float]] = (-inf, inf)
    """Bounds of the output: a target beyond them cannot be reached."""

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

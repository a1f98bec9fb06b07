"""Activations of a trained network, in place and without a derivative."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from nncli.nn.activations import ElementwiseActivation, Mish
from nncli.nn.arrays import Array, scalar

Activate: TypeAlias = Callable[[Array | None], None]
"""Replaces Z (units, rows) by f(Z), or with strengths (units, 1) by Z + strengths · (f(Z) - Z)."""


def bind_activation(activation: ElementwiseActivation, Z: Array, *, parametric: bool) -> Activate:
    """Bind an activation to Z (units, rows); if it is `parametric`, it must be called with strengths."""
    if isinstance(activation, Mish):
        return _bind_mish(Z)
    Y, f, _ = activation.bind_delta(Z) if parametric else activation.bind(Z, in_place=True)

    def activate(strengths: Array | None) -> None:
        f()
        if strengths is not None:
            np.multiply(Y, strengths, out=Y)
            np.add(Z, Y, out=Z)
        elif Y is not Z:
            np.copyto(Z, Y)

    return activate


def _bind_mish(Z: Array) -> Activate:
    """z (1 + alpha r) with r = -2 / ((e + 1)² + 1) and e = eᶻ, in seven operations; r is 0 where e overflows."""
    E, one, minus_two = np.empty_like(Z), scalar(1.0, Z), scalar(-2.0, Z)

    def activate(strengths: Array | None) -> None:
        with np.errstate(over="ignore"):
            np.exp(Z, out=E)
            np.add(E, one, out=E)
            np.multiply(E, E, out=E)
        np.add(E, one, out=E)
        np.divide(minus_two if strengths is None else strengths * minus_two, E, out=E)
        np.add(E, one, out=E)
        np.multiply(Z, E, out=Z)

    return activate

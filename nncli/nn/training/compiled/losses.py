"""Compiled losses: the value of a batch and its derivative dZ, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.nn.training.compiled.activations import exp
from nncli.nn.training.compiled.jit import Floats, Ints, compiled, inlined

MSE, LOGISTIC, SOFTMAX, PINBALL = range(4)
NEGLIGIBLE = 2.0**-40
"""Bound below which a derivative of the loss by a logit, at most 1, is set to 0."""


@compiled
def mse(Z: Floats, y: Floats, w: Floats, dZ: Floats, batch: int) -> float:
    """Mean squared error of Z (B, k), a shard of `batch` rows; dZ becomes its derivative."""
    B, k = Z.shape
    total: Any = 0.0
    share = np.float32(2.0 / (batch * k))
    for i in range(B):
        weight = w[i] if len(w) else np.float32(1.0)
        for j in range(k):
            D = Z[i, j] - y[i, j]
            total += D * D * weight
            dZ[i, j] = D * weight * share
    value: float = total / (batch * k)
    return value


@compiled
def pinball(Z: Floats, y: Floats, T: Floats, w: Floats, dZ: Floats, batch: int) -> float:
    """The pinball loss of Z (B, targets · levels) for the levels T (1, levels); dZ becomes its derivative."""
    B, k = Z.shape
    total: Any = 0.0
    share, levels = np.float32(1.0 / (batch * k)), T.shape[1]
    for i in range(B):
        weight = w[i] if len(w) else np.float32(1.0)
        for j in range(y.shape[1]):
            for q in range(levels):
                at = j * levels + q
                D = Z[i, at] - y[i, j]
                slope = (np.float32(1.0) if np.float32(0.0) < D else np.float32(0.0)) - T[0, q]
                total += D * slope * weight
                dZ[i, at] = slope * weight * share
    value: float = total / (batch * k)
    return value


@inlined
def flush_to_zero(slope: Any) -> Any:
    """The derivative, or 0 if it is negligible.

    On its way back through the network it would become subnormal, which many processors compute a hundred times as
    slowly, and every row that is learned well has such a derivative. NumPy's sigmoid gives 0 from 2^-25 on.
    """
    return np.float32(0.0) if abs(slope) < np.float32(NEGLIGIBLE) else slope


@compiled
def logistic(Z: Floats, y: Ints, T: Floats, w: Floats, dZ: Floats, batch: int) -> float:
    """softplus(z) - t z, the cross-entropy of two classes that share one output; its derivative is sigmoid(z) - t."""
    total: Any = 0.0
    share, one = np.float32(1.0 / batch), np.float32(1.0)
    for i in range(len(Z)):
        z, t = Z[i, 0], T[y[i], 0]
        weight = w[i] if len(w) else one
        e = exp(-abs(z))
        p = one / (one + e) if z > np.float32(0.0) else e / (one + e)
        total += (max(z, np.float32(0.0)) + np.log1p(e) - t * z) * weight
        dZ[i, 0] = flush_to_zero(p - t) * weight * share
    value: float = total / batch
    return value


@compiled
def softmax(Z: Floats, y: Ints, T: Floats, w: Floats, dZ: Floats, batch: int) -> float:
    """-Σ t log softmax(z), row by row; the derivative is softmax(z) - t."""
    B, k = Z.shape
    total: Any = 0.0
    share = np.float32(1.0 / batch)
    for i in range(B):
        weight = w[i] if len(w) else np.float32(1.0)
        t, largest, s = T[y[i]], Z[i, 0], np.float32(0.0)
        for j in range(1, k):
            largest = max(largest, Z[i, j])
        for j in range(k):
            dZ[i, j] = exp(Z[i, j] - largest)
        for j in range(k):
            s += dZ[i, j]
        log_s, row = np.log(s), np.float32(0.0)
        for j in range(k):
            row -= t[j] * (Z[i, j] - largest - log_s)
            dZ[i, j] = flush_to_zero(dZ[i, j] / s - t[j]) * weight * share
        total += row * weight
    value: float = total / batch
    return value

"""Comparison of a network's gradient with finite differences, for any network and loss.

It is part of the package: the author of a new layer can check that forward and backward agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.nn.arrays import Array, Codes
from nncli.nn.layers.layer import TrainingContext
from nncli.nn.losses import LossBase
from nncli.nn.network import Network
from nncli.nn.parameters import Parameters


@dataclass(frozen=True)
class GradientCheck:
    """`error` = |numeric - analytic| / max(|numeric|, |analytic|), over the coordinates compared.

    `n_nonsmooth` coordinates were left out: the loss is not smooth there within the step of the difference, so that
    numeric differences of two step sizes disagree.
    """

    error: float
    compared: int
    n_nonsmooth: int


def difference(value: Callable[[], float], vector: Array, i: int, h: float) -> float:
    """The derivative along coordinate i by the five-point stencil, exact to O(h⁴). Abramowitz and Stegun, 25.3.6."""
    center = vector[i]
    values = []
    for step in (-2.0, -1.0, 1.0, 2.0):
        vector[i] = center + step * h
        values.append(value())
    vector[i] = center
    return (8.0 * (values[2] - values[1]) - (values[3] - values[0])) / (12.0 * h)  # 0 where the value is constant


def gradcheck(
    network: Network,
    loss: LossBase,
    parameters: Parameters,
    X: Array,
    y: npt.NDArray[Any],
    *,
    codes: Codes | None = None,
    weights: Array | None = None,
    seed: int = 0,
    h: float = 2e-4,
) -> GradientCheck:
    """Compare the gradient of every parameter and every input number with central differences.

    The parameters and statistics are unchanged afterwards, and the gradient is in `parameters.grad`.

    Args:
        network: with precision float64; differences in float32 are too coarse.
        loss: the loss to differentiate, averaged over the rows as in training.
        parameters: the point at which to differentiate.
        X: (rows, features).
        y: (rows, outputs) numbers or (rows,) codes, as the loss expects.
        codes: (rows, embeddings), for a network that has embeddings.
        weights: (rows,), or None.
        seed: of the dropout masks, which are the same in every evaluation.
        h: the step of the difference.
    """
    rng = np.random.default_rng(seed)
    state = rng.bit_generator.state
    bound = network.bind(parameters, len(X), training=TrainingContext(rng), needs_dX=True)
    bound.X[...] = X
    if codes is not None:
        bound.codes[...] = codes
    head = loss.bind(bound.Z, y, weights)
    statistics = parameters.statistics.copy()

    def value() -> float:
        rng.bit_generator.state = state
        bound.forward()
        return head.forward()

    value()
    dX = bound.backward(head.backward())
    analytic = np.concatenate([parameters.grad, dX[:, : network.n_features].ravel()])
    flat = [(parameters.theta, i) for i in range(parameters.theta.size)]
    flat += [(bound.X.reshape(-1), i) for i in range(bound.X.size)]
    wide = np.array([difference(value, vector, i, h) for vector, i in flat])
    narrow = np.array([difference(value, vector, i, h / 2.0) for vector, i in flat])
    np.copyto(parameters.statistics, statistics)

    scale = max(float(np.linalg.norm(narrow)), float(np.linalg.norm(analytic)), 1e-8)
    smooth = np.abs(wide - narrow) <= 1e-8 * scale
    error = float(np.linalg.norm((narrow - analytic)[smooth])) / scale
    return GradientCheck(error, int(smooth.sum()), int((~smooth).sum()))

"""One training step, bound once: load a batch, forward, loss, backward; then penalty, clipping, optimizer."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, isinf, sqrt
from typing import TypeAlias

import numpy as np

from nncli.nn.arrays import Array
from nncli.nn.batches.batches import Batch, Batches
from nncli.nn.layers.layer import TrainingContext
from nncli.nn.losses import LossBase
from nncli.nn.network import Network
from nncli.nn.optim.optimizers import Step
from nncli.nn.parameters import Parameters

GradientFn: TypeAlias = Callable[[int], float]
"""gradient(i) returns the loss of batch i of the epoch, or of a shard of it, and stores its gradient."""

TrainStep: TypeAlias = Callable[[int, float, int], float]
"""step(i, learning_rate, t) trains on batch i of the epoch and returns its loss without the penalty.

A loss that is not finite is returned, a gradient that is not finite raises GradientError; theta is unchanged then.
"""


class GradientError(ArithmeticError):
    """The gradient is not finite, but the loss is; theta is unchanged."""

    def __init__(self, loss: float) -> None:
        super().__init__(loss)
        self.loss = loss


class L1L2Penalty:
    """l1 · Σ|w| + l2/2 · Σ w² over the weights and embeddings, not over biases and scales."""

    def __init__(self, parameters: Parameters, *, l1: float, l2: float) -> None:
        decayed = parameters.layout.n_decayed
        self._w: Array = parameters.theta[:decayed]
        self._dw: Array = parameters.grad[:decayed]
        self._s = np.empty_like(self._w)
        self._l1, self._l2 = l1, l2

    def value(self) -> float:
        """The penalty at the current weights."""
        return self._l1 * float(np.abs(self._w).sum()) + self._l2 / 2.0 * float(np.dot(self._w, self._w))

    def add_gradient(self) -> None:
        """dw += l1 · sign(w) + l2 · w."""
        w, dw, s = self._w, self._dw, self._s
        if self._l2:
            np.multiply(w, self._l2, out=s)
            np.add(dw, s, out=dw)
        if self._l1:
            np.sign(w, out=s)
            np.multiply(s, self._l1, out=s)
            np.add(dw, s, out=dw)


def clip_by_global_norm(grad: Array, max_norm: float) -> None:
    """Scale `grad` down to the Euclidean norm `max_norm` if it is longer. Pascanu, Mikolov and Bengio, 2013."""
    norm = sqrt(float(np.dot(grad, grad)))
    if isinf(norm):  # in float32 the squares overflow from 2e19 on, where clipping is needed most
        norm = float(np.linalg.norm(grad.astype(np.float64)))
    if norm > max_norm:
        np.multiply(grad, max_norm / norm, out=grad)


def is_finite(vector: Array) -> bool:
    """Whether all of a vector is finite, in one pass if its squares can be summed."""
    return isfinite(float(np.dot(vector, vector))) or bool(np.isfinite(vector).all())


def bind_gradient(
    network: Network,
    parameters: Parameters,
    loss: LossBase,
    batches: Batches,
    rows: slice,
    batch: int,
    *,
    training: TrainingContext,
) -> GradientFn:
    """Bind the gradient of the slice `rows` of a batch of `batch` rows, and allocate its buffers."""
    n = rows.stop - rows.start
    bound = network.bind(parameters, n, training=training)
    dataset, forward, backward = batches.dataset, bound.forward, bound.backward
    y = np.zeros((n, *dataset.y.shape[1:]), dataset.y.dtype)
    weights = None if dataset.weights is None else np.zeros(n, dataset.weights.dtype)
    buffers = Batch(bound.X, bound.codes, y, weights)
    head, load, first = loss.bind(bound.Z, y, weights, batch=batch), batches.load, rows.start

    def gradient(i: int) -> float:
        load(i, buffers, first)
        forward()
        value = head.forward()
        if isfinite(value):  # otherwise the weights stay for the diagnosis
            backward(head.backward())
        return value

    return gradient


def bind_step(
    gradient: GradientFn, grad: Array, optimize: Step, *, penalty: L1L2Penalty | None, clip_norm: float | None
) -> TrainStep:
    """Bind the step from the gradient of a batch, which `gradient` stores in `grad`, to the new theta."""

    def step(i: int, learning_rate: float, t: int) -> float:
        value = gradient(i)
        if not isfinite(value):
            return value
        if penalty is not None:
            penalty.add_gradient()
        if not is_finite(grad):
            raise GradientError(value)
        if clip_norm is not None:
            clip_by_global_norm(grad, clip_norm)
        optimize(learning_rate, t)
        return value

    return step

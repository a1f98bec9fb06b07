"""The loss of several labels: the raw output Z is (B, k), the targets y (B, k) are 0, 1, or NaN for a missing label."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from nncli.base.spec import Fraction, Task
from nncli.nn.activations import Sigmoid, Softplus
from nncli.nn.arrays import Array, Floats, scalar
from nncli.nn.losses.loss import MIN_PROBABILITY, BoundLoss, LossBase, column_sums
from nncli.nn.losses.scaling import NoScaling, Scaling
from nncli.nn.program.values import Value, exp

MIN_SHARE = 1e-4
"""The least share of rows with a label, and without it, that a training starts from."""


class BinaryCrossEntropyLoss(LossBase):
    """-t log p - (1 - t) log (1 - p) with p = sigmoid(z) for each of several labels, the mean of those that a row has.

    With `label_smoothing` s, t is (1 - s) · y + s / 2. A missing label has no loss and no gradient, so a row counts as
    much as any other. The derivative is p - t, divided by the number of labels of the row that are not missing.
    """

    type: Literal["binary_cross_entropy"] = "binary_cross_entropy"
    task: ClassVar[Task] = "multilabel"
    keys: ClassVar[frozenset[str]] = frozenset()
    has_link: ClassVar[bool] = True
    scaling: ClassVar[Scaling] = NoScaling()
    starts_at_mean: ClassVar[bool] = True
    per_row_name: ClassVar[str] = "log_loss"
    is_comparison_measure: ClassVar[bool] = True
    label_smoothing: Fraction = 0.0

    def formulas(self, outputs: int) -> tuple[str, str]:
        return (
            "L = 1/B Σᵢ 1/kᵢ Σⱼ (-tᵢⱼ log pᵢⱼ - (1 - tᵢⱼ) log (1 - pᵢⱼ)), p = σ(z)",
            "dZ = 1/(B kᵢ) (P - T), 0 for a missing label",
        )

    def random_targets(self, rng: np.random.Generator, rows: int, count: int) -> npt.NDArray[Any]:
        return rng.integers(0, 2, (rows, 1)).astype(np.float64)

    def initial_outputs(self, y: Array, w: Floats | None = None, offset: Array | None = None) -> Array:
        """The log-odds of the labels, from the rows that have them."""
        present = ~np.isnan(y)
        total, of_label = column_sums(present, w), column_sums(np.where(present, y, 0.0), w)
        share = of_label / np.where(total > 0.0, total, 1.0)
        share = np.where(total > 0.0, share, 0.5).clip(MIN_SHARE, 1.0 - MIN_SHARE)
        return np.asarray(np.log(share / (1.0 - share)))

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        T, M, V, W = np.empty_like(Z), np.empty_like(Z), np.empty_like(Z), np.empty_like(Z)
        missing, count = np.empty(Z.shape, bool), np.empty((len(Z), 1), Z.dtype)
        L, softplus, _ = Softplus().bind(Z)
        P, sigmoid, _ = Sigmoid().bind(Z)
        ones, total, weight = np.ones(Z.size, Z.dtype), V.reshape(-1), None if w is None else w[:, None]
        n = len(Z) if batch is None else batch
        s, share, zero, one = self.label_smoothing, scalar(1.0 / n, Z), scalar(0.0, Z), scalar(1.0, Z)

        def forward() -> float:  # -t log p - (1 - t) log(1 - p) = softplus(z) - t z
            np.isnan(y, out=missing)
            np.copyto(M, missing)
            np.subtract(one, M, out=M)
            np.add.reduce(M, 1, keepdims=True, out=count)
            np.maximum(count, one, out=count)
            np.copyto(W, count)
            np.divide(M, W, out=M)
            if weight is not None:
                np.copyto(W, weight)
                np.multiply(M, W, out=M)
            np.copyto(T, y)
            np.copyto(T, zero, where=missing)
            if s:
                np.multiply(T, 1.0 - s, out=T)
                np.add(T, s / 2.0, out=T)
            softplus()
            np.multiply(T, Z, out=V)
            np.subtract(L, V, out=V)
            np.multiply(V, M, out=V)
            return float(np.dot(total, ones)) / n

        def backward() -> Array:
            sigmoid()
            np.subtract(P, T, out=V)
            np.multiply(V, M, out=V)
            return np.multiply(V, share, out=V)

        return BoundLoss(forward, backward)

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        """The mean log loss (rows,) of the labels that a row has, in nats, without label smoothing."""
        present = ~np.isnan(y)
        t, p = np.where(present, y, 0.0), np.asarray(predictions, np.float64)
        losses = -t * np.log(np.maximum(p, MIN_PROBABILITY)) - (1.0 - t) * np.log(np.maximum(1.0 - p, MIN_PROBABILITY))
        return np.asarray((losses * present).sum(axis=1) / np.maximum(present.sum(axis=1), 1))

    def inverse_link(self, Z: Array) -> npt.NDArray[np.float64]:
        """The probability of each label: the logistic function of its output."""
        return logistic(Z.astype(np.float64))

    def lower_inverse_link(self, z: Value) -> Value:
        return lower_logistic(z)

    def inverse_link_vjp(self, Z: Array, dP: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """dz = p (1 - p) dp."""
        P = self.inverse_link(Z)
        return np.asarray(P * (1.0 - P) * dP)


def logistic(z: Floats) -> Floats:
    """1 / (1 + e⁻ᶻ), of which a small one keeps its digits, unlike that of a hyperbolic tangent."""
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (np.exp(-z) + 1.0))


def lower_logistic(z: Value) -> Value:
    """The operations of `logistic`."""
    return 1.0 / (exp(z * -1.0) + 1.0)

"""Losses of numbers: the raw output Z and the targets y are (B, k)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.base.spec import PositiveFloat
from nncli.nn.arrays import Array, Floats
from nncli.nn.losses.base import MIN_PROBABILITY, BoundLoss, LossBase, bind_residual, mean_count
from nncli.nn.losses.quantile import Quantile, Quantiles
from nncli.nn.program.values import Value, exp


class MSE(LossBase):
    """Mean squared error, (z - y)². The best constant prediction is the mean."""

    type: Literal["mse"] = "mse"
    per_row_name: ClassVar[str] = "squared_error"

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        def loss(D: Array, V: Array) -> None:
            np.multiply(D, D, out=V)

        def grad(D: Array, dZ: Array) -> None:
            np.add(D, D, out=dZ)

        return bind_residual(Z, y, w, batch, loss, grad)

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        D = predictions - y
        return np.asarray((D * D).mean(axis=1))


class MAE(LossBase):
    """Mean absolute error, |z - y|. The best constant prediction is the median."""

    type: Literal["mae"] = "mae"
    per_row_name: ClassVar[str] = "absolute_error"
    is_comparison_measure: ClassVar[bool] = True

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        def loss(D: Array, V: Array) -> None:
            np.abs(D, out=V)

        def grad(D: Array, dZ: Array) -> None:
            np.sign(D, out=dZ)

        return bind_residual(Z, y, w, batch, loss, grad)

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        return np.asarray(np.abs(predictions - y).mean(axis=1))


class Huber(LossBase):
    """d²/2 within `delta`, delta (|d| - delta/2) beyond: squared near 0, linear far away. Huber, 1964.

    With c = d clipped to ±delta both are c (d - c/2), and the derivative is c. `delta` is in standard deviations of
    the target if the target is standardized.
    """

    type: Literal["huber"] = "huber"
    per_row_name: ClassVar[str] = "huber"
    delta: PositiveFloat = 1.0

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        delta, C = self.delta, np.empty_like(Z)

        def loss(D: Array, V: Array) -> None:
            np.clip(D, -delta, delta, out=C)
            np.multiply(C, -0.5, out=V)
            np.add(V, D, out=V)
            np.multiply(V, C, out=V)

        def grad(D: Array, dZ: Array) -> None:
            np.copyto(dZ, C)

        return bind_residual(Z, y, w, batch, loss, grad)

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        D = predictions - y
        C = D.clip(-self.delta * scale, self.delta * scale)
        return np.asarray((C * (D - C / 2.0)).mean(axis=1))


class Poisson(LossBase):
    """Counts y ~ Poisson(eᶻ): eᶻ - y z, the negative log-likelihood without log y!. The link is exp."""

    type: Literal["poisson"] = "poisson"
    per_row_name: ClassVar[str] = "poisson"
    needs_unscaled_targets: ClassVar[bool] = True
    nonnegative_targets: ClassVar[bool] = True
    has_link: ClassVar[bool] = True

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        E, V, W = np.empty_like(Z), np.empty_like(Z), np.empty_like(Z)
        ones, total, n = np.ones(Z.size, Z.dtype), V.reshape(-1), mean_count(Z, batch)
        weight = None if w is None else w[:, None]

        def forward() -> float:
            np.exp(Z, out=E)
            np.multiply(y, Z, out=V)
            np.subtract(E, V, out=V)
            if weight is not None:
                np.copyto(W, weight)
                np.multiply(V, W, out=V)
            return float(np.dot(total, ones)) / n

        def backward() -> Array:
            np.subtract(E, y, out=E)
            if weight is not None:
                np.multiply(E, W, out=E)
            return np.multiply(E, 1.0 / n, out=E)

        return BoundLoss(forward, backward)

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        return np.asarray((predictions - y * np.log(np.maximum(predictions, MIN_PROBABILITY))).mean(axis=1))

    def inverse_link(self, Z: Array) -> npt.NDArray[np.float64]:
        return np.exp(Z.astype(np.float64))

    def lower_inverse_link(self, z: Value) -> Value:
        return exp(z)

    def inverse_link_vjp(self, Z: Array, dP: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(dP * self.inverse_link(Z))


RegressionLoss: TypeAlias = MSE | MAE | Huber | Quantile | Quantiles | Poisson
"""The registry of losses of numbers."""

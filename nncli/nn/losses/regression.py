"""Losses of numbers, and of their quantiles: the raw output Z is (B, k), the targets y are (B, targets)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from nncli.base.median import weighted_quantiles
from nncli.base.spec import PositiveSetting
from nncli.nn.arrays import Array, Floats
from nncli.nn.losses.amounts import (
    GammaLoss,
    LogNormalLoss,
    NegativeBinomialLoss,
    PoissonLoss,
    TweedieLoss,
    ZeroInflatedPoissonLoss,
)
from nncli.nn.losses.distributions import NormalLoss, StudentTLoss
from nncli.nn.losses.loss import (
    MEDIAN,
    BoundLoss,
    Kernel,
    Levels,
    LossBase,
    QuantileLevel,
    bind_residual,
    column_means,
)
from nncli.nn.losses.mixture import MixtureLoss
from nncli.nn.losses.proposals import proposed_loss
from nncli.nn.program.values import Value


class MSELoss(LossBase):
    """Mean squared error, (z - y)². The best constant prediction is the mean."""

    type: Literal["mse"] = "mse"
    per_row_name: ClassVar[str] = "squared_error"
    robust: ClassVar[tuple[str, ...]] = ("loss=huber",)

    def initial_outputs(self, y: Array, w: Floats | None = None, offset: Array | None = None) -> Array:
        return column_means(y, w)

    def target_size(self, value: float) -> float:
        return float(np.sqrt(max(0.0, value)))

    def kernel(self, outputs: int) -> tuple[Kernel, Array]:
        return "mse", np.array([()], np.float32)

    def alternative(self, y: Floats) -> tuple[str, str] | None:
        proposed = proposed_loss(y)
        return None if proposed is None else (proposed[0].type, proposed[1])

    def formulas(self, outputs: int) -> tuple[str, str]:
        return "L = 1/(Bk) Σᵢⱼ (zᵢⱼ - yᵢⱼ)²", "dZ = 2/(Bk) (Z - y)"

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        def loss(D: Array, V: Array) -> None:
            np.multiply(D, D, out=V)

        def grad(D: Array, dZ: Array) -> None:
            np.add(D, D, out=dZ)

        return bind_residual(Z, y, w, batch, loss, grad)

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        D = predictions - y
        return np.asarray((D * D).mean(axis=1))


def loss_of_predictions(loss: LossBase) -> LossBase:
    """The loss of predicted numbers as targets.

    A loss without a link of its own is for noisy targets, such as the mean absolute error for medians; predictions are
    approximated in least squares.
    """
    return loss if loss.has_link else MSELoss()


class MAELoss(LossBase):
    """Mean absolute error, |z - y|. The best constant prediction is the median."""

    type: Literal["mae"] = "mae"
    per_row_name: ClassVar[str] = "absolute_error"
    is_comparison_measure: ClassVar[bool] = True

    def initial_outputs(self, y: Array, w: Floats | None = None, offset: Array | None = None) -> Array:
        return self.best_constant(y.astype(np.float64), w)

    def best_constant(self, y: Floats, w: Floats | None = None) -> Floats:
        return weighted_quantiles(y, [MEDIAN], w)[:, 0]

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        def loss(D: Array, V: Array) -> None:
            np.abs(D, out=V)

        def grad(D: Array, dZ: Array) -> None:
            np.sign(D, out=dZ)

        return bind_residual(Z, y, w, batch, loss, grad)

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        return np.asarray(np.abs(predictions - y).mean(axis=1))


START_STEPS = 20
"""Steps to the constant that a training with the Huber loss starts from."""


class HuberLoss(LossBase):
    """d²/2 within `delta`, delta (|d| - delta/2) beyond: squared near 0, linear far away. Huber, 1964.

    With c = d clipped to ±delta both are c (d - c/2), and the derivative is c. `delta` is in standard deviations of
    the target if the target is standardized.
    """

    type: Literal["huber"] = "huber"
    per_row_name: ClassVar[str] = "huber"
    delta: PositiveSetting = 1.0

    def initial_outputs(self, y: Array, w: Floats | None = None, offset: Array | None = None) -> Array:
        """Steps from the medians by the mean of c, the derivative, which is 0 at the best constant."""
        z = weighted_quantiles(y.astype(np.float64), [MEDIAN], w)[:, 0]
        for _ in range(START_STEPS):
            z = z + column_means((y - z).clip(-self.delta, self.delta), w)
        return z

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


def _bind_pinball(Z: Array, y: Array, w: Array | None, batch: int | None, q: float | Array) -> BoundLoss:
    """Bind the pinball loss, d ([d > 0] - q) for d = z - y, of one level or of those of each output (k,)."""
    over = np.empty(Z.shape, bool)
    if isinstance(q, np.ndarray):
        q = np.ascontiguousarray(np.broadcast_to(q, Z.shape))  # a step would allocate a buffer to broadcast a row

    def grad(D: Array, dZ: Array) -> None:
        np.greater(D, 0.0, out=over)
        np.copyto(dZ, over)
        np.subtract(dZ, q, out=dZ)

    def loss(D: Array, V: Array) -> None:
        grad(D, V)
        np.multiply(V, D, out=V)

    return bind_residual(Z, y, w, batch, loss, grad)


class QuantileLoss(LossBase):
    """The pinball loss: q (y - z) if z < y, else (1 - q) (z - y). The best constant prediction is the q-quantile.

    Koenker and Bassett, 1978. With d = z - y it is d ([d > 0] - q).
    """

    type: Literal["quantile"] = "quantile"
    per_row_name: ClassVar[str] = "pinball_loss"
    is_comparison_measure: ClassVar[bool] = True
    q: QuantileLevel = 0.5

    def initial_outputs(self, y: Array, w: Floats | None = None, offset: Array | None = None) -> Array:
        return self.best_constant(y.astype(np.float64), w)

    @property
    def quantile(self) -> float | None:
        return self.q

    def best_constant(self, y: Floats, w: Floats | None = None) -> Floats:
        return weighted_quantiles(y, [self.q], w)[:, 0]

    def kernel(self, outputs: int) -> tuple[Kernel, Array]:
        return "pinball", np.array([(self.quantile,)], np.float32)

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        return _bind_pinball(Z, y, w, batch, self.q)

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        D = predictions - y
        return np.asarray((D * ((D > 0.0) - self.q)).mean(axis=1))


class QuantilesLoss(LossBase):
    """Several quantiles of each target: the pinball loss, averaged over the `levels`. The prediction is the median.

    The output of target j and level l is z_jl, with the derivative [z_jl > y_j] - q_l. The network may order the
    quantiles of a row wrongly; predicted ones are sorted, which never increases the loss. Chernozhukov, Fernández-Val
    and Galichon, "Quantile and probability curves without crossing", 2010.
    """

    type: Literal["quantiles"] = "quantiles"
    per_row_name: ClassVar[str] = "pinball_loss"
    is_comparison_measure: ClassVar[bool] = True
    levels: Levels = (0.05, 0.5, 0.95)

    @property
    def quantile_levels(self) -> tuple[float, ...]:
        return self.levels

    def initial_outputs(self, y: Array, w: Floats | None = None, offset: Array | None = None) -> Array:
        return weighted_quantiles(y.astype(np.float64), self.levels, w).ravel()

    def best_constant(self, y: Floats, w: Floats | None = None) -> Floats:
        return weighted_quantiles(y, [MEDIAN], w)[:, 0]

    def outputs(self, count: int) -> int:
        return count * len(self.levels)

    def kernel(self, outputs: int) -> tuple[Kernel, Array]:
        return "pinball", np.array([self.quantile_levels], np.float32)

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        T = np.empty_like(Z)
        targets = T.reshape(*y.shape, len(self.levels))
        residual = _bind_pinball(Z, T, w, batch, np.tile(np.array(self.levels, Z.dtype), y.shape[1]))

        def forward() -> float:
            np.copyto(targets, y[:, :, None])
            return residual.forward()

        return BoundLoss(forward, residual.backward)

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        """The mean pinball loss of quantiles (rows, targets, levels), or that of the median (rows, targets)."""
        if predictions.ndim == 2:
            return np.asarray(np.abs(predictions - y).mean(axis=1) / 2.0)
        D = predictions - y[:, :, None]
        return np.asarray((D * ((D > 0.0) - np.array(self.levels))).mean(axis=(1, 2)))

    def quantiles(self, Z: Array) -> npt.NDArray[np.float64]:
        return np.sort(Z.reshape(len(Z), Z.shape[1] // len(self.levels), len(self.levels)).astype(np.float64), axis=2)

    def lower_quantiles(self, z: Value) -> Value:
        """The operations of `quantiles` (rows, targets · levels)."""
        return z.sort(len(self.levels))

    def lower_inverse_link(self, z: Value) -> Value:
        quantiles, count = self.lower_quantiles(z), len(self.levels)
        return quantiles.columns(range(self._median, z.width, count))

    def inverse_link(self, Z: Array) -> npt.NDArray[np.float64]:
        """The medians (B, targets)."""
        return np.ascontiguousarray(self.quantiles(Z)[:, :, self._median])

    def inverse_link_vjp(self, Z: Array, dP: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """dP, for the outputs that are the medians after sorting."""
        outputs = Z.reshape(*dP.shape, len(self.levels))
        median = np.argsort(outputs, axis=2, kind="stable")[:, :, self._median, None]
        dZ = np.zeros(outputs.shape)
        np.put_along_axis(dZ, median, dP[:, :, None], axis=2)
        return dZ.reshape(Z.shape)

    @property
    def _median(self) -> int:
        return self.levels.index(MEDIAN)


Amount: TypeAlias = (
    PoissonLoss | GammaLoss | LogNormalLoss | TweedieLoss | NegativeBinomialLoss | ZeroInflatedPoissonLoss
)
RegressionLoss: TypeAlias = (
    MSELoss | MAELoss | HuberLoss | QuantileLoss | QuantilesLoss | NormalLoss | StudentTLoss | MixtureLoss | Amount
)
"""The registry of losses of numbers."""

AMOUNT_LOSSES = tuple(
    loss.model_fields["type"].default for loss in get_args(RegressionLoss) if loss().deviance_power is not None
)
"""The names of the losses of counts and amounts, which take an exposure."""

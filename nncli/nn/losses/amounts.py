"""Losses of counts and amounts: the mean m of a row is above 0, and its logarithm is an output of the network.

So effects multiply, and an exposure is an offset of z = log m. The raw output Z is (B, k), or (B, 2k) with a second
parameter of each target; the targets y are (B, k).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from math import isfinite, log, pi
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from nncli.nn.arrays import FIXED, RISING, Array, Floats, Mask, Sign
from nncli.nn.losses.loss import (
    MIN_PROBABILITY,
    BoundLoss,
    LossBase,
    bind_elementwise,
    bind_pairs,
    column_means,
    column_sums,
)
from nncli.nn.losses.scaling import LogLinkScaling, Scaling
from nncli.nn.program.values import Value, exp, tanh

USUAL_POWER, MIN_POWER, MAX_POWER = 1.5, 1.1, 1.9
"""The power of a Tweedie loss without targets, and the bounds of those that targets choose."""

MIN_MEAN = 1e-3
"""The least mean that a training starts from."""
SMALLEST_VARIANCE, MAX_START = 1e-9, 0.9
"""The least variance of logarithms, and the end of t in `LogNormalLoss`, that a training starts from."""
MIN_DISPERSION, MAX_DISPERSION = 0.01, 100.0
"""The bounds of the dispersion of a negative binomial distribution that a training starts from."""
EM_STEPS, MIN_SHARE = 50, 0.01
"""Steps to the share of extra zeros that a training starts from, and the least such share."""


class AmountLoss(LossBase):
    """The interface of a loss of counts or amounts, whose link is exp.

    Counts keep their unit, so a training starts at their mean: from far away a loss is nearly flat.
    """

    starts_at_mean: ClassVar[bool] = True
    scaling: ClassVar[Scaling] = LogLinkScaling("none")
    has_link: ClassVar[bool] = True
    keys: ClassVar[frozenset[str]] = frozenset({"data.exposure"})
    exposure_in: ClassVar[Literal["link", "targets"]] = "link"

    @property
    @abstractmethod
    def deviance_power(self) -> float: ...

    @property
    def auto_clip_norm(self) -> float:
        """1, as e to the power z makes the gradient of a row that is far too high many times that of all others."""
        return 1.0

    @property
    def interval_power(self) -> float | None:
        return self.deviance_power

    def initial_outputs(self, y: Array, w: Floats | None = None, offset: Array | None = None) -> Array:
        """The logarithm of Σ y e⁽¹⁻ᵖ⁾ᵒ / Σ e⁽²⁻ᵖ⁾ᵒ for the offset o and the power p, where the deviance is least."""
        start, p = np.zeros(self.outputs(y.shape[1])), self.deviance_power
        if offset is None:
            mean = column_means(y, w)
        else:
            o = offset.astype(np.float64)[:, None]
            mean = column_means(y * np.exp((1.0 - p) * o), w) / column_means(np.exp((2.0 - p) * o), w)
        start[: y.shape[1]] = np.log(np.maximum(mean, MIN_MEAN))
        return start

    def _mean_outputs(self, Z: Array) -> npt.NDArray[np.float64]:
        """The outputs (B, k) that are the logarithms of means."""
        return Z[:, : Z.shape[1] // self.outputs(1)].astype(np.float64)

    def inverse_link(self, Z: Array) -> npt.NDArray[np.float64]:
        return np.exp(self._mean_outputs(Z))

    def lower_inverse_link(self, z: Value) -> Value:
        return exp(z.columns(range(z.width // self.outputs(1))))

    def inverse_link_vjp(self, Z: Array, dP: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        dZ = np.zeros(Z.shape)
        dZ[:, : dP.shape[1]] = dP * self.inverse_link(Z)
        return dZ


class PoissonLoss(AmountLoss):
    """Counts y ~ Poisson(eᶻ): eᶻ - y z, the negative log-likelihood without log y!. The link is exp."""

    type: Literal["poisson"] = "poisson"
    per_row_name: ClassVar[str] = "poisson"
    valid_targets: ClassVar[str] = "0 or more"

    @property
    def deviance_power(self) -> float:
        return 1.0

    @property
    def interval_power(self) -> None:
        """None, as in the versions that had this loss alone."""

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        E = np.empty_like(Z)

        def loss(V: Array) -> None:
            np.exp(Z, out=E)
            np.multiply(y, Z, out=V)
            np.subtract(E, V, out=V)

        def grad(dZ: Array) -> None:
            np.subtract(E, y, out=dZ)

        return bind_elementwise(Z, w, batch, loss, grad)

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        return np.asarray((predictions - y * np.log(np.maximum(predictions, MIN_PROBABILITY))).mean(axis=1))


class PositiveAmountLoss(AmountLoss):
    """The interface of a loss of amounts above 0.

    The loss of a row for reports is half the gamma deviance but for a constant.
    """

    per_row_name: ClassVar[str] = "gamma"
    valid_targets: ClassVar[str] = "above 0"
    targets_hint: ClassVar[str] = "Use tweedie for amounts of which some are 0."
    scaling: ClassVar[Scaling] = LogLinkScaling("mean")

    @property
    def deviance_power(self) -> float:
        return 2.0

    def are_valid(self, y: Floats) -> Mask:
        return np.asarray(y > 0.0)

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        m = np.maximum(predictions, MIN_PROBABILITY)
        return np.asarray((y / m + np.log(m)).mean(axis=1))


class GammaLoss(PositiveAmountLoss):
    """Amounts above 0 whose spread grows with the mean eᶻ: y e⁻ᶻ + z, half the gamma deviance but for a constant.

    The derivative is 1 - y e⁻ᶻ. The link is exp.
    """

    type: Literal["gamma"] = "gamma"
    is_comparison_measure: ClassVar[bool] = True

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        R = np.empty_like(Z)

        def loss(V: Array) -> None:
            np.negative(Z, out=R)
            np.exp(R, out=R)
            np.multiply(R, y, out=R)
            np.add(R, Z, out=V)

        def grad(dZ: Array) -> None:
            np.subtract(1.0, R, out=dZ)

        return bind_elementwise(Z, w, batch, loss, grad)


class TweedieLoss(AmountLoss):
    """Amounts of which some are 0: e⁽²⁻ᵖ⁾ᶻ / (2 - p) - y e⁽¹⁻ᵖ⁾ᶻ / (1 - p), for a `power` p between 1 and 2.

    That is half the Tweedie deviance but for a constant. The variance is proportional to the mean to the power p, from
    1 (Poisson) to 2 (gamma): such are sums of a Poisson number of gamma amounts. The derivative is
    e⁽²⁻ᵖ⁾ᶻ - y e⁽¹⁻ᵖ⁾ᶻ. The link is exp. Jørgensen, "The theory of dispersion models", 1997.

    With `auto` the power is chosen by the share of zeros, the mean and the variance of the targets.
    """

    type: Literal["tweedie"] = "tweedie"
    per_row_name: ClassVar[str] = "tweedie"
    is_comparison_measure: ClassVar[bool] = True
    valid_targets: ClassVar[str] = "0 or more"
    scaling: ClassVar[Scaling] = LogLinkScaling("mean")
    power: Annotated[float, Field(strict=True, gt=1, lt=2)] | Literal["auto"] = "auto"

    @property
    def deviance_power(self) -> float:
        return USUAL_POWER if self.power == "auto" else self.power

    def with_auto_values(self, read: Callable[[], Floats], w: Floats | None = None) -> Self:
        """The loss whose power is that of sums of a Poisson number of gamma amounts with the moments of the targets.

        The share of zeros is e⁻ⁿ for n amounts on average, the variance φ mᵖ, and n = m²⁻ᵖ / (φ (2 - p)); so
        p = 2 - m² / (n variance). The power is that of the mean of several targets, with two decimals.
        """
        if self.power != "auto" or not len(y := read()):
            return self
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            if w is None:
                mean, deviation, zeros = y.mean(axis=0), y.std(axis=0), (y == 0.0).mean(axis=0)
            else:
                mean, zeros = (column_sums(values, w) / w.sum() for values in (y, y == 0.0))
                deviation = np.sqrt(column_sums((y - mean) ** 2, w) / w.sum())
            power = float(np.mean(2.0 + (mean / deviation) ** 2 / np.log(zeros)))
        power = round(min(max(power, MIN_POWER), MAX_POWER), 2) if isfinite(power) else USUAL_POWER
        return self.model_copy(update={"power": power})

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        p, A, C, S = self.deviance_power, np.empty_like(Z), np.empty_like(Z), np.empty_like(Z)

        def loss(V: Array) -> None:
            np.multiply(Z, 1.0 - p, out=A)
            np.exp(A, out=A)
            np.multiply(A, y, out=A)
            np.multiply(Z, 2.0 - p, out=C)
            np.exp(C, out=C)
            np.multiply(A, 1.0 / (p - 1.0), out=S)
            np.multiply(C, 1.0 / (2.0 - p), out=V)
            np.add(V, S, out=V)

        def grad(dZ: Array) -> None:
            np.subtract(C, A, out=dZ)

        return bind_elementwise(Z, w, batch, loss, grad)

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        p, m = self.deviance_power, np.maximum(predictions, MIN_PROBABILITY)
        return np.asarray((y * m ** (1.0 - p) / (p - 1.0) + m ** (2.0 - p) / (2.0 - p)).mean(axis=1))


class TwoParameterLoss(AmountLoss):
    """The interface of a loss with a second output s of each target, computed in float64 in temporary arrays."""

    def outputs(self, count: int) -> int:
        return 2 * count

    def output_signs(self, outputs: int) -> tuple[Sign, ...]:
        """The second outputs do not change, so that they cannot lower the mean."""
        return (RISING,) * (outputs // 2) + (FIXED,) * (outputs // 2)

    @abstractmethod
    def terms(self, z: Floats, s: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
        """The loss of each target (B, k) in float64, and its derivatives with respect to z and s."""

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        return bind_pairs(Z, y, w, batch, self.terms)


class LogNormalLoss(PositiveAmountLoss, TwoParameterLoss):
    """Amounts above 0 whose logarithm is normal: log σ + (log y - z)² / (2 σ²), log σ = 2 t - 1, t = tanh((s + 1) / 2).

    s is a second output, so that log σ is between -3 and 1. The prediction is the mean of y itself, e to the power
    z + σ² / 2, not that of its logarithm. The derivative by z is (z - log y) / σ², and that by s is
    (1 - (log y - z)² / σ²) (1 - t²).
    """

    type: Literal["log_normal"] = "log_normal"

    def initial_outputs(self, y: Array, w: Floats | None = None, offset: Array | None = None) -> Array:
        """Mean and standard deviation of log y less the offset, the latter within its bounds."""
        logs = np.log(np.maximum(y.astype(np.float64), MIN_PROBABILITY)) - (0.0 if offset is None else offset[:, None])
        mean = column_means(logs, w)
        log_sigma = 0.5 * np.log(np.maximum(column_means((logs - mean) ** 2, w), SMALLEST_VARIANCE))
        t = ((log_sigma + 1.0) / 2.0).clip(-MAX_START, MAX_START)
        return np.concatenate([mean, 2.0 * np.arctanh(t) - 1.0])

    def terms(self, z: Floats, s: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
        t = np.tanh((s + 1.0) / 2.0)
        log_sigma, d = 2.0 * t - 1.0, z - np.log(y)
        precision = np.exp(-2.0 * log_sigma)
        squares = d * d * precision
        return log_sigma + squares / 2.0, d * precision, (1.0 - squares) * (1.0 - t * t)

    def inverse_link(self, Z: Array) -> npt.NDArray[np.float64]:
        z = self._mean_outputs(Z)
        t = np.tanh((Z[:, z.shape[1] :].astype(np.float64) + 1.0) / 2.0)
        return np.exp(z + np.exp(4.0 * t - 2.0) / 2.0)

    def lower_inverse_link(self, z: Value) -> Value:
        k = z.width // 2
        t = tanh((z.columns(range(k, 2 * k)) + 1.0) / 2.0)
        return exp(z.columns(range(k)) + exp(t * 4.0 - 2.0) / 2.0)

    def inverse_link_vjp(self, Z: Array, dP: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        dz = dP * self.inverse_link(Z)
        t = np.tanh((Z[:, dP.shape[1] :].astype(np.float64) + 1.0) / 2.0)
        return np.concatenate([dz, dz * np.exp(4.0 * t - 2.0) * (1.0 - t * t)], axis=1)


class CountLoss(TwoParameterLoss):
    """The interface of a loss of whole numbers.

    Predictions are means, so the loss of a row for reports is that of the Poisson distribution.
    """

    per_row_name: ClassVar[str] = "poisson"
    valid_targets: ClassVar[str] = "whole and 0 or more"
    targets_hint: ClassVar[str] = "Use tweedie for amounts."

    @property
    def deviance_power(self) -> float:
        return 1.0

    def are_valid(self, y: Floats) -> Mask:
        return np.asarray((y >= 0.0) & (y == np.floor(y)))

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        return PoissonLoss().per_row(predictions, y)


class NegativeBinomialLoss(CountLoss):
    """Counts of mean m = eᶻ and variance m + a m², for a second output s with the dispersion a = eˢ.

    With r = 1 / a the negative log-likelihood, without log y!, is
    log Γ(r) - log Γ(y + r) - r log r + (r + y) log(r + m) - y z. The derivative by z is r (m - y) / (r + m), and that
    by s is -r (ψ(r) - ψ(y + r) - log r - 1 + log(r + m) + (r + y) / (r + m)). s is clipped to ±10. Lawless, "Negative
    binomial and mixed Poisson regression", 1987.
    """

    type: Literal["negative_binomial"] = "negative_binomial"

    def initial_outputs(self, y: Array, w: Floats | None = None, offset: Array | None = None) -> Array:
        """The mean, and the dispersion by which the variances m + a m² add up to the squared residuals."""
        start, k = super().initial_outputs(y, w, offset), y.shape[1]
        m = np.exp(start[:k] + (0.0 if offset is None else offset.astype(np.float64)[:, None]))
        excess = column_means((y - m) ** 2 - m, w) / column_means(np.broadcast_to(m * m, y.shape), w)
        start[k:] = np.log(excess.clip(MIN_DISPERSION, MAX_DISPERSION))
        return start

    def terms(self, z: Floats, s: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
        m, r = np.exp(z), np.exp(-s.clip(-10.0, 10.0))
        (gamma_r, psi_r), (gamma_y, psi_y) = _log_gamma(r), _log_gamma(y + r)
        log_r, log_rm = np.log(r), np.log(r + m)
        value = gamma_r - gamma_y - r * log_r + (r + y) * log_rm - y * z
        dr = psi_r - psi_y - log_r - 1.0 + log_rm + (r + y) / (r + m)
        return value, r * (m - y) / (r + m), np.where(np.abs(s) < 10.0, -r * dr, 0.0)


class ZeroInflatedPoissonLoss(CountLoss):
    """Counts that are 0 with probability q = σ(s), else Poisson of mean m = eᶻ, for a second output s.

    The prediction is (1 - q) m. The negative log-likelihood, without log y!, is -log(q + (1 - q) e⁻ᵐ) for y = 0 and
    m - y z - log(1 - q) for others. With u = σ(s + m), the share of the zeros that are no Poisson ones, the derivative
    by z is (1 - u) m or m - y, and that by s is q - u or q. Lambert, "Zero-inflated Poisson regression", 1992.
    """

    type: Literal["zero_inflated_poisson"] = "zero_inflated_poisson"

    def initial_outputs(self, y: Array, w: Floats | None = None, offset: Array | None = None) -> Array:
        """The mean and the share of extra zeros with the greatest likelihood, by the EM algorithm.

        u is the probability that a zero is an extra one; then q is the mean of u, and m = Σ y / Σ (1 - u) e.
        """
        start, k = super().initial_outputs(y, w, offset), y.shape[1]
        exposure = np.ones((1, 1)) if offset is None else np.exp(offset.astype(np.float64))[:, None]
        zero, mean, m, q = y == 0.0, column_means(y, w), np.exp(start[:k]), np.full(k, 0.5)
        for _ in range(EM_STEPS):
            u = np.where(zero, q / (q + (1.0 - q) * np.exp(-m * exposure)), 0.0)
            q = column_means(u, w).clip(MIN_SHARE, 1.0 - MIN_SHARE)
            m = np.maximum(mean, MIN_MEAN) / np.maximum(column_means((1.0 - u) * exposure, w), MIN_SHARE)
        return np.concatenate([np.log(m), np.log(q / (1.0 - q))])

    def terms(self, z: Floats, s: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
        m, zero = np.exp(z), y == 0.0
        q, u = _sigmoid(s), _sigmoid(s + m)
        value = np.logaddexp(s, 0.0) + np.where(zero, -np.logaddexp(s, -m), m - y * z)
        return value, np.where(zero, (1.0 - u) * m, m - y), np.where(zero, q - u, q)

    def inverse_link(self, Z: Array) -> npt.NDArray[np.float64]:
        z = self._mean_outputs(Z)
        return np.asarray(np.exp(z) / (1.0 + np.exp(Z[:, z.shape[1] :].astype(np.float64))))

    def lower_inverse_link(self, z: Value) -> Value:
        k = z.width // 2
        return exp(z.columns(range(k))) / (1.0 + exp(z.columns(range(k, 2 * k))))

    def inverse_link_vjp(self, Z: Array, dP: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        dz = dP * self.inverse_link(Z)
        return np.concatenate([dz, -dz * _sigmoid(Z[:, dP.shape[1] :].astype(np.float64))], axis=1)


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))


SHIFT = 8
"""By so much arguments are raised, from which on Stirling's series has 12 digits."""


def _log_gamma(x: Floats) -> tuple[Floats, Floats]:
    """log Γ and its derivative ψ of numbers above 0: Stirling's series at x + SHIFT, and Γ(x + 1) = x Γ(x)."""
    raised, product, reciprocals = x + SHIFT, np.ones_like(x), np.zeros_like(x)
    for i in range(SHIFT):
        product *= x + i
        reciprocals += 1.0 / (x + i)
    v = 1.0 / (raised * raised)
    series = (1 / 12 - v * (1 / 360 - v * (1 / 1260 - v * (1 / 1680 - v / 1188)))) / raised
    slope = v * (1 / 12 - v * (1 / 120 - v * (1 / 252 - v * (1 / 240 - v / 132))))
    log_raised = np.log(raised)
    log_gamma = (raised - 0.5) * log_raised - raised + 0.5 * log(2.0 * pi) + series - np.log(product)
    return log_gamma, log_raised - 0.5 / raised - slope - reciprocals

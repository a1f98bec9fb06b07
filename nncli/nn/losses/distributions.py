"""Losses of whole distributions, whose quantiles never cross. A model gives the quantiles of the `levels`.

All minimize the continuous ranked probability score, ∫ (F(x) - [x >= y])² dx for a distribution function F, in the
units of the target: the absolute error of a prediction without a spread. Unlike the likelihood it stays finite for an
outlier or a perfect fit, and prefers no narrow distributions. Gneiting and Raftery, "Strictly proper scoring rules,
prediction, and estimation", 2007.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from math import exp as exp_
from math import lgamma, log, pi, sqrt
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from nncli.base.median import weighted_quantiles
from nncli.nn.arrays import FIXED, RISING, Array, Floats, Sign
from nncli.nn.losses.loss import MEDIAN, BoundLoss, Levels, LossBase, bind_pairs
from nncli.nn.losses.scaling import DistributionScaling, Scaling
from nncli.nn.program.values import Value, exp, tanh

FIT_STEPS, FIT_TOLERANCE, FIT_POINTS = 200, 1e-9, 1 << 12
"""Steps, the length of the last one, and the most values for which the best constant distribution is sought."""
FARTHEST = 1e100
"""A value of next to no weight is taken as no farther away, in mean distances, so that its square is a number."""
DEFAULT_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
SMALLEST = float(np.finfo(np.float64).tiny)


class DistributionLoss(LossBase):
    """The interface of a loss of a distribution: its CRPS for y.

    A model predicts the quantiles of the `levels`, and an ensemble the means of them, so `per_row` and `cdf` are of the
    distribution that quantiles (rows, targets, levels) tell.
    """

    per_row_name: ClassVar[str] = "crps"
    is_comparison_measure: ClassVar[bool] = True
    has_distribution: ClassVar[bool] = True
    scaling: ClassVar[Scaling] = DistributionScaling()
    levels: Levels = DEFAULT_LEVELS

    @property
    def quantile_levels(self) -> tuple[float, ...]:
        return self.levels

    @abstractmethod
    def crps(self, quantiles: Floats, y: Floats) -> Floats:
        """The CRPS (rows, targets) of the distributions with quantiles (rows, targets, levels)."""

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        """The mean CRPS of the targets, from quantiles (rows, targets, levels); for numbers the absolute error."""
        with np.errstate(over="ignore", invalid="ignore"):
            of_targets = np.abs(predictions - y) if predictions.ndim == 2 else self.crps(predictions, y)
            return np.asarray(of_targets.mean(axis=1))


class LocationScaleLoss(DistributionLoss):
    """The interface of a loss of a distribution with location m and scale s.

    The raw output Z is (B, 2k): the k locations, then an output for each scale. The prediction is the location, which
    is the mean and the median; quantiles are m + s q for the quantiles q of the standard distribution. Location and
    scale follow from them again, so an ensemble averages both.

    With u = (y - m) / s the CRPS is s c(u), c(u) = u (2 F(u) - 1) + r(u) for the standard distribution F. Its
    derivative by m is 1 - 2 F(u), and that by log s is s r(u). log s = 4 t - 3 with t = tanh(z / 2 + 1) for the second
    output z, so that log s is between -7 and 1, in standard deviations of the target if it is standardized.
    """

    def outputs(self, count: int) -> int:
        return 2 * count

    def output_signs(self, outputs: int) -> tuple[Sign, ...]:
        """The second outputs do not change, so that every quantile rises with the location."""
        return (RISING,) * (outputs // 2) + (FIXED,) * (outputs // 2)

    @abstractmethod
    def standard_quantile(self, level: float) -> float:
        """The quantile of the distribution of location 0 and scale 1."""

    @property
    @abstractmethod
    def standard_deviation(self) -> float:
        """The standard deviation of that distribution."""

    @abstractmethod
    def standard_cdf(self, u: Floats) -> Floats:
        """The share of that distribution below u."""

    @abstractmethod
    def standard_density(self, u: Floats) -> Floats:
        """The density of that distribution, the derivative of `standard_cdf`."""

    @abstractmethod
    def standard_spread(self, u: Floats) -> Floats:
        """r(u), the derivative of the CRPS by the scale at s = 1."""

    def standard_crps(self, u: Floats) -> Floats:
        """c(u), the CRPS of that distribution for the value u."""
        return np.asarray(u * (2.0 * self.standard_cdf(u) - 1.0) + self.standard_spread(u))

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        def terms(m: Floats, z: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
            t, s = scale_of(z, np.tanh, np.exp)
            u = (y - m) / s
            dm, r = 1.0 - 2.0 * self.standard_cdf(u), self.standard_spread(u)
            return s * (r - u * dm), dm, s * r * 2.0 * (1.0 - t * t)

        return bind_pairs(Z, y, w, batch, terms)

    def inverse_link(self, Z: Array) -> npt.NDArray[np.float64]:
        return Z[:, : Z.shape[1] // 2].astype(np.float64)

    def lower_inverse_link(self, z: Value) -> Value:
        return z.columns(range(z.width // 2))

    def inverse_link_vjp(self, Z: Array, dP: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.concatenate([dP, np.zeros_like(dP)], axis=1)

    def quantiles(self, Z: Array) -> npt.NDArray[np.float64]:
        k = Z.shape[1] // 2
        m, z = Z[:, :k].astype(np.float64), Z[:, k:].astype(np.float64)
        _, s = scale_of(z, np.tanh, np.exp)
        return np.asarray(m[:, :, None] + s[:, :, None] * self._standard_quantiles)

    def lower_quantiles(self, z: Value) -> Value:
        k, n = z.width // 2, len(self.levels)
        m, raw = (z.columns(np.repeat(range(start, start + k), n)) for start in (0, k))
        _, s = scale_of(raw, tanh, exp)
        return m + s * np.tile(self._standard_quantiles, k)

    def initial_outputs(self, y: Array, w: Floats | None = None, offset: Array | None = None) -> Array:
        """Location and scale with the least mean CRPS, the latter within its bounds."""
        m, s = np.array([self._best_location_scale(column, w) for column in y.T.astype(np.float64)]).T
        return np.concatenate([m, output_of_scale(s)])

    def best_quantiles(self, y: Floats, w: Floats | None = None) -> Floats:
        """Those of the location and the scale with the least mean CRPS."""
        fitted = np.array([self._best_location_scale(column, w) for column in y.T])
        return np.asarray(fitted[:, :1] + fitted[:, 1:] * self._standard_quantiles)

    def _best_location_scale(self, y: Floats, w: Floats | None) -> tuple[float, float]:
        """Location and scale with the least mean CRPS of y (rows,), by damped steps of Newton.

        The mean CRPS is convex in both, as a pinball loss of each quantile m + s q is. Its Hessian is that of
        (2 / s) f(u) (1, u) (1, u)' for the density f.
        """
        y, p = _grouped(y, w)
        middle = float(weighted_quantiles(y[:, None], [MEDIAN], p)[0, 0])
        unit = float(p @ np.abs(y - middle))
        if not unit > 0.0 or not np.isfinite(unit):
            return middle, 0.0
        x, damping, place = ((y - middle) / unit).clip(-FARTHEST, FARTHEST), 1.0, np.array([0.0, 1.0])

        def mean_crps(place: Floats) -> float:
            return float(p @ self.standard_crps((x - place[0]) / place[1]) * place[1])

        value = mean_crps(place)
        for _ in range(FIT_STEPS):
            u = (x - place[0]) / place[1]
            a, f = np.stack([np.ones_like(u), u]), 2.0 / place[1] * p * self.standard_density(u)
            slope = np.array([p @ (1.0 - 2.0 * self.standard_cdf(u)), p @ self.standard_spread(u)])
            step = np.linalg.solve((a * f) @ a.T + damping * np.eye(2), -slope)
            tried = np.array([place[0] + step[0], max(place[1] + step[1], place[1] / 4.0)])
            if (of_tried := mean_crps(tried)) < value:
                place, value, damping = tried, of_tried, damping / 8.0
            else:
                damping *= 8.0
            if np.abs(step).max() < FIT_TOLERANCE or place[1] < FIT_TOLERANCE:
                break
        return middle + unit * float(place[0]), unit * float(place[1])

    def crps(self, quantiles: Floats, y: Floats) -> Floats:
        m, s = self._location_scale(quantiles)
        return np.asarray(s * self.standard_crps((y - m) / s))

    def cdf(self, quantiles: Floats, y: Floats) -> Floats:
        m, s = self._location_scale(quantiles)
        with np.errstate(over="ignore", invalid="ignore"):
            return self.standard_cdf((y - m) / s)

    def standard_deviations(self, quantiles: Floats) -> Floats:
        return np.asarray((quantiles[..., -1] - quantiles[..., 0]) * self._deviation_of_range)

    def lower_standard_deviations(self, quantiles: Value) -> Value:
        n = len(self.levels)
        low, high = (quantiles.columns(range(place, quantiles.width, n)) for place in (0, n - 1))
        return (high - low) * self._deviation_of_range

    @property
    def _deviation_of_range(self) -> float:
        """The standard deviation in relation to the range of the outermost quantiles."""
        low, high = self.standard_quantile(self.levels[0]), self.standard_quantile(self.levels[-1])
        return self.standard_deviation / (high - low)

    @property
    def _standard_quantiles(self) -> Floats:
        return np.array([self.standard_quantile(level) for level in self.levels])

    def _location_scale(self, quantiles: Floats) -> tuple[Floats, Floats]:
        """Location and scale (rows, targets), from the median and the outermost quantiles."""
        low, high = self.standard_quantile(self.levels[0]), self.standard_quantile(self.levels[-1])
        s = (quantiles[:, :, -1] - quantiles[:, :, 0]) / (high - low)
        return quantiles[:, :, self.levels.index(MEDIAN)], np.maximum(s, SMALLEST)


def _grouped(y: Floats, w: Floats | None) -> tuple[Floats, Floats]:
    """Values and their shares of the weight; means of neighbors where there are more than `FIT_POINTS`."""
    if w is not None:
        y, w = y[w > 0.0], w[w > 0.0]
    p = np.full(len(y), 1.0 / len(y)) if w is None else w / w.sum()
    if len(y) <= FIT_POINTS:
        return y, p
    order = np.argsort(y)
    starts = np.unique(np.linspace(0, len(y), FIT_POINTS, endpoint=False).astype(np.int64))
    shares = np.add.reduceat(p[order], starts)
    return np.add.reduceat((p * y)[order], starts) / shares, shares


FloatsOrValue = TypeVar("FloatsOrValue", Floats, Value)


def scale_of(
    z: FloatsOrValue, tanh: Callable[[FloatsOrValue], FloatsOrValue], exp: Callable[[FloatsOrValue], FloatsOrValue]
) -> tuple[FloatsOrValue, FloatsOrValue]:
    """t and the scale s of the outputs z; see `LocationScaleLoss`."""
    t = tanh(z * 0.5 + 1.0)
    return t, exp(t * 4.0 - 3.0)


MAX_START = 0.95
"""The end of t that a training starts from: beyond it is flat."""


def output_of_scale(s: Floats) -> Floats:
    """The outputs z of scales s; see `scale_of`."""
    t = (np.log(np.maximum(s, SMALLEST)) + 3.0) / 4.0
    return np.asarray(2.0 * (np.arctanh(t.clip(-MAX_START, MAX_START)) - 1.0))


class NormalLoss(LocationScaleLoss):
    """A normal distribution. r(u) = 2 φ(u) - 1 / √π for its density φ."""

    type: Literal["normal"] = "normal"

    def standard_quantile(self, level: float) -> float:
        return normal_quantile(level)

    @property
    def standard_deviation(self) -> float:
        return 1.0

    def standard_cdf(self, u: Floats) -> Floats:
        return np.asarray(0.5 + 0.5 * erf(u / sqrt(2.0)))

    def standard_density(self, u: Floats) -> Floats:
        return np.asarray(np.exp(-u * u / 2.0) / sqrt(2.0 * pi))

    def standard_spread(self, u: Floats) -> Floats:
        return np.asarray(sqrt(2.0 / pi) * np.exp(-u * u / 2.0) - 1.0 / sqrt(pi))


class StudentTLoss(LocationScaleLoss):
    """Student's t distribution, for targets of which some are far away, with ν = `degrees_of_freedom`.

    r(u) = 2 f(u) (ν + u²) / (ν - 1) - 2 √ν B(1/2, ν - 1/2) / ((ν - 1) B(1/2, ν/2)²) for its density f; Jordan, Krüger
    and Lerch, "Evaluating probabilistic forecasts with scoringRules", 2019.
    """

    type: Literal["student_t"] = "student_t"
    degrees_of_freedom: Annotated[int, Field(strict=True, ge=3, le=100)] = 4

    def standard_quantile(self, level: float) -> float:
        """By bisection."""
        low, high = -1e6, 1e6
        for _ in range(200):
            middle = (low + high) / 2.0
            low, high = (middle, high) if self.standard_cdf(np.array(middle)) < level else (low, middle)
        return (low + high) / 2.0

    @property
    def standard_deviation(self) -> float:
        return sqrt(self.degrees_of_freedom / (self.degrees_of_freedom - 2.0))

    def standard_cdf(self, u: Floats) -> Floats:
        """Abramowitz and Stegun, "Handbook of mathematical functions", 1964, 26.7.3 and 26.7.4."""
        v = self.degrees_of_freedom
        angle = np.arctan(u / sqrt(v))
        c = np.cos(angle)
        term, total = c if v % 2 else np.ones_like(c), np.zeros_like(c)
        for i in range(2 + v % 2, v + 1, 2):
            total = total + term
            term = term * (c * c * ((i - 1) / i))
        inner = np.sin(angle) * total
        return np.asarray(0.5 + (angle + inner) / pi if v % 2 else 0.5 + 0.5 * inner)

    def standard_density(self, u: Floats) -> Floats:
        v = float(self.degrees_of_freedom)
        factor = exp_(lgamma((v + 1.0) / 2.0) - lgamma(v / 2.0) - 0.5 * log(v * pi))
        return np.asarray(factor * (1.0 + u * u / v) ** (-(v + 1.0) / 2.0))

    def standard_spread(self, u: Floats) -> Floats:
        v = float(self.degrees_of_freedom)
        half, whole = lgamma((v + 1.0) / 2.0), lgamma(v / 2.0)
        betas = exp_(lgamma(v - 0.5) + 2.0 * half - lgamma(v) - 2.0 * whole - 0.5 * log(pi))
        return np.asarray(2.0 * (self.standard_density(u) * (v + u * u) - sqrt(v) * betas) / (v - 1.0))


SERIES_END, SERIES_TERMS, FRACTION_TERMS = 2.5, 40, 40


def normal_quantile(level: float) -> float:
    """The quantile of the standard normal distribution."""
    from statistics import NormalDist  # it takes some milliseconds

    return NormalDist().inv_cdf(level)


def erf(x: Floats) -> Floats:
    """The error function: its series near 0, and a continued fraction far away.

    Abramowitz and Stegun, "Handbook of mathematical functions", 1964, 7.1.6 and 7.1.14.
    """
    near = np.clip(x, -SERIES_END, SERIES_END)
    term = near * (2.0 / sqrt(pi)) * np.exp(-near * near)
    total = term
    for n in range(1, SERIES_TERMS):
        term = term * (near * near * (2.0 / (2 * n + 1)))
        total = total + term
    size = np.abs(x)
    far = np.maximum(size, SERIES_END)
    fraction = far
    for n in range(FRACTION_TERMS, 0, -1):
        fraction = far + (n / 2.0) / fraction
    beyond = np.sign(x) * (1.0 - np.exp(-far * far) / (sqrt(pi) * fraction))
    return np.where(size <= SERIES_END, total, beyond)

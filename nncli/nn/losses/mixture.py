"""The loss of a mixture of normal distributions: a target with several modes, a skew or heavy tails.

The raw output Z of k targets with K components is (B, 3 k K): the locations, an output for each scale, and the
logarithms of the weights, each with the components of a target side by side. Bishop, "Mixture density networks", 1994.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, reduce
from itertools import pairwise
from math import pi, sqrt
from operator import add
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from nncli.nn.arrays import FIXED, RISING, Array, Floats, Sign
from nncli.nn.losses.distributions import (
    SMALLEST,
    DistributionLoss,
    FloatsOrValue,
    erf,
    normal_quantile,
    output_of_scale,
    scale_of,
)
from nncli.nn.losses.loss import MEDIAN, BoundLoss, Levels, bind_elementwise
from nncli.nn.program.inputs import NumberInput
from nncli.nn.program.program import OutputColumn, Program, build, run_nodes
from nncli.nn.program.values import Builder, Value, absolute, exp, floor, join, maximum, minimum, select, tanh
from nncli.nn.program.values import sqrt as value_sqrt

DEFAULT_LEVELS = (0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99)
PARTS, STEPS, CELL = 4, 11, 2.0**-14
"""Into so many parts the search for a quantile divides its range, how often, and the length of the last parts.

So the range is 256 standard deviations of the target, and the smallest scale of a component is 15 cells.
"""
BLOCK_ROWS = 128
"""Rows whose quantiles are computed together."""


class MixtureLoss(DistributionLoss):
    """A mixture of normal distributions, for targets with several modes or a skew. The prediction is the median.

    With `components` of weight wᵢ, location mᵢ and scale sᵢ, the CRPS is Σᵢ wᵢ A(y - mᵢ, sᵢ) - ½ Σᵢⱼ wᵢ wⱼ
    A(mᵢ - mⱼ, √(sᵢ² + sⱼ²)), A(d, s) = 2 s φ(d / s) + d (2 Φ(d / s) - 1). Grimit et al., "The continuous ranked
    probability score for circular variables", 2006. A is |d| on average for a normal variable d, so its derivatives are
    2 Φ(d / s) - 1 by d and 2 φ(d / s) by s. Scales are as in `normal`; locations start side by side.

    The distribution that a model tells has a linear distribution function between the quantiles of the `levels`, and
    nothing beyond the outermost ones: scores are of it, and few levels tell it coarsely.
    """

    type: Literal["mixture"] = "mixture"
    components: Annotated[int, Field(strict=True, ge=2, le=20)] = 3
    levels: Levels = DEFAULT_LEVELS

    def outputs(self, count: int) -> int:
        return 3 * self.components * count

    def output_signs(self, outputs: int) -> tuple[Sign, ...]:
        """Scales and weights do not change, so that every quantile rises with the locations."""
        return (RISING,) * (outputs // 3) + (FIXED,) * (outputs // 3 * 2)

    @property
    def _starts(self) -> Floats:
        """The locations at the raw output 0: the middles of equal shares of the standard normal distribution."""
        return np.array([normal_quantile((i + 0.5) / self.components) for i in range(self.components)])

    def initial_outputs(self, y: Array, w: Floats | None = None, offset: Array | None = None) -> Array:
        """Equal weights, and scales with which the mixture has the variance 1, as standardized targets have."""
        start = np.zeros((3, y.shape[1] * self.components))
        start[1] = output_of_scale(np.sqrt(1.0 - np.square(self._starts).mean(keepdims=True)))
        return start.ravel()

    def _components(self, Z: Array) -> tuple[Floats, Floats, Floats, Floats]:
        """Weights, locations and scales (B, k, K), and the derivative of log s by its output."""
        m, z, r = (part.astype(np.float64) for part in np.split(Z.reshape(len(Z), 3, -1, self.components), 3, axis=1))
        t, s = scale_of(z[:, 0], np.tanh, np.exp)
        e = np.exp(r[:, 0] - r[:, 0].max(axis=2, keepdims=True))
        return e / e.sum(axis=2, keepdims=True), m[:, 0] + self._starts, s, 2.0 * (1.0 - t * t)

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        k, G = y.shape[1], np.empty_like(Z)
        by_part = G.reshape(len(Z), 3, k, self.components)

        def loss(V: Array) -> None:
            p, m, s, slope = self._components(Z)
            of_y, dm, ds = _absolute_normal(y[:, :, None].astype(np.float64) - m, s)
            pairs = np.sqrt(s[..., :, None] ** 2 + s[..., None, :] ** 2)
            of_pairs, d, dp = _absolute_normal(m[..., :, None] - m[..., None, :], pairs)
            others = p[..., None, :]
            of_others = (of_pairs * others).sum(axis=3)
            V[:, :k], V[:, k:] = (p * (of_y - of_others / 2.0)).sum(axis=2), 0.0
            by_part[:, 0] = -p * (dm + (d * others).sum(axis=3))
            by_part[:, 1] = p * (ds - s * (dp / pairs * others).sum(axis=3)) * s * slope
            slopes = of_y - of_others
            by_part[:, 2] = p * (slopes - (p * slopes).sum(axis=2, keepdims=True))

        def grad(dZ: Array) -> None:
            np.copyto(dZ, G)

        return bind_elementwise(Z, w, batch, loss, grad, targets=k)

    def quantiles(self, Z: Array) -> npt.NDArray[np.float64]:
        """By the operations of `lower_quantiles`."""
        k, Q = Z.shape[1] // self.outputs(1), np.empty((len(Z), Z.shape[1] // self.outputs(1) * len(self.levels)))
        program = _quantile_program(self, k)
        for start in range(0, len(Z), BLOCK_ROWS):
            rows = Z[start : start + BLOCK_ROWS].astype(np.float64)
            Q[start : start + BLOCK_ROWS] = run_nodes(program, [*rows.T[:, :, None]])[program.output_nodes[0]]
        return Q.reshape(len(Z), k, len(self.levels))

    def lower_quantiles(self, z: Value) -> Value:
        """The operations of `quantiles` (rows, targets · levels): where the distribution function is each level.

        The quantiles are sought among the multiples of `CELL`, from below the lowest quantile of a component on: of
        `PARTS` equal parts the one with the quantile, again and again, for which n counts the cells below it. In the
        last cell the function is taken as linear. All levels and rows have the same multiples, so that no quantile is
        below that of a lower level, or falls where locations rise.
        """
        K, L, k = self.components, len(self.levels), z.width // self.outputs(1)
        by_component = np.arange(k * K).reshape(k, K).T.ravel()
        m, raw, r = (z.columns(part * k * K + by_component) for part in range(3))
        m, s = m + np.repeat(self._starts, k), scale_of(raw, tanh, exp)[1]
        e = exp(r - _of_components(maximum, r, K).columns(np.tile(range(k), K)))
        p = e / _of_components(add, e, K).columns(np.tile(range(k), K))
        low = _of_components(minimum, m + s * normal_quantile(self.levels[0]), K)
        low = floor(low / CELL) * CELL

        def at(cells: Value, points: int) -> tuple[Value, Value]:
            """The ends of numbers of cells (rows, targets · levels · points), and the distribution function there."""
            target = np.repeat(range(k), L * points)
            of_component = (np.arange(K)[:, None] * k + target).ravel()
            x = low.columns(target) + cells * CELL
            u = (x.columns(np.tile(range(x.width), K)) - m.columns(of_component)) / s.columns(of_component)
            return x, _of_components(add, _normal_cdf(u) * p.columns(of_component), K)

        n, levels = low.columns(np.repeat(range(k), L)) * 0.0, np.tile(self.levels, k)  # NaN for a row with NaN
        for size in (PARTS**step for step in reversed(range(STEPS))):  # cells of a part
            ends = n.columns(np.repeat(range(k * L), PARTS - 1)) + np.tile(np.arange(1.0, PARTS) * size, k * L)
            is_below = at(ends, PARTS - 1)[1] < np.repeat(levels, PARTS - 1)
            counts = (is_below.columns(range(j, is_below.width, PARTS - 1)) for j in range(PARTS - 1))
            n = n + reduce(add, counts) * float(size)
        x, shares = at(n.columns(np.repeat(range(k * L), 2)) + np.tile([0.0, 1.0], k * L), 2)
        below, above = (shares.columns(range(j, x.width, 2)) for j in range(2))
        part = (z.builder.constant(levels) - below) / maximum(above - below, SMALLEST)
        return x.columns(range(0, x.width, 2)) + minimum(maximum(part, 0.0), 1.0) * CELL

    def inverse_link(self, Z: Array) -> npt.NDArray[np.float64]:
        """The medians (B, targets)."""
        return np.ascontiguousarray(self.quantiles(Z)[:, :, self.levels.index(MEDIAN)])

    def lower_inverse_link(self, z: Value) -> Value:
        quantiles = self.lower_quantiles(z)
        return quantiles.columns(range(self.levels.index(MEDIAN), quantiles.width, len(self.levels)))

    def inverse_link_vjp(self, Z: Array, dP: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Of Σᵢ wᵢ Φ(uᵢ) = ½ at the median x, uᵢ = (x - mᵢ) / sᵢ: dx = Σᵢ wᵢ (fᵢ (dmᵢ + uᵢ dsᵢ) - Φ(uᵢ) d log wᵢ) / f.

        fᵢ are the densities of the components at x, and f that of the mixture.
        """
        p, m, s, slope = self._components(Z)
        u = (self.inverse_link(Z)[:, :, None] - m) / s
        densities = np.exp(-u * u / 2.0) / (s * sqrt(2.0 * pi))
        shares, f = 0.5 + 0.5 * erf(u / sqrt(2.0)), np.maximum((p * densities).sum(axis=2, keepdims=True), SMALLEST)
        middle = (p * shares).sum(axis=2, keepdims=True)
        parts = np.stack([p * densities, p * densities * u * s * slope, p * (middle - shares)], axis=1)
        return np.asarray((parts * (dP[:, :, None] / f)[:, None]).reshape(Z.shape))

    def crps(self, quantiles: Floats, y: Floats) -> Floats:
        low, high, a, b = quantiles[..., :-1], quantiles[..., 1:], np.array(self.levels[:-1]), np.array(self.levels[1:])
        x, share = self._shares(quantiles, y)
        below, above = a * a + a * share + share * share, (1 - share) ** 2 + (1 - share) * (1 - b) + (1 - b) ** 2
        inside = ((x - low) * below + (high - x) * above).sum(axis=2) / 3.0
        return np.asarray(inside + np.abs(y - y.clip(quantiles[..., 0], quantiles[..., -1])))

    def cdf(self, quantiles: Floats, y: Floats) -> Floats:
        share = self.levels[0] + (self._shares(quantiles, y)[1] - np.array(self.levels[:-1])).sum(axis=2)
        return np.where(y < quantiles[..., 0], 0.0, np.where(y > quantiles[..., -1], 1.0, share))

    def standard_deviations(self, quantiles: Floats) -> Floats:
        return self._standard_deviation([*np.moveaxis(quantiles, -1, 0)], np.sqrt)

    def lower_standard_deviations(self, quantiles: Value) -> Value:
        n = len(self.levels)
        by_level = [quantiles.columns(range(place, quantiles.width, n)) for place in range(n)]
        return self._standard_deviation(by_level, value_sqrt)

    def _standard_deviation(
        self, quantiles: Sequence[FloatsOrValue], sqrt: Callable[[FloatsOrValue], FloatsOrValue]
    ) -> FloatsOrValue:
        """That of the distribution with quantiles (rows, targets) of each level."""
        first, last = self.levels[0], 1.0 - self.levels[-1]
        mean, shares = quantiles[0] * first + quantiles[-1] * last, [b - a for a, b in pairwise(self.levels)]
        for (low, high), share in zip(pairwise(quantiles), shares, strict=True):
            mean = mean + (low + high) * (share / 2.0)
        d = [value - mean for value in quantiles]
        variance = d[0] * d[0] * first + d[-1] * d[-1] * last
        for (low, high), share in zip(pairwise(d), shares, strict=True):
            variance = variance + (low * low + low * high + high * high) * (share / 3.0)
        return sqrt(variance)

    def _shares(self, quantiles: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Between each two quantiles the number x that is next to y, and the distribution function at x."""
        low, high, levels = quantiles[..., :-1], quantiles[..., 1:], np.array(self.levels)
        x = y[..., None].clip(low, high)
        return x, levels[:-1] + np.diff(levels) * ((x - low) / np.maximum(high - low, SMALLEST))


@lru_cache(maxsize=32)
def _quantile_program(loss: MixtureLoss, targets: int) -> Program:
    """The operations of the quantiles of some targets."""
    builder = Builder()
    z = [builder.input(NumberInput(f"z{j}")) for j in range(loss.outputs(targets))]
    return build(builder, [OutputColumn("", "value", loss.lower_quantiles(join(z)).position)], "float64")


def _of_components(function: Callable[[Value, Value], Value], x: Value, components: int) -> Value:
    """The sum, minimum or maximum over the components, which are groups of adjacent columns."""
    k = x.width // components
    return reduce(function, [x.columns(range(c * k, c * k + k)) for c in range(components)])


def _normal_cdf(u: Value) -> Value:
    """Φ(u), with an error below 1e-7: Abramowitz and Stegun, "Handbook of mathematical functions", 1964, 7.1.26."""
    t = 1.0 / (absolute(u) * (0.3275911 / sqrt(2.0)) + 1.0)
    series = ((((t * 1.061405429 - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    tail = series * exp(u * u * -0.5) * 0.5
    return select(u < 0.0, tail, 1.0 - tail)


def _absolute_normal(d: Floats, s: Floats) -> tuple[Floats, Floats, Floats]:
    """The mean absolute value A of a normal variable with mean d and standard deviation s, and its derivatives."""
    u = d / s
    by_d, by_s = erf(u / sqrt(2.0)), sqrt(2.0 / pi) * np.exp(-u * u / 2.0)
    return s * by_s + d * by_d, by_d, by_s

"""Integrated gradients: the contribution of each input to an output, along the straight line from a baseline.

With f the output and u(t) = b + t (u - b), the attribution of input i is ∫ (u_i - b_i) ∂f/∂u_i (u(t)) dt, from t = 0
to 1. The attributions of a row add up to f(u) - f(b) (completeness), which is how the integral is checked. Source:
Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", 2017.

Where f is a function g of inner inputs e(u), such as embeddings of numbers, the integral is that of ∂g/∂e_k times the
change of e_k, summed over the e_k that belong to the input: the same by the chain rule. e may have many kinks, as a
piecewise-linear embedding has; its change between two points is exact, and only the integral of g is approximated.

The line is cut into segments, each integrated by the trapezoidal rule on its two halves and on the whole, extrapolated
(Romberg), and checked against the difference of f between its ends. A segment that misses is halved. Bisection finds
the kinks of a relu and the limits of a clipped output in a logarithmic number of steps; a rule of fixed order does not:
its error falls only with the reciprocal of its order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.int64]


class Evaluation(NamedTuple):
    """f (n,) at some points, the inner inputs E (n, width) there, and the gradient G (n, width) of f by them."""

    f: Floats
    E: Floats
    G: Floats

    def concatenate(self, other: Evaluation) -> Evaluation:
        """The points of both."""
        return Evaluation(*(np.concatenate(arrays) for arrays in zip(self, other, strict=True)))


Evaluate: TypeAlias = Callable[[Floats, Rows], Evaluation]
"""Evaluate f at the points (n, inputs), each on the line to one of the rows (n,)."""
ByInput: TypeAlias = Callable[[Floats], Floats]
"""Sum values of the inner inputs (n, width) over those that belong to the same input, (n, inputs)."""

FIRST_SEGMENTS = 4
MAX_SEGMENTS = 1024
MAX_ROUNDS = 24
SLACK = 3.0
"""Limit of Σ |residual of a segment| in units of the tolerance: residuals cancel in a row's sum, not in each input."""
BLOCK_ROWS, BLOCK_NUMBERS = 64, 1 << 20


@dataclass(frozen=True)
class Integrated:
    """`attributions` (rows, inputs), and f at the baseline and at the row itself, `ends` (rows,).

    f at the baseline is one number for each row, since the rows may be explained for different outputs.
    """

    attributions: Floats
    baseline: Floats
    ends: Floats

    @property
    def error(self) -> Floats:
        """The completeness error |Σ attributions - (ends - baseline)| (rows,)."""
        with np.errstate(invalid="ignore"):  # infinite where f is
            return np.asarray(np.abs(self.attributions.sum(axis=1) - (self.ends - self.baseline)))


@dataclass(frozen=True)
class _Segments:
    """Segments of the lines to the rows `row`: from t = `a` to t = `b`, the points at a, between them and at b (n, 3).

    `attributions` (n, inputs) and `residual` (n,), what they miss of the difference of f, follow from the points.
    """

    row: Rows
    a: Floats
    b: Floats
    points: Rows
    attributions: Floats
    residual: Floats

    def take(self, mask: npt.NDArray[np.bool_]) -> _Segments:
        return _Segments(*(array[mask] for array in vars(self).values()))

    def concatenate(self, *others: _Segments) -> _Segments:
        each = (vars(segments).values() for segments in (self, *others))
        return _Segments(*(np.concatenate(arrays) for arrays in zip(*each, strict=True)))


def integrate(
    evaluate: Evaluate,
    by_input: ByInput,
    base: Floats,
    U: Floats,
    tolerance: float,
) -> Integrated:
    """Integrated gradients of every row of U (rows, inputs) from the baseline `base` (inputs,).

    Rows are complete within `tolerance` unless MAX_SEGMENTS are too few, which their `error` shows.
    """
    attributions, baseline, ends = np.empty(U.shape), np.empty(len(U)), np.empty(len(U))
    block = max(1, min(BLOCK_ROWS, BLOCK_NUMBERS // (64 * max(1, U.shape[1]))))
    for start in range(0, len(U), block):
        rows = slice(start, min(start + block, len(U)))
        path = _PathIntegral(evaluate, by_input, base, U[rows], start)
        attributions[rows], baseline[rows], ends[rows] = path.integrate(tolerance)
    return Integrated(attributions, baseline, ends)


@dataclass(frozen=True)
class _PathIntegral:
    """The lines from the baseline to some rows, of which the first has the number `first`."""

    evaluate: Evaluate
    by_input: ByInput
    base: Floats
    U: Floats
    first: int

    def integrate(self, tolerance: float) -> tuple[Floats, Floats, Floats]:
        """The attributions (rows, inputs), and f at both ends (rows,)."""
        n, m = len(self.U), 2 * FIRST_SEGMENTS + 1
        grid = np.linspace(0.0, 1.0, m)
        values = self._evaluate(np.repeat(np.arange(n), m), np.tile(grid, n))
        row, at = np.repeat(np.arange(n), FIRST_SEGMENTS), np.tile(np.arange(0, m - 1, 2), n)
        points = (row * m + at)[:, None] + np.arange(3)
        segments = self._segments(values, row, grid[at], grid[at + 2], points)
        for _ in range(MAX_ROUNDS):
            mask = self._to_halve(segments, tolerance)
            if not mask.any():
                break
            halved, known = segments.take(mask), len(values.f)
            middle = (halved.a + halved.b) / 2.0
            new = known + np.arange(2 * len(middle)).reshape(2, -1)
            values = values.concatenate(
                self._evaluate(
                    np.tile(halved.row, 2), np.concatenate([(halved.a + middle) / 2.0, (middle + halved.b) / 2.0])
                )
            )
            a, m, b = halved.points.T
            left = self._segments(values, halved.row, halved.a, middle, np.stack([a, new[0], m], axis=1))
            right = self._segments(values, halved.row, middle, halved.b, np.stack([m, new[1], b], axis=1))
            segments = segments.take(~mask).concatenate(left, right)
        order = np.argsort(segments.row, kind="stable")
        starts = np.searchsorted(segments.row[order], np.arange(n))
        ends = values.f[: n * len(grid)].reshape(n, len(grid))
        return np.add.reduceat(segments.attributions[order], starts, axis=0), ends[:, 0], ends[:, -1]

    def _to_halve(self, segments: _Segments, tolerance: float) -> npt.NDArray[np.bool_]:
        """A mask of the segments whose residual is above half the mean, in rows that are not within the tolerance."""
        n, residual = len(self.U), segments.residual
        count = np.bincount(segments.row, minlength=n)
        net = np.abs(np.bincount(segments.row, residual, n))
        total = np.bincount(segments.row, np.abs(residual), n)
        unfinished = np.isfinite(total) & (count < MAX_SEGMENTS) & ((net > tolerance) | (total > SLACK * tolerance))
        threshold = total / (2.0 * np.maximum(count, 1))
        return np.asarray(unfinished[segments.row] & (np.abs(residual) > threshold[segments.row]))

    def _evaluate(self, row: Rows, t: Floats) -> Evaluation:
        return self.evaluate(self.base + t[:, None] * (self.U[row] - self.base), row + self.first)

    def _segments(self, values: Evaluation, row: Rows, a: Floats, b: Floats, points: Rows) -> _Segments:
        """Segments between points, integrated."""
        (Ea, Em, Eb), (Ga, Gm, Gb) = (array[points.T] for array in (values.E, values.G))
        halves = (Ga + Gm) * (Em - Ea) + (Gm + Gb) * (Eb - Em)
        inner = (4.0 * halves - (Ga + Gb) * (Eb - Ea)) / 6.0
        residual = inner.sum(axis=1) - (values.f[points[:, 2]] - values.f[points[:, 0]])
        return _Segments(row, a, b, points, self.by_input(inner), residual)

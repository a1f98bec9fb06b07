"""Integrated gradients: the contribution of each input to an output, along the straight line from a baseline.

With f the output and u(t) = b + t (u - b), the attribution of input i is ∫ (u_i - b_i) ∂f/∂u_i (u(t)) dt, from t = 0
to 1. The attributions of a row add up to f(u) - f(b) (completeness), which is how the integral is checked. Source:
Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", 2017.

The line is cut into segments, each integrated by the midpoint rule and checked against the difference of f between its
ends. A segment that misses is halved. Bisection finds the kinks of a relu and the limits of a clipped output in a
logarithmic number of steps; a rule of fixed order does not: its error falls only with the reciprocal of its order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.int64]

Value: TypeAlias = Callable[[Floats, Rows], Floats]
"""f (n,) at the points (n, inputs), each on the line to one of the rows (n,)."""
Slope: TypeAlias = Callable[[Floats, Rows], Floats]
"""The gradient (n, inputs) of the same."""

FIRST_SEGMENTS = 16
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
    """Segments from t = `a` to t = `b` of the lines to the rows `row`, f at their ends, and their attributions."""

    row: Rows
    a: Floats
    b: Floats
    fa: Floats
    fb: Floats
    attributions: Floats

    @property
    def residual(self) -> Floats:
        return np.asarray(self.attributions.sum(axis=1) - (self.fb - self.fa))

    def take(self, mask: npt.NDArray[np.bool_]) -> _Segments:
        return _Segments(*(array[mask] for array in vars(self).values()))

    def concatenate(self, *others: _Segments) -> _Segments:
        each = (vars(segments).values() for segments in (self, *others))
        return _Segments(*(np.concatenate(arrays) for arrays in zip(*each, strict=True)))


def integrate(
    value: Value,
    slope: Slope,
    base: Floats,
    U: Floats,
    tolerance: float,
    on_rows: Callable[[int], object] = lambda _: None,
) -> Integrated:
    """Integrated gradients of every row of U (rows, inputs) from the baseline `base` (inputs,).

    Rows are complete within `tolerance` unless MAX_SEGMENTS are too few, which their `error` shows. `on_rows` is called
    with the number of rows that are done.
    """
    attributions, baseline, ends = np.empty(U.shape), np.empty(len(U)), np.empty(len(U))
    block = max(1, min(BLOCK_ROWS, BLOCK_NUMBERS // (64 * max(1, U.shape[1]))))
    for start in range(0, len(U), block):
        rows = slice(start, min(start + block, len(U)))
        path = _PathIntegral(value, slope, base, U[rows], start)
        attributions[rows], baseline[rows], ends[rows] = path.integrate(tolerance)
        on_rows(rows.stop)
    return Integrated(attributions, baseline, ends)


@dataclass(frozen=True)
class _PathIntegral:
    """The lines from the baseline to some rows, of which the first has the number `first`."""

    value: Value
    slope: Slope
    base: Floats
    U: Floats
    first: int

    def integrate(self, tolerance: float) -> tuple[Floats, Floats, Floats]:
        """The attributions (rows, inputs), and f at both ends (rows,)."""
        n = len(self.U)
        grid = np.linspace(0.0, 1.0, FIRST_SEGMENTS + 1)
        f = self._values(np.repeat(np.arange(n), len(grid)), np.tile(grid, n)).reshape(n, len(grid))
        row = np.repeat(np.arange(n), FIRST_SEGMENTS)
        a, b = np.tile(grid[:-1], n), np.tile(grid[1:], n)
        segments = self._segments(row, a, b, f[:, :-1].ravel(), f[:, 1:].ravel())
        for _ in range(MAX_ROUNDS):
            mask = self._to_halve(segments, tolerance)
            if not mask.any():
                break
            halved = segments.take(mask)
            middle = (halved.a + halved.b) / 2.0
            fm = self._values(halved.row, middle)
            left = self._segments(halved.row, halved.a, middle, halved.fa, fm)
            right = self._segments(halved.row, middle, halved.b, fm, halved.fb)
            segments = segments.take(~mask).concatenate(left, right)
        order = np.argsort(segments.row, kind="stable")
        starts = np.searchsorted(segments.row[order], np.arange(n))
        return np.add.reduceat(segments.attributions[order], starts, axis=0), f[:, 0], f[:, -1]

    def _to_halve(self, segments: _Segments, tolerance: float) -> npt.NDArray[np.bool_]:
        """A mask of the segments whose residual is above half the mean, in rows that are not within the tolerance."""
        n, residual = len(self.U), segments.residual
        count = np.bincount(segments.row, minlength=n)
        net = np.abs(np.bincount(segments.row, residual, n))
        total = np.bincount(segments.row, np.abs(residual), n)
        unfinished = np.isfinite(total) & (count < MAX_SEGMENTS) & ((net > tolerance) | (total > SLACK * tolerance))
        threshold = total / (2.0 * np.maximum(count, 1))
        return np.asarray(unfinished[segments.row] & (np.abs(residual) > threshold[segments.row]))

    def _points(self, row: Rows, t: Floats) -> Floats:
        return self.base + t[:, None] * (self.U[row] - self.base)

    def _values(self, row: Rows, t: Floats) -> Floats:
        return self.value(self._points(row, t), row + self.first)

    def _segments(self, row: Rows, a: Floats, b: Floats, fa: Floats, fb: Floats) -> _Segments:
        """Segments, integrated by the midpoint rule."""
        attributions = self.slope(self._points(row, (a + b) / 2.0), row + self.first) * (self.U[row] - self.base)
        attributions *= (b - a)[:, None]
        return _Segments(row, a, b, fa, fb, attributions)

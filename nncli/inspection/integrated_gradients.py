"""Integrated gradients: how much each input adds to an output on the straight way from one point to another.

With f the output and u(t) = b + t (u - b), input i adds ∫ (u_i - b_i) ∂f/∂u_i (u(t)) dt, from t = 0 to 1. All inputs
together add f(u) - f(b), whatever f is: the completeness by which the integral is checked. Sundararajan, Taly and Yan,
"Axiomatic attribution for deep networks", 2017.

The way is cut into pieces, and on each the quadrature is Gauss and Legendre's. What it gives must be the difference of
f between the piece's ends: where it is not, as at the bends of a relu, the piece is halved, as often as it takes.
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
"""f (n,) at the points (n, inputs), each on the way to one of the rows (n,)."""
Slope: TypeAlias = Callable[[Floats, Rows], Floats]
"""The gradient (n, inputs) of the same."""

FIRST_PIECES, FIRST_NODES, NODES = 4, 6, 2
"""Where f is smooth the first few pieces with many nodes do; where it bends, halving does, and more nodes do not."""
MOST_PIECES = 1024
MOST_ROUNDS = 24
SLACK = 10.0
"""Errors of pieces that cancel may together be so many times as large: of single inputs they do not all cancel."""
ROWS_AT_A_TIME, NUMBERS_AT_A_TIME = 64, 1 << 20


@dataclass(frozen=True)
class Integrated:
    """What each input adds, `added` (rows, inputs), and f at the two ends of each row's way (rows,).

    f at the base is one number for each row, since rows may ask for different outputs.
    """

    attributions: Floats
    baseline: Floats
    ends: Floats

    @property
    def error(self) -> Floats:
        """|Σ added - (end - base)|."""
        with np.errstate(invalid="ignore"):  # where f has no finite value, neither has this
            return np.asarray(np.abs(self.attributions.sum(axis=1) - (self.ends - self.baseline)))


@dataclass(frozen=True)
class _Segments:
    """Pieces of ways: from `a` to `b` (pieces,) on the way to `row`, f at the ends, and what each input adds there."""

    row: Rows
    a: Floats
    b: Floats
    fa: Floats
    fb: Floats
    added: Floats

    @property
    def residual(self) -> Floats:
        return np.asarray(self.added.sum(axis=1) - (self.fb - self.fa))

    def take(self, some: npt.NDArray[np.bool_]) -> _Segments:
        return _Segments(*(getattr(self, name)[some] for name in ("row", "a", "b", "fa", "fb", "added")))

    def and_also(self, other: _Segments) -> _Segments:
        names = ("row", "a", "b", "fa", "fb", "added")
        return _Segments(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in names))


def integrate(
    value: Value,
    slope: Slope,
    base: Floats,
    U: Floats,
    tolerance: float,
    tell: Callable[[int], object] = lambda _: None,
) -> Integrated:
    """What each input adds on the way from `base` (inputs,) to every row of U (rows, inputs).

    It is complete within `tolerance` where MOST_PIECES reach that far; whether they do is told by `error`. `tell` is
    called with how many rows are done.
    """
    added, starts, ends = np.empty(U.shape), np.empty(len(U)), np.empty(len(U))
    some = max(1, min(ROWS_AT_A_TIME, NUMBERS_AT_A_TIME // (64 * max(1, U.shape[1]))))
    for start in range(0, len(U), some):
        rows = slice(start, min(start + some, len(U)))
        way = _PathIntegral(value, slope, base, U[rows], start)
        added[rows], starts[rows], ends[rows] = way.integrate(tolerance)
        tell(rows.stop)
    return Integrated(added, starts, ends)


@dataclass(frozen=True)
class _PathIntegral:
    """The ways from the base to some rows, of which the first has the number `first`."""

    value: Value
    slope: Slope
    base: Floats
    U: Floats
    first: int

    def integrate(self, tolerance: float) -> tuple[Floats, Floats, Floats]:
        """What is added (rows, inputs), and f at both ends (rows,)."""
        n = len(self.U)
        grid = np.linspace(0.0, 1.0, FIRST_PIECES + 1)
        row, t = np.repeat(np.arange(n), len(grid)), np.tile(grid, n)
        f = self._values(row, t).reshape(n, len(grid))
        row = np.repeat(np.arange(n), FIRST_PIECES)
        a, b = np.tile(grid[:-1], n), np.tile(grid[1:], n)
        pieces = self._pieces(row, a, b, f[:, :-1].ravel(), f[:, 1:].ravel(), FIRST_NODES)
        for _ in range(MOST_ROUNDS):
            worst = self._to_halve(pieces, tolerance)
            if not worst.any():
                break
            halves = pieces.take(worst)
            middle = (halves.a + halves.b) / 2.0
            fm = self._values(halves.row, middle)
            first = self._pieces(halves.row, halves.a, middle, halves.fa, fm, NODES)
            second = self._pieces(halves.row, middle, halves.b, fm, halves.fb, NODES)
            pieces = pieces.take(~worst).and_also(first).and_also(second)
        order = np.argsort(pieces.row, kind="stable")
        added = np.add.reduceat(pieces.added[order], np.searchsorted(pieces.row[order], np.arange(n)), axis=0)
        return added, f[:, 0], f[:, -1]

    def _to_halve(self, pieces: _Segments, tolerance: float) -> npt.NDArray[np.bool_]:
        """Of the rows that are not there yet the pieces that miss more than half of what they miss on average."""
        n, missed = len(self.U), pieces.residual
        count = np.bincount(pieces.row, minlength=n)
        together = np.abs(np.bincount(pieces.row, missed, n))
        apart = np.bincount(pieces.row, np.abs(missed), n)
        finite = np.isfinite(apart)
        wanting = finite & (count < MOST_PIECES) & ((together > tolerance) | (apart > SLACK * tolerance))
        least = apart / (2.0 * np.maximum(count, 1))
        return np.asarray(wanting[pieces.row] & (np.abs(missed) > least[pieces.row]))

    def _points(self, row: Rows, t: Floats) -> Floats:
        return self.base + t[:, None] * (self.U[row] - self.base)

    def _values(self, row: Rows, t: Floats) -> Floats:
        return self.value(self._points(row, t), row + self.first)

    def _pieces(self, row: Rows, a: Floats, b: Floats, fa: Floats, fb: Floats, nodes: int) -> _Segments:
        """Pieces, with what each input adds on them by so many nodes."""
        x, w = np.polynomial.legendre.leggauss(nodes)
        added = np.zeros((len(row), self.U.shape[1]))
        for x_j, w_j in zip(x.tolist(), w.tolist(), strict=True):
            t = (a + b) / 2.0 + (b - a) / 2.0 * x_j
            added += w_j * self.slope(self._points(row, t), row + self.first)
        added *= (b - a)[:, None] / 2.0
        added *= self.U[row] - self.base
        return _Segments(row, a, b, fa, fb, added)

"""Numeric embeddings: each numeric column becomes several units by a small learned function of its own.

x (columns, 2, rows) holds each column's numbers and a row of ones beneath, so that a line a x + c of each is one
product; Y (columns, units, rows) is the embedding. Each NumPy call handles all columns.
Gorishniy, Rubachev and Babenko, "On embeddings for numerical features in tabular deep learning", 2022.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from math import pi
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from nncli.base.spec import NameShorthand, NonNegativeInt, PositiveInt, PositiveSetting, Spec
from nncli.nn.arrays import Array, BoundLayer, Mask
from nncli.nn.initializers import InitializerBase, Normal, Uniform, Zeros
from nncli.nn.parameters import ParameterBounds, ParamGroup, ParamSpec, ParamViews
from nncli.nn.program.values import Value, cos, join, maximum, minimum
from nncli.nn.split_points import SplitPoint


class NumericEmbeddingBase(Spec):
    """The interface of a numeric embedding."""

    @property
    def needs_data_init(self) -> bool:
        """Whether the initialization depends on the training rows."""
        return False

    @property
    def has_auto_width(self) -> bool:
        """Whether the width, and whether there is an embedding at all, depends on the number of columns."""
        return False

    def with_auto_width(self, width: int) -> Self:
        """This embedding with `width` in place of `width: auto`."""
        return self

    @property
    @abstractmethod
    def out_features(self) -> int:
        """The number of units per column."""

    @property
    @abstractmethod
    def hidden_width(self) -> int:
        """The number of intermediate values per column."""

    @abstractmethod
    def parameters(self, columns: int) -> tuple[ParamSpec, ...]:
        """The parameters for a number of columns, which are the first axis of each."""

    @property
    def n_splits(self) -> int:
        """The number of split points that `init_from_data` needs; see split_points.py."""
        return 0

    def init_from_data(self, p: ParamViews, X: Array, splits: Sequence[SplitPoint] = ()) -> None:
        """Initialize the data-dependent part of the parameters p from X (rows, columns) and splits of its columns."""

    def bound(self, bounds: ParameterBounds, monotone: Mask) -> None:
        """Narrow the bounds of the parameters so that the units of the `monotone` columns (columns,) never fall.

        Raises:
            ValueError: there are no such bounds.
        """
        if monotone.any():
            raise ValueError(f"a numeric_embedding of type {self.model_dump()['type']} can break `monotone`")

    @abstractmethod
    def bind(self, p: ParamViews, g: ParamViews, x: Array, *, needs_dx: bool) -> BoundLayer:
        """Bind the embedding to its parameters, its gradients and its input x (columns, 2, rows).

        Y and dY are (columns, units, rows); `backward` returns dx (columns, rows) if `needs_dx`.
        """

    @abstractmethod
    def lower(self, p: ParamViews, x: Value) -> Value:
        """The operations that make Y (rows, columns · units) of x (rows, columns)."""


class Periodic(NumericEmbeddingBase):
    """y = [V cos(2π w x + b) + c, x]: waves of learned frequencies w, mixed to width - 1 numbers, and x itself.

    w starts from N(0, sigma²), b from U(-π, π), V and c from U(-a, a) with a = 1 / sqrt(frequencies). The "PBLD" of
    Holzmüller, Grinsztajn and Steinwart, "Better by default", 2024.
    """

    type: Literal["periodic"] = "periodic"
    frequencies: PositiveInt = 16
    width: Annotated[int, Field(strict=True, ge=2)] = 4
    sigma: PositiveSetting = 0.1

    @property
    def out_features(self) -> int:
        return self.width

    @property
    def hidden_width(self) -> int:
        return self.frequencies

    def parameters(self, columns: int) -> tuple[ParamSpec, ...]:
        f, k, a = self.frequencies, self.width - 1, self.frequencies**-0.5
        return (
            ParamSpec("frequency", (columns, f), ParamGroup.NUMERIC, Normal(std=self.sigma)),
            ParamSpec("phase", (columns, f), ParamGroup.NUMERIC, Uniform(low=-pi, high=pi)),
            ParamSpec("weight", (columns, f, k), ParamGroup.NUMERIC, Uniform(low=-a, high=a)),
            ParamSpec("bias", (columns, k), ParamGroup.NUMERIC, Uniform(low=-a, high=a)),
        )

    def bind(self, p: ParamViews, g: ParamViews, x: Array, *, needs_dx: bool) -> BoundLayer:
        w, b, V, c = p["frequency"], p["phase"], p["weight"], p["bias"]
        dw, db, dV, dc = g["frequency"], g["phase"], g["weight"], g["bias"]
        (columns, _, rows), k, f = x.shape, self.width - 1, self.frequencies
        line, dline = np.empty((columns, f, 2), x.dtype), np.empty((columns, f, 2), x.dtype)
        A, C = np.empty((columns, f, rows), x.dtype), np.empty((columns, f, rows), x.dtype)
        Y, B = np.empty((columns, self.width, rows), x.dtype), np.empty((columns, k, rows), x.dtype)
        dx = np.empty((columns, 1, rows if needs_dx else 0), x.dtype)
        mixed, VT, xT, column = Y[:, :k], V.transpose(0, 2, 1), x.transpose(0, 2, 1), c[:, :, None]

        def forward() -> None:
            np.multiply(w, 2.0 * pi, out=line[:, :, 0])
            np.copyto(line[:, :, 1], b)
            np.matmul(line, x, out=A)
            np.cos(A, out=C)
            np.matmul(VT, C, out=mixed)
            np.copyto(B, column)
            np.add(mixed, B, out=mixed)
            np.copyto(Y[:, k], x[:, 0])

        def backward(dY: Array) -> Array:
            d = dY[:, :k]
            np.add.reduce(d, 2, out=dc)
            np.matmul(C, d.transpose(0, 2, 1), out=dV)
            np.matmul(V, d, out=C)
            np.sin(A, out=A)
            np.multiply(C, A, out=A)  # A = -dA
            np.matmul(A, xT, out=dline)
            np.multiply(dline[:, :, 0], -2.0 * pi, out=dw)
            np.negative(dline[:, :, 1], out=db)
            if needs_dx:
                np.matmul(line[:, :, :1].transpose(0, 2, 1), A, out=dx)
                np.subtract(dY[:, k:], dx, out=dx)
            return dx[:, 0]

        return BoundLayer(Y, forward, backward)

    def lower(self, p: ParamViews, x: Value) -> Value:
        columns, f, k = p["weight"].shape
        w, b, V, c = p["frequency"].astype(np.float64), p["phase"], p["weight"], p["bias"]
        waves = cos(x.columns(np.repeat(range(columns), f)) * (2.0 * pi * w).reshape(-1) + b.reshape(-1))
        mixed = waves.grouped_matmul(V) + c.reshape(-1)
        both, units = join([mixed, x]), np.arange(columns * k).reshape(columns, k)
        order = np.concatenate([units, columns * k + np.arange(columns)[:, None]], axis=1)
        return both.columns(order.reshape(-1).tolist())


class _Even(InitializerBase):
    """Evenly spaced edges between -3 and 3, until `init_from_data` places them."""

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return np.broadcast_to(np.linspace(-3.0, 3.0, shape[-1]), shape).copy()


OUTER_WIDTH = 1000.0
"""Width of the outer bins of a piecewise linear embedding, for scaled columns."""
MIN_BINS_WITH_OUTER = 4
"""With fewer bins each of them holds training rows."""


def _edges_of(column: Array, count: int) -> Array:
    """Up to `count` distinct values of a column in ascending order: all of them, or quantiles."""
    values = np.unique(column)
    if len(values) <= count:
        return values
    quantiles = np.unique(np.quantile(column, np.linspace(0.0, 1.0, count)).astype(column.dtype))
    missing = np.linspace(0.0, 1.0, count - len(quantiles) + 2)[1:-1]
    return np.union1d(quantiles, np.quantile(values, missing, method="nearest"))


def _with_sides(edges: Array, splits: Sequence[SplitPoint]) -> Array:
    """Edges of which the nearest are moved to both sides of each split; the first and the last stay."""
    free, sides = edges[1:-1], list[float]()
    for side in (side for split in splits for side in (split.low, split.high)):
        if len(free):
            nearest = int(np.argmin(np.abs(free - side)))
            free = np.delete(free, nearest)
            sides.append(side)
    return np.unique(np.concatenate([edges[:1], free, np.array(sides, edges.dtype), edges[-1:]]))


class PiecewiseLinear(NumericEmbeddingBase):
    """y = a x + c + Vᵀ v: a line, and another slope for each bin between quantiles of the training rows.

    v_j runs from 0 to 1 as x crosses bin j; it is not cut off below the first bin, nor above the last, which with four
    bins or more begin outside the training rows. a and c start from U(-1/sqrt(width), 1/sqrt(width)), V at 0.
    `width: auto` depends on the number of columns; more than 500 are not embedded. At up to `tree_splits` places where
    the target jumps, of all columns, the values on both sides are edges too. Gorishniy, Kotelnikov and Babenko, "TabM",
    2024 (version B).
    """

    type: Literal["piecewise_linear"] = "piecewise_linear"
    bins: PositiveInt = 48
    width: PositiveInt | Literal["auto"] = 16
    tree_splits: NonNegativeInt = 0

    @property
    def n_splits(self) -> int:
        return self.tree_splits

    @property
    def has_auto_width(self) -> bool:
        return self.width == "auto"

    def with_auto_width(self, width: int) -> Self:
        return self.model_copy(update={"width": width}) if self.width == "auto" else self

    @property
    def needs_data_init(self) -> bool:
        return True

    @property
    def out_features(self) -> int:
        if self.width == "auto":
            raise ValueError("width: auto is not resolved")
        return self.width

    @property
    def hidden_width(self) -> int:
        return self.bins

    def parameters(self, columns: int) -> tuple[ParamSpec, ...]:
        a, units = self.out_features**-0.5, self.out_features
        return (
            ParamSpec("slope", (columns, units), ParamGroup.NUMERIC, Uniform(low=-a, high=a)),
            ParamSpec("bias", (columns, units), ParamGroup.NUMERIC, Uniform(low=-a, high=a)),
            ParamSpec("weight", (columns, self.bins, units), ParamGroup.NUMERIC, Zeros()),
            ParamSpec("edges", (columns, self.bins + 1), ParamGroup.STATISTIC, _Even()),
        )

    def bound(self, bounds: ParameterBounds, monotone: Mask) -> None:
        bounds.low["slope"][monotone] = 0.0
        bounds.low["weight"][monotone] = 0.0

    def init_from_data(self, p: ParamViews, X: Array, splits: Sequence[SplitPoint] = ()) -> None:
        """Place the inner edges at the distinct values of the rows, or at quantiles if there are more values.

        If many quantiles are equal, as in a column that is mostly 0, the other edges are quantiles of the distinct
        values. If there are too few distinct values, some inner bins are empty. The outer bins, which the rows do not
        reach, are so wide that the embedding continues almost along its line. The values on both sides of a split are
        edges too, so that the function can jump between them.
        """
        outer = 1 if self.bins >= MIN_BINS_WITH_OUTER else 0
        for j, (edges, column) in enumerate(zip(p["edges"], X.T, strict=True)):
            inner = edges[outer : len(edges) - outer]
            values = _edges_of(column, len(inner))
            if len(values) == len(inner):
                values = _with_sides(values, [split for split in splits if split.column == j][: len(inner) // 4])
            inner[: len(values)] = values
            inner[len(values) :] = values[-1]
            if outer:
                edges[0], edges[-1] = values[0] - OUTER_WIDTH, values[-1] + OUTER_WIDTH

    def bind(self, p: ParamViews, g: ParamViews, x: Array, *, needs_dx: bool) -> BoundLayer:
        a, c, V, edges = p["slope"], p["bias"], p["weight"], p["edges"]
        da, dc, dV = g["slope"], g["bias"], g["weight"]
        (columns, _, rows), units = x.shape, self.out_features
        line, dline = np.empty((columns, units, 2), x.dtype), np.empty((columns, units, 2), x.dtype)
        across, inverse_width = np.empty((columns, self.bins, 2), x.dtype), np.empty((columns, self.bins), x.dtype)
        filled, share = np.empty((columns, self.bins), bool), np.empty((columns, self.bins), x.dtype)
        v = np.empty((columns, self.bins, rows), x.dtype)
        Y, S = np.empty((columns, units, rows), x.dtype), np.empty((columns, units, rows), x.dtype)
        dv = np.empty((columns, self.bins, rows if needs_dx else 0), x.dtype)
        dx = np.empty((columns, 1, rows if needs_dx else 0), x.dtype)
        low, high, VT, xT = edges[:, :-1], edges[:, 1:], V.transpose(0, 2, 1), x.transpose(0, 2, 1)
        all_but_first, all_but_last = v[:, 1:], v[:, :-1]
        zeros, ones = np.zeros_like(all_but_first), np.ones_like(all_but_last)  # arrays: see Relu

        def forward() -> None:
            np.subtract(high, low, out=inverse_width)
            np.greater(inverse_width, 0.0, out=filled)
            np.copyto(share, filled)
            np.maximum(inverse_width, np.finfo(x.dtype).tiny, out=inverse_width)
            np.divide(share, inverse_width, out=inverse_width)  # 1 / the bin's width, or 0 where it is empty
            np.copyto(across[:, :, 0], inverse_width)
            np.multiply(inverse_width, low, out=inverse_width)
            np.negative(inverse_width, out=across[:, :, 1])
            np.matmul(across, x, out=v)
            np.minimum(all_but_last, ones, out=all_but_last)
            np.maximum(all_but_first, zeros, out=all_but_first)
            np.copyto(line[:, :, 0], a)
            np.copyto(line[:, :, 1], c)
            np.matmul(line, x, out=Y)
            np.matmul(VT, v, out=S)
            np.add(Y, S, out=Y)

        def backward(dY: Array) -> Array:
            np.matmul(dY, xT, out=dline)
            np.copyto(da, dline[:, :, 0])
            np.copyto(dc, dline[:, :, 1])
            np.matmul(v, dY.transpose(0, 2, 1), out=dV)
            if needs_dx:
                np.matmul(V, dY, out=dv)
                dv[:, 1:][all_but_first <= 0.0] = 0.0
                dv[:, :-1][all_but_last >= 1.0] = 0.0
                np.matmul(across[:, :, :1].transpose(0, 2, 1), dv, out=dx)
                np.add(dx, np.matmul(line[:, :, :1].transpose(0, 2, 1), dY), out=dx)
            return dx[:, 0]

        return BoundLayer(Y, forward, backward)

    def lower(self, p: ParamViews, x: Value) -> Value:
        columns, bins, units = p["weight"].shape
        a, c, V, edges = p["slope"], p["bias"], p["weight"], p["edges"].astype(np.float64)
        low, widths = edges[:, :-1], np.diff(edges)
        inverse_width = np.divide(1.0, widths, out=np.zeros_like(widths), where=widths > 0.0)
        least, most = np.zeros((columns, bins)), np.ones((columns, bins))
        least[:, 0], most[:, -1] = -np.inf, np.inf
        across = (x.columns(np.repeat(range(columns), bins)) - low.reshape(-1)) * inverse_width.reshape(-1)
        v = maximum(minimum(across, most.reshape(-1)), least.reshape(-1))
        lines = x.columns(np.repeat(range(columns), units)) * a.reshape(-1) + c.reshape(-1)
        return lines + v.grouped_matmul(V)


NumericEmbedding = Annotated[
    Annotated[Periodic | PiecewiseLinear, Field(discriminator="type")],
    NameShorthand,
]

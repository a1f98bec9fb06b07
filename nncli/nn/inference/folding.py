"""A trained network with its constants folded into fewer arrays.

A scale and the factor 1 / sqrt(d) become part of the weights of a dense layer, its bias a further column of them, and a
piecewise-linear embedding becomes tables. What is left is Z = W [A; 1] and an activation for each dense layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nncli.nn.activations import ElementwiseActivation, Identity
from nncli.nn.arrays import Array
from nncli.nn.embeddings import GROUP_VALUES
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.residual import ParametricActivation, Scale
from nncli.nn.layers.sequential import ActivationLayer, Dropout
from nncli.nn.network import Network
from nncli.nn.numeric_embeddings import PiecewiseLinear
from nncli.nn.parameters import Parameters, ParamViews, with_prefix


@dataclass(frozen=True)
class PiecewiseTables:
    """A piecewise-linear embedding as tables: the line of each segment of x between two edges.

    For prediction they replace the (columns, bins, rows) array of `PiecewiseLinear.bind` by the number of the segment
    and the position within it: y = start + (x - low) · inverse · rise. The learned line a x + c is part of start and
    rise. A column with fewer than `bins` segments is padded.

    `edges` (columns, bins - 1, 1) are the lower ends of the segments after the first, NaN where padded. `low` and
    `inverse`, one over the width, are (columns · bins,); `start` and `rise` are (columns · bins, units).
    """

    edges: Array
    low: Array
    inverse: Array
    start: Array
    rise: Array

    @classmethod
    def of(cls, p: ParamViews, edges_precision: str, monotone: Sequence[bool] = ()) -> PiecewiseTables:
        """The tables of an embedding's parameters p in float64; `edges_precision` is that of the values to embed.

        A segment of a `monotone` column starts where the one before it ends, to the last bit.
        """
        columns, bins, units = p["weight"].shape
        edges, low, inverse = np.full((columns, bins), np.nan), np.zeros((columns, bins)), np.zeros((columns, bins))
        start, rise = np.zeros((columns, bins, units)), np.zeros((columns, bins, units))
        each = (p[name].astype(np.float64) for name in ("slope", "bias", "weight", "edges"))
        for j, (a, c, V, ends) in enumerate(zip(*each, strict=True)):
            at, width, added, total = _segments(ends, V)
            n = len(at)
            edges[j, :n], low[j, :n], inverse[j, :n] = at, at, 1.0 / width
            start[j, :n], rise[j, :n] = total + c + at[:, None] * a, added + width[:, None] * a
            if monotone and monotone[j]:
                gained = rise[j, : n - 1] * (np.diff(at) > 0.0)[:, None]
                start[j, :n] = np.add.accumulate(np.concatenate([start[j, :1], gained]))
        tables = (values.reshape(columns * bins, *values.shape[2:]) for values in (low, inverse, start, rise))
        later = np.ascontiguousarray(edges[:, 1:, None], edges_precision)
        return cls(later, *tables)

    @classmethod
    def joined(cls, tables: Sequence[PiecewiseTables]) -> PiecewiseTables:
        """The tables of several embeddings of equal shapes, with the columns of all."""
        arrays = zip(
            *((table.edges, table.low, table.inverse, table.start, table.rise) for table in tables), strict=True
        )
        return cls(*(np.concatenate(parts) for parts in arrays))


def _segments(edges: Array, V: Array) -> tuple[Array, Array, Array, Array]:
    """The lower ends (n,), the widths (n,), Vᵀ v gained within each segment and before it (n, units), of one column.

    Bins of no width are left out. The first and the last bin are not cut off at their outer ends; if one of them has no
    width, a segment in which nothing is gained takes its place. So there are at most as many segments as bins.
    """
    widths = np.diff(edges)
    filled = np.flatnonzero(widths > 0.0)
    at, width, added = edges[:-1][filled], widths[filled], V[filled]
    if widths[0] <= 0.0:
        at, width, added = np.insert(at, 0, edges[0]), np.insert(width, 0, 1.0), np.insert(added, 0, 0.0, axis=0)
    if len(filled) and widths[-1] <= 0.0:
        at, width, added = np.append(at, edges[-1]), np.append(width, 1.0), np.append(added, np.zeros_like(V[:1]), 0)
    total = np.cumsum(added, axis=0) - added
    return at, width, added, total


def bind_piecewise(
    embedding: PiecewiseLinear, numeric: Sequence[int], X: Array, Y: Array
) -> Callable[[PiecewiseTables], None]:
    """A function that fills Y (rows, columns · units) from the columns `numeric` of X (rows, features) by tables.

    It works in groups of columns, which share buffers of a few MB. If `is_one_group`, Y may be divided by members:
    (rows, members, own columns · units).
    """
    rows, columns, units, bins = len(X), len(numeric), embedding.out_features, embedding.bins
    most = _group_columns(embedding, rows)
    size = -(-columns // -(-columns // most))
    starts = [min(start, columns - size) for start in range(0, columns, size)]  # the last two groups may overlap
    groups = [
        (
            slice(start, start + size),
            np.array(numeric[start : start + size], np.intp),
            np.arange(start, start + size) * bins,
            Y if Y.ndim == 3 else Y[:, start * units : (start + size) * units],
        )
        for start in starts
    ]
    x, xT = np.empty((rows, size), X.dtype), np.empty((size, 1, rows), X.dtype)
    above = np.empty((size, bins - 1, rows), bool)
    ones, count = above.view(np.uint8), np.empty((size, rows), np.min_scalar_type(bins))
    index, f, inverse = (
        np.empty((rows, size), np.intp),
        np.empty((rows, size), Y.dtype),
        np.empty((rows, size), Y.dtype),
    )
    start, rise = np.empty((rows, size, units), Y.dtype), np.empty((rows, size, units), Y.dtype)
    shape = Y.shape if Y.ndim == 3 else (rows, size * units)
    flat_start, flat_rise = start.reshape(shape), rise.reshape(shape)

    def fill(tables: PiecewiseTables) -> None:
        for span, positions, first, out in groups:
            np.take(X, positions, axis=1, out=x, mode="clip")
            np.copyto(xT[:, 0], x.T)
            np.greater_equal(xT, tables.edges[span], out=above)
            np.add.reduce(ones, axis=1, dtype=count.dtype, out=count)
            np.add(count.T, first, out=index)
            np.take(tables.low, index, out=f, mode="clip")
            np.take(tables.inverse, index, out=inverse, mode="clip")
            np.subtract(x, f, out=f)
            np.multiply(f, inverse, out=f)
            np.take(tables.start, index, axis=0, out=start, mode="clip")
            np.take(tables.rise, index, axis=0, out=rise, mode="clip")
            np.multiply(rise, f[:, :, None], out=rise)
            np.add(flat_start, flat_rise, out=out)

    return fill


def is_one_group(embedding: PiecewiseLinear, rows: int, columns: int) -> bool:
    """Whether a number of columns are embedded at once."""
    return columns <= _group_columns(embedding, rows)


def _group_columns(embedding: PiecewiseLinear, rows: int) -> int:
    """The largest number of columns of a group."""
    return max(1, GROUP_VALUES // max(1, rows * max(embedding.bins, embedding.out_features)))


@dataclass(frozen=True)
class Stage:
    """A dense layer of a network, the scales before it and the activation after it, by the names of the parameters.

    `alpha` are the strengths of a parametric activation.
    """

    name: str
    dense: Dense
    inputs: int
    scales: tuple[str, ...] = ()
    activation: ElementwiseActivation | None = None
    alpha: str | None = None

    @property
    def units(self) -> int:
        """The number of outputs."""
        return self.dense.out_features(self.inputs)


def stages_of(network: Network) -> tuple[Stage, ...] | None:
    """The dense layers of a network, or None if it has layers that cannot be folded into them."""
    stages: list[Stage] = []
    scales: tuple[str, ...] = ()
    for name, layer, d in network.sequential.infer_widths(network.input_width):
        if isinstance(layer, Dense):
            activation = layer.activation
            stages.append(Stage(name, layer, d, scales, None if isinstance(activation, Identity) else activation))
            scales = ()
        elif isinstance(layer, Scale):
            scales += (f"{name}.scale",)
        elif isinstance(layer, ActivationLayer | ParametricActivation):
            if scales or not stages or stages[-1].activation is not None:
                return None
            alpha = f"{name}.alpha" if isinstance(layer, ParametricActivation) else None
            stages[-1] = replace(stages[-1], activation=layer.activation, alpha=alpha)
        elif not isinstance(layer, Dropout):
            return None
    return tuple(stages) if network.output_activation is None and network.offset is None else None


@dataclass(frozen=True)
class FoldedNetwork:
    """The arrays of a folded network in float64, or those of several networks of equal shapes side by side.

    `weights` (members, units, inputs + 1) of each stage, whose last column is the bias; `strengths` (members, units, 1)
    of its activation, None where it is not parametric. `tables` are those of a piecewise-linear embedding, `numeric`
    the parameters of any other, and `embeddings` the vectors of each categorical column.
    """

    weights: tuple[Array, ...]
    strengths: tuple[Array | None, ...]
    tables: PiecewiseTables | None
    numeric: Mapping[str, Array]
    embeddings: tuple[Array, ...]
    parts: tuple[FoldedNetwork, ...] = ()

    @classmethod
    def of(cls, network: Network, stages: tuple[Stage, ...], parameters: Parameters) -> FoldedNetwork:
        """Fold the parameters of a network."""
        p = parameters.by_name
        numeric = with_prefix(p, "numeric")
        piecewise = isinstance(network.numeric_embedding, PiecewiseLinear) and bool(numeric)
        return cls(
            weights=tuple(_weights(stage, p).astype(np.float64, order="C")[None] for stage in stages),
            strengths=tuple(None if s.alpha is None else p[s.alpha].astype(np.float64)[None, :, None] for s in stages),
            tables=PiecewiseTables.of(numeric, network.precision, network.monotone_columns) if piecewise else None,
            numeric={} if piecewise else {name: view.astype(np.float64) for name, view in numeric.items()},
            embeddings=tuple(p[e.param_spec.name].astype(np.float64) for e in network.embeddings),
        )

    @classmethod
    def joined(cls, networks: Sequence[FoldedNetwork]) -> FoldedNetwork:
        """Copy the arrays of networks side by side. The tables have the columns of all, one network after the other."""
        weights = tuple(np.concatenate(layer) for layer in zip(*(each.weights for each in networks), strict=True))
        strengths = tuple(
            np.concatenate(present) if (present := [view for view in layer if view is not None]) else None
            for layer in zip(*(each.strengths for each in networks), strict=True)
        )
        tables = [each.tables for each in networks if each.tables is not None]
        parts = (replace(network, weights=tuple(W[i : i + 1] for W in weights)) for i, network in enumerate(networks))
        return cls(weights, strengths, PiecewiseTables.joined(tables) if tables else None, {}, (), tuple(parts))

    @property
    def networks(self) -> tuple[FoldedNetwork, ...]:
        """Each network alone; the weights of several are views."""
        return self.parts or (self,)

    @property
    def nbytes(self) -> int:
        """The size of the weights and of the vectors of categories."""
        return sum(array.nbytes for array in (*self.weights, *self.embeddings))


def _weights(stage: Stage, p: Mapping[str, Array]) -> Array:
    """[W; b] transposed, (units, inputs + 1) in float64."""
    W = p[f"{stage.name}.weight"].astype(np.float64) * stage.dense.factor(stage.inputs)
    for scale in stage.scales:
        W *= p[scale].astype(np.float64)[:, None]
    b = p[f"{stage.name}.bias"] if stage.dense.bias else np.zeros(stage.units)
    return np.vstack([W, b]).T

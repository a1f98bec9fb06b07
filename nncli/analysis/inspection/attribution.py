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
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.analysis.inspection.encoded_rows import (
    EncodedPart,
    EncodedRows,
    ProgressCallback,
    column_slices,
    no_progress,
)
from nncli.base.text import free_name
from nncli.base.threads import limit_blas_threads
from nncli.data.columns.parsing import read_text
from nncli.data.encoders.numeric import MultiplierColumn, OffsetColumn
from nncli.data.encoders.row_context import RowContext
from nncli.data.formats.prefetch import prefetch_map
from nncli.data.table import Table
from nncli.models.ensemble import AnyModel, Ensemble
from nncli.models.model import ModelSpec
from nncli.nn.activations import Identity
from nncli.nn.arrays import Array, Codes, Floats, RowIndices
from nncli.nn.network import Network
from nncli.nn.parameters import Parameters


class PathPoints(NamedTuple):
    """f (n,) at some points, the inner inputs E (n, width) there, and the gradient G (n, width) of f by them."""

    f: Floats
    E: Floats
    G: Floats

    def concatenate(self, other: PathPoints) -> PathPoints:
        """The points of both."""
        return PathPoints(*(np.concatenate(arrays) for arrays in zip(self, other, strict=True)))


Evaluate: TypeAlias = Callable[[Floats, RowIndices], PathPoints]
"""Evaluate f at the points (n, inputs), each on the line to one of the rows (n,)."""
ByInput: TypeAlias = Callable[[Floats], Floats]
"""Sum values of the inner inputs (n, width) over those that belong to the same input, (n, inputs)."""

FIRST_SEGMENTS = 4
MAX_SEGMENTS = 1024
MAX_ROUNDS = 24
SLACK = 3.0
"""Limit of Σ |residual of a segment| in units of the tolerance: residuals cancel in a row's sum, not in each input."""
PATH_ROWS, BLOCK_NUMBERS = 64, 1 << 20


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

    row: RowIndices
    a: Floats
    b: Floats
    points: RowIndices
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
    block = max(1, min(PATH_ROWS, BLOCK_NUMBERS // (64 * max(1, U.shape[1]))))
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
            halved, n_points = segments.take(mask), len(values.f)
            middle = (halved.a + halved.b) / 2.0
            new = n_points + np.arange(2 * len(middle)).reshape(2, -1)
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

    def _evaluate(self, row: RowIndices, t: Floats) -> PathPoints:
        return self.evaluate(self.base + t[:, None] * (self.U[row] - self.base), row + self.first)

    def _segments(self, values: PathPoints, row: RowIndices, a: Floats, b: Floats, points: RowIndices) -> _Segments:
        """Segments between points, integrated."""
        (Ea, Em, Eb), (Ga, Gm, Gb) = (array[points.T] for array in (values.E, values.G))
        halves = (Ga + Gm) * (Em - Ea) + (Gm + Gb) * (Eb - Em)
        inner = (4.0 * halves - (Ga + Gb) * (Eb - Ea)) / 6.0
        residual = inner.sum(axis=1) - (values.f[points[:, 2]] - values.f[points[:, 0]])
        return _Segments(row, a, b, points, self.by_input(inner), residual)


BLOCK_ROWS = 256


class EmbeddedNetwork:
    """A network with U = [X, E_1[codes_1], E_2[codes_2] …] (rows, inputs) as its input, bound in float64.

    So outputs can be differentiated by the embedding vectors, and a point may lie between two categories.

    The inner inputs are those of the first layer (rows, width): the inputs, those of the numeric embedding embedded.
    """

    def __init__(self, network: Network, parameters: Parameters) -> None:
        self._tables = [parameters.by_name[e.param_spec.name].astype(np.float64) for e in network.embeddings]
        extra = sum(e.width for e in network.embeddings)
        fields = {name: getattr(network, name) for name in Network.model_fields}
        extended = Network(
            **{**fields, "n_features": network.n_features + extra, "embeddings": (), "precision": "float64"}
        )
        copied = extended.layout.empty("float64")
        for name, view in copied.by_name.items():
            view[...] = parameters.by_name[name]
        self.inputs = extended.n_features
        self._embedded = np.array(extended.embedded_numeric, np.intp)
        self._others = np.setdiff1d(np.arange(self.inputs), self._embedded)
        self._units = extended.numeric_embedding.out_features if extended.numeric_embedding else 1
        self._X, codes = np.zeros((BLOCK_ROWS, self.inputs)), np.zeros((BLOCK_ROWS, 0), np.int64)
        p, g = copied.by_name, copied.gradients
        self._first = extended.bind_inputs(p, g, self._X, codes, forward_only=True)
        self._layers = extended.sequential.bind(p, g, self._first.Y, training=None, needs_dX=True)
        self._last = (extended.output_activation or Identity()).bind(self._layers.Y)
        self._offset, self._add_offset = extended.offset, extended.bind_offset(self._X, self._last.Y)

    def embed(self, X: Array, codes: Codes) -> Floats:
        """U (rows, inputs) of encoded rows."""
        vectors = [table[codes[:, j]] for j, table in enumerate(self._tables)]
        return np.concatenate([X.astype(np.float64), *vectors], axis=1)

    def run(self, U: Floats) -> Floats:
        """The raw outputs (rows, outputs)."""
        Z = np.empty((len(U), self._last.Y.shape[1]))
        for start in range(0, len(U), BLOCK_ROWS):
            rows = self._forward(U[start : start + BLOCK_ROWS])
            Z[start : start + rows] = self._last.Y[:rows]
        return Z

    def gradients(self, U: Floats, slope: Callable[[Floats, slice], Floats]) -> tuple[Floats, Floats]:
        """The inner inputs (rows, width), and the gradient of a function of the raw outputs Z with respect to them.

        `slope(Z, rows)` is the gradient of the function in Z.
        """
        inner, outputs = self._first.Y, self._last.Y
        E, G = np.empty((len(U), inner.shape[1])), np.empty((len(U), inner.shape[1]))
        for start in range(0, len(U), BLOCK_ROWS):
            rows = self._forward(U[start : start + BLOCK_ROWS])
            E[start : start + rows] = inner[:rows]
            dZ = np.zeros(outputs.shape)
            dZ[:rows] = slope(outputs[:rows].astype(np.float64), slice(start, start + rows))
            d_offset = dZ[:rows, 0].copy()  # `backward` may change dZ
            G[start : start + rows] = self._layers.backward(self._last.backward(dZ))[:rows]
            if (j := self.offset) is not None:  # an input of the output alone
                E[start : start + rows, j], G[start : start + rows, j] = self._X[:rows, self._offset], d_offset
        return E, G

    @property
    def offset(self) -> int | None:
        """The position of the offset among the inner inputs."""
        if self._offset is None:
            return None
        return len(self._embedded) * self._units + int(np.searchsorted(self._others, self._offset))

    def by_input(self, values: Floats) -> Floats:
        """Values of the inner inputs (rows, width), summed over those of each input (rows, inputs)."""
        split = len(self._embedded) * self._units
        sums = np.empty((len(values), self.inputs))
        sums[:, self._embedded] = values[:, :split].reshape(len(values), -1, self._units).sum(axis=2)
        sums[:, self._others] = values[:, split:]
        return sums

    def _forward(self, U: Floats) -> int:
        """Run some rows through the network, padded with zeros to a block; returns their number."""
        rows = len(U)
        self._X[:rows], self._X[rows:] = U, 0.0
        for layer in (self._first, self._layers, self._last):
            layer.forward()
        self._add_offset()
        return rows


TOLERANCE = 1e-3
"""Largest completeness error: of a probability, or of a number in standard deviations of the predictions."""

THREADS = 2
"""Threads that integrate, each for another member or other rows."""


@dataclass(frozen=True)
class Contribution:
    """What a column adds to a prediction; `value` is its cell as text, None if it is missing."""

    column: str
    value: str | None
    contribution: float


@dataclass(frozen=True)
class ExplainedRow:
    """The `prediction` of the `output` for a row: `base`, that of the average row, plus the `contributions`."""

    row: int
    output: str
    prediction: float
    base: float
    contributions: tuple[Contribution, ...]

    def largest(self, most: int) -> tuple[tuple[Contribution, ...], float]:
        """The `most` largest contributions, without those of zero, and the sum of the others."""
        shown = tuple(part for part in self.contributions[:most] if part.contribution)
        return shown, sum(part.contribution for part in self.contributions[most:])


@dataclass(frozen=True)
class Attributions:
    """Attributions of some rows to the `columns`: `values` (rows, columns).

    `outputs` (rows,) name the class or the target that is explained; `base` (rows,) is the prediction of the average
    row, `predictions` (rows,) that of the row. The values of a row add up to prediction - base within `error` (rows,),
    which should not exceed `tolerance`.
    """

    columns: tuple[str, ...]
    outputs: tuple[str, ...]
    values: Floats
    base: Floats
    predictions: Floats
    error: Floats
    tolerance: float

    @property
    def missed(self) -> int:
        """Number of rows whose completeness error exceeds the tolerance."""
        return int(np.count_nonzero(~(self.error <= self.tolerance)))

    def explained_rows(self, table: Table, numbers: RowIndices) -> tuple[ExplainedRow, ...]:
        """The rows of a `table`, which have these `numbers`, each with its contributions, the largest first."""
        has_type = {name: table.column(name).dtype.is_temporal() for name in self.columns}
        cells = [
            (table.column(name).cast(pl.String) if has_type[name] else read_text(table, name)).to_list()
            for name in self.columns
        ]
        return tuple(
            ExplainedRow(
                row=int(number),
                output=self.outputs[i],
                prediction=float(self.predictions[i]),
                base=float(self.base[i]),
                contributions=tuple(
                    Contribution(self.columns[j], cells[j][i], float(self.values[i, j]))
                    for j in np.argsort(-np.abs(self.values[i]), kind="stable")
                ),
            )
            for i, number in enumerate(numbers)
        )

    def frame(self, numbers: RowIndices) -> pl.DataFrame:
        """A frame with `row` (its number), `output`, `prediction`, `base`, and the attribution to each column.

        A leading name that is also a column of the table gets a trailing underscore.
        """
        taken = set(self.columns)
        leading = [
            pl.Series(free_name("row", taken), numbers),
            pl.Series(free_name("output", taken), self.outputs),
            pl.Series(free_name("prediction", taken), self.predictions),
            pl.Series(free_name("base", taken), self.base),
        ]
        return pl.DataFrame([*leading, *(pl.Series(n, v) for n, v in zip(self.columns, self.values.T, strict=True))])


@np.errstate(all="ignore")  # infinities are kept in the result
@limit_blas_threads(1)
def attribute(
    rows: EncodedRows,
    background: EncodedRows,
    output: str | RowIndices | None = None,
    on_progress: ProgressCallback = no_progress,
) -> Attributions:
    """Attribute the predictions of `rows` to their columns, relative to the mean of the `background`.

    What is explained is the prediction itself: the calibrated probability of a class, or a number in its own units; of
    an ensemble, the mean of its members. The baseline is the average row, that is the mean of the encoded rows: of
    scaled numbers, of 0/1 columns, and of embedding vectors. The inputs that a column is encoded to are added up.

    Args:
        rows: the rows to explain.
        background: rows encoded for the same model, whose weighted mean is the average row, such as the training rows.
        output: the class or the target to explain, or the index of that of each row (rows,); by default the second of
            two classes, each row's predicted class of more, and the first target.
        on_progress: called with the progress.

    Raises:
        UsageError: there is no such class or target.
    """
    spec, predictions = rows.model.spec, replace(rows, oof_mask=None).predict()
    explained = spec.head.explained
    if output is None:
        chosen = explained.of_rows(predictions.values, spec.decision)
    else:
        chosen = np.full(len(rows), explained.place(output)) if isinstance(output, str) else output
    scale = explained.scale(lambda: background.predict().values[:, chosen[0]]) if len(chosen) else 1.0
    tolerance = TOLERANCE * (scale if np.isfinite(scale) and scale > 0.0 else 1.0)
    names, members, shares = rows.model.names, len(rows.parts), _shares(rows.model)
    values, base, ends = np.zeros((len(rows), len(names))), np.zeros(len(rows)), np.zeros(len(rows))

    def of_part(task: _Task) -> Integrated:
        return _of_part(rows, background, task, chosen, tolerance)

    half = len(rows) // 2 if members == 1 else len(rows)
    tasks = [_Task(i, span) for i in range(members) for span in (slice(0, half), slice(half, len(rows)))]
    tasks = [task for task in tasks if task.rows.start < task.rows.stop]
    done = 0
    for task, integrated in prefetch_map(iter(tasks), of_part, THREADS):
        part = rows.parts[task.part]
        positions, share = [names.index(name) for name in part.model.names], shares[task.part]
        values[task.rows, positions] += _by_column(part, integrated.attributions) * share
        base[task.rows] += integrated.baseline * share
        ends[task.rows] += integrated.ends * share
        done += task.rows.stop - task.rows.start
        on_progress("attributions", done, members * len(rows))
    labels = spec.target.output_names
    error = Integrated(values, base, ends).error
    return Attributions(tuple(names), tuple(labels[k] for k in chosen), values, base, ends, error, tolerance)


def _shares(model: AnyModel) -> list[float]:
    """The share of each member in the mean; they sum to 1."""
    if not isinstance(model, Ensemble):
        return [1.0]
    total = model.total_weight(range(len(model.members)))
    return [weight / total for weight in model.weights]


class _Task(NamedTuple):
    """Some rows, to be attributed by one member, with the position `part`."""

    part: int
    rows: slice


def _of_part(
    rows: EncodedRows, background: EncodedRows, task: _Task, chosen: RowIndices, tolerance: float
) -> Integrated:
    """Integrated gradients of one network's prediction, relative to its average row."""
    part, usual, model = rows.parts[task.part], background.parts[task.part], rows.model
    spec, chosen = part.model.spec, chosen[task.rows]
    T = spec.temperature * (model.spec.temperature if isinstance(model, Ensemble) else 1.0)
    positions = model.spec.target.positions_in(spec.target)  # -1 for a class that the member does not have
    column, offset = spec.encoder.exposure, spec.network.offset
    function = OutputFunction(spec, T, chosen if positions is None else positions[chosen])
    network = EmbeddedNetwork(spec.network, part.model.parameters)
    n_inputs = network.inputs

    def inputs(rows: EncodedPart) -> Floats:
        """The inputs of the network, and after these an exposure and an offset that are not in its link."""
        U = network.embed(rows.X, rows.codes)
        return U if rows.context is None or offset is not None else np.hstack([U, _factors(rows.context, len(U))])

    def by_input(values: Floats) -> Floats:
        width = values.shape[1] - (part.context is not None and offset is None) * 2
        return np.hstack([network.by_input(values[:, :width]), values[:, width:]])

    def evaluate(points: Floats, rows: RowIndices) -> PathPoints:
        points, factors = points[:, :n_inputs], points[:, n_inputs:]
        f = np.empty(len(points))
        exposure = None if column is None or offset is None else column.center * np.exp(points[:, offset])

        def slope(Z: Floats, block: slice) -> Floats:
            of_block = None if exposure is None else exposure[block]
            f[block] = function.value(Z, rows[block], of_block)
            return function.slope(Z, rows[block], of_block)

        E, G = network.gradients(points, slope)
        if network.offset is not None and spec.target.is_relative:
            G[:, network.offset] = f  # proportional to the exposure, whose logarithm the offset is, clipped or not
        if factors.shape[1]:
            multiplier, added = factors.T
            E, G = np.hstack([E, factors]), np.hstack([G * multiplier[:, None], f[:, None], np.ones((len(f), 1))])
            f = f * multiplier + added
        return PathPoints(f, E, G)

    with np.errstate(all="ignore"):  # not inherited by threads
        return integrate(evaluate, by_input, background.mean(inputs(usual)), inputs(part)[task.rows], tolerance)


def _factors(context: RowContext, rows: int) -> Floats:
    """The exposure and the offset (rows, 2), 1 and 0 where there is none."""
    exposure = np.ones(rows) if context.exposure is None else context.exposure
    return np.stack([exposure, np.zeros(rows) if context.offset is None else context.offset], axis=1)


@dataclass(frozen=True)
class OutputFunction:
    """The output `chosen` (rows,) as a function of the raw outputs Z (n, outputs), and its gradient.

    Z has the offset of the `exposure` (n,), if there is one.
    """

    spec: ModelSpec
    temperature: float
    chosen: RowIndices

    def value(self, Z: Floats, rows: RowIndices, exposure: Floats | None = None) -> Floats:
        """The probability, or the number in its own units, (n,)."""
        P, k = self.spec.loss.inverse_link(Z / self.temperature), self.chosen[rows]
        P, target = self.spec.target.decode(P), self.spec.target
        if exposure is None:
            P = target.clip_relative(P)
        else:
            P = target.clip_relative(P / exposure[:, None]) * exposure[:, None]
        return np.where(k < 0, 0.0, P[np.arange(len(P)), k])

    def slope(self, Z: Floats, rows: RowIndices, exposure: Floats | None = None) -> Floats:
        """dZ (n, outputs)."""
        loss, T, k, target = self.spec.loss, self.temperature, self.chosen[rows], self.spec.target
        P = loss.inverse_link(Z / T)
        dP = np.zeros(P.shape)
        dP[np.arange(len(P)), k] = np.where(k < 0, 0.0, 1.0)
        values = target.decode(P) if exposure is None else target.decode(P) / exposure[:, None]
        dP = target.clip_relative_vjp(values, dP)
        return np.asarray(loss.inverse_link_vjp(Z / T, target.decode_vjp(P, dP)) / T)


def _by_column(part: EncodedPart, attributions: Floats) -> Floats:
    """Attributions to inputs (rows, inputs), summed over the inputs of each column (rows, columns)."""
    spec = part.model.spec
    ends = spec.network.n_features + np.cumsum([0, *(e.width for e in spec.network.embeddings)])
    columns, relative_to = [], {type(column): column.name for column in spec.encoder.context_columns}
    factors = {relative_to.get(MultiplierColumn): ends[-1], relative_to.get(OffsetColumn): ends[-1] + 1}
    for name, at in column_slices(spec.encoder).items():
        embedding = slice(ends[at.codes.start], ends[at.codes.stop]) if at.codes.stop else slice(0, 0)
        of_column = attributions[:, at.X].sum(axis=1) + attributions[:, embedding].sum(axis=1)
        columns.append(of_column + attributions[:, factors[name]] if name in factors else of_column)
    return np.stack(columns, axis=1) if columns else np.zeros((len(attributions), 0))

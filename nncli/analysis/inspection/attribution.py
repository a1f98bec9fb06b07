"""Attribution of each row's prediction to the columns of the table, by integrated gradients.

What is explained is the prediction itself: the calibrated probability of a class, or a number in its own units; of an
ensemble, the mean of its members. The baseline is the average row, that is the mean of the encoded rows: of scaled
numbers, of 0/1 columns, and of embedding vectors. The attributions of a row add up to its prediction minus that of the
average row. The inputs that a column is encoded to are added up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.analysis.inspection.embedded_network import EmbeddedNetwork
from nncli.analysis.inspection.encoded_rows import (
    EncodedPart,
    EncodedRows,
    ProgressCallback,
    Rows,
    column_slices,
    no_progress,
)
from nncli.analysis.inspection.integrated_gradients import Evaluation, Integrated, integrate
from nncli.base.errors import UsageError
from nncli.base.text import closest_match, join_quoted, quote
from nncli.base.threads import limit_blas_threads
from nncli.data.formats.prefetch import prefetch_map
from nncli.models.ensemble import AnyModel, Ensemble
from nncli.models.model import ModelSpec
from nncli.targets.decision import Decision
from nncli.targets.target import Target

TOLERANCE = 1e-3
"""Largest completeness error: of a probability, or of a number in standard deviations of the predictions."""

THREADS = 2
"""Threads that integrate, each for another member or other rows."""

Floats = npt.NDArray[np.float64]


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

    def frame(self, numbers: Rows) -> pl.DataFrame:
        """A frame with `row` (its number), `output`, `prediction`, `base`, and the attribution to each column.

        A leading name that is also a column of the table gets a trailing underscore.
        """
        taken = set(self.columns)
        leading = [
            pl.Series(_free("row", taken), numbers),
            pl.Series(_free("output", taken), self.outputs),
            pl.Series(_free("prediction", taken), self.predictions),
            pl.Series(_free("base", taken), self.base),
        ]
        return pl.DataFrame([*leading, *(pl.Series(n, v) for n, v in zip(self.columns, self.values.T, strict=True))])


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


@np.errstate(all="ignore")  # infinities are kept in the result
@limit_blas_threads(1)
def attribute(
    rows: EncodedRows,
    background: EncodedRows,
    output: str | Rows | None = None,
    on_progress: ProgressCallback = no_progress,
) -> Attributions:
    """Attribute the predictions of `rows` to their columns, relative to the mean of the `background`.

    Args:
        rows: the rows to explain.
        background: rows encoded for the same model, whose weighted mean is the average row, such as the training rows.
        output: the class or the target to explain, or the index of that of each row (rows,); by default the second of
            two classes, each row's predicted class of more, and the first target.
        on_progress: called with the progress.

    Raises:
        UsageError: there is no such class or target.
    """
    target, predictions = rows.model.spec.target, replace(rows, oof_mask=None).predict()
    chosen = (
        output
        if isinstance(output, np.ndarray)
        else select_output(target, predictions, output, rows.model.spec.decision)
    )
    spread = 1.0
    if not target.has_probabilities:
        spread = float(np.std(background.predict()[:, chosen[0]])) if len(chosen) else 1.0
    tolerance = TOLERANCE * (spread if np.isfinite(spread) and spread > 0.0 else 1.0)
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
    labels = target.output_names
    error = Integrated(values, base, ends).error
    return Attributions(tuple(names), tuple(labels[k] for k in chosen), values, base, ends, error, tolerance)


def _shares(model: AnyModel) -> list[float]:
    """The share of each member in the mean; they sum to 1."""
    if not isinstance(model, Ensemble):
        return [1.0]
    total = model.total_weight(range(len(model.members)))
    return [weight / total for weight in model.weights]


def select_output(target: Target, predictions: Floats, output: str | None, decision: Decision | None = None) -> Rows:
    """Index of the output to explain, for each row (rows,); see `attribute`. A `decision` makes classes."""
    names = target.output_names
    if output is None:
        return target.default_output(predictions, decision)
    if output not in names:
        close = closest_match(output, names)
        raise UsageError(
            f"the model has no {target.output_noun} {quote(output)}",
            hint=f"Did you mean {quote(close)}?" if close else f"The model predicts {join_quoted(names)}.",
        )
    return np.full(len(predictions), names.index(output))


class _Task(NamedTuple):
    """Some rows, to be attributed by one member, with the position `part`."""

    part: int
    rows: slice


def _of_part(rows: EncodedRows, background: EncodedRows, task: _Task, chosen: Rows, tolerance: float) -> Integrated:
    """Integrated gradients of one network's prediction, relative to its average row."""
    part, usual, model = rows.parts[task.part], background.parts[task.part], rows.model
    spec, chosen = part.model.spec, chosen[task.rows]
    T = spec.temperature * (model.spec.temperature if isinstance(model, Ensemble) else 1.0)
    function = OutputFunction(spec, T, _outputs_of_member(model.spec.target, spec.target, chosen))
    network = EmbeddedNetwork(spec.network, part.model.parameters)
    base = background.mean(network.embed(usual.X, usual.codes))

    def evaluate(points: Floats, rows: Rows) -> Evaluation:
        f = np.empty(len(points))

        def slope(Z: Floats, block: slice) -> Floats:
            f[block] = function.value(Z, rows[block])
            return function.slope(Z, rows[block])

        return Evaluation(f, *network.gradients(points, slope))

    with np.errstate(all="ignore"):  # not inherited by threads
        return integrate(
            evaluate, network.by_input, base, network.embed(part.X[task.rows], part.codes[task.rows]), tolerance
        )


def _outputs_of_member(target: Target, member_target: Target, chosen: Rows) -> Rows:
    """The outputs `chosen` (rows,) as outputs of one member; -1 for a class that it does not have."""
    positions = target.positions_in(member_target)
    return chosen if positions is None else positions[chosen]


@dataclass(frozen=True)
class OutputFunction:
    """The output `chosen` (rows,) as a function of the raw outputs Z (n, outputs), and its gradient."""

    spec: ModelSpec
    temperature: float
    chosen: Rows

    def value(self, Z: Floats, rows: Rows) -> Floats:
        """The probability, or the number in its own units, (n,)."""
        P, k = self.spec.loss.inverse_link(Z / self.temperature), self.chosen[rows]
        P = self.spec.target.decode(P)
        return np.where(k < 0, 0.0, P[np.arange(len(P)), k])

    def slope(self, Z: Floats, rows: Rows) -> Floats:
        """dZ (n, outputs)."""
        loss, T, k, target = self.spec.loss, self.temperature, self.chosen[rows], self.spec.target
        P = loss.inverse_link(Z / T)
        dP = np.zeros(P.shape)
        dP[np.arange(len(P)), k] = np.where(k < 0, 0.0, 1.0)
        return np.asarray(loss.inverse_link_vjp(Z / T, target.decode_vjp(P, dP)) / T)


def _by_column(part: EncodedPart, attributions: Floats) -> Floats:
    """Attributions to inputs (rows, inputs), summed over the inputs of each column (rows, columns)."""
    spec = part.model.spec
    ends = spec.network.n_features + np.cumsum([0, *(e.width for e in spec.network.embeddings)])
    columns = []
    for at in column_slices(spec.encoder).values():
        embedding = slice(ends[at.codes.start], ends[at.codes.stop]) if at.codes.stop else slice(0, 0)
        columns.append(attributions[:, at.X].sum(axis=1) + attributions[:, embedding].sum(axis=1))
    return np.stack(columns, axis=1) if columns else np.zeros((len(attributions), 0))

"""What each column adds to a row's prediction, from the average row on: integrated gradients, in the person's columns.

The prediction itself is taken apart, not a score behind it: the probability of a class, after the temperature, or the
number in its own units; of an ensemble, the mean of its members'. So this row's 0.83 is the average row's 0.24 and what
the columns add. The average row is the mean of what rows become on the way into a network: of scaled numbers, of 0/1
columns and of the vectors of categories. No table holds it. What a column becomes there is added up again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.data.encoders.target import Target
from nncli.ensemble import AnyModel, Ensemble
from nncli.errors import UsageError
from nncli.inspection.embedded_network import EmbeddedNetwork
from nncli.inspection.encoded_rows import EncodedPart, EncodedRows, Rows, column_slices
from nncli.inspection.integrated_gradients import Integrated, integrate
from nncli.model import ModelSpec
from nncli.text import closest_match, join_quoted, quote
from nncli.utils.threads import limit_blas_threads

TOLERANCE = 1e-4
"""By how much the sum may miss: a probability as it is, a number as a share of how much predictions differ."""

Floats = npt.NDArray[np.float64]
Tell = Callable[[str, int, int], object]
"""Called with what is being done, how many parts of it are done, and how many there are."""


@dataclass(frozen=True)
class Attributions:
    """What each of the `columns` adds to the prediction of each row: `values` (rows, columns).

    `outputs` (rows,) name the class whose probability, or the target of which the number is explained; `base` (rows,)
    is what is predicted of the average row, `predictions` (rows,) of the row itself. The values of a row add up to
    prediction - base, but for `error` (rows,), which is to be less than `tolerance`.
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
        """How many rows do not add up within the tolerance."""
        return int(np.count_nonzero(~(self.error <= self.tolerance)))

    def frame(self, numbers: Rows) -> pl.DataFrame:
        """A row for each: `row`, its number; `output`, `prediction`, `base`; and a column for each column.

        Where a column of the table bears one of these names, the name here gets a _ behind it.
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


@np.errstate(all="ignore")  # what overflows shows in the numbers
@limit_blas_threads(1)
def attribute(
    rows: EncodedRows, background: EncodedRows, of: str | None = None, tell: Tell = lambda *_: None
) -> Attributions:
    """Attribute the predictions of `rows`, encoded for the same model as the `background`, whose mean is the base.

    Args:
        rows: what is explained.
        background: rows of which the average one is made, by their weights, such as those of the training.
        of: the class, or the target among several, that is explained; by default the second of two classes, each row's
            likeliest of more, and the first target.
        tell: told how far it is.

    Raises:
        UsageError: there is no such class or target.
    """
    target, said = rows.model.spec.target, replace(rows, spoken=None).predict()
    chosen = select_output(target, said, of)
    spread = 1.0
    if target.task == "regression":
        spread = float(np.std(background.predict()[:, chosen[0]])) if len(chosen) else 1.0
    tolerance = TOLERANCE * (spread if np.isfinite(spread) and spread > 0.0 else 1.0)
    names = rows.model.names
    values, base, ends = np.zeros((len(rows), len(names))), np.zeros(len(rows)), np.zeros(len(rows))
    members = len(rows.parts)
    for i, (part, usual) in enumerate(zip(rows.parts, background.parts, strict=True)):

        def tell_rows(done: int, i: int = i) -> None:
            tell("attributions", i * len(rows) + done, members * len(rows))

        opened = EmbeddedNetwork(part.model.spec.network, part.model.parameters)
        average = background.mean(opened.embed(usual.X, usual.codes))
        found = _of_part(part, opened, average, rows.model, chosen, tolerance, tell_rows)
        to = [names.index(name) for name in part.model.names]
        values[:, to] += _by_column(part, found.attributions) / members
        base += found.baseline / members
        ends += found.ends / members
    labels = target.labels if target.task == "classification" else target.names
    error = Integrated(values, base, ends).error
    return Attributions(tuple(names), tuple(labels[k] for k in chosen), values, base, ends, error, tolerance)


def select_output(target: Target, said: Floats, of: str | None) -> Rows:
    """Which output (rows,) is explained of each row; see `attribute`."""
    labels = target.labels if target.task == "classification" else target.names
    if of is not None:
        if of not in labels:
            close, what = closest_match(of, labels), "class" if target.task == "classification" else "target"
            raise UsageError(
                f"there is no {what} {quote(of)} to explain",
                hint=f"Did you mean {quote(close)}?" if close else f"The model knows {join_quoted(labels)}.",
            )
        return np.full(len(said), labels.index(of))
    if target.task == "classification" and len(labels) > 2:
        return np.asarray(said.argmax(axis=1), np.int64)
    return np.full(len(said), 1 if target.task == "classification" else 0)


def _of_part(
    part: EncodedPart,
    opened: EmbeddedNetwork,
    base: Floats,
    model: AnyModel,
    chosen: Rows,
    tolerance: float,
    tell: Callable[[int], None],
) -> Integrated:
    """What the inputs of one network add to its own prediction, from that at the `base` (inputs,) on."""
    spec = part.model.spec
    T = model.spec.temperature if isinstance(model, Ensemble) else spec.temperature
    read = OutputFunction(spec, T, _known(model.spec.target, spec.target, chosen))
    U = opened.embed(part.X, part.codes)

    def value(points: Floats, rows: Rows) -> Floats:
        return read.value(opened.run(points), rows)

    def slope(points: Floats, rows: Rows) -> Floats:
        return opened.gradients(points, lambda Z, some: read.slope(Z, rows[some]))

    return integrate(value, slope, base, U, tolerance, tell)


def _known(target: Target, own: Target, chosen: Rows) -> Rows:
    """The outputs that are explained, by what the network itself calls them; -1 for a class that it does not know."""
    if target.task == "regression" or own.task == "regression":
        return chosen
    where = np.array([own.labels.index(label) if label in own.labels else -1 for label in target.labels])
    return np.asarray(where[chosen], np.int64)


@dataclass(frozen=True)
class OutputFunction:
    """What raw outputs Z (n, outputs) say of the one output `chosen` (rows,) of some rows, and its gradient in them."""

    spec: ModelSpec
    temperature: float
    chosen: Rows

    def value(self, Z: Floats, rows: Rows) -> Floats:
        """The probability, or the number in its own units, (n,)."""
        P, k = self.spec.loss.inverse_link(Z / self.temperature), self.chosen[rows]
        if self.spec.target.task == "regression":
            P = self.spec.target.decode(P)
        return np.where(k < 0, 0.0, P[np.arange(len(P)), k])

    def slope(self, Z: Floats, rows: Rows) -> Floats:
        """dZ (n, outputs)."""
        loss, T, k, target = self.spec.loss, self.temperature, self.chosen[rows], self.spec.target
        P = loss.inverse_link(Z / T)
        dP, at = np.zeros(P.shape), np.arange(len(P))
        dP[at, k] = np.where(k < 0, 0.0, 1.0)
        if target.task == "regression":
            dP *= np.array(target.scales)
            if target.lowest is not None and target.highest is not None:
                own = P * np.array(target.scales) + np.array(target.centers)
                dP[(own < np.array(target.lowest)) | (own > np.array(target.highest))] = 0.0
        return np.asarray(loss.inverse_link_vjp(Z / T, dP) / T)


def _by_column(part: EncodedPart, added: Floats) -> Floats:
    """What inputs add (rows, inputs), summed over those of each column (rows, columns)."""
    spec = part.model.spec
    ends = spec.network.features + np.cumsum([0, *(e.width for e in spec.network.embeddings)])
    columns = []
    for at in column_slices(spec.encoder).values():
        embedded = slice(ends[at.codes.start], ends[at.codes.stop]) if at.codes.stop else slice(0, 0)
        columns.append(added[:, at.X].sum(axis=1) + added[:, embedded].sum(axis=1))
    return np.stack(columns, axis=1) if columns else np.zeros((len(added), 0))

"""Partial dependence: the mean prediction if one column has the same value in every row.

Friedman, "Greedy function approximation: a gradient boosting machine", 2001, section 8.2: partial dependence. The
encoded cell of a row with that value is copied to all rows, which works for every kind of column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nncli.analysis.inspection.encoded_rows import EncodedRows, ProgressCallback, no_progress
from nncli.base.threads import limit_blas_threads
from nncli.data.encoders.base import ColumnEncoder
from nncli.data.table import Table

Floats = npt.NDArray[np.float64]
MAX_ROWS = 500
"""Rows that are averaged over: more would hardly change the means."""


@dataclass(frozen=True)
class PartialDependence:
    """Mean predictions `means` (points, outputs) at some points of a column.

    A numeric column has `values` (points,), ascending. A date column has days since 1970 and `labels` that spell them.
    Any other column has `labels`, the most frequent first, with None for a missing cell. `outputs` are the names of
    the targets, of the classes, or of the second of two classes; `target` is the name of the target that has these
    classes, None for regression.
    """

    column: str
    values: Floats | None
    labels: tuple[str | None, ...] | None
    outputs: tuple[str, ...]
    means: Floats
    target: str | None = None

    @property
    def meaning(self) -> str:
        """A description of the means."""
        if self.target is None:
            return "mean prediction" if len(self.outputs) > 1 else f"mean prediction of {self.outputs[0]}"
        return f"mean probability that {self.target} is " + (self.outputs[0] if len(self.outputs) == 1 else "…")

    @property
    def points(self) -> list[float] | list[str | None]:
        """The labels, or the values if there are no labels."""
        if self.labels is not None:
            return list(self.labels)
        return [] if self.values is None else self.values.tolist()

    @property
    def direction(self) -> str:
        """The trend of a single output: `increases`, `decreases`, `non-monotonic` or `constant`.

        Of categories, the one with the highest mean. Empty if there are several outputs or fewer than two points.
        """
        if len(self.outputs) > 1 or len(self.means) < 2:
            return ""
        y = self.means[:, 0]
        if self.values is None and self.labels is not None:
            top = self.labels[y.argmax()]
            return f"highest for {'(missing)' if top is None else top}"
        steps = np.diff(y)
        up, down = float(steps[steps > 0.0].sum()), -float(steps[steps < 0.0].sum())
        if up + down == 0.0:
            return "constant"
        if min(up, down) > 0.1 * (up + down):
            return "non-monotonic"
        return "increases" if up > down else "decreases"


@np.errstate(all="ignore")  # infinities are kept in the result
@limit_blas_threads(1)
def partial_dependence(
    rows: EncodedRows,
    table: Table,
    columns: Sequence[str],
    rng: np.random.Generator,
    on_progress: ProgressCallback = no_progress,
) -> tuple[PartialDependence, ...]:
    """Partial dependence on each of the columns; `rows` are the encoded rows of the table."""
    target = rows.model.spec.target
    shown, outputs = target.shown_outputs, target.output_names[target.shown_outputs]
    target_name = target.names[0] if target.has_labels else None
    averaged = rows
    if len(rows) > MAX_ROWS:
        averaged = rows.take(np.sort(rng.choice(len(rows), MAX_ROWS, replace=False)))
    dependences = []
    for i, column in enumerate(columns):
        on_progress("partial dependence", i, len(columns))
        grid = _fitted(rows, column).grid(table)
        each = averaged.predict_each(column, [rows.cells(column, np.array([row])) for row in grid.rows])
        means = np.array([averaged.mean(values[:, shown]) for values in each]).reshape(len(grid.rows), len(outputs))
        dependences.append(PartialDependence(column, grid.values, grid.labels, outputs, means, target_name))
    on_progress("partial dependence", len(columns), len(columns))
    return tuple(dependences)


def _fitted(rows: EncodedRows, name: str) -> ColumnEncoder:
    """The encoder of the column in the first network that uses it."""
    return next(column for part in rows.parts for column in part.model.spec.encoder.columns if column.name == name)

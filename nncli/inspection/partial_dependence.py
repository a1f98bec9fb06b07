"""What is predicted on average where one column has a certain value in every row, and all else stays as it is.

Friedman, "Greedy function approximation: a gradient boosting machine", 2001, section 8.2: partial dependence. A value
is lent by a row that has it, so that a column of any kind will do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nncli.data.encoders.base import ColumnEncoder
from nncli.data.encoders.target import Target
from nncli.data.table import Table
from nncli.inspection.encoded_rows import EncodedRows
from nncli.utils.threads import limit_blas_threads

Floats = npt.NDArray[np.float64]
Tell = Callable[[str, int, int], object]

MOST_ROWS = 1000
"""Rows that are averaged over: an average of more looks the same."""


@dataclass(frozen=True)
class PartialDependence:
    """Mean predictions (points, outputs) where the column is what the points say.

    A column of numbers has `values` (points,), ascending; one of dates has days since 1970, and `labels` that spell
    them; any other has `labels`, the most frequent ones first, None for a missing cell. `outputs` name the columns of
    the predictions: the targets, the classes, or of two classes the second; `class_of` is the target whose classes
    they are, None where numbers are predicted.
    """

    column: str
    values: Floats | None
    labels: tuple[str | None, ...] | None
    outputs: tuple[str, ...]
    predictions: Floats
    class_of: str | None = None

    @property
    def meaning(self) -> str:
        """What the predictions are."""
        if self.class_of is None:
            return "mean prediction" if len(self.outputs) > 1 else f"mean prediction of {self.outputs[0]}"
        return f"mean probability that {self.class_of} is " + (self.outputs[0] if len(self.outputs) == 1 else "…")

    @property
    def points(self) -> list[float] | list[str | None]:
        """The labels, or, where there are none, the values."""
        if self.labels is not None:
            return list(self.labels)
        return [] if self.values is None else self.values.tolist()

    @property
    def direction(self) -> str:
        """Where one output depends on numbers: `rises`, `falls`, or `both` where it does not go one way, `flat`; else,
        which label has the highest prediction. Empty where there are several outputs, or fewer than two points."""
        if len(self.outputs) > 1 or len(self.predictions) < 2:
            return ""
        y = self.predictions[:, 0]
        if self.values is None and self.labels is not None:
            top = self.labels[y.argmax()]
            return f"highest of {'(missing)' if top is None else top}"
        steps = np.diff(y)
        up, down = float(steps[steps > 0.0].sum()), -float(steps[steps < 0.0].sum())
        if up + down == 0.0:
            return "flat"
        if min(up, down) > 0.1 * (up + down):
            return "both ways"
        return "rises" if up > down else "falls"


def shown_outputs(target: Target) -> tuple[slice, tuple[str, ...]]:
    """Which columns of predictions are shown, and their names."""
    if target.task == "classification":
        return (slice(1, 2), target.labels[1:]) if len(target.labels) == 2 else (slice(None), target.labels)
    return slice(None), target.names


@np.errstate(all="ignore")  # what overflows shows in the numbers
@limit_blas_threads(1)
def partial_dependence(
    rows: EncodedRows,
    table: Table,
    columns: Sequence[str],
    rng: np.random.Generator,
    tell: Tell = lambda *_: None,
) -> tuple[PartialDependence, ...]:
    """The dependence on each of the columns; `rows` are those of the table, encoded."""
    target = rows.model.spec.target
    shown, outputs = shown_outputs(target)
    class_of = target.name if target.task == "classification" else None
    few = rows
    if len(rows) > MOST_ROWS:
        few = rows.take(np.sort(rng.choice(len(rows), MOST_ROWS, replace=False)))
    found = []
    for i, column in enumerate(columns):
        tell("dependence", i, len(columns))
        grid = _fitted(rows, column).grid(table)
        means = np.empty((len(grid.rows), len(outputs)))
        for j, lender in enumerate(grid.rows):
            means[j] = few.mean(few.predict(column, rows.cells(column, np.array([lender])))[:, shown])
        found.append(PartialDependence(column, grid.values, grid.labels, outputs, means, class_of))
    tell("dependence", len(columns), len(columns))
    return tuple(found)


def _fitted(rows: EncodedRows, name: str) -> ColumnEncoder:
    """The column as the first network has it that knows it."""
    return next(column for part in rows.parts for column in part.model.spec.encoder.columns if column.name == name)

"""Permutation importance and partial dependence of columns.

Permutation importance is the increase of the loss when the cells of a column are shuffled among the rows.

Breiman, "Random forests", 2001, section 10; of any model, Fisher, Rudin and Dominici, "All models are wrong, but many
are useful", 2019. Columns are encoded independently, so the encoded cells are shuffled.

The rows are a sample, and the interval is a normal approximation for the mean over their population. Each row enters
the estimate twice: as receiver, with the increase of its own loss, and as donor, with the increase that its cells cause
in other rows. The standard error is that of the sum of both (Hoeffding, "A class of statistics with asymptotically
normal distribution", 1948, section 5). With few permutations it is biased upwards, never downwards.

With weights w of mean 1, a loss counts by the weight of the receiver, as in the scores, and donors are drawn without
weights. The mean is then a ratio estimate, so w times the mean is subtracted before the standard error is taken
(Cochran, "Sampling techniques", 1977, section 6.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan, sqrt

import numpy as np

from nncli.analysis.inspection.encoded_rows import EncodedRows, ProgressCallback, no_progress
from nncli.base.threads import limit_blas_threads
from nncli.data.sample_weights import Weights
from nncli.data.table import Table
from nncli.models.ensemble import AnyModel, Ensemble
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Codes, Direction, Floats
from nncli.targets.metrics.bootstrap import ConfidenceInterval
from nncli.targets.metrics.registry import higher_is_better
from nncli.targets.target_base import Truth

NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Importance:
    """Importance of a column: the increase of the mean loss when it is shuffled, with a 95 % confidence interval.

    `low` and `high` are NaN for fewer than two rows. `metric_worsening` is positive if the metric gets worse, whether
    higher or lower is better.
    """

    column: str
    loss_increase: float
    low: float
    high: float
    metric_worsening: float

    @property
    def interval(self) -> ConfidenceInterval | None:
        """The confidence interval, if it is finite."""
        return ConfidenceInterval(self.low, self.high) if isfinite(self.low) else None


SQUARED_ERROR = "squared_error"


def in_units(loss_name: str, loss: float, importances: Sequence[Importance]) -> tuple[str, tuple[Importance, ...]]:
    """The name and the importances of a loss in the units of the target: a squared error as RMSE.

    `loss` is the mean loss of the rows as they are. The ends of an interval are converted as its value is.
    """
    if loss_name != SQUARED_ERROR:
        return loss_name, tuple(importances)

    def rmse_increase(increase: float) -> float:
        return sqrt(max(loss + increase, 0.0)) - sqrt(loss) if isfinite(loss + increase) else increase

    return "rmse", tuple(
        replace(
            item,
            loss_increase=rmse_increase(item.loss_increase),
            low=rmse_increase(item.low),
            high=rmse_increase(item.high),
        )
        for item in importances
    )


@dataclass(frozen=True)
class Scorer:
    """Scores predictions: a loss for each row, named `loss_name`, and a `metric` of all rows.

    With one target the loss is in its units; with several, each is in its own standard deviations.
    """

    model: AnyModel
    y: Truth
    metric: str

    @property
    def loss_name(self) -> str:
        """The name of the loss."""
        return self.model.spec.loss.per_row_name

    def losses(self, predictions: Predictions) -> Floats:
        """The losses (rows,) of predictions."""
        target, loss = self.model.spec.target, self.model.spec.loss
        member = self.model.members[0] if isinstance(self.model, Ensemble) else self.model
        with np.errstate(all="ignore"):
            return target.row_losses(loss, predictions.points, self.y, member.spec.target.scale)

    @limit_blas_threads(1)
    def unshuffled(self, rows: EncodedRows) -> tuple[float, float]:
        """The mean loss and the metric of the rows as they are."""
        predictions = rows.predict()
        return float(rows.mean(self.losses(predictions))), self.score(predictions, rows.weights)

    def score(self, predictions: Predictions, weights: Weights | None = None) -> float:
        """The weighted metric; NaN where it is undefined."""
        spec = self.model.spec
        with np.errstate(all="ignore"):
            return spec.target.metric(self.metric, spec.decision)(self.y, predictions.values, weights)


@np.errstate(all="ignore")  # infinities are kept in the result
@limit_blas_threads(1)
def permutation_importance(
    rows: EncodedRows,
    scorer: Scorer,
    permutations: int,
    rng: np.random.Generator,
    on_progress: ProgressCallback = no_progress,
) -> tuple[Importance, ...]:
    """The importance of every column of the model, the most important first.

    All columns are shuffled by the same `permutations`, drawn from `rng`.
    """
    orders = [rng.permutation(len(rows)) for _ in range(permutations)]
    predictions = rows.predict()
    losses, score = scorer.losses(predictions), scorer.score(predictions, rows.weights)
    w = np.ones(len(rows)) if rows.weights is None else rows.weights
    sign = 1.0 if higher_is_better(scorer.metric) else -1.0
    importances = []
    for i, column in enumerate(rows.model.names):
        on_progress("feature importance", i, len(rows.model.names))
        as_receiver, as_donor, scores = np.zeros(len(rows)), np.zeros(len(rows)), []
        replaced = rows.predict_each(column, [rows.cells(column, order) for order in orders])
        for order, shuffled in zip(orders, replaced, strict=True):
            increases = w * (scorer.losses(shuffled) - losses)
            as_receiver += increases / permutations
            as_donor[order] += increases / permutations
            scores.append(scorer.score(shuffled, rows.weights))
        mean = float(as_receiver.mean())
        margin = (
            NORMAL_95 * float((as_receiver + as_donor - w * mean).std(ddof=1)) / sqrt(len(rows))
            if len(rows) > 1
            else nan
        )
        worsening = sign * (score - float(np.mean(scores)))
        importances.append(Importance(column, mean, mean - margin, mean + margin, worsening))
    on_progress("feature importance", len(importances), len(importances))
    return tuple(sorted(importances, key=lambda importance: -importance.loss_increase))


@np.errstate(all="ignore")
@limit_blas_threads(1)
def rank_by_prediction_change(rows: EncodedRows, rng: np.random.Generator) -> list[str]:
    """The columns by how much shuffling them changes the predictions, most first; needs no labels."""
    order, values = rng.permutation(len(rows)), rows.predict().values
    changes = {
        column: float(
            rows.mean(np.abs(next(rows.predict_each(column, [rows.cells(column, order)])).values - values)).mean()
        )
        for column in rows.model.names
    }
    return sorted(changes, key=lambda column: -changes[column])


MAX_ROWS = 500
"""Rows that are averaged over: more would hardly change the means."""


@dataclass(frozen=True)
class PartialDependence:
    """Mean predictions `means` (points, outputs) at some points of a column.

    A numeric column has `values` (points,), ascending. A date column has days since 1970 and `labels` that spell them.
    Any other column has `labels`, the most frequent first, with None for a missing cell. `outputs` are the names of
    the targets, of the classes, or of the second of two classes; `target` is the name of the target that has these
    classes, None for regression. `counts` are the rows of each label, or in equal intervals between the first and the
    last value. A `monotone` column has the direction that the model holds for every row.
    """

    column: str
    values: Floats | None
    labels: tuple[str | None, ...] | None
    outputs: tuple[str, ...]
    means: Floats
    target: str | None = None
    counts: Codes | None = None
    monotone: Direction | None = None

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
    """Partial dependence on each of the columns; `rows` are the encoded rows of the table.

    It is the mean prediction if one column has the same value in every row. The encoded cell of a row with that value
    is copied to all rows, which works for every kind of column.
    Source: Friedman, "Greedy function approximation: a gradient boosting machine", 2001, section 8.2.
    """
    target = rows.model.spec.target
    shown, outputs = target.shown_outputs, target.output_names[target.shown_outputs]
    target_name = rows.model.spec.head.explained.of_classes
    averaged = rows
    if len(rows) > MAX_ROWS:
        averaged = rows.take(np.sort(rng.choice(len(rows), MAX_ROWS, replace=False)))
    dependences, directions = [], rows.monotone
    for i, column in enumerate(columns):
        on_progress("partial dependence", i, len(columns))
        fitted = (c for part in rows.parts for c in part.model.spec.encoder.columns if c.name == column)
        grid = next(fitted).grid(table)
        each = averaged.predict_each(column, [rows.cells(column, np.array([row])) for row in grid.rows])
        means = np.array([averaged.mean(predictions.values[:, shown]) for predictions in each])
        means = means.reshape(len(grid.rows), len(outputs))
        dependences.append(
            PartialDependence(
                column, grid.values, grid.labels, outputs, means, target_name, grid.counts, directions.get(column)
            )
        )
    on_progress("partial dependence", len(columns), len(columns))
    return tuple(dependences)

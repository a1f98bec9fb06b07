"""How much a model leans on each column: how much worse it is where the column's cells are shuffled among the rows.

Breiman, "Random forests", 2001, section 10; of any model, Fisher, Rudin and Dominici, "All models are wrong, but many
are useful", 2019. A column is encoded by itself, so shuffling what it was encoded to is shuffling its cells.

The interval is for the mean over all rows that might have come, of which these are a sample, and it is that of the
normal distribution. Each row counts in it twice, as it does in the estimate: with what the cells of others add to its
loss, and with what its cells add to the losses of others. The spread of the two together is what the mean's own spread
is made of (Hoeffding, "A class of statistics with asymptotically normal distribution", 1948, section 5); shuffling few
times makes it seem larger than it is, on average never smaller.

Where rows have weights w of mean 1, a loss counts by the weight of the row whose loss it is, as in the scores; any row
is as likely as any other to lend its cells. The mean is a ratio then, of which a row moves the denominator as well: w
times the mean is taken off its spread (Cochran, "Sampling techniques", 1977, section 6.3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
import numpy.typing as npt

from nncli.data.sample_weights import Weights
from nncli.ensemble import AnyModel, Ensemble
from nncli.inspection.encoded_rows import EncodedRows
from nncli.metrics.registry import higher_is_better
from nncli.scoring import Truth, single_metric
from nncli.utils.threads import limit_blas_threads

Floats = npt.NDArray[np.float64]
Tell = Callable[[str, int, int], object]

NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Importance:
    """What shuffling a column costs: by how much the mean loss grows, the ends of its 95 % interval (NaN of fewer than
    two rows), and by how much the metric gets worse (more is worse, whichever way the metric counts)."""

    column: str
    loss_increase: float
    low: float
    high: float
    metric_worsening: float


@dataclass(frozen=True)
class Scorer:
    """How predictions are judged, in the person's terms: a loss for each row, named `loss_name`, and a `metric` of all.

    With one target the loss is in its own units; with several each counts in its own standard deviations.
    """

    model: AnyModel
    y: Truth
    metric: str

    @property
    def loss_name(self) -> str:
        """What the losses of rows are."""
        return self.model.spec.loss.per_row_name

    def losses(self, values: Floats) -> Floats:
        """The loss (rows,) of predictions (rows, outputs)."""
        target, loss = self.model.spec.target, self.model.spec.loss
        if target.task == "classification":
            return loss.per_row(values, self.y)
        member = self.model.members[0] if isinstance(self.model, Ensemble) else self.model
        trained = member.spec.target
        scales = np.ones(1) if trained.task == "classification" else np.array(trained.scales)
        with np.errstate(all="ignore"):
            unit = scales if len(target.names) > 1 else np.ones(1)
            return loss.per_row(values / unit, self.y / unit, scale=scales / unit)

    @limit_blas_threads(1)
    def as_it_is(self, rows: EncodedRows) -> tuple[float, float]:
        """The mean loss and the metric of the rows, unshuffled."""
        values = rows.predict()
        return float(rows.mean(self.losses(values))), self.score(values, rows.weights)

    def score(self, values: Floats, weights: Weights | None = None) -> float:
        """The metric of rows with such weights; NaN where it is undefined."""
        with np.errstate(all="ignore"):
            return single_metric(self.model.spec.target, self.metric)(self.y, values, weights)


@np.errstate(all="ignore")  # what overflows shows in the numbers
@limit_blas_threads(1)
def permutation_importance(
    rows: EncodedRows, judge: Scorer, repeats: int, rng: np.random.Generator, tell: Tell = lambda *_: None
) -> tuple[Importance, ...]:
    """The importance of every column that the model knows, the most important first.

    Every column is shuffled in the same ways, `repeats` of them, drawn from `rng`.
    """
    orders = [rng.permutation(len(rows)) for _ in range(repeats)]
    before = rows.predict()
    losses, score = judge.losses(before), judge.score(before, rows.weights)
    w = np.ones(len(rows)) if rows.weights is None else rows.weights
    sign = 1.0 if higher_is_better(judge.metric) else -1.0
    found = []
    for i, column in enumerate(rows.model.names):
        tell("importance", i, len(rows.model.names))
        as_taker, as_giver, scores = np.zeros(len(rows)), np.zeros(len(rows)), []
        for order in orders:
            values = rows.predict(column, rows.cells(column, order))
            more = w * (judge.losses(values) - losses)
            as_taker += more / repeats
            as_giver[order] += more / repeats
            scores.append(judge.score(values, rows.weights))
        increase = float(as_taker.mean())
        reach = (
            NORMAL_95 * float((as_taker + as_giver - w * increase).std(ddof=1)) / sqrt(len(rows))
            if len(rows) > 1
            else nan
        )
        worsening = sign * (score - float(np.mean(scores)))
        found.append(Importance(column, increase, increase - reach, increase + reach, worsening))
    tell("importance", len(found), len(found))
    return tuple(sorted(found, key=lambda one: -one.loss_increase))


@np.errstate(all="ignore")
@limit_blas_threads(1)
def rank_by_prediction_change(rows: EncodedRows, rng: np.random.Generator) -> list[str]:
    """The columns, first those that change predictions most where they are shuffled, which needs no labels."""
    order, before = rng.permutation(len(rows)), rows.predict()
    changes = {
        column: float(rows.mean(np.abs(rows.predict(column, rows.cells(column, order)) - before)).mean())
        for column in rows.model.names
    }
    return sorted(changes, key=lambda column: -changes[column])

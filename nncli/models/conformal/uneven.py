"""Groups of rows that intervals cover less or more often than their level, which is an average over all rows.

The held-out rows are compared by thirds of the prediction, and by the categories of each column. A group is named if
its coverage differs from the level by more than 5 points, and significantly: by a two-sided binomial test, corrected
for the number of groups that are compared (Bonferroni). Rows of a `data.group` count as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, lgamma, log

import numpy as np
import numpy.typing as npt

from nncli.base.errors import Action, Advice, SetKey, UseOption
from nncli.base.text import format_percent, quote
from nncli.models.held_out_rows import MIN_CATEGORY_ROWS, RowCategories
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Floats
from nncli.targets.conformal import ConformalMethod
from nncli.targets.metrics.conformal import rank
from nncli.targets.metrics.coverage import Groups, thirds
from nncli.targets.metrics.sorted_scores import Integers
from nncli.targets.target_base import Truth

MIN_DIFFERENCE, SIGNIFICANCE = 0.05, 0.05
THIRDS = ("lowest", "middle", "highest")


@dataclass(frozen=True)
class UnevenCoverage:
    """The `rows` of a group of held-out rows, of which the intervals of a level for a target cover a `share`.

    The group is a category of a `column`, or if that is None a third of the predictions.
    """

    level: float
    target: str
    column: str | None
    group: str
    rows: int
    share: float

    def note(self, predictions: Predictions, kind: str, by: str | None = None) -> str:
        """What is covered how often, and what helps; `kind` are the rows, such as out-of-fold.

        Rows that are calibrated `by` the values of a column are not advised to be by another one instead.
        """
        target = f" of {quote(self.target)}" if len(predictions.target.names) > 1 else ""
        group = f"whose {quote(self.column)} is {quote(self.group)}" if self.column else f"in the {self.group} third"
        of_third = "" if self.column else " of the predictions"
        remedies = list[tuple[str, Action]]()
        if self.column and by is None:
            remedies.append(("to correct this, use ", UseOption("by", "by", self.column)))
        if predictions.quantiles is None:  # a category may be covered unevenly for another reason than its predictions
            may = "it may help to" if self.column else "to correct this,"
            remedies.append((f"{may} train with ", SetKey("loss", "quantiles")))
        covered = f"the intervals{target} cover {format_percent(self.share)} of the {self.rows:,} {kind} rows"
        more = (part for words, action in remedies for part in (f"; {words}", action))
        return Advice(f"level {self.level:g}: {covered} {group}{of_third}", *more)


def uneven_rows(
    level: float,
    method: ConformalMethod,
    predictions: Predictions,
    y: Truth,
    parts: Sequence[Integers],
    categories: Sequence[RowCategories],
    clusters: Integers | None,
) -> UnevenCoverage | None:
    """The group of calibration rows with the targets y whose coverage is furthest from the level; None without one.

    Rows are covered by the quantile of the scores of each part, by a method that is fitted by them. So the share of
    each part is the level, and other groups of rows can be compared with it. Where parts share rows, the first counts.
    """
    numbers = method.compared(predictions)
    if not numbers:
        return None
    scores = method.scores(predictions, y)
    covered = np.empty(scores.shape, np.bool_)
    for part in reversed(parts):
        covered[part] = scores[part] <= np.sort(scores[part], axis=0)[rank(level, len(part)) - 1]
    return uneven_coverage(level, covered, numbers, categories, clusters)


def uneven_coverage(
    level: float,
    covered: npt.NDArray[np.bool_],
    numbers: Mapping[str, Floats],
    categories: Sequence[RowCategories],
    clusters: Integers | None,
) -> UnevenCoverage | None:
    """The group whose coverage is furthest from the level, of those where it is; None if there is none.

    `covered` (n, targets) are the held-out rows whose interval has their target, `numbers` (n,) the predictions of each
    target, and `clusters` (n,) the numbers of their `data.group`.
    """
    compared = list[tuple[UnevenCoverage, int]]()
    for j, (target, values) in enumerate(numbers.items()):
        of_thirds = thirds(values) if np.isfinite(values).all() else None
        parts = [] if of_thirds is None else [(None, Groups(of_thirds.numbers, THIRDS))]
        named = [(of.column, Groups(of.codes.astype(np.int64), ("", *of.values))) for of in categories]
        for column, groups in [*parts, *named]:
            rows = np.bincount(groups.numbers, minlength=len(groups.names))
            counts = np.bincount(groups.numbers, covered[:, j], minlength=len(groups.names))
            independent = rows if clusters is None else _distinct(groups, clusters)
            for i, name in enumerate(groups.names):
                if rows[i] >= MIN_CATEGORY_ROWS and (column is None or i > 0):
                    share = float(counts[i] / rows[i])
                    compared.append(
                        (UnevenCoverage(level, target, column, name, int(rows[i]), share), int(independent[i]))
                    )
    limit = SIGNIFICANCE / (2.0 * max(1, len(compared)))
    uneven = [
        group
        for group, n in compared
        if abs(group.share - level) > MIN_DIFFERENCE and tail(group.share, n, level) <= limit
    ]
    return max(uneven, key=lambda group: abs(group.share - level), default=None)


def tail(share: float, n: int, level: float) -> float:
    """The probability that a binomial share of n rows is at least as far from the level, on its side; at most 1.

    The probabilities of the shares beyond are at most those of a geometric series, which is summed instead.

    >>> round(tail(0.7, 30, 0.9), 4)
    0.002
    """
    if share == level:
        return 1.0
    if share > level:
        share, level = 1.0 - share, 1.0 - level
    k = share * n
    ratio = k * (1.0 - level) / ((n - k + 1.0) * level)
    density = lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0) + k * log(level) + (n - k) * log(1.0 - level)
    return min(1.0, exp(density) / (1.0 - ratio))


def _distinct(groups: Groups, clusters: Integers) -> Integers:
    """The number of clusters that each group has rows of."""
    pairs = np.unique(np.stack([groups.numbers, clusters]), axis=1)
    return np.bincount(pairs[0], minlength=len(groups.names))

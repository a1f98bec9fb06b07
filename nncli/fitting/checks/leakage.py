"""Target leakage: a single feature that predicts the target of validation rows nearly perfectly.

Each row is predicted by the most frequent class, or the mean, of the three training rows with the nearest numbers or
of all training rows with the same category, so that a single copy of the row is outvoted. Large tables are sampled
with a fixed seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.base.errors import Location
from nncli.base.findings import Finding, FindingCode
from nncli.base.text import quote
from nncli.fitting.checks.column import Column, Positions, SplitTable, column_finding, draw, drop_key, percentage

MAX_FITTED, MAX_SCORED = 40_000, 10_000
"""Sampled rows from which is predicted, and which are predicted."""
MIN_ROWS = 20
"""Fewest rows of either; fewer may agree by chance."""
MIN_BASELINE_ERRORS = 10
"""Fewest errors of the baseline, the most frequent class."""
MIN_ERROR_REDUCTION = 0.98
"""Fraction of the baseline's errors that the column must avoid; with MIN_ROWS errors or more, all but one suffice."""
NEAREST = 3
"""Training rows that a number is predicted from, and the fewest rows of a category."""
MIN_RANK_CORRELATION, MIN_R2 = 0.999, 0.995
"""Rank correlation and R² from which a column leaks a numeric target."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LeakageSample:
    """Positions of the `fitted` training rows, and of the `scored` rows.

    Validation rows are scored, or training rows apart from the fitted ones if there are too few (`within_training`).
    """

    fitted: Positions
    scored: Positions
    within_training: bool

    @classmethod
    def of(cls, split: SplitTable) -> LeakageSample:
        """A sample of the rows of a split."""
        rng = np.random.default_rng(0)
        rows, validation = len(split.training), len(split.validation)
        if validation >= MIN_ROWS:
            return cls(
                draw(np.arange(rows), MAX_FITTED, rng),
                draw(np.arange(validation), MAX_SCORED, rng),
                within_training=False,
            )
        order = rng.permutation(rows)
        cut = rows * 7 // 10
        return cls(
            draw(np.sort(order[:cut]), MAX_FITTED, rng),
            draw(np.sort(order[cut:]), MAX_SCORED, rng),
            within_training=True,
        )

    def of_column(self, column: Column) -> tuple[pl.Series, pl.Series]:
        """The fitted and the scored cells of a column."""
        scored = column.training if self.within_training else column.validation
        return column.training.gather(self.fitted), scored.gather(self.scored)


def target_leakage(column: Column, target: Column, sample: LeakageSample, location: Location) -> Finding | None:
    """A finding if the `column` leaks the `target`."""
    if len(sample.scored) < MIN_ROWS or len(sample.fitted) < MIN_ROWS:
        return None
    x, x_scored = sample.of_column(column)
    y, y_scored = sample.of_column(target)
    if target.numeric:
        evidence = _number_leak(x, y.to_numpy(), x_scored, y_scored.to_numpy())
    else:
        evidence = _class_leak(x, y, x_scored, y_scored)
    if evidence is None:
        return None
    message = f"this column alone predicts {quote(target.name)}: {evidence}; is it known before the target?"
    hint = f"If it is not known for new rows, drop it: {drop_key([column.name])}."
    return column_finding("warning", FindingCode.TARGET_LEAKAGE, location, [column.name], message, hint)


def _class_leak(x: pl.Series, y: pl.Series, x_scored: pl.Series, y_scored: pl.Series) -> str | None:
    """The accuracy as text if it is high enough; y are class labels."""
    ranks = pl.concat([y, y_scored]).rank("dense").to_numpy().astype(np.int64) - 1
    fitted, truth = ranks[: len(y)], ranks[len(y) :]
    classes = int(ranks.max()) + 1
    majority = int(np.bincount(fitted).argmax())
    baseline_errors = int((truth != majority).sum())
    if baseline_errors < MIN_BASELINE_ERRORS:
        return None

    def most_frequent(groups: Positions, count: int) -> Positions:
        pairs, rows = np.unique(groups * classes + fitted, return_counts=True)
        votes = np.full(count, majority)
        order = np.argsort(rows, kind="stable")  # the most frequent is written last
        votes[pairs[order] // classes] = pairs[order] % classes
        return votes

    groups, scored_groups, count = _groups(x, x_scored)
    votes = most_frequent(groups, count)
    votes[np.bincount(groups, minlength=count) < NEAREST] = majority
    predicted = votes[scored_groups]
    present_scored, near = _nearest(x, x_scored)
    if len(near):
        labels = fitted[near]
        agreeing = (labels[:, :, None] == labels[:, None, :]).sum(axis=2).argmax(axis=1)
        predicted[present_scored] = labels[np.arange(len(labels)), agreeing]
    right = int((predicted == truth).sum())
    allowed = max(int((1.0 - MIN_ERROR_REDUCTION) * baseline_errors), int(baseline_errors >= MIN_ROWS))
    if len(truth) - right > allowed:
        return None
    return f"accuracy {percentage(right, len(truth))} on held-out rows"


def _number_leak(x: pl.Series, y: Floats, x_scored: pl.Series, truth: Floats) -> str | None:
    """The rank correlation or R² as text if it is high enough."""
    spread = float(((truth - truth.mean()) ** 2).sum())
    if not np.isfinite(spread) or spread <= 0.0:
        return None
    present = x.is_not_null().to_numpy()
    if x.dtype == pl.Float64 and present.sum() >= MIN_ROWS and present.mean() > 0.5:
        correlation = _rank_correlation(x.drop_nulls(), pl.Series(y[present]))
        if abs(correlation) >= MIN_RANK_CORRELATION:
            return f"rank correlation {correlation:.4f}"
    groups, scored_groups, count = _groups(x, x_scored)
    rows = np.bincount(groups, minlength=count)
    means = np.divide(np.bincount(groups, y, count), rows, out=np.full(count, y.mean()), where=rows >= NEAREST)
    predicted = means[scored_groups]
    present_scored, near = _nearest(x, x_scored)
    if len(near):
        predicted[present_scored] = y[near].mean(axis=1)
    r2 = 1.0 - float(((truth - predicted) ** 2).sum()) / spread
    return f"R² {r2:.5f} on held-out rows" if r2 >= MIN_R2 else None


def _groups(x: pl.Series, x_scored: pl.Series) -> tuple[Positions, Positions, int]:
    """The category index of each fitted and scored row, 0 for missing, and the number of categories.

    All present numbers are one category, since they are predicted from their nearest neighbors.
    """
    both = pl.concat([x, x_scored])
    codes = both.is_not_null() if both.dtype == pl.Float64 else both.rank("dense")
    groups = codes.cast(pl.Int64).fill_null(0).to_numpy()
    return groups[: len(x)], groups[len(x) :], int(groups.max()) + 1


def _nearest(x: pl.Series, x_scored: pl.Series) -> tuple[npt.NDArray[np.bool_], Positions]:
    """Which scored rows have a number, and for each of them the positions of its NEAREST fitted rows.

    The positions are empty for categories, and if there are too few fitted numbers.
    """
    present_scored = x_scored.is_not_null().to_numpy()
    known = np.flatnonzero(x.is_not_null().to_numpy())
    if x.dtype != pl.Float64 or len(known) < NEAREST:
        return present_scored, np.empty((0, NEAREST), np.int64)
    values, queries = x.drop_nulls().to_numpy(), x_scored.drop_nulls().to_numpy()
    order = np.argsort(values, kind="stable")
    ends = [np.searchsorted(values[order], queries, side) for side in ("left", "right")]
    first = ((ends[0] + ends[1]) // 2 - NEAREST // 2).clip(0, len(known) - NEAREST)
    return present_scored, known[order[first[:, None] + np.arange(NEAREST)]]


def _rank_correlation(x: pl.Series, y: pl.Series) -> float:
    """Spearman's rank correlation; 0 if x or y is constant."""
    a, b = (values.rank("average").to_numpy() for values in (x, y))
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0.0 else 0.0

"""A feature that gives the target away: one that by itself predicts rows held out all but perfectly.

A row is predicted from a few training rows with the nearest numbers, or from all with the same category: by their
commonest class, or by their mean. So a copy of the row among them, where a table holds copies, is outvoted. No more
than so many rows are looked at, drawn by a fixed seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.checks.column import Column, Positions, SplitTable, about, dropped, share
from nncli.checks.findings import Finding
from nncli.errors import Location
from nncli.text import quote

SEEN, MAX_SCORED = 40_000, 10_000
"""Rows that are learnt from and predicted."""
FEWEST = 20
"""Rows predicted below which all may be chance."""
FEWEST_OTHERS = 10
"""Of these, such as the trivial guess gets wrong."""
MIN_ERROR_REDUCTION = 0.98
"""Of the trivial guess's mistakes, the share that the column clears away; of FEWEST or more, all but one do as well."""
NEAREST = 3
"""Training rows that a number is predicted from, and the fewest of a category."""
IN_ORDER, PERFECT = 0.999, 0.995
"""Rank correlation, and R² on the rows predicted, from which a number is all but the target itself."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LeakageSample:
    """Positions among the training rows to learn from, and to predict among those held out or, of too few, of more
    training rows."""

    seen: Positions
    judged: Positions
    within: bool

    @classmethod
    def of(cls, sides: SplitTable) -> LeakageSample:
        """Some rows of a split."""
        rng = np.random.default_rng(0)
        rows, held = len(sides.training), len(sides.held)
        if held >= FEWEST:
            return cls(_some(np.arange(rows), SEEN, rng), _some(np.arange(held), MAX_SCORED, rng), within=False)
        order = rng.permutation(rows)
        cut = rows * 7 // 10
        return cls(_some(np.sort(order[:cut]), SEEN, rng), _some(np.sort(order[cut:]), MAX_SCORED, rng), within=True)

    def of_column(self, column: Column) -> tuple[pl.Series, pl.Series]:
        """The cells that are learnt from, and those that are predicted."""
        return column.cells.gather(self.seen), (column.cells if self.within else column.held).gather(self.judged)


def _some(positions: Positions, most: int, rng: np.random.Generator) -> Positions:
    return positions if len(positions) <= most else np.sort(rng.choice(positions, most, replace=False))


def target_leakage(column: Column, target: Column, sampled: LeakageSample, place: Location) -> Finding | None:
    """A finding if the `column` gives the `target` away."""
    if len(sampled.judged) < FEWEST or len(sampled.seen) < FEWEST:
        return None
    x, x_judged = sampled.of_column(column)
    y, y_judged = sampled.of_column(target)
    if target.numeric:
        said = _number_given_away(x, y.to_numpy(), x_judged, y_judged.to_numpy())
    else:
        said = _class_given_away(x, y, x_judged, y_judged)
    if said is None:
        return None
    message = (
        f"{quote(column.name)} alone tells {quote(target.name)}: {said}; "
        "is it known before the target is, or does it follow from it?"
    )
    mend = f"If it would not be known of new rows, leave it out: {dropped([column.name])}; else all is well."
    return about("warning", "giveaway", place, [column.name], message, mend)


def _class_given_away(x: pl.Series, y: pl.Series, x_judged: pl.Series, y_judged: pl.Series) -> str | None:
    ranks = pl.concat([y, y_judged]).rank("dense").to_numpy().astype(np.int64) - 1
    seen, truth = ranks[: len(y)], ranks[len(y) :]
    classes = int(ranks.max()) + 1
    usual = int(np.bincount(seen).argmax())
    others = int((truth != usual).sum())
    if others < FEWEST_OTHERS:
        return None

    def commonest(groups: Positions, count: int) -> Positions:
        pairs, rows = np.unique(groups * classes + seen, return_counts=True)
        votes = np.full(count, usual)
        order = np.argsort(rows, kind="stable")  # the commonest is written last
        votes[pairs[order] // classes] = pairs[order] % classes
        return votes

    groups, judged, count = _groups(x, x_judged)
    votes = commonest(groups, count)
    votes[np.bincount(groups, minlength=count) < NEAREST] = usual
    guess = votes[judged]
    there, near = _nearest(x, x_judged)
    if len(near):
        labels = seen[near]
        agreeing = (labels[:, :, None] == labels[:, None, :]).sum(axis=2).argmax(axis=1)
        guess[there] = labels[np.arange(len(labels)), agreeing]
    right = int((guess == truth).sum())
    allowed = max(int((1.0 - MIN_ERROR_REDUCTION) * others), int(others >= FEWEST))
    if len(truth) - right > allowed:
        return None
    return f"the class it goes with is right in {share(right, len(truth))} of the rows tried"


def _number_given_away(x: pl.Series, y: Floats, x_judged: pl.Series, truth: Floats) -> str | None:
    spread = float(((truth - truth.mean()) ** 2).sum())
    if not np.isfinite(spread) or spread <= 0.0:
        return None
    present = x.is_not_null().to_numpy()
    if x.dtype == pl.Float64 and present.sum() >= FEWEST and present.mean() > 0.5:
        correlation = _rank_correlation(x.drop_nulls(), pl.Series(y[present]))
        if abs(correlation) >= IN_ORDER:
            together = "the two rise and fall together" if correlation > 0 else "the one rises as the other falls"
            return f"{together} (rank correlation {correlation:.4f})"
    groups, judged, count = _groups(x, x_judged)
    rows = np.bincount(groups, minlength=count)
    means = np.divide(np.bincount(groups, y, count), rows, out=np.full(count, y.mean()), where=rows >= NEAREST)
    guess = means[judged]
    there, near = _nearest(x, x_judged)
    if len(near):
        guess[there] = y[near].mean(axis=1)
    r2 = 1.0 - float(((truth - guess) ** 2).sum()) / spread
    return f"it predicts rows held out with R² {r2:.5f}" if r2 >= PERFECT else None


def _groups(x: pl.Series, x_judged: pl.Series) -> tuple[Positions, Positions, int]:
    """Each row's category by number, 0 if it is missing, of both kinds of row, and how many there may be.

    Of numbers all that are there are one category: they have neighbours to be predicted from.
    """
    both = pl.concat([x, x_judged])
    codes = both.is_not_null() if both.dtype == pl.Float64 else both.rank("dense")
    groups = codes.cast(pl.Int64).fill_null(0).to_numpy()
    return groups[: len(x)], groups[len(x) :], int(groups.max()) + 1


def _nearest(x: pl.Series, x_judged: pl.Series) -> tuple[npt.NDArray[np.bool_], Positions]:
    """Which rows have a number, and for each of these the positions of the NEAREST training rows in order of x.

    There are none of categories, nor where training has too few numbers.
    """
    there = x_judged.is_not_null().to_numpy()
    known = np.flatnonzero(x.is_not_null().to_numpy())
    if x.dtype != pl.Float64 or len(known) < NEAREST:
        return there, np.empty((0, NEAREST), np.int64)
    values, wanted = x.drop_nulls().to_numpy(), x_judged.drop_nulls().to_numpy()
    order = np.argsort(values, kind="stable")
    ends = [np.searchsorted(values[order], wanted, side) for side in ("left", "right")]
    first = ((ends[0] + ends[1]) // 2 - NEAREST // 2).clip(0, len(known) - NEAREST)
    return there, known[order[first[:, None] + np.arange(NEAREST)]]


def _rank_correlation(x: pl.Series, y: pl.Series) -> float:
    """Spearman's; 0 where one of them is constant."""
    a, b = (values.rank("average").to_numpy() for values in (x, y))
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0.0 else 0.0

"""A feature that gives the target away: one that by itself predicts rows held out all but perfectly.

Numbers are predicted from the training rows with the nearest value, categories from those with the same one: by the
commonest class, or by the mean. No more than so many rows are looked at, drawn by a fixed seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.commands.checks.column import Column, Positions, Sides, about, dropped, share
from nncli.commands.findings import Finding
from nncli.errors import Place, quoted

SEEN, JUDGED = 40_000, 10_000
"""Rows that are learnt from and predicted."""
FEWEST = 20
"""Rows predicted below which all may be chance."""
FEWEST_OTHERS = 10
"""Of these, such as the trivial guess gets wrong."""
CLEARED = 0.98
"""Of the trivial guess's mistakes, the share that the column clears away."""
IN_ORDER, PERFECT = 0.999, 0.995
"""Rank correlation, and R² on the rows predicted, from which a number is all but the target itself."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sampled:
    """Positions among the training rows to learn from, and to predict among those held out or, of too few, of more
    training rows."""

    seen: Positions
    judged: Positions
    within: bool

    @classmethod
    def of(cls, sides: Sides) -> Sampled:
        """Some rows of a split."""
        rng = np.random.default_rng(0)
        rows, held = len(sides.training), len(sides.held)
        if held >= FEWEST:
            return cls(_some(np.arange(rows), SEEN, rng), _some(np.arange(held), JUDGED, rng), within=False)
        order = rng.permutation(rows)
        cut = rows * 7 // 10
        return cls(_some(np.sort(order[:cut]), SEEN, rng), _some(np.sort(order[cut:]), JUDGED, rng), within=True)

    def of_column(self, column: Column) -> tuple[pl.Series, pl.Series]:
        """The cells that are learnt from, and those that are predicted."""
        return column.cells.gather(self.seen), (column.cells if self.within else column.held).gather(self.judged)


def _some(positions: Positions, most: int, rng: np.random.Generator) -> Positions:
    return positions if len(positions) <= most else np.sort(rng.choice(positions, most, replace=False))


def giveaway(column: Column, target: Column, sampled: Sampled, place: Place) -> Finding | None:
    """A finding if the `column` gives the `target` away."""
    if len(sampled.judged) < FEWEST or len(sampled.seen) < FEWEST:
        return None
    x, x_judged = _codes(column, sampled)
    y, y_judged = sampled.of_column(target)
    if target.numeric:
        said = _number_given_away(x, y.to_numpy(), x_judged, y_judged.to_numpy(), ordered=column.numeric)
    else:
        said = _class_given_away(x, y, x_judged, y_judged, ordered=column.numeric)
    if said is None:
        return None
    message = (
        f"{quoted(column.name)} alone tells {quoted(target.name)}: {said}; "
        "is it known before the target is, or does it follow from it?"
    )
    mend = f"If it would not be known of new rows, leave it out: {dropped([column.name])}; else all is well."
    return about("warning", "giveaway", place, [column.name], message, mend)


def _codes(column: Column, sampled: Sampled) -> tuple[Floats, Floats]:
    """The column as numbers, NaN where a cell is missing: its own, or the ranks of its categories."""
    seen, judged = sampled.of_column(column)
    if not column.numeric:
        ranks = pl.concat([seen, judged]).rank("dense").cast(pl.Float64)
        seen, judged = ranks.head(len(seen)), ranks.tail(len(judged))
    return seen.fill_null(np.nan).to_numpy(), judged.fill_null(np.nan).to_numpy()


def _nearest(known: Floats, x: Floats, *, ordered: bool) -> tuple[Positions, npt.NDArray[np.bool_]]:
    """For each x the position of the nearest of the `known`, which ascend, or of an equal one; and where there is none.

    NaN, which stands last among the known if at all, is near to itself alone.
    """
    right = np.searchsorted(known, x).clip(0, len(known) - 1)
    left = (right - 1).clip(0)
    with np.errstate(invalid="ignore", over="ignore"):
        nearer = np.abs(known[left] - x) < np.abs(known[right] - x)
        at = np.where(nearer | (np.isnan(known[right]) & ~np.isnan(x)), left, right)
        strange = np.isnan(known[at]) != np.isnan(x)
        if not ordered:
            strange |= ~np.isnan(x) & (known[at] != x)
    return at, strange


def _class_given_away(x: Floats, y: pl.Series, x_judged: Floats, y_judged: pl.Series, *, ordered: bool) -> str | None:
    ranks = pl.concat([y, y_judged]).rank("dense").to_numpy().astype(np.int64) - 1
    seen, truth = ranks[: len(y)], ranks[len(y) :]
    usual = int(np.bincount(seen).argmax())
    others = int((truth != usual).sum())
    if others < FEWEST_OTHERS:
        return None
    known, where = np.unique(x, return_inverse=True)
    classes = int(ranks.max()) + 1
    pairs, counts = np.unique(where * classes + seen, return_counts=True)
    order = np.lexsort((-counts, pairs // classes))
    first = np.unique(pairs[order] // classes, return_index=True)[1]
    votes = pairs[order][first] % classes
    at, strange = _nearest(known, x_judged, ordered=ordered)
    right = np.where(strange, usual, votes[at]) == truth
    if (~right).sum() > (1.0 - CLEARED) * others:
        return None
    return f"the class it goes with is right in {share(int(right.sum()), len(right))} of rows held out"


def _number_given_away(x: Floats, y: Floats, x_judged: Floats, truth: Floats, *, ordered: bool) -> str | None:
    spread = float(((truth - truth.mean()) ** 2).sum())
    if not np.isfinite(spread) or spread <= 0.0:
        return None
    present = ~np.isnan(x)
    if ordered and present.sum() >= FEWEST and present.mean() > 0.5:
        correlation = _rank_correlation(x[present], y[present])
        if abs(correlation) >= IN_ORDER:
            together = "the two rise and fall together" if correlation > 0 else "the one rises as the other falls"
            return f"{together} (rank correlation {correlation:.4f})"
    known, where = np.unique(x, return_inverse=True)
    means = np.bincount(where, y) / np.bincount(where)
    at, strange = _nearest(known, x_judged, ordered=ordered)
    guess = np.where(strange, y.mean(), means[at])
    if ordered:
        numbers = ~np.isnan(known)
        if numbers.any():
            guess = np.where(np.isnan(x_judged), guess, np.interp(x_judged, known[numbers], means[numbers]))
    r2 = 1.0 - float(((truth - guess) ** 2).sum()) / spread
    return f"it predicts rows held out with R² {r2:.5f}" if r2 >= PERFECT else None


def _rank_correlation(x: Floats, y: Floats) -> float:
    """Spearman's; 0 where one of them is constant."""
    a, b = (pl.Series(values).rank("average").to_numpy() for values in (x, y))
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0.0 else 0.0

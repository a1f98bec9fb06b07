"""Scores of calibration rows, sorted in groups, and the k-th smallest of prediction + score for many predictions.

The k-th smallest of `shifts[g] + scales[g] * score` is taken over all scores of all groups g, for each column of
`shifts` and `scales`, which are 1 unless they are given. The matrix of all sums is never built: the scores of a group
are sorted once, and the value is found by a few binary searches in each group.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray

from nncli.nn.arrays import Floats

Integers = NDArray[np.int64]

BLOCK_VALUES = 1 << 18
"""Predictions of groups that are searched at a time."""
NEAR = 4
"""From a position this near to the k-th smallest value, the next values are visited one by one."""
FEW = 128
"""Scores of which all sums are computed; also for groups of fewer than FEW_PER_GROUP scores on average."""
FEW_PER_GROUP = 16
MAX_SEARCHES = 40
"""Searches before the remaining rows visit the values one by one."""
MAX_VISITS = 64
"""Values that are visited one by one before all values are computed."""


@dataclass(frozen=True)
class SortedScores:
    """The scores of `n` calibration rows, sorted in each of K groups.

    `values` has, for each group, -inf, the distinct finite scores in ascending order, and inf; `counts` has the number
    of scores up to each value. Group g begins at `starts[g]` and has `sizes[g]` distinct scores. A score that is not
    finite counts as infinite.
    """

    n: int
    values: Floats
    counts: Integers
    starts: Integers
    sizes: Integers

    @classmethod
    def of(cls, scores: Floats, group: Integers, groups: int) -> SortedScores:
        """Sort the scores (rows,) of rows in the groups (rows,), which are numbered from 0."""
        values, counts, sizes = [], [], []
        for g in range(groups):
            group_scores = scores[group == g]
            distinct, repeats = np.unique(group_scores[np.isfinite(group_scores)], return_counts=True)
            total = np.cumsum(repeats)
            values.append(np.concatenate([[-np.inf], distinct, [np.inf]]))
            counts.append(np.concatenate([[0], total, total[-1:] if len(total) else [0]]))
            sizes.append(len(distinct))
        lengths = np.array([len(part) for part in values], np.int64)
        return cls(
            n=len(scores),
            values=np.concatenate(values),
            counts=np.concatenate(counts).astype(np.int64),
            starts=np.cumsum(lengths) - lengths,
            sizes=np.array(sizes, np.int64),
        )

    @property
    def groups(self) -> int:
        """The number of groups."""
        return len(self.starts)

    @property
    def finite(self) -> int:
        """The number of finite scores."""
        return int(self.counts[self.starts + self.sizes].sum())

    def distinct(self, g: int) -> Floats:
        """The distinct finite scores of a group, in ascending order."""
        return self.values[self.starts[g] + 1 : self.starts[g] + 1 + self.sizes[g]]

    def ascending(self, g: int) -> Floats:
        """The finite scores of a group in ascending order, each as often as it occurs."""
        counts = self.counts[self.starts[g] : self.starts[g] + self.sizes[g] + 1]
        return np.repeat(self.distinct(g), np.diff(counts))

    def positions(self, at: Floats, *, right: bool) -> Integers:
        """Indices into `values` and `counts` of the last score below `at` (K, rows), or up to it if `right`."""
        positions = np.empty(at.shape, np.int64)
        for g in range(self.groups):
            positions[g] = self.starts[g] + np.searchsorted(self.distinct(g), at[g], "right" if right else "left")
        return positions

    def at_least(self, thresholds: Floats) -> Integers:
        """The number (rows,) of scores that are at least the threshold (K, rows) of their group."""
        below: Integers = self.counts[self.positions(thresholds, right=False)].sum(axis=0)
        return self.n - below

    def smallest(self, shifts: Floats, k: int, scales: Floats | None = None) -> Floats:
        """The k-th smallest value (rows,) of shifts[g] + scales[g] * score over all scores, k from 1.

        `shifts` and `scales`, which are above 0, are (K, rows). The value is the sum of a shift and a scaled score to
        the last bit. It is infinite if fewer than k scores are finite, and NaN where a shift or scale is not finite.
        Memory grows with the number of scores, and not with its product with the rows.
        """
        rows = shifts.shape[1]
        if k > self.finite:
            return np.full(rows, np.inf)
        result = np.full(rows, np.nan)
        scales = np.ones((self.groups, 1)) if scales is None else scales
        scales = np.broadcast_to(scales, shifts.shape)
        finite = np.flatnonzero((np.isfinite(shifts) & np.isfinite(scales)).all(axis=0))
        step = max(1, BLOCK_VALUES // self.groups)
        for start in range(0, len(finite), step):
            block = finite[start : start + step]
            result[block] = _search(self, shifts[:, block], scales[:, block], k)
        return result


def _search(scores: SortedScores, shifts: Floats, scales: Floats, k: int) -> Floats:
    """The k-th smallest (rows,) of shifts[g] + scales[g] * score, for finite shifts and at least k finite scores.

    For every row a position in each group is kept: the scores up to it are those up to some value t. The number of
    scores up to the positions tells on which side of t the result is. Steps of the secant method and bisection lead
    near it. Then the positions move by one distinct score at a time, in the order of the sums.
    """
    if scores.finite <= max(FEW, FEW_PER_GROUP * scores.groups):
        return _sort_all(scores, shifts, scales, k)
    result, active = np.empty(shifts.shape[1]), np.arange(shifts.shape[1])
    state = _State.of(scores, shifts, scales, k)
    for step in range(MAX_SEARCHES + MAX_VISITS):
        ends = _Ends.of(scores, state.shifts, state.scales, state.positions)
        is_at = (ends.total >= k) & (ends.total - ends.last_count < k) & (ends.last <= ends.next)
        result[active[is_at]] = ends.last[is_at]
        if is_at.all():
            return result
        active, state, ends = active[~is_at], state.take(~is_at), ends.take(~is_at)
        near = (ends.total < k + NEAR + ends.last_count) & (ends.total + ends.next_count > k - NEAR)
        if step >= MAX_SEARCHES:
            near[:] = True
        ends.visit(state.positions, k, near)
        state.search(scores, k, ends.total, np.flatnonzero(~near), bisect=step % 3 == 2)
    result[active] = _sort_all(scores, state.shifts, state.scales, k)
    return result


def _sort_all(scores: SortedScores, shifts: Floats, scales: Floats, k: int) -> Floats:
    """The same from all sums, a few rows at a time."""
    spans = [slice(a, a + size + 1) for a, size in zip(scores.starts, scores.sizes, strict=True)]
    repeats = np.concatenate([np.diff(scores.counts[span]) for span in spans])
    values = np.repeat(np.concatenate([scores.distinct(g) for g in range(scores.groups)]), repeats)
    group = np.repeat(np.repeat(np.arange(scores.groups), scores.sizes), repeats)
    rows, factors = shifts.T, scales.T
    result, step = np.empty(shifts.shape[1]), max(1, BLOCK_VALUES // len(values))
    for start in range(0, len(result), step):
        sums = rows[start : start + step, group] + factors[start : start + step, group] * values
        sums.partition(k - 1, axis=1)
        result[start : start + step] = sums[:, k - 1]
    return result


@dataclass
class _State:
    """The position (K, rows) of each row in each group, and the bracket `low` to `high` (rows,) of the result.

    The scores up to the positions are those up to `t` (rows,), and there were `total` (rows,) of them at the value
    before, `last_t`. `density` (rows,) is the number of scores per unit of t.
    """

    shifts: Floats
    scales: Floats
    positions: Integers
    t: Floats
    low: Floats
    high: Floats
    density: Floats

    @classmethod
    def of(cls, scores: SortedScores, shifts: Floats, scales: Floats, k: int) -> _State:
        """Begin at the mean of the groups' own quantiles; the result lies between the smallest and the largest."""
        used = np.flatnonzero(scores.sizes)
        totals, share = scores.counts[scores.starts + scores.sizes], Fraction(k, scores.finite)
        quantiles, density = np.zeros(scores.groups), np.zeros(shifts.shape[1])
        for g in used.tolist():
            values, counts = scores.distinct(g), scores.counts[scores.starts[g] + 1 :][: scores.sizes[g]]
            at = int(np.searchsorted(counts, ceil(share * int(totals[g]))))
            quantiles[g] = values[at]
            around = max(1, len(values) // 50)
            left, right = max(at - around, 0), min(at + around, len(values) - 1)
            if right > left:
                density += (counts[right] - counts[left]) / (values[right] - values[left]) / scales[g]
        guesses = (shifts + scales * quantiles[:, None])[used]
        t = (totals[used] / scores.finite) @ guesses
        positions = scores.positions((t - shifts) / scales, right=True)
        return cls(shifts, scales, positions, t, guesses.min(axis=0), guesses.max(axis=0), density)

    def take(self, rows: NDArray[np.bool_]) -> _State:
        """The state of some rows."""
        return _State(
            self.shifts[:, rows],
            self.scales[:, rows],
            self.positions[:, rows],
            self.t[rows],
            self.low[rows],
            self.high[rows],
            self.density[rows],
        )

    def search(self, scores: SortedScores, k: int, total: Integers, rows: Integers, *, bisect: bool) -> None:
        """Go to a value nearer to the result in some rows, which have `total` (all rows,) scores up to t."""
        if not len(rows):
            return
        t, missing = self.t[rows], k - 0.5 - total[rows]
        low, high = np.where(missing > 0, t, self.low[rows]), np.where(missing > 0, self.high[rows], t)
        with np.errstate(all="ignore"):
            new = t + missing / self.density[rows]
            outside = ~((new > low) & (new < high)) | bisect
            new[outside] = low[outside] / 2 + high[outside] / 2
        positions = scores.positions((new - self.shifts[:, rows]) / self.scales[:, rows], right=True)
        with np.errstate(all="ignore"):
            density = (scores.counts[positions].sum(axis=0) - total[rows]) / (new - t)
        usable = np.isfinite(density) & (density > 0)
        self.density[rows[usable]] = density[usable]
        self.t[rows], self.low[rows], self.high[rows], self.positions[:, rows] = new, low, high, positions


@dataclass(frozen=True)
class _Ends:
    """The `total` (rows,) number of scores up to the positions, the `last` sum among them, and the `next` one after.

    Both sums come with their group and the number of scores that are equal to it there.
    """

    total: Integers
    last: Floats
    last_group: Integers
    last_count: Integers
    next: Floats
    next_group: Integers
    next_count: Integers

    @classmethod
    def of(cls, scores: SortedScores, shifts: Floats, scales: Floats, positions: Integers) -> _Ends:
        """The ends at the positions (K, rows)."""
        rows, counts = np.arange(shifts.shape[1]), scores.counts
        last, following = (shifts + scales * scores.values[at] for at in (positions, positions + 1))
        last_group, next_group = last.argmax(axis=0), following.argmin(axis=0)
        at_last, at_next = positions[last_group, rows], positions[next_group, rows]
        return cls(
            total=counts[positions].sum(axis=0),
            last=last[last_group, rows],
            last_group=last_group,
            last_count=counts[at_last] - counts[np.maximum(at_last - 1, 0)],
            next=following[next_group, rows],
            next_group=next_group,
            next_count=counts[at_next + 1] - counts[at_next],
        )

    def take(self, rows: NDArray[np.bool_]) -> _Ends:
        """The ends of some rows."""
        return _Ends(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def visit(self, positions: Integers, k: int, rows: NDArray[np.bool_]) -> None:
        """Move the positions (K, all rows) of some rows by one distinct score towards the k-th smallest sum."""
        back = rows & (self.total - self.last_count >= k)
        ahead = rows & ~back
        positions[self.last_group[back], np.flatnonzero(back)] -= 1
        positions[self.next_group[ahead], np.flatnonzero(ahead)] += 1

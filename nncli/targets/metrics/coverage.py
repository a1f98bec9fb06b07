"""Coverage and size of prediction intervals and prediction sets, and the interval score.

An interval covers a row whose target lies between its bounds, a set covers a row whose class it contains. The
confidence interval of a coverage is Wilson's ("Probable inference, the law of succession, and statistical inference",
1927); rows with weights count as the number of equal rows with the same variance, and rows of a group vary together.

`y` is (rows,) of numbers or of class codes, `lower` and `upper` (rows,) are bounds, `S` (rows, classes) is a mask of
the classes in each row's set. `weight` (rows,) are row weights or None for ones, `cluster` (rows,) group numbers or
None.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from nncli.base.median import weighted_median, weighted_quantiles
from nncli.nn.arrays import Codes, Floats, Mask
from nncli.targets.metrics.bootstrap import ConfidenceInterval
from nncli.targets.metrics.intervals import share_interval

EQUAL_WIDTHS = 1e-6
"""Widths that differ by less, relative to the widest, are equal: they are sums of the same two quantiles."""
LARGEST_SIZE = 4
"""Sets of this many classes or more count together."""
THIRDS = ("narrowest third", "middle third", "widest third")


@dataclass(frozen=True)
class Coverage:
    """The `share` of some rows that are covered, with its 95 % confidence interval.

    `size` is the mean width of their intervals, the mean bound, or the mean number of classes of their sets. `name`
    says which rows these are. The interval is None for fewer than five groups of rows.
    """

    name: str
    rows: int
    share: float
    interval: ConfidenceInterval | None
    size: float


class CoverageFigure(NamedTuple):
    """A number that scores have: the title of its column, and whether it is a share of the rows."""

    title: str
    value: float
    is_share: bool = False


@dataclass(frozen=True)
class CoverageScores(ABC):
    """Intervals, bounds or sets of one level compared with the targets: their coverage of all rows."""

    name: ClassVar[str]
    """What they are called in JSON."""
    title: ClassVar[str]

    level: float
    coverage: Coverage

    @property
    @abstractmethod
    def figures(self) -> dict[str, CoverageFigure]:
        """The figures besides the coverage by their names in JSON, the mean size first."""

    @property
    @abstractmethod
    def parts(self) -> dict[str, tuple[Coverage, ...]]:
        """The coverage of parts of the rows, by what divides them."""


@dataclass(frozen=True)
class IntervalScores(CoverageScores):
    """Prediction intervals of one level compared with the targets.

    `score` is the mean interval score; lower is better. `below` and `above` are the shares of the rows whose target
    lies below or above its interval. `by_width` is the coverage by thirds of the width, empty if all widths are equal.
    """

    name, title = "intervals", "prediction intervals"

    median_width: float
    score: float
    below: float
    above: float
    by_width: tuple[Coverage, ...]
    by_group: tuple[Coverage, ...] = ()

    @property
    def figures(self) -> dict[str, CoverageFigure]:
        return {
            "mean_width": CoverageFigure("mean width", self.coverage.size),
            "median_width": CoverageFigure("median width", self.median_width),
            "interval_score": CoverageFigure("interval score", self.score),
            "below": CoverageFigure("truth below", self.below, is_share=True),
            "above": CoverageFigure("truth above", self.above, is_share=True),
        }

    @property
    def parts(self) -> dict[str, tuple[Coverage, ...]]:
        return {"by_width": self.by_width, "by_group": self.by_group}


@dataclass(frozen=True)
class BoundScores(CoverageScores):
    """Lower bounds of times of one level compared with the times for which rows were observed.

    `coverage` is the share that was observed until the bound, and its size the mean bound. `events` is the share of the
    rows whose event was before the bound. Others were censored before it: so the share of the rows whose event is after
    the bound is from the coverage to 1 - events.
    """

    name, title = "bounds", "lower bounds"

    median_bound: float
    events: float
    by_group: tuple[Coverage, ...] = ()

    @property
    def figures(self) -> dict[str, CoverageFigure]:
        return {
            "mean_bound": CoverageFigure("mean bound", self.coverage.size),
            "median_bound": CoverageFigure("median bound", self.median_bound),
            "events_before": CoverageFigure("event before", self.events, is_share=True),
        }

    @property
    def parts(self) -> dict[str, tuple[Coverage, ...]]:
        return {"by_group": self.by_group}


@dataclass(frozen=True)
class SetScores(CoverageScores):
    """Prediction sets of one level compared with the classes; `empty` and `single` are shares of the sets."""

    name, title = "sets", "prediction sets"

    empty: float
    single: float
    by_size: tuple[Coverage, ...]
    by_class: tuple[Coverage, ...]
    by_group: tuple[Coverage, ...] = ()

    @property
    def figures(self) -> dict[str, CoverageFigure]:
        return {
            "mean_size": CoverageFigure("classes a row", self.coverage.size),
            "empty": CoverageFigure("no class", self.empty, is_share=True),
            "single": CoverageFigure("one class", self.single, is_share=True),
        }

    @property
    def parts(self) -> dict[str, tuple[Coverage, ...]]:
        return {"by_size": self.by_size, "by_class": self.by_class, "by_group": self.by_group}


@dataclass(frozen=True)
class Groups:
    """A partition of rows: a number for each row (rows,), from 0, and the name of each number."""

    numbers: Codes
    names: tuple[str, ...]


def interval_score(y: Floats, lower: Floats, upper: Floats, level: float) -> Floats:
    """The interval score of each row (rows,): the width, and 2 / (1 - level) times the distance of y from the interval.

    Its expectation is lowest for the quantiles (1 - level) / 2 and (1 + level) / 2. Winkler, "A decision-theoretic
    approach to interval estimation", 1972; Gneiting and Raftery, "Strictly proper scoring rules", 2007, section 6.2.
    """
    distance = np.maximum(lower - y, 0.0) + np.maximum(y - upper, 0.0)
    return np.asarray(upper - lower + 2.0 / (1.0 - level) * distance)


def interval_scores(
    y: Floats,
    lower: Floats,
    upper: Floats,
    level: float,
    weight: Floats | None = None,
    cluster: Codes | None = None,
    groups: Groups | None = None,
) -> IntervalScores:
    """Compare intervals with targets. A target on a bound is covered; a bound that is NaN counts as infinite."""
    lower, upper = np.where(np.isnan(lower), -np.inf, lower), np.where(np.isnan(upper), np.inf, upper)
    width = upper - lower
    rows = _Rows((lower <= y) & (y <= upper), width, weight, cluster)
    return IntervalScores(
        level=level,
        coverage=rows.coverage("all"),
        median_width=weighted_median(width, weight),
        score=rows.mean(interval_score(y, lower, upper, level)),
        below=rows.mean(y < lower),
        above=rows.mean(y > upper),
        by_width=rows.by(thirds(width, weight)),
        by_group=() if groups is None else rows.by(groups),
    )


def bound_scores(
    time: Floats,
    event: Mask,
    lower: Floats,
    level: float,
    weight: Floats | None = None,
    cluster: Codes | None = None,
    groups: Groups | None = None,
) -> BoundScores:
    """Compare lower bounds with observed times, of which `event` (rows,) says whether they ended with the event.

    A time at the bound is covered; a bound that is NaN counts as 0.
    """
    lower = np.where(np.isnan(lower), 0.0, lower)
    rows = _Rows(lower <= time, lower, weight, cluster)
    return BoundScores(
        level=level,
        coverage=rows.coverage("all"),
        median_bound=weighted_median(lower, weight),
        events=rows.mean(event & (time < lower)),
        by_group=() if groups is None else rows.by(groups),
    )


def set_scores(
    y: Codes,
    S: Mask,
    level: float,
    labels: Sequence[str],
    weight: Floats | None = None,
    cluster: Codes | None = None,
    groups: Groups | None = None,
) -> SetScores:
    """Compare sets with classes."""
    size = S.sum(axis=1)
    rows = _Rows(S[np.arange(len(y)), y], size.astype(np.float64), weight, cluster)
    return SetScores(
        level=level,
        coverage=rows.coverage("all"),
        empty=rows.mean(size == 0),
        single=rows.mean(size == 1),
        by_size=rows.by(sizes(size)),
        by_class=rows.by(Groups(y, tuple(labels))),
        by_group=() if groups is None else rows.by(groups),
    )


def thirds(width: Floats, weight: Floats | None = None) -> Groups | None:
    """The rows with the narrowest, the middle and the widest intervals, each a third of the weight.

    None if all are equally wide.
    """
    low, high = float(width.min()), float(width.max())
    if not high - low > EQUAL_WIDTHS * abs(high):
        return None
    (limits,) = weighted_quantiles(width[:, None], [1 / 3, 2 / 3], weight)
    return Groups(np.searchsorted(limits, width, side="left").astype(np.int64), THIRDS)


def sizes(size: Codes) -> Groups:
    """The rows by the number of classes in their sets; the largest sets count together."""
    names = ("no class", "1 class", *(f"{n} classes" for n in range(2, LARGEST_SIZE)), f"{LARGEST_SIZE} or more")
    return Groups(np.minimum(size, LARGEST_SIZE), names)


@dataclass(frozen=True)
class _Rows:
    covered: Mask
    size: Floats
    weight: Floats | None
    cluster: Codes | None

    def mean(self, values: Floats | Mask) -> float:
        return float(np.average(values, weights=self.weight))

    def by(self, groups: Groups | None) -> tuple[Coverage, ...]:
        """The coverage of each group that has rows, in the order of their names."""
        if groups is None:
            return ()
        counts = np.bincount(groups.numbers, minlength=len(groups.names))
        order = np.argsort(groups.numbers, kind="stable")
        ends = np.cumsum(counts)
        return tuple(
            self._take(order[end - count : end]).coverage(name)
            for name, count, end in zip(groups.names, counts, ends, strict=True)
            if count
        )

    def coverage(self, name: str) -> Coverage:
        share = self.mean(self.covered)
        interval = share_interval(self.covered, self.weight, self.cluster)
        return Coverage(name, len(self.covered), share, interval, self.mean(self.size))

    def _take(self, at: Codes) -> _Rows:
        weight = None if self.weight is None else self.weight[at]
        if weight is not None and not weight.any():
            weight = None  # rows that count for nothing have no mean
        return _Rows(self.covered[at], self.size[at], weight, None if self.cluster is None else self.cluster[at])

"""Metrics of the time to an event: pure functions of times, events and predicted survival curves.

`time` (rows,) is when a row has its event or is last seen, and `event` (rows,) which of both. `risk` (rows,) is higher
for rows whose event is expected earlier; `S` (rows, times) are the probabilities that the event is after the `times`
(times,), ascending. `weight` (rows,) are weights of rows or None for ones, and `start` (rows,) is when they enter.
Censored rows are made up for by the inverse probability of censoring, estimated from the same rows. Of equal times
events come before censorings: a row that is censored at a time had no event until then, and the probability is that
just before the time, so that the weights of all rows sum to their number at each time.
Sources: scikit-survival's functions; Harrell et al., "Evaluating the yield of medical tests", 1982; Uno et al., "On the
C-statistics for evaluating overall adequacy of risk prediction procedures with censored survival data", 2011; Graf et
al., "Assessment and comparison of prognostic classification schemes for survival data", 1999.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np

from nncli.nn.arrays import Codes, Floats, Mask
from nncli.targets.metrics.bootstrap import Samples
from nncli.targets.metrics.metric import Metric, ScoreValues

SURVIVAL, BRIER = "survival", "integrated_brier"
MAX_TIMES, LEFT = 100, 0.05
"""Times at which a curve is scored at most, and the share of the rows that are seen longer than each."""


class StepFunction(NamedTuple):
    """A step function that falls: `values` (steps,) from each of the `times` (steps,) on, and 1 before."""

    times: Floats
    values: Floats

    def at(self, times: Floats) -> Floats:
        """The values at some times."""
        return np.concatenate([[1.0], self.values])[np.searchsorted(self.times, times, "right")]

    def before(self, times: Floats) -> Floats:
        """The values just before some times."""
        return np.concatenate([[1.0], self.values])[np.searchsorted(self.times, times, "left")]


def kaplan_meier(
    time: Floats, event: Mask, weight: Floats | None = None, start: Floats | None = None, *, of_censoring: bool = False
) -> StepFunction:
    """The Kaplan-Meier estimate of the share of rows whose event is after each time.

    That `of_censoring` is the share that is not censored until then; a row with its event is at risk no more.
    """
    w = np.ones(len(time)) if weight is None else weight.astype(np.float64)
    times, at = np.unique(time, return_inverse=True)
    events, censored = (np.bincount(at, w * which, len(times)) for which in (event, ~event))
    at_risk = (events + censored)[::-1].cumsum()[::-1]
    if start is not None:  # rows that enter at this time or later are not at risk
        entered = np.bincount(np.searchsorted(times, start, "right"), w, len(times) + 1)[:-1]
        at_risk = at_risk - (w.sum() - entered.cumsum())
    numbers, deaths = (at_risk - events, censored) if of_censoring else (at_risk, events)
    hazard = np.divide(deaths, numbers, out=np.zeros(len(times)), where=numbers > 0.0)
    return StepFunction(times, np.cumprod(np.maximum(1.0 - hazard, 0.0)))


def scored_times(time: Floats, event: Mask) -> Floats:
    """The times at which curves are scored: those of events while 5 % of the rows are seen longer, `MAX_TIMES` at most.

    Of later times the few rows that are left tell little, and their inverse probabilities of censoring are large.
    """
    times = np.unique(time[event & (time < np.quantile(time, 1.0 - LEFT))])
    if len(times) > MAX_TIMES:
        times = times[np.linspace(0, len(times) - 1, MAX_TIMES).round().astype(np.int64)]
    return times


class Pairs(NamedTuple):
    """Two sums over pairs of rows, of products of their weights: what each row (rows,) adds to them, for its weight 1.

    `agreeing` is that of the pairs in the predicted order, of which equal risks count half, and `total` that of all.
    """

    agreeing: Floats
    total: Floats

    def ratio(self, w: Floats) -> tuple[float, Floats]:
        """The share of the pairs that agree for weights w (rows,), and its derivatives (rows,) by these weights."""
        agreeing, total = (float(w @ part) / 2.0 for part in self)  # each pair is that of two rows
        if not total > 0.0:
            return np.nan, np.zeros(len(w))
        return agreeing / total, (self.agreeing - agreeing / total * self.total) / total


def comparable_pairs(
    time: Floats, event: Mask, risk: Floats, w: Floats, factor: Floats | None = None, start: Floats | None = None
) -> Pairs:
    """The pairs of a row with an event and one that has it later, or is censored then or later.

    A pair counts by the product of the weights w (rows,) and the `factor` (rows,) of the row with the event. With
    `start` the other one must have entered before that event.
    """
    rank = np.unique(time, return_inverse=True)[1].ravel()
    risk_rank = np.unique(risk, return_inverse=True)[1].ravel()
    factors = event * (np.ones(len(time)) if factor is None else factor)
    pairs = _pairs(2 * rank + ~event, 2 * rank + ~event, risk_rank, factors, w)
    if start is None:
        return pairs
    late = _pairs(rank, np.searchsorted(np.unique(time), start, "right"), risk_rank, factors, w)
    return Pairs(pairs.agreeing - late.agreeing, pairs.total - late.total)


def _pairs(first: Codes, second: Codes, risk: Codes, factor: Floats, w: Floats) -> Pairs:
    """The pairs (i, j) with first_i < second_j, which agree for risk_i > risk_j."""
    n = len(w)
    keys, risks, none = np.concatenate([2 * first, 2 * second - 1]), np.concatenate([risk, risk]), np.zeros(n)
    lower, equal, every = _sums_of_later(keys, risks, np.concatenate([none, w]))
    higher, as_high, earlier = _sums_of_later(-keys, -risks, np.concatenate([factor * w, none]))
    agreeing = factor * (lower + equal / 2.0)[:n] + (higher + as_high / 2.0)[n:]
    return Pairs(agreeing, factor * every[:n] + earlier[n:])


def _pairs_of_groups(S: Floats, factor: Floats, is_later: Mask, w: Floats) -> Pairs:
    """The pairs of a row by its `factor` and a later one, which agree if the survival S of the former is lower."""
    rank = np.unique(-S, return_inverse=True)[1].ravel()
    cases, controls = (np.bincount(rank, weights * w) for weights in (factor, is_later))
    below, above = np.cumsum(controls) - controls / 2.0, cases.sum() - np.cumsum(cases) + cases / 2.0
    agreeing = factor * below[rank] + is_later * above[rank]
    return Pairs(agreeing, factor * controls.sum() + is_later * cases.sum())


def _sums_of_later(key: Codes, rank: Codes, w: Floats) -> tuple[Floats, Floats, Floats]:
    """For each row the weights of the rows with a higher key: of a lower rank, of an equal one, and all of them."""
    rank = rank - rank.min()
    order = np.lexsort((-rank, -key))  # of equal keys those of higher rank first, so that they do not count each other
    k, r, v = key[order], rank[order], w[order]
    before = np.cumsum(v) - v
    every = before[np.searchsorted(-k, -k, "left")]
    lower = np.zeros(len(key))
    for bit in range(int(r.max()).bit_length() if len(r) else 0):
        by_group = np.argsort(r >> (bit + 1), kind="stable")
        group, is_high = (r >> (bit + 1))[by_group], ((r >> bit) & 1)[by_group] == 1
        low = np.where(is_high, 0.0, v[by_group])
        total = np.cumsum(low)
        at_start = np.concatenate([[0.0], total])[np.searchsorted(group, group, "left")]
        lower[by_group[is_high]] += (total - at_start)[is_high]
    by_rank = np.lexsort((-k, r))
    rank_of, key_of, sums = r[by_rank], k[by_rank], np.concatenate([[0.0], np.cumsum(v[by_rank])])
    new_rank = np.concatenate([[True], rank_of[1:] != rank_of[:-1]])
    new_key = new_rank | np.concatenate([[True], key_of[1:] != key_of[:-1]])
    positions = np.arange(len(r))
    of_rank, of_key = (np.maximum.accumulate(np.where(is_new, positions, 0)) for is_new in (new_rank, new_key))
    equal = np.empty(len(key))
    equal[by_rank] = sums[of_key] - sums[of_rank]
    result = np.empty((3, len(key)))
    result[:, order] = lower, equal, every
    return result[0], result[1], result[2]


@dataclass(frozen=True)
class SurvivalRows:
    """Rows with their predicted risks and curves, and the sums that several metrics need.

    `weight` (rows,) are weights of rows. Rows with a `start` have no inverse probability of censoring, so only the
    concordance of Harrell.
    """

    time: Floats
    event: Mask
    start: Floats | None
    risk: Floats
    times: Floats
    S: Floats
    weight: Floats

    @cached_property
    def censoring(self) -> StepFunction:
        """The share of the rows that is not censored."""
        return kaplan_meier(self.time, self.event, self.weight, of_censoring=True)

    @cached_property
    def _factors(self) -> Floats:
        """The inverse probability of each row with an event to be seen until then, 0 where that is unknown."""
        return _inverse(self.censoring.before(self.time)) * self.event

    def _is_past(self, times: Floats) -> Mask:
        """Whether the event, or the time until which a row was seen, is before or at some times (rows, times)."""
        return np.asarray((self.time[:, None] < times) | ((self.time[:, None] == times) & self.event[:, None]))

    @cached_property
    def pairs(self) -> Pairs:
        """The comparable pairs."""
        return comparable_pairs(self.time, self.event, self.risk, self.weight, start=self.start)

    @cached_property
    def weighted_pairs(self) -> Pairs:
        """The comparable pairs by the squared inverse probability of censoring, for events until the last time."""
        factors = np.square(self._factors) * (self.time <= (self.times[-1] if len(self.times) else np.inf))
        return comparable_pairs(self.time, self.event, self.risk, self.weight, factors)

    @cached_property
    def brier(self) -> Floats:
        """The Brier score (rows, times) of each row at each time."""
        of_events = np.square(self.S) * self._factors[:, None]
        later = np.square(1.0 - self.S) * _inverse(self.censoring.before(self.times))
        return np.where(self._is_past(self.times), of_events, later)

    @cached_property
    def integrated_brier(self) -> Floats:
        """The mean over time of the Brier score of each row (rows,); NaN without a time."""
        if len(self.times) < 2:
            return np.asarray(self.brier.sum(axis=1) if len(self.times) else np.full(len(self.time), np.nan))
        return np.asarray(np.trapezoid(self.brier, self.times) / (self.times[-1] - self.times[0]))

    @cached_property
    def time_auc(self) -> tuple[float, Floats]:
        """The mean over the events of the AUC at each time: of a row whose event was until then against later ones."""
        falls = -np.diff(kaplan_meier(self.time, self.event, self.weight).at(self.times), prepend=1.0)
        total, value, slopes = 0.0, 0.0, np.zeros(len(self.time))
        for is_past, S, fall in zip(self._is_past(self.times).T, self.S.T, falls, strict=True):
            pairs = _pairs_of_groups(S, self._factors * is_past, ~is_past, self.weight)
            auc, of_rows = pairs.ratio(self.weight)
            if not np.isnan(auc):
                total, value, slopes = total + fall, value + fall * auc, slopes + fall * of_rows
        if not total > 0.0:
            return np.nan, slopes
        return value / total, slopes / total

    def values(self, name: str, W: Samples) -> Samples:
        """A metric (resamples,) for weights W (resamples, rows) near those of the rows.

        That of pairs is linear in W, which is exact for the weights of the rows, and enough for its spread.
        """
        if name == BRIER:
            return np.asarray(W @ self.integrated_brier / W.sum(axis=1))
        if name == "time_auc":
            value, slopes = self.time_auc
        else:
            pairs = self.pairs if name == "concordance" else self.weighted_pairs
            value, slopes = pairs.ratio(self.weight)
        return np.asarray(np.clip(value + (W - self.weight) @ slopes, 0.0, 1.0))


def _inverse(probability: Floats) -> Floats:
    return np.divide(1.0, probability, out=np.zeros(len(probability)), where=probability > 0.0)


class SurvivalCalibration(NamedTuple):
    """For groups of rows of rising predicted survival at a time: its mean, the Kaplan-Meier estimate, and the rows."""

    predicted: Floats
    observed: Floats
    rows: Floats


def calibration_at(
    time: Floats, event: Mask, S: Floats, horizon: float, weight: Floats | None = None, groups: int = 5
) -> SurvivalCalibration:
    """How the survival S (rows,) that is predicted for a time agrees with that which is observed."""
    w = np.ones(len(time)) if weight is None else weight
    parts = [rows for rows in np.array_split(np.argsort(S, kind="stable"), groups) if w[rows].sum() > 0.0]
    observed = [kaplan_meier(time[rows], event[rows], w[rows]).at(np.array([horizon]))[0] for rows in parts]
    predicted = [np.average(S[rows], weights=w[rows]) for rows in parts]
    return SurvivalCalibration(np.array(predicted), np.array(observed), np.array([float(len(rows)) for rows in parts]))


@dataclass(frozen=True)
class SurvivalScores(ScoreValues):
    """Scores of survival curves."""

    decisive: ClassVar[tuple[str, ...]] = (BRIER, "survival_loss")
    baseline: ClassVar[str] = "the Kaplan-Meier curve"


def _entry(name: str, title: str, description: str, **options: Any) -> Metric[Any]:
    def undefined(y: Any, values: Any, weight: Any) -> None:  # the target binds its times
        return None

    return Metric(name, SURVIVAL, undefined, description, title, **options)


SURVIVAL_LOSS: Metric[Any] = _entry(
    "survival_loss",
    "survival loss",
    "negative log-likelihood of the time to an event in the bins of the model, per row; lower is better",
    is_squared=True,
)
SURVIVAL_METRICS: tuple[Metric[Any], ...] = (
    _entry(
        "concordance",
        "concordance",
        "Harrell's C: share of the comparable pairs of rows whose order is predicted; 1 is perfect, 0.5 is chance",
        higher_is_better=True,
    ),
    _entry(
        "uno_concordance",
        "Uno's concordance",
        "Uno's C: concordance with pairs weighted by the inverse probability of censoring; 1 is perfect, 0.5 is chance",
        higher_is_better=True,
    ),
    _entry(
        BRIER,
        "integrated Brier score",
        "mean over time of the squared error of the survival probability, weighted for censoring; lower is better",
        is_squared=True,
    ),
    _entry(
        "time_auc",
        "time-dependent AUC",
        "mean over time of the AUC of rows whose event was until then against later ones; 0.5 is chance",
        higher_is_better=True,
    ),
    SURVIVAL_LOSS,
)
"""The metrics of the time to an event, in the order in which they are shown."""
OF_ENTRIES = ("concordance", "survival_loss")
"""Those that are defined for rows which enter late."""

"""Two runs on the rows that neither was trained on: which of them loses less there, and whether chance would do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nncli.evaluation.held_out import HeldOutPredictions
from nncli.evaluation.score_intervals import groups_of
from nncli.metrics.bootstrap import ConfidenceInterval
from nncli.metrics.classification import log_loss_per_row
from nncli.metrics.significance import PairedTest, holm_correction, paired_test
from nncli.nn.losses import MAE, MSE, Loss, LossBase

Floats = NDArray[np.float64]
Truth: TypeAlias = NDArray[np.str_] | Floats
Measure: TypeAlias = LossBase | Literal["log loss", "the share of wrong rows"]
"""A loss of each row of a regression, or one of the two measures of a classification."""

LEVEL = 0.05
"""Of the adjusted p-values below which a difference is found to be more than chance would give."""


@dataclass(frozen=True)
class ComparableRun:
    """What a run says of rows that it was not trained on.

    `table` is the SHA-256 of the file that they are in, `numbers` (rows,) count them there from 1. `truth` is (rows,)
    of labels or (rows, targets) of numbers in their own units, `values` (rows, classes) of probabilities, whose classes
    are `labels`, or (rows, targets). `groups` (rows,) says by any numbers which rows belong together.
    """

    table: str
    target: tuple[str, ...]
    labels: tuple[str, ...] | None
    numbers: NDArray[np.int64]
    truth: Truth
    values: Floats
    loss: Loss
    weights: Floats | None
    groups: NDArray[np.int64] | None
    seed: int

    @property
    def kind(self) -> tuple[str, tuple[str, ...], bool]:
        """What two runs must have in common to be held against each other: the table, the target, and what that is."""
        return self.table, self.target, self.labels is None

    def at(self, rows: NDArray[np.int64]) -> ComparableRun:
        """The rows at these positions."""
        return replace(
            self,
            numbers=self.numbers[rows],
            truth=self.truth[rows],
            values=self.values[rows],
            weights=None if self.weights is None else self.weights[rows],
            groups=None if self.groups is None else self.groups[rows],
        )


def held_out(judged: HeldOutPredictions) -> ComparableRun | None:
    """The judged rows, unless the run was trained on them."""
    manifest, target = judged.manifest, judged.predictions.target
    other = manifest.validation_data
    source = manifest.data if other is None else other
    if judged.split == "training" or source.sha256 is None or (other and other.sha256 == manifest.data.sha256):
        return None
    labels = target.labels if target.task == "classification" else None
    return ComparableRun(
        table=source.sha256,
        target=target.names,
        labels=labels,
        numbers=judged.numbers,
        truth=judged.y if labels is None else np.array(labels)[judged.y],
        values=judged.predictions.values,
        loss=judged.loss,
        weights=judged.weights,
        groups=groups_of(judged),
        seed=judged.manifest.seed,
    )


@dataclass(frozen=True)
class PairwiseResult:
    """Run `b` held against run `a`, the best of its table and target, by their positions among those compared.

    `found` is how much more `b` loses than `a` on the `rows` that both held out, in the `measure`, and `adjusted` its
    p-value among all pairs; both are None where `reason` says why they cannot be held against each other.
    """

    a: int
    b: int
    measure: str
    rows: int = 0
    found: PairedTest | None = None
    adjusted: float | None = None
    reason: str = ""

    @property
    def is_significant(self) -> bool:
        """Whether the difference is more than chance would give."""
        return self.adjusted is not None and self.adjusted < LEVEL

    def in_words(self, a: str, b: str) -> str:
        """What was found, of runs with these names, in a sentence."""
        if self.found is None or self.adjusted is None:
            return f"{a} and {b} cannot be held against each other: {self.reason}."
        on = f"{self.rows:,} shared row{'s' * (self.rows != 1)}"
        if self.found.units != self.rows:
            on += f" in {self.found.units:,} groups"
        size, mean = self.found.interval, self.found.mean
        if mean == 0.0 and size in (None, ConfidenceInterval(0.0, 0.0)):
            return f"{a} and {b} are equally good in {self.measure} on each of {on}."
        better, worse = (a, b) if mean > 0 else (b, a)
        ends = "" if size is None else _between(size if mean > 0 else ConfidenceInterval(-size.high, -size.low))
        by = f"by {_figure(abs(mean))}{ends} in {self.measure} on {on}"
        p = "p < 0.001" if self.adjusted < 0.001 else f"p = {self.adjusted:.3f}"
        if self.is_significant:
            return f"{better} is better than {worse} {by}: more than chance would give ({p})."
        return f"The rows do not tell {a} and {b} apart: {better} is better {by}, which chance may give ({p})."


def compare_pairwise(held: Sequence[ComparableRun | None]) -> tuple[PairwiseResult, ...]:
    """The best run of every table and target against each of the others there.

    The best is chosen by the very rows that then judge it, so every pair that might have been looked at counts in the
    adjustment of the p-values (Holm's).
    """
    kinds: dict[tuple[str, tuple[str, ...], bool], list[tuple[int, ComparableRun]]] = {}
    for i, one in enumerate(held):
        if one is not None:
            kinds.setdefault(one.kind, []).append((i, one))
    found, family = list[PairwiseResult](), 0
    for those in kinds.values():
        measures = _measures([one.loss for _, one in those])
        best, first = min(those, key=lambda numbered: _mean_loss(numbered[1], measures[0]))
        others = [(i, one) for i, one in those if i != best]
        found += [_pair(best, i, measure, first, one) for i, one in others for measure in measures]
        family += len(those) * (len(those) - 1) // 2 * len(measures)
    tested = [(k, pair.found.p) for k, pair in enumerate(found) if pair.found is not None]
    for (k, _), adjusted in zip(tested, holm_correction([p for _, p in tested], family), strict=True):
        found[k] = replace(found[k], adjusted=adjusted)
    return tuple(found)


def _pair(i: int, j: int, measure: Measure, a: ComparableRun, b: ComparableRun) -> PairwiseResult:
    """Compare run `a`, number i, with run `b`, number j, on the rows that both held out."""
    pair = PairwiseResult(i, j, _name(measure))
    _, of_a, of_b = np.intersect1d(a.numbers, b.numbers, assume_unique=True, return_indices=True)
    a, b, pair = a.at(of_a), b.at(of_b), replace(pair, rows=len(of_a))
    if not pair.rows:
        return replace(pair, reason="no row was held out by both")
    if not np.array_equal(a.truth, b.truth):
        return replace(pair, reason="they read the target of the same rows differently")
    with np.errstate(all="ignore"):
        differences = _losses(b, measure) - _losses(a, measure)
    if not np.isfinite(differences).all():
        return replace(pair, reason="a loss is beyond all measure")
    same = a.weights is not None and b.weights is not None and np.array_equal(a.weights, b.weights)
    weight = a.weights if same else None
    if weight is not None and not weight.any():
        return replace(pair, reason="the shared rows have no weight")
    return replace(pair, found=paired_test(differences, weight, b.groups if a.groups is None else a.groups, a.seed))


def _measures(losses: Sequence[Loss]) -> tuple[Measure, ...]:
    """What suits all of the runs: what they were trained to lower, and another beside it where that hangs on few rows.

    Of classes these are the log loss, in which one sure mistake may outweigh a hundred rows, and the share of wrong
    rows. Of numbers it is the one loss that all of them have, or else the squared error and the absolute one.
    """
    first = losses[0]
    if first.task == "classification":
        return "log loss", "the share of wrong rows"
    if first.is_comparison_measure and all(loss == first for loss in losses):
        return (first,)
    return MSE(), MAE()


def _name(measure: Measure) -> str:
    """The name of a measure in messages and JSON, such as squared error."""
    return measure.per_row_name.replace("_", " ") if isinstance(measure, LossBase) else measure


def _mean_loss(held: ComparableRun, measure: Measure) -> float:
    """Of a run's own rows, by which the best is chosen; infinite where it is not known."""
    weights = held.weights if held.weights is not None and held.weights.any() else None
    with np.errstate(all="ignore"):
        mean = float(np.average(_losses(held, measure), weights=weights))
    return mean if np.isfinite(mean) else np.inf


def _losses(held: ComparableRun, measure: Measure) -> Floats:
    """How much a run loses on each of its rows (rows,), at least one; the log loss is in nats. Of several numbers it is
    the mean, each as a share of its target's spread among the rows."""
    if not isinstance(measure, LossBase):
        place = {label: k for k, label in enumerate(held.labels or ())}
        codes = np.array([place[label] for label in held.truth.tolist()], np.int64)
        if measure == "the share of wrong rows":
            return np.asarray(held.values.argmax(axis=1) != codes, np.float64)
        return log_loss_per_row(codes, held.values)
    with np.errstate(all="ignore"):
        truth, values = np.asarray(held.truth, np.float64), held.values
        if truth.shape[1] == 1:
            return measure.per_row(values, truth)
        spread = truth.std(axis=0)
        unit = np.where(spread > 0, spread, 1)
        return measure.per_row(values / unit, truth / unit)


def _figure(value: float) -> str:
    return "0" if abs(value) < 1e-12 else f"{value:.3g}"


def _between(interval: ConfidenceInterval) -> str:
    return f" ({_figure(interval.low)} to {_figure(interval.high)})"

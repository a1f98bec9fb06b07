"""Pairwise comparison of runs on shared held-out rows: difference of a proper score, and its significance.

Validation rows choose the best epoch of a run, and their scores are optimistic for that. Two runs that chose among the
same number of models are optimistic alike. A run that chose among k times as many gets its p-value multiplied by k
where the difference is in its favor: if the other run chose nothing, this is the union bound over the k models
(Bonferroni); a simulation in tests/analysis/evaluation/test_pairwise.py holds the error rate for the other cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import exp, log
from statistics import NormalDist
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.base.dataclass import dataclass
from nncli.models.scores import Averaging
from nncli.nn.losses import MAE, MSE, Loss, LossBase
from nncli.targets.decision import Decision, decide
from nncli.targets.metrics.bootstrap import ConfidenceInterval
from nncli.targets.metrics.classification_resamples import log_loss_per_row
from nncli.targets.metrics.significance import PairedTest, holm_correction, paired_test
from nncli.targets.target import kind_of

Floats = NDArray[np.float64]
Truth: TypeAlias = NDArray[np.str_] | Floats
Measure: TypeAlias = LossBase | Literal["log loss", "error rate"]
"""A loss of each row of a regression, or one of the two measures of a classification."""

LEVEL = 0.05
"""Significance level of the adjusted p-values."""
MIN_EXCESS = log(2.0)
"""Log ratio of the numbers of models that two runs chose among, from which the larger one is named."""


@dataclass(frozen=True)
class ComparableRun:
    """The predictions of a run for rows that it was not trained on.

    `table` is the SHA-256 of their file, or the name of another table, `numbers` (rows,) their row numbers, from 1.
    `truth` are labels (rows,) or numbers (rows, targets) in their own units, `values` probabilities (rows, classes) of
    the classes `labels`, or numbers (rows, targets), `quantiles` (rows, targets, levels) those of a loss of several.
    `groups` (rows,) numbers the groups of dependent rows.
    `log_choices` is the natural logarithm of the number of models that the rows chose this one from, 0 for rows that
    chose nothing. `averaging` is the expected gain of an ensemble over its out-of-fold predictions, by which the losses
    are lowered as in its scores. A `decision` makes classes of the probabilities.
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
    log_choices: float = 0.0
    averaging: Averaging | None = None
    decision: Decision | None = None
    quantiles: Floats | None = None

    @property
    def task_key(self) -> tuple[str, tuple[str, ...], bool]:
        """What two runs must have in common to be compared: table, target and task."""
        return self.table, self.target, self.labels is None

    def has_rows_of(self, other: ComparableRun) -> bool:
        """Whether both runs are scored on the same rows of the same task."""
        return self.task_key == other.task_key and np.array_equal(self.numbers, other.numbers)

    def is_more_optimistic(self, other: ComparableRun) -> bool:
        """Whether the rows chose this run from at least twice as many models as the other."""
        return self.log_choices - other.log_choices >= MIN_EXCESS

    def take(self, rows: NDArray[np.int64]) -> ComparableRun:
        """The rows at these positions."""
        return replace(
            self,
            numbers=self.numbers[rows],
            truth=self.truth[rows],
            values=self.values[rows],
            quantiles=None if self.quantiles is None else self.quantiles[rows],
            weights=None if self.weights is None else self.weights[rows],
            groups=None if self.groups is None else self.groups[rows],
        )


def comparable_run(held_out: HeldOutPredictions, log_choices: float = 0.0) -> ComparableRun | None:
    """The held-out rows of a run, or those of another table; None if the run was trained on them."""
    manifest, target = held_out.manifest, held_out.predictions.target
    validation_data = manifest.validation_data
    source = manifest.data if validation_data is None else validation_data
    same_file = validation_data is not None and validation_data.sha256 == manifest.data.sha256
    name = held_out.table.source if held_out.split == "table" else source.sha256
    trained_on = held_out.training_rows is not None and held_out.training_rows.are_optimistic
    if held_out.split == "training" or name is None or trained_on or (held_out.split == "validation" and same_file):
        return None
    labels = target.labels if target.has_labels else None
    return ComparableRun(
        table=name,
        target=target.names,
        labels=labels,
        numbers=held_out.numbers,
        truth=held_out.y if labels is None else np.array(labels)[held_out.y],
        values=held_out.predictions.values,
        quantiles=held_out.predictions.quantiles,
        loss=held_out.loss,
        weights=held_out.weights,
        groups=held_out.scored_rows.groups,
        seed=held_out.manifest.seed,
        log_choices=log_choices,
        averaging=held_out.averaging,
        decision=held_out.predictions.decision,
    )


class Beside(NamedTuple):
    """A measure that no verdict follows, as the means of both runs on their shared rows."""

    measure: str
    a: float
    b: float


@dataclass(frozen=True)
class PairwiseResult:
    """Comparison of run `b` with run `a`, the best of its table and target (indices of the compared runs).

    `test` is on the loss of `b` minus that of `a`, in the `measure`, on the `rows` shared held-out rows. `adjusted_p`
    is its p-value, corrected for the models that the rows chose from (`corrected_p`) and then adjusted for all pairs.
    All are None where the runs cannot be compared, for the `reason` given. `optimistic` is the run that these rows
    chose from more models.
    """

    a: int
    b: int
    measure: str
    rows: int = 0
    test: PairedTest | None = None
    adjusted_p: float | None = None
    reason: str = ""
    corrected_p: float | None = None
    optimistic: int | None = None
    beside: Beside | None = None

    @property
    def is_significant(self) -> bool:
        """Whether the adjusted p-value is below the significance level."""
        return self.adjusted_p is not None and self.adjusted_p < LEVEL

    @property
    def favored(self) -> int | None:
        """The run with the lower mean loss on the shared rows; None where they are equal or not known."""
        if self.test is None or self.test.mean == 0.0:
            return None
        return self.a if self.test.mean > 0 else self.b

    def sentence(self, a: str, b: str) -> str:
        """The result as a sentence or two, with the names of the two runs."""
        if self.test is None or self.adjusted_p is None:
            return f"{a} and {b} cannot be compared: {self.reason}."
        on = f"{self.rows:,} shared row{'s' * (self.rows != 1)}"
        if self.test.units != self.rows:
            on += f" in {self.test.units:,} groups"
        size, mean = self.test.interval, self.test.mean
        if mean == 0.0 and size in (None, ConfidenceInterval(0.0, 0.0)):
            return f"{a} and {b} have the same {self.measure} on each of {on}."
        better, worse = (a, b) if mean > 0 else (b, a)
        ends = ""
        if size is not None:
            low, high = (size.low, size.high) if mean > 0 else (-size.high, -size.low)
            ends = f" ({_figure(low)} to {_figure(high)})"
        p = "p < 0.001" if self.adjusted_p < 0.001 else f"p = {self.adjusted_p:.3f}"
        verdict = f"{'significant' if self.is_significant else 'not significant'} ({p})"
        text = f"{better} has a lower {self.measure} than {worse} by {_figure(abs(mean))}{ends} on {on}: {verdict}."
        if self.optimistic is not None:
            text += f" Optimistic: these rows chose the epoch of {a if self.optimistic == self.a else b}."
        if self.beside is not None:
            name = self.beside.measure.capitalize()
            text += f" {name}: {_figure(self.beside.a)} of {a}, {_figure(self.beside.b)} of {b}."
        return text


def compare_pairwise(runs: Sequence[ComparableRun | None]) -> tuple[PairwiseResult, ...]:
    """Compare the best run of every table and target with each of the other runs there.

    The best run is chosen by the rows it is then tested on, so Holm's adjustment of the p-values counts every possible
    pair, not only the tested ones.
    """
    tasks: dict[tuple[str, tuple[str, ...], bool], list[tuple[int, ComparableRun]]] = {}
    for i, run in enumerate(runs):
        if run is not None:
            tasks.setdefault(run.task_key, []).append((i, run))
    results, family = list[PairwiseResult](), 0
    for members in tasks.values():
        measures = _measures([run.loss for _, run in members])
        best, first = min(members, key=lambda numbered: _mean_loss(numbered[1], measures.tested[0]))
        others = [(i, run) for i, run in members if i != best]
        results += [
            _pair(best, i, measure, measures.beside, first, run) for i, run in others for measure in measures.tested
        ]
        family += len(members) * (len(members) - 1) // 2 * len(measures.tested)
    tested = [(k, pair.corrected_p) for k, pair in enumerate(results) if pair.corrected_p is not None]
    for (k, _), adjusted in zip(tested, holm_correction([p for _, p in tested], family), strict=True):
        results[k] = replace(results[k], adjusted_p=adjusted)
    return tuple(results)


def _pair(
    i: int, j: int, measure: Measure, beside: Measure | None, a: ComparableRun, b: ComparableRun
) -> PairwiseResult:
    """Compare run `a`, number i, with run `b`, number j, on their common held-out rows."""
    pair = PairwiseResult(i, j, _name(measure))
    _, of_a, of_b = np.intersect1d(a.numbers, b.numbers, assume_unique=True, return_indices=True)
    a, b, pair = a.take(of_a), b.take(of_b), replace(pair, rows=len(of_a))
    if not pair.rows:
        return replace(pair, reason="they share no scored rows")
    if not np.array_equal(a.truth, b.truth):
        return replace(pair, reason="they read the target of the shared rows differently")
    with np.errstate(all="ignore"):
        differences = _losses(b, measure) - _losses(a, measure)
    if not np.isfinite(differences).all():
        return replace(pair, reason="a loss is not finite")
    same = a.weights is not None and b.weights is not None and np.array_equal(a.weights, b.weights)
    weight = a.weights if same else None
    if weight is not None and not weight.any():
        return replace(pair, reason="the shared rows have zero weight")
    test = paired_test(differences, weight, b.groups if a.groups is None else a.groups, a.seed)
    if beside is not None:
        means = (float(np.average(_losses(run, beside), weights=weight)) for run in (a, b))
        pair = replace(pair, beside=Beside(_name(beside), *means))
    return _corrected(replace(pair, test=test), test, b.log_choices - a.log_choices)


def _corrected(pair: PairwiseResult, test: PairedTest, excess: float) -> PairwiseResult:
    """Correct a result for the models that the rows chose from; `excess` is the log ratio of their numbers, b to a."""
    if not excess:
        return replace(pair, corrected_p=test.p)
    optimistic = pair.b if excess > 0 else pair.a
    factor = exp(min(abs(excess), 700.0))
    p = min(1.0, test.p * factor) if pair.favored == optimistic else test.p
    return replace(
        pair,
        test=replace(test, interval=_widened(test, factor, up=excess > 0)),
        corrected_p=p,
        optimistic=optimistic if abs(excess) >= MIN_EXCESS else None,
    )


def _widened(test: PairedTest, factor: float, *, up: bool) -> ConfidenceInterval | None:
    """The interval with its upper or lower half at the level of the corrected test, on the scale of a normal one."""
    if test.interval is None:
        return None
    level = LEVEL / 2
    scale = NormalDist().inv_cdf(max(level / factor, 1e-300)) / NormalDist().inv_cdf(level)
    low, high = test.interval.low, test.interval.high
    if up:
        return ConfidenceInterval(low, test.mean + scale * (high - test.mean))
    return ConfidenceInterval(test.mean - scale * (test.mean - low), high)


class _Measures(NamedTuple):
    """The measures that the verdict follows, and the one that is shown beside them."""

    tested: tuple[Measure, ...]
    beside: Measure | None = None


def _measures(losses: Sequence[Loss]) -> _Measures:
    """The measures that suit all of the runs.

    The verdict follows a proper score, which no model can lower by predicting other than what it expects: for classes
    the log loss. By the error rate the better of two models of a rare class would be the one that never predicts it, so
    it is shown beside only. For numbers the loss that all runs share, or else the squared and the absolute error.
    """
    first = losses[0]
    if kind_of(first).has_probabilities:
        return _Measures(("log loss",), "error rate")
    if all(loss == first for loss in losses):
        if first.is_comparison_measure:
            return _Measures((first,))
        if isinstance(first, MSE):
            return _Measures((first,), MAE())
    return _Measures((MSE(), MAE()))


def _name(measure: Measure) -> str:
    """The name of a measure in messages and JSON, such as squared error."""
    return measure.per_row_name.replace("_", " ") if isinstance(measure, LossBase) else measure


def _mean_loss(run: ComparableRun, measure: Measure) -> float:
    """The mean loss of all rows of a run, by which the best run is chosen; infinite if it is not finite."""
    weights = run.weights if run.weights is not None and run.weights.any() else None
    with np.errstate(all="ignore"):
        mean = float(np.average(_losses(run, measure), weights=weights))
    return mean if np.isfinite(mean) else np.inf


def _losses(run: ComparableRun, measure: Measure) -> Floats:
    """The loss of each row (rows,) that is expected of the whole model, the log loss in nats.

    Of several targets, the mean of their losses, each divided by the spread of its target.
    """
    losses = _losses_of_predictions(run, measure)
    return losses if run.averaging is None else losses * _factor(run.averaging, measure)


def _factor(averaging: Averaging, measure: Measure) -> float:
    """The factor of the loss by averaging: that of the squared error or the log loss, or its root."""
    factor = sum(averaging.factors) / len(averaging.factors)
    return factor if measure in ("log loss", "error rate") or isinstance(measure, MSE) else factor**0.5


def _losses_of_predictions(run: ComparableRun, measure: Measure) -> Floats:
    """The loss of each row (rows,) of the predictions themselves."""
    if not isinstance(measure, LossBase):
        codes_of = {label: k for k, label in enumerate(run.labels or ())}
        codes = np.array([codes_of[label] for label in run.truth.tolist()], np.int64)
        if measure == "error rate":
            classes = decide(run.values, run.labels or (), run.decision)
            return np.asarray(classes != codes, np.float64)
        return log_loss_per_row(codes, run.values)
    with np.errstate(all="ignore"):
        truth, spread = np.asarray(run.truth, np.float64), run.truth.std(axis=0)
        unit = np.where(spread > 0, spread, 1) if truth.shape[1] > 1 else np.ones(1)
        if measure.quantile_levels and run.quantiles is not None:
            return measure.per_row(run.quantiles / unit[:, None], truth / unit)
        return measure.per_row(run.values / unit, truth / unit)


def _figure(value: float) -> str:
    return "0" if abs(value) < 1e-12 else f"{value:.3g}"

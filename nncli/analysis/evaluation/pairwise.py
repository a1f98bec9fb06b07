"""Pairwise comparison of runs on shared held-out rows: difference of a proper score, and its significance.

Validation rows choose the best epoch of a run, and their scores are optimistic for that. Two runs that chose among the
same number of models are optimistic alike. A run that chose among k times as many gets its p-value multiplied by k
where the difference is in its favor: if the other run chose nothing, this is the union bound over the k models
(Bonferroni); a simulation in tests/analysis/evaluation/test_pairwise.py holds the error rate for the other cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.base.text import quote
from nncli.data.splitting.folds import Fold
from nncli.data.splitting.strata import relabel_by_appearance
from nncli.models.predictions import Predictions
from nncli.models.scores import Averaging
from nncli.nn.arrays import Floats
from nncli.nn.losses import Loss
from nncli.targets.decision import constant_decision
from nncli.targets.metrics.bootstrap import ConfidenceInterval
from nncli.targets.metrics.significance import LEVEL, PairedTest, paired_test
from nncli.targets.scoring import Comparison, Measure, Scoring
from nncli.targets.target_base import Truth

MIN_EXCESS = log(2.0)
"""Log ratio of the numbers of models that two runs chose among, from which the larger one is named."""
NOT_ALIKE = "their validation rows were chosen differently"
"""Why two runs are not ranked: one was trained on rows that the other is scored on, or on neighbors of them."""


@dataclass(frozen=True)
class ComparableRun:
    """The predictions of a run for rows that it was not trained on.

    `table` is the SHA-256 of their file, or the name of another table, `row_numbers` (rows,) their numbers, from 1.
    `truth` are labels (rows,) or numbers (rows, targets) in their own units. `rows` are their positions among the
    `predictions`, of which `y` are the targets; None for all in order.
    `groups` (rows,) numbers the groups of dependent rows, and `blocks` (rows,) the folds: the rows that the same
    networks were not trained on; None if that is all of them. `drawn` is what was held out at random, "rows" or
    groups of a column; None for rows held out by another rule, such as in time. `rule` says in words how the rows were
    chosen. They are a random sample of `total` rows where there are too many.
    `log_choices` is the natural logarithm of the number of models that the rows chose this one from, 0 for rows that
    chose nothing. `averaging` is the expected gain of an ensemble over its out-of-fold predictions, by which the losses
    are lowered as in its scores.
    """

    table: str
    target: tuple[str, ...]
    row_numbers: NDArray[np.int64]
    truth: Truth
    predictions: Predictions
    y: Truth
    loss: Loss
    weights: Floats | None
    groups: NDArray[np.int64] | None
    seed: int
    log_choices: float = 0.0
    averaging: Averaging | None = None
    rows: NDArray[np.int64] | None = None
    blocks: NDArray[np.int64] | None = None
    drawn: str | None = None
    rule: str = ""
    total: int | None = None

    @property
    def task_key(self) -> tuple[str, tuple[str, ...], str]:
        """What two runs must have in common to be compared: table, target, and the type of the truth."""
        return self.table, self.target, self.truth.dtype.kind

    @property
    def scoring(self) -> Scoring:
        """How its predictions are compared."""
        return self.predictions.target.head(self.loss).scoring

    def is_validated_like(self, other: ComparableRun) -> bool:
        """Whether the held-out rows of both runs can rank them: of the same task, and held out in the same way.

        Rows that were drawn at random are alike, whatever their number and seed: those that both runs held out are
        scored by networks that were trained on other rows of the same distribution. Other rows, such as blocks of
        time, must be the same, in the same folds.
        """
        totals = [len(run.row_numbers) if run.total is None else run.total for run in (self, other)]
        if self.task_key != other.task_key:
            return False
        if self.drawn is not None and self.drawn == other.drawn:
            return True
        if totals[0] != totals[1]:
            return False
        if totals[0] > len(self.row_numbers):  # of which each run has a sample of its own
            return self.rule == other.rule
        return np.array_equal(self.row_numbers, other.row_numbers) and np.array_equal(self._folds, other._folds)

    @property
    def _folds(self) -> NDArray[np.int64]:
        """The blocks, numbered in the order of the rows."""
        return np.zeros(len(self.row_numbers), np.int64) if self.blocks is None else relabel_by_appearance(self.blocks)

    def is_more_optimistic(self, other: ComparableRun) -> bool:
        """Whether the rows chose this run from at least twice as many models as the other."""
        return self.log_choices - other.log_choices >= MIN_EXCESS

    def take(self, rows: NDArray[np.int64]) -> ComparableRun:
        """The rows at these positions."""
        return replace(
            self,
            row_numbers=self.row_numbers[rows],
            truth=self.truth[rows],
            rows=rows if self.rows is None else self.rows[rows],
            weights=None if self.weights is None else self.weights[rows],
            groups=None if self.groups is None else self.groups[rows],
            blocks=None if self.blocks is None else self.blocks[rows],
        )


def comparable_run(held_out: HeldOutPredictions, log_choices: float = 0.0) -> ComparableRun | None:
    """The held-out rows of a run, or those of another table; None if the run was trained on them."""
    manifest, target, mask = held_out.manifest, held_out.predictions.target, held_out.oof_mask
    validation_data = manifest.validation_data
    source = manifest.data if validation_data is None else validation_data
    same_file = validation_data is not None and validation_data.sha256 == manifest.data.sha256
    name = held_out.table.source if held_out.split == "table" else source.sha256
    trained_on = held_out.training_rows is not None and held_out.training_rows.are_optimistic
    if held_out.split == "training" or name is None or trained_on or (held_out.split == "validation" and same_file):
        return None
    return ComparableRun(
        table=name,
        target=target.names,
        row_numbers=held_out.row_numbers,
        truth=target.truth_texts(held_out.y),
        predictions=held_out.predictions,
        y=held_out.y,
        loss=held_out.loss,
        weights=held_out.weights,
        groups=held_out.scored_rows.groups,
        seed=held_out.manifest.seed,
        log_choices=log_choices,
        averaging=held_out.averaging,
        blocks=None if mask is None else np.unique(np.packbits(mask, axis=0), axis=1, return_inverse=True)[1].ravel(),
        drawn=_drawn(held_out),
        rule="" if held_out.split == "table" else validation_rule(held_out),
        total=held_out.total,
    )


def _drawn(held_out: HeldOutPredictions) -> str | None:
    data = held_out.config.data
    if held_out.split == "table" or held_out.manifest.validation_data is not None or data.time is not None:
        return None
    return "rows" if data.group is None else f"groups of {data.group}"


def validation_rule(held_out: HeldOutPredictions) -> str:
    """How the validation rows of a run were chosen, in words."""
    config, mask = held_out.config, held_out.oof_mask
    time, group, validation = config.data.time, config.data.group, config.validation
    seed = "" if time is not None else f", seed {config.seed}"
    of = "" if group is None or time is not None else f" of whole groups of {quote(group)}"
    if held_out.manifest.validation_data is not None:
        return "a table of their own"
    if mask is not None and not (mask == mask[0]).all():
        left_out = np.unique(mask, axis=0)
        if (left_out.sum(axis=0) > 1).any():
            return f"the rows that each of {len(mask):,} networks left out{of}{seed}"
        kind = "random folds" if time is None and not of else "folds"
        return f"{len(left_out):,} {kind}{of}{seed}" if time is None else f"{len(left_out):,} blocks of {quote(time)}"
    if isinstance(validation, Fold):
        kind = f"fold {validation.fold + 1:,} of {validation.folds:,}"
        return f"{kind}{of}, seed {validation.seed}" if time is None else f"{kind}, by {quote(time)}"
    if not isinstance(validation, float):
        return f"the rows outside of a bootstrap sample{of}{seed}"
    share = f"{100 * validation:g} %"
    return f"{share} of the rows at random{of}{seed}" if time is None else f"the latest {share} by {quote(time)}"


class Beside(NamedTuple):
    """A measure that no verdict follows, as the means of both runs on their shared rows."""

    measure: str
    a: float
    b: float


@dataclass(frozen=True)
class PairwiseResult:
    """Comparison of run `b` with run `a`, the best of its table and target (indices of the compared runs).

    `test` is on the loss of `b` minus that of `a`, in the `measure`, on the `rows` shared held-out rows. `adjusted_p`
    is its p-value, corrected for the models that the rows chose from (`corrected_p`) and then for all `tests`; its
    interval has the same corrections. All are None where the runs cannot be compared, for the `reason` given, such as
    different `rules` by which the rows of `a` and `b` were chosen. `optimistic` is the run that these rows chose from
    more models.
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
    tests: int = 1
    rules: tuple[str, str] | None = None

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
        if self.rules is not None:
            of_a, of_b = self.rules
            each = "" if of_a == of_b else f" ({a}: {of_a}; {b}: {of_b})"
            return f"{a} and {b} are not ranked: {self.reason}{each}."
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
    """Compare the best run of every table, target and set of validation rows with each of the other runs there.

    Runs whose validation rows were chosen differently are not ranked. The best run is chosen by the rows it is then
    tested on, so the correction of p-values and intervals (Bonferroni's) counts every possible pair, not only the
    tested ones.
    """
    tasks: dict[tuple[str, tuple[str, ...], str], list[list[int]]] = {}
    for i, run in enumerate(runs):
        if run is not None:
            alike = tasks.setdefault(run.task_key, [])
            cohort = next((cohort for cohort in alike if run.is_validated_like(_present(runs[cohort[0]]))), None)
            alike.append([i]) if cohort is None else cohort.append(i)
    measures = {
        task: _measures([_present(runs[i]) for cohort in alike for i in cohort]) for task, alike in tasks.items()
    }
    tests = sum(
        len(cohort) * (len(cohort) - 1) // 2 * len(measures[task].tested)
        for task, alike in tasks.items()
        for cohort in alike
    )
    results = list[PairwiseResult]()
    for task, alike in tasks.items():
        tested, beside = measures[task]
        best = [min(cohort, key=lambda i: _mean_loss(_present(runs[i]), tested[0])) for cohort in alike]
        for first, cohort in zip(best, alike, strict=True):
            for i in cohort:
                if i != first:
                    results += [_pair(runs, first, i, measure, beside, tests) for measure in tested]
        for other in best[1:]:
            rules = _present(runs[best[0]]).rule, _present(runs[other]).rule
            results.append(PairwiseResult(best[0], other, tested[0].name, reason=NOT_ALIKE, rules=rules))
    return tuple(results)


class SharedLosses(NamedTuple):
    """The mean losses of two runs on the rows that both held out, and the test of that of `b` minus that of `a`."""

    measure: str
    rows: int
    a: float
    b: float
    test: PairedTest


def shared_losses(a: ComparableRun, b: ComparableRun) -> SharedLosses | None:
    """The losses of two runs of the same table on their shared rows; None if there are none, or they are not finite."""
    measure = _measures([a, b]).tested[0]
    _, of_a, of_b = np.intersect1d(a.row_numbers, b.row_numbers, assume_unique=True, return_indices=True)
    a, b = a.take(of_a), b.take(of_b)
    test = _pair([a, b], 0, 1, measure, None, 1).test if len(of_a) else None
    if test is None:
        return None
    return SharedLosses(measure.name, len(of_a), _mean_loss(a, measure), _mean_loss(b, measure), test)


def _present(run: ComparableRun | None) -> ComparableRun:
    assert run is not None
    return run


def _are_equal(a: Truth, b: Truth) -> bool:
    """Whether the targets of two runs are the same; a missing label is equal to a missing one."""
    return np.array_equal(a, b, equal_nan=a.dtype.kind == b.dtype.kind == "f")


def _pair(
    runs: Sequence[ComparableRun | None], i: int, j: int, measure: Measure, beside: Measure | None, tests: int
) -> PairwiseResult:
    """Compare runs number i and j, whose validation rows were chosen alike, in one of so many `tests`."""
    a, b, pair = _present(runs[i]), _present(runs[j]), PairwiseResult(i, j, measure.name, tests=tests)
    _, of_a, of_b = np.intersect1d(a.row_numbers, b.row_numbers, assume_unique=True, return_indices=True)
    a, b, pair = a.take(of_a), b.take(of_b), replace(pair, rows=len(of_a))
    if not pair.rows:
        return replace(pair, reason="they share no scored rows")
    if not _are_equal(a.truth, b.truth):
        return replace(pair, reason="they read the target of the shared rows differently")
    with np.errstate(all="ignore"):
        differences = _losses(b, measure) - _losses(a, measure)
    if not np.isfinite(differences).all():
        return replace(pair, reason="a loss is not finite")
    same = a.weights is not None and b.weights is not None and np.array_equal(a.weights, b.weights)
    weight = a.weights if same else None
    if weight is not None and not weight.any():
        return replace(pair, reason="the shared rows have zero weight")
    if beside is not None:
        means = (float(np.average(_losses(run, beside), weights=weight)) for run in (a, b))
        pair = replace(pair, beside=Beside(beside.name, *means))
    # The limit of the interval on the side that is in favor of the run with more choices is that of the corrected test.
    excess = b.log_choices - a.log_choices
    factors = exp(min(max(-excess, 0.0), 700.0)), exp(min(max(excess, 0.0), 700.0))
    levels = (LEVEL / tests / factors[0], LEVEL / tests / factors[1])
    test = paired_test(differences, weight, b.groups if a.groups is None else a.groups, a.seed, levels)
    corrected = min(1.0, test.p * factors[test.mean < 0])
    optimistic = (j if excess > 0 else i) if abs(excess) >= MIN_EXCESS else None
    adjusted = min(1.0, corrected * tests)
    return replace(pair, test=test, corrected_p=corrected, adjusted_p=adjusted, optimistic=optimistic)


def have_equal_costs(runs: Sequence[ComparableRun | None]) -> bool:
    """Whether the classes of all runs are decided by the same costs."""
    predictions = [run.predictions for run in runs if run is not None]
    costs = [constant_decision(each.decision, each.target.labels) for each in predictions]
    return bool(costs) and costs[0] is not None and all(other == costs[0] for other in costs)


def _measures(runs: Sequence[ComparableRun]) -> Comparison:
    """The measures that suit all of the runs: those which they share, or else what the kind has in common."""
    first, *others = (run.scoring.comparison(run.predictions.decision) for run in runs)
    return first if all(other == first for other in others) else runs[0].scoring.in_common


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
    rows = slice(None) if run.rows is None else run.rows
    losses = measure.losses(measure.prepare(run.predictions, run.y)[rows], run.y[rows])
    if run.averaging is None:
        return losses
    factor = sum(run.averaging.factors) / len(run.averaging.factors)
    return losses * measure.gain(factor, run.predictions.decision)


def _figure(value: float) -> str:
    return "0" if abs(value) < 1e-12 else f"{value:.3g}"

"""What a search gained over trial 0, and whether that is significant, given how many trials there were.

Scores of trials are of held-out rows, but the best trial was chosen by the same rows: of many equal trials one looks
better by chance. targets/metrics/selection.py has the corrections. A pruned trial is a candidate too. In the test its
gains are 0 on folds it was not trained on; in the bootstrap its losses there are those of the best trial. A failed
trial has no predictions and could not have been chosen.

All rows of a fold are predicted by one training of each trial, which has a seed of its own, so that they share its
luck. How much gains vary by it is estimated from the means of the folds (fold_variance.py), and is part of
the test and of the interval. It is pooled over the better half of the trials: what trains badly varies more, and is not
chosen. With one training a trial it cannot be known.

The test takes the trials as they are. But a sampler proposes trials near those that scored well on the same rows, so
that a search climbs the noise as well: in simulated searches of 60 trials in 6 smooth parameters without any effect,
27 % have a p-value below 0.05 if trials follow the best one, and 5 to 7 % if they are random. The bootstrap is wider,
since it scores the choice on rows that it did not see: in 2 % its interval lies above 0. A gain is therefore
significant only if both say so.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np

from nncli.base.spec import Spec
from nncli.base.text import format_number
from nncli.targets.metrics.bootstrap import CONFIDENCE, ConfidenceInterval
from nncli.targets.metrics.intervals import MIN_ROWS
from nncli.tuning.result.trial_comparison import FoldVariance, GainSamples, Reader, TrialComparison
from nncli.tuning.sampler import distribution_of, without_logs
from nncli.tuning.space.space import SearchSpace
from nncli.tuning.trials.finished_trial import SearchRows
from nncli.tuning.trials.objective import Objective
from nncli.tuning.trials.trials import Trial

LEVEL = 0.05
"""Significance level."""
SMALLEST_P = 0.0001
"""The smallest p-value that is shown."""
MIN_DIFFERING = 10
"""Rows or groups with different losses, at least, for an interval: with fewer, most resamples lack them."""
DRAWS = 1 << 16
"""Draws from Student's distribution, for its quantile."""


class Gain(Spec):
    """The gain of the best trial over trial 0 in units of the metric, positive where it is better.

    `apparent` is that of the recorded scores, and `estimate` with the interval from `low` to `high` is corrected for
    the choice among the `trials`, trial 0 included; None for the `reason`. `p` is the familywise-adjusted p-value of
    the best trial, tested by the `loss` of each of the `rows`; if `loss_is_metric`, the metric is its mean or the root
    of it. Unless the luck of trainings is known, as from several folds, the interval and `p` are without it.
    """

    trial: int
    apparent: float
    trials: int
    rows: int
    loss: str
    loss_is_metric: bool = True
    luck_is_known: bool = True
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    reason: str | None = None

    @property
    def is_significant(self) -> bool:
        """Whether the p-value is small, and the interval lies above 0."""
        return self.p is not None and self.p < LEVEL and self.low is not None and self.low > 0.0

    @property
    def p_text(self) -> str:
        """The p-value as text."""
        if self.p is not None and self.p <= SMALLEST_P:
            return f"p ≤ {SMALLEST_P:g}"
        return f"p = {format_number(self.p)}"

    @property
    def interval_text(self) -> str:
        """The ends of the interval as text."""
        return "not known" if self.low is None else f"{gain_text(self.low)} to {gain_text(self.high)}"

    @property
    def verdict(self) -> str:
        """Whether the gain is significant, with the p-value and the loss that it compares if it is not the metric."""
        tested = "" if self.loss_is_metric else f", tested by the {self.loss}"
        return f"{'significant' if self.is_significant else 'not significant'} ({self.p_text}{tested})"

    @property
    def notes(self) -> str:
        """What the interval lacks."""
        if self.luck_is_known:
            return ""
        return "; one training a trial: the luck of its seed is not part of the interval"

    @property
    def sentence(self) -> str:
        """The gain with its interval, and whether it is significant."""
        start = f"corrected for the choice among {self.trials:,} trials, the gain is "
        if self.estimate is None:
            return f"{start}not known: {self.reason or 'it is undefined'}; {self.verdict}{self.notes}"
        return f"{start}{gain_text(self.estimate)} (95 % interval {self.interval_text}): {self.verdict}{self.notes}"


def gain_text(value: float | None) -> str:
    """A gain as text, also one that is tiny as its metric is."""
    if value is None or value == 0.0 or abs(value) >= 1e-12:
        return format_number(value)
    return f"{value:.4g}".replace("-", "−")


def compute_gain(
    trials: Sequence[Trial], best: Trial, rows: SearchRows, read: Reader, objective: Objective, seed: int
) -> Gain:
    """The gain of the `best` of all `trials` over trial 0. `read` reads the predictions of one.

    Raises:
        RunError: the directory of a trial is damaged.
    """
    candidates = [trial for trial in trials if trial.state in ("complete", "pruned")]
    gain = Gain(
        trial=best.number,
        apparent=objective.loss_of(candidates[0].score or 0.0) - objective.loss_of(best.score or 0.0),
        trials=len(candidates),
        rows=len(rows),
        loss=rows.target.test_loss_name(objective.metric),
        loss_is_metric=rows.target.is_mean_of_rows(objective.metric),
    )
    if best.number == 0:
        return gain
    comparison = TrialComparison.of(candidates, best, rows, read, objective, seed)
    found: dict[str, object] = {"p": comparison.p_value(), "luck_is_known": comparison.fold_variance is not None}
    if comparison.differing < MIN_DIFFERING:
        what = "rows" if rows.truth.groups is None else "groups"
        found["reason"] = f"only {comparison.differing} {what} have another loss than with trial 0"
        return gain.model_copy(update=found)
    samples = comparison.samples()
    defined = samples.values[np.isfinite(samples.values)]
    if samples.resampling.groups < MIN_ROWS or 2 * len(defined) < len(samples.values):
        found["reason"] = "there are too few rows or groups"
        return gain.model_copy(update=found)
    found["estimate"] = estimate = float(defined.mean())
    interval = _interval(samples, estimate, comparison.fold_variance, seed)
    if interval is not None:
        found |= {"low": interval.low, "high": interval.high}
    return gain.model_copy(update=found)


def _interval(
    samples: GainSamples, estimate: float, variance: FoldVariance | None, seed: int
) -> ConfidenceInterval | None:
    """The middle 95 % of the samples, widened in quadrature by the luck of trainings."""
    interval = samples.resampling.interval(samples.values, estimate)
    if interval is None or variance is None or samples.luck == 0.0:
        return interval
    draws = np.random.default_rng([seed, 6]).standard_t(variance.degrees_of_freedom, DRAWS)
    luck = samples.luck * float(np.quantile(np.abs(draws), CONFIDENCE))
    low, high = np.hypot(estimate - interval.low, luck), np.hypot(interval.high - estimate, luck)
    return ConfidenceInterval(estimate - float(low), estimate + float(high))


TARGET_QUANTILE = 0.1
"""Quantile of the scores up to which trials count as the best ones."""
MIN_BEST = 5
"""Number of the best trials, at least."""
MIN_TRIALS = 2 * MIN_BEST


class ParameterImportance(Spec):
    """The importance of a parameter, a share of 1."""

    parameter: str
    importance: float


def compute_importance(
    trials: Sequence[Trial], space: SearchSpace, objective: Objective
) -> tuple[ParameterImportance, ...] | None:
    """The importance of each parameter, the largest first; None for fewer than ten trials with a score.

    A pruned trial counts by its estimate, and trial 0 if its values are in the space.
    """
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    distributions = {parameter.name: distribution_of(parameter.domain) for parameter in space.parameters}
    with without_logs():
        study = optuna.create_study()
        for trial in trials:
            score = trial.comparable_score
            values = trial.values if trial.number else space.base_values()
            if not values or score is None or not math.isfinite(score):
                continue
            own = {name: distributions[name] for name in values}
            study.add_trial(create_trial(params=dict(values), distributions=own, value=objective.loss_of(score)))
        scored = len(study.get_trials(deepcopy=False))
        if scored < MIN_TRIALS:
            return None
        evaluator = PedAnovaImportanceEvaluator(target_quantile=max(TARGET_QUANTILE, MIN_BEST / scored))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Some regimes", UserWarning)  # a choice that hardly any trial made
            shares = get_param_importances(study, evaluator=evaluator)
    names = [parameter.name for parameter in space.parameters if parameter.name in shares]
    ranked = sorted(names, key=lambda name: -shares[name])
    return tuple(ParameterImportance(parameter=name, importance=float(shares[name])) for name in ranked)

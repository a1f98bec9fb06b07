"""Scores of predictions with intervals, and those of the baseline: the mean or the class shares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from nncli.base.text import format_number, quote
from nncli.data.encoders.row_context import RowContext
from nncli.models.predictions import Predictions
from nncli.nn.arrays import RowIndices
from nncli.nn.losses import Loss
from nncli.targets.decision import Decision, constant_decision
from nncli.targets.metrics.amounts import GINI
from nncli.targets.metrics.bootstrap import BootstrapResampler, ConfidenceInterval, Samples
from nncli.targets.metrics.classification import ClassificationScores
from nncli.targets.metrics.intervals import WITHOUT_SKILL, difference_interval, score_interval
from nncli.targets.metrics.metric import ScoreValues
from nncli.targets.metrics.registry import (
    CRPS,
    METRICS,
    RELATIVE_LOSS,
    has_baseline,
    higher_is_better,
    is_better,
    with_class,
)
from nncli.targets.target import Target
from nncli.targets.target_base import Scores, Truth

S = TypeVar("S", bound=ScoreValues)

MAX_TRAINING_ROWS = 100_000
"""Training rows that are scored at most: a random sample of more."""


def training_sample(rows: int, seed: int) -> RowIndices:
    """The positions of the training rows, of so many, that are scored."""
    if rows <= MAX_TRAINING_ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, MAX_TRAINING_ROWS, replace=False))


def score(predictions: Predictions, y: Truth, weights: npt.NDArray[np.float64] | None, loss: Loss) -> Scores:
    """Compute every metric of the target. `weights` (rows,) are sample weights, or None."""
    return predictions.target.scores(predictions, y, weights, loss)


class Labeled(Protocol):
    """Rows with their true targets, their sample weights and what answers are relative to, None if they have none."""

    @property
    def y(self) -> Truth: ...
    @property
    def weights(self) -> npt.NDArray[np.float64] | None: ...
    @property
    def context(self) -> RowContext | None: ...


def baseline_predictions(target: Target, training: Labeled, rows: Labeled, loss: Loss) -> Predictions:
    """Predictions of the baseline for rows: the best constant by the training rows.

    That is the class shares, or the mean; with a loss of quantiles the quantile, and with one of distributions the best
    of its family, put in the context of the row: with an exposure Σ y / Σ exposure of the training rows times it.
    """
    y, weights, n, e = training.y, training.weights, len(rows.y), None
    if training.context is not None:
        y, e = training.context.relative(y), training.context.exposure
    if e is not None:
        values = target.baseline(y, e if weights is None else weights * e)
    elif (best := loss.best_constant(y, weights)) is not None:
        values = best
    else:
        values = target.baseline(y, weights)
    each, quantiles = np.broadcast_to(values, (n, len(values))), loss.best_quantiles(y, weights)
    points = each if quantiles is None else np.broadcast_to(quantiles, (n, *quantiles.shape))
    if (context := rows.context) is not None:
        each, points = context.absolute(each), context.absolute(points)
    if quantiles is None:
        return Predictions(target, points, context=context)
    return Predictions(target, points, levels=loss.quantile_levels, context=context, means=each)


def parts_of(scores: Scores) -> tuple[ScoreValues, ...]:
    """The scores of each target."""
    return scores if isinstance(scores, tuple) else (scores,)


def class_scores(scores: Scores) -> ClassificationScores | None:
    """The scores with those of each class; None without classes."""
    return None if isinstance(scores, tuple) else scores


def headlines(scores: Scores) -> list[tuple[str, float | None]]:
    """The metrics that are a single number, by name; `name_TARGET` for several targets."""
    parts = parts_of(scores)
    if len(parts) == 1:
        return list(parts[0].values)
    return [(f"{name}_{part.title}", value) for part in parts for name, value in part.values]


def title_of(name: str, scores: Scores) -> str:
    """The name of a headline with the class that it is of, such as `f1 of yes`."""
    return name if isinstance(scores, tuple) else with_class(name, scores.labels)


def to_json(scores: Scores) -> dict[str, Any]:
    """The metrics as a JSON object; for several targets, an object for each by its name. Infinity becomes null."""
    each = [part.json() for part in parts_of(scores)]
    titles = [part.title for part in parts_of(scores)]
    return each[0] if len(each) == 1 else {"targets": dict(zip(titles, each, strict=True))}


@dataclass(frozen=True)
class Averaging:
    """The expected gain from the out-of-fold predictions to the mean of all members: metrics/temperature_scaling.py.

    `factors` are those of the mean squared error of each target, or the one of the log loss, which is also used for
    error rates. `rows` were held out by several members.
    """

    factors: tuple[float, ...]
    rows: int

    def apply(self, scores: Scores, *, decided: bool = False) -> Scores:
        """The scores that are expected of the mean of all members; see `score`."""
        if not isinstance(scores, tuple):
            return self._applied(scores, 0, decided)
        return tuple(self._applied(part, j, decided) for j, part in enumerate(scores))

    def _applied(self, part: S, target: int, decided: bool) -> S:
        values = ((name, self.score(name, value, target, decided=decided)) for name, value in part.values)
        return replace(part, values=tuple(values))

    def score(self, name: str, value: float | None, target: int = 0, *, decided: bool = False) -> float | None:
        """The score of that name: its distance from a perfect score is multiplied by the factor.

        An error in the units of the target goes with the root of the squared error. Scores of classes that are
        `decided` by a threshold or costs have no such gain: they are what the threshold was chosen for.
        """
        if decided and name in METRICS and METRICS[name].of_classes:
            return value
        factor = self.factors[target]
        if value is None or not has_baseline(name) or name == GINI:  # have no such gain
            return value
        if higher_is_better(name):
            return 1.0 - (1.0 - value) * factor
        is_squared = name in METRICS and METRICS[name].is_squared
        return value * (factor if is_squared else factor**0.5)

    def without(self, name: str, value: float | None, *, decided: bool = False) -> float | None:
        """The score that includes the gain as it is without it; None where it does not differ, or is not known."""
        zero, at_one = (self.score(name, end, decided=decided) for end in (0.0, 1.0))
        if value is None or zero is None or at_one is None or (zero, at_one) == (0.0, 1.0) or at_one == zero:
            return None
        return (value - zero) / (at_one - zero)

    def words(self, scores: Iterable[tuple[str, float | None]], *, decided: bool = False) -> str:
        """What the scores include, with the first score that would differ as it is without that."""
        for name, value in scores:
            without = self.without(name, value, decided=decided)
            if without is not None:
                return f"with the gain of averaging all networks ({name} {format_number(without)} without)"
        return "with the gain of averaging all networks"


@dataclass(frozen=True)
class ScoreWithInterval:
    """A score with its interval, the baseline's score, and the interval of the improvement over the baseline.

    The improvement is positive where the model is better. None stands for unknown; `target` is None if there is one
    target only. The calibration error has no interval: resampling biases it upwards, so that the interval would lie
    above the value.
    """

    target: str | None
    name: str
    value: float | None
    interval: ConfidenceInterval | None
    baseline: float | None
    improvement: ConfidenceInterval | None


MIN_JUDGED_ROWS = 20
"""Fewest rows on which a model is said to be no better than the baseline that their own labels make."""


def has_better(model: ScoreValues, baseline: ScoreValues) -> bool:
    """Whether any of the decisive scores of a model is better than that of the baseline."""
    others = dict(baseline.values)
    values = {name: value for name in _decisive(model) if (value := dict(model.values)[name]) is not None}
    return any(is_better(name, value, others.get(name)) for name, value in values.items())


def _decisive(model: ScoreValues) -> tuple[str, ...]:
    """The names of the decisive scores that a model has; the CRPS alone if a whole distribution is predicted."""
    names = [name for name, _ in model.values]
    return (CRPS,) if CRPS in names else tuple(name for name in model.decisive if name in names)


def decisive_figures(model: ScoreValues, baseline: ScoreValues) -> dict[str, tuple[float, float]]:
    """The decisive scores of a model and of the baseline by name, without those of which either is unknown.

    Of several targets together there are none: each has its scores.
    """
    values, others = dict(model.values), dict(baseline.values)
    pairs = ((name, values.get(name), others.get(name)) for name in _decisive(model))
    return {name: (value, other) for name, value, other in pairs if value is not None and other is not None}


def no_better_note(model: Scores, baseline: Scores, rows: int) -> str | None:
    """A note that no score of some rows is better than the baseline's, which predicts the same for all of them."""
    for part, other in zip(parts_of(model), parts_of(baseline), strict=True):
        figures = decisive_figures(part, other)
        if rows >= MIN_JUDGED_ROWS and figures and not has_better(part, other):
            name, (value, of_baseline) = next(iter(figures.items()))
            scores = f"{name} {format_number(value)} against {format_number(of_baseline)}"
            of_target = "" if part.title is None else f" of {quote(part.title)}"
            return f"no better than the baseline, the same prediction{of_target} for all of these rows: {scores}"
    return None


@dataclass(frozen=True)
class ScoresWithIntervals:
    """The scores, and the resampling of the rows."""

    resampling: BootstrapResampler
    scores: tuple[ScoreWithInterval, ...]

    def find(self, name: str) -> ScoreWithInterval:
        """The score of this name, of the first target."""
        return next(score for score in self.scores if score.name == name)


@dataclass(frozen=True)
class ScoredRows:
    """Predictions of rows with their true targets `y`, sample weights, and group numbers (rows,) or None.

    `averaging` is None unless the predictions are out-of-fold predictions of an ensemble.
    """

    predictions: Predictions
    baseline: Predictions
    y: Truth
    weights: npt.NDArray[np.float64] | None
    loss: Loss
    groups: npt.NDArray[np.int64] | None = None
    averaging: Averaging | None = None

    def decided(self, decision: Decision | None) -> ScoredRows:
        """The rows with classes by a `decision`; with costs, the baseline is the best constant prediction by them."""
        constant = constant_decision(decision, self.predictions.target.labels)
        predictions, baseline = replace(self.predictions, decision=decision), replace(self.baseline, decision=constant)
        return replace(self, predictions=predictions, baseline=baseline)

    @property
    def scores(self) -> Scores:
        """Every metric of the predictions."""
        scores = score(self.predictions, self.y, self.weights, self.loss)
        return scores if self.averaging is None else self.averaging.apply(scores, decided=self._decided)

    @property
    def _decided(self) -> bool:
        return self.predictions.decision is not None

    def card(self) -> ScoreCard:
        """The scores without intervals."""
        baseline = score(self.baseline, self.y, self.weights, self.loss)
        return ScoreCard(rows=len(self.y), model=self.scores, baseline=baseline)

    @np.errstate(over="ignore", invalid="ignore")  # what is beyond measure is null in JSON
    def with_intervals(self, seed: int) -> ScoresWithIntervals:
        """All scores with intervals; model and baseline share the resamples, and groups are resampled as a whole."""
        resampling = BootstrapResampler.of(len(self.y), seed, self.groups)
        values = headlines(self.scores)
        baselines = headlines(score(self.baseline, self.y, self.weights, self.loss))
        model, baseline = (self._samples(predictions, resampling) for predictions in (self.predictions, self.baseline))
        names = [part.title or "" for part in parts_of(self.scores)]
        per_target, interval_rows = len(values) // len(names), self.predictions.target.interval_rows(self.y)
        shares = self.predictions.target.share_intervals(self.predictions, self.y, self.weights, self.groups)
        is_constant = bool((self.baseline.values == self.baseline.values[:1]).all())
        scores = []
        for j, ((title, value), (_, baseline_value)) in enumerate(zip(values, baselines, strict=True)):
            target = names[j // per_target] if len(names) > 1 else None
            name = title if target is None else title.removesuffix(f"_{target}")
            samples = self._corrected(name, model[:, j], j // per_target)
            sign = 1.0 if higher_is_better(name) else -1.0
            interval = improvement = None
            if not has_baseline(name):
                baseline_value = None
            elif value is not None and name in shares:
                share = shares[name]
                ends = np.array([] if share is None else [share.low, share.high])
                interval = ConfidenceInterval(*self._corrected(name, ends, 0).tolist()) if share else None
            elif value is not None:
                interval = score_interval(METRICS[name], value, samples, resampling, interval_rows.get(name))
            if value is None or baseline_value is None:
                pass
            elif is_constant and name in WITHOUT_SKILL and (baseline[:, j] == baseline_value).mean() > 0.5:
                # whatever the rows are, this baseline scores the same
                improvement = interval and ConfidenceInterval(
                    interval.low - baseline_value, interval.high - baseline_value
                )
            else:
                improvement = difference_interval(
                    sign * (value - baseline_value),
                    sign * (samples - baseline[:, j]),
                    resampling,
                    1.0 if METRICS[name].is_rate else np.inf,
                )
            scores.append(ScoreWithInterval(target, name, value, interval, baseline_value, improvement))
        return ScoresWithIntervals(resampling, tuple(scores))

    def _samples(self, predictions: Predictions, resampling: BootstrapResampler) -> Samples:
        """(resamples, scores), in the order of `headlines`."""
        rows, names = resampling.rows, [name for name, _ in parts_of(self.scores)[0].values]
        taken, y, weight = predictions.take(rows), self.y[rows], None if self.weights is None else self.weights[rows]

        def score(counts: Samples) -> Samples:
            W = counts if weight is None else counts * weight
            return np.hstack(taken.target.samples(taken, y, W, names, self.loss))

        return resampling.samples(score)

    def _corrected(self, name: str, samples: Samples, target: int) -> Samples:
        """The samples of a score with the gain by averaging."""
        if self.averaging is None:
            return samples
        zero, at_one = (self.averaging.score(name, end, target, decided=self._decided) for end in (0.0, 1.0))
        assert zero is not None
        assert at_one is not None
        return zero + (at_one - zero) * samples  # the gain is linear in the score


@dataclass(frozen=True)
class ScoreCard:
    """Scores of the model and of the baseline on the same rows.

    `intervals` are None for training rows. The scores are `optimistic` if these rows chose the epoch of the model.
    Of out-of-fold rows, `cross_fitted_baseline` are the scores of the constants that the rows of the other folds give:
    a baseline of many parameters, such as a survival curve, fits the rows that it comes from better than new ones.
    """

    rows: int
    model: Scores
    baseline: Scores
    intervals: ScoresWithIntervals | None = None
    averaging: Averaging | None = None
    optimistic: bool = False
    cross_fitted_baseline: Scores | None = None


def card_of_targets(cards: Sequence[ScoreCard]) -> ScoreCard:
    """The scores of several targets together: the mean of their squared errors or log losses over the baseline's."""

    def loss(scores: Scores) -> float:
        values = dict(parts_of(scores)[0].values)
        log_loss = values.get("log_loss")
        return float(values["rmse"] or 0.0) ** 2 if log_loss is None else log_loss

    pairs = [(loss(card.model), loss(card.baseline)) for card in cards]
    mean = float(np.mean([model / baseline if baseline > 0.0 else 1.0 for model, baseline in pairs]))
    model, baseline = ((ScoreValues(((RELATIVE_LOSS.name, value),)),) for value in (mean, 1.0))
    return ScoreCard(
        max(card.rows for card in cards), model, baseline, optimistic=any(card.optimistic for card in cards)
    )


def validation_card(rows: ScoredRows, seed: int, *, optimistic: bool) -> ScoreCard:
    """The scores of validation rows, with intervals."""
    intervals = rows.with_intervals(seed)
    return replace(rows.card(), intervals=intervals, averaging=rows.averaging, optimistic=optimistic)


def scores_json(scores: ScoreCard | None) -> dict[str, object] | None:
    """The scores as a section of metrics.json."""
    if scores is None:
        return None
    document: dict[str, object] = {
        "rows": scores.rows,
        "metrics": to_json(scores.model),
        "baseline": to_json(scores.baseline),
    }
    if scores.intervals is not None:
        document |= {"intervals": _intervals_json(scores.intervals), "optimistic": scores.optimistic}
    if scores.averaging is not None:
        document["averaging"] = {"factors": list(scores.averaging.factors), "rows": scores.averaging.rows}
    return document


def _intervals_json(scores: ScoresWithIntervals) -> dict[str, Any]:
    """{"rmse": [low, high], …}; for several targets, an object for each by its name under `targets`."""
    each: dict[str | None, dict[str, list[float]]] = {}
    for score in scores.scores:
        if score.interval is not None:
            each.setdefault(score.target, {})[score.name] = [score.interval.low, score.interval.high]
    return each.get(None, {}) if each.keys() <= {None} else {"targets": each}

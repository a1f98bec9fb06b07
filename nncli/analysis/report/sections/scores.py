"""Scores with confidence intervals, beside those of the baseline."""

from __future__ import annotations

from collections.abc import Callable

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.evaluation.linear_model import LinearBenchmark
from nncli.analysis.report.page import Details, Facts, Notice, Paragraph, Part, Section, Table, display
from nncli.analysis.report.sections.overview import scored_rows
from nncli.analysis.report.statistics import max_error_rate
from nncli.base.text import format_number, format_percent
from nncli.models.scores import ScoresWithIntervals, ScoreWithInterval
from nncli.runs.history import RecordedMetrics, RecordedScores
from nncli.targets.metrics.bootstrap import MAX_ROWS, RESAMPLES, ConfidenceInterval
from nncli.targets.metrics.registry import METRICS, has_baseline

NAME, TITLE = "scores", "Scores"
BASELINE = "The baseline uses no features: it predicts the class frequencies, or the mean, of the training rows."
AVERAGING = (
    "The scores of the model include the expected gain of averaging all networks, which is measured on the rows that "
    "two of them held out. Charts and single rows below are of the out-of-fold predictions, without this gain."
)
MIN_GROUPS = 30
"""Rows (or groups) below which the bootstrap's intervals are misleadingly narrow."""


def held_out_scores(
    held_out: HeldOutPredictions,
    scores: ScoresWithIntervals,
    metrics: RecordedMetrics | None,
    linear: LinearBenchmark | None = None,
) -> Section:
    """The scores with intervals, and those of the training rows for comparison."""
    n, groups = len(held_out), scores.resampling.groups
    parts: list[Part] = [Paragraph(f"{BASELINE} {_method(scores)}")]
    if groups < MIN_GROUPS:
        unit = "row" if groups == len(scores.resampling.rows) else "group"
        count = f"Only {groups} {unit}{'s' * (groups != 1)} {'is' if groups == 1 else 'are'} scored"
        parts.append(Notice("warning", f"{count}: scores are very uncertain, and their intervals are too narrow."))
    if held_out.predictions.target.has_labels and (held_out.predictions.classes == held_out.y).all() and n > 1:
        bound = format_percent(max_error_rate(n))
        parts.append(Notice("note", f"No row is misclassified. With {n:,} rows the error rate may still be {bound}."))
    if held_out.averaging is not None:
        parts.append(Paragraph(AVERAGING))
    if held_out.predictions.decision is not None:
        text = f"Predicted classes follow the saved decision: {held_out.predictions.decision.text}."
        parts.append(Paragraph(f"{text} Those of the baseline are the most frequent class."))
    rows = tuple(_row(score, linear) for score in scores.scores)
    columns: tuple[str, ...] = ("metric", "model", "95 % CI", "baseline", "improvement (95 % CI)")
    if linear is not None:
        parts.append(Paragraph(_linear(held_out, linear)))
        columns = (*columns, "linear model", "improvement over it (95 % CI)")
    parts.append(Table(f"Scores on {scored_rows(held_out)}", columns, rows, folds=True))
    parts.append(_meanings(scores))
    if held_out.split == "validation" and metrics is not None and metrics.training is not None:
        note = "Training scores that are much better than those above are a sign of overfitting."
        if held_out.predictions.decision is not None:
            note += " They are those of the most probable class, not of the saved decision."
        parts.append(Details("Scores on the training rows", (_recorded("training rows", metrics.training, note),)))
    return Section(NAME, TITLE, tuple(parts), wide=True)


def recorded_scores(metrics: RecordedMetrics, held_out_kind: str) -> Section:
    """The scores that were written after training, without intervals, for a run whose rows are not available."""
    recorded = [(f"{held_out_kind} rows", metrics.validation), ("training rows", metrics.training)]
    tables = tuple(_recorded(title, scores) for title, scores in recorded if scores is not None)
    return Section(NAME, TITLE, (Paragraph(BASELINE), *tables))


def format_interval(interval: ConfidenceInterval | None, form: Callable[[float], str] = format_number) -> str:
    """`0.12 to 0.18`."""
    return "–" if interval is None else f"{form(interval.low)} to {form(interval.high)}"


def _method(scores: ScoresWithIntervals) -> str:
    sampling = scores.resampling
    unit = "rows" if sampling.groups == len(sampling.rows) else f"whole groups ({sampling.groups:,})"
    text = (
        f"Confidence intervals are 95 % intervals for the score on new rows, from {RESAMPLES:,} bootstrap resamples of "
        f"{unit}."
    )
    if sampling.n > MAX_ROWS:
        text += f" They are computed from {MAX_ROWS:,} of the rows and rescaled to all of them."
    return text


def _row(score: ScoreWithInterval, linear: LinearBenchmark | None) -> tuple[str, ...]:
    label, improvement = metric_label(score.name, score.target), format_interval(score.improvement)
    interval = format_interval(score.interval)
    row = (label, format_number(score.value), interval, format_number(score.baseline), improvement)
    if linear is None:
        return row
    beside = linear.of(score)
    if beside is None:
        return (*row, "–", "–")
    return (*row, format_number(beside.baseline), format_interval(beside.improvement))


def _linear(held_out: HeldOutPredictions, linear: LinearBenchmark) -> str:
    """What the linear model is, and of which rows its scores are."""
    if linear.scores is None:
        return f"There is no linear model to compare with: {linear.reason}."
    return (
        f"The linear model is a {linear.name} on the same encoded features, fitted without the rows that it predicts; "
        f"its scores are of the same {scored_rows(held_out)}."
    )


def _meanings(scores: ScoresWithIntervals) -> Details:
    """What each metric is."""
    names = dict.fromkeys(score.name for score in scores.scores)
    return Details("What the metrics mean", (Facts(tuple((name, METRICS[name].description) for name in names)),))


def metric_label(name: str, target: str | None) -> str:
    """The metric's name, followed by the target where there are several."""
    return name if target is None else f"{name}, {display(target)}"


def shown_baseline(name: str, baseline: float | None) -> float | None:
    """The baseline's score, or None for metrics by which it is no benchmark."""
    return baseline if has_baseline(name) else None


def _recorded(title: str, scores: RecordedScores, note: str = "") -> Table:
    rows = tuple(
        (
            metric_label(score.name, score.target),
            format_number(score.value),
            format_number(shown_baseline(score.name, score.baseline)),
        )
        for score in scores.scores
    )
    return Table(f"Scores on {scores.rows:,} {title}", ("metric", "model", "baseline"), rows, note=note)

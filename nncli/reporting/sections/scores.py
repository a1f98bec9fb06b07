"""How good it is, beside the trivial guess."""

from __future__ import annotations

from collections.abc import Callable

from nncli.evaluation.held_out import HeldOutPredictions
from nncli.evaluation.score_intervals import ScoresWithIntervals, ScoreWithInterval
from nncli.metrics.bootstrap import MAX_ROWS, RESAMPLES, ConfidenceInterval
from nncli.metrics.classification import accuracy
from nncli.metrics.registry import METRICS, has_baseline
from nncli.reporting.page import Notice, Paragraph, Part, Section, Table, number, percent, shown
from nncli.reporting.statistics import most_errors
from nncli.runs.history import RecordedMetrics, RecordedScores

NAME, TITLE = "scores", "How good it is"
GUESS = "The trivial guess knows no features: it says each class's share among the training rows, or their mean."
FEW = 30
"""Rows from which an interval of the bootstrap is not misleadingly narrow."""


def measured(judged: HeldOutPredictions, assessment: ScoresWithIntervals, metrics: RecordedMetrics | None) -> Section:
    """The scores with intervals, and those of the training rows to compare."""
    n, groups = len(judged), assessment.resampling.groups
    parts: list[Part] = [Paragraph(f"{GUESS} {_how(assessment)}")]
    if groups < FEW:
        what = "row" if groups == len(assessment.resampling.rows) else "group"
        few = f"There {'is' if groups == 1 else 'are'} only {groups} {what}{'s' * (groups != 1)} to judge by"
        parts.append(
            Notice("warning", f"{few}: no number here is certain, and intervals are narrower than they should be.")
        )
    if (
        judged.predictions.target.task == "classification"
        and accuracy(judged.y, judged.predictions.values) == 1.0
        and n > 1
    ):
        most = percent(most_errors(n))
        parts.append(
            Notice("note", f"No row is wrong. In {n:,} rows that can happen though up to {most} of all rows are.")
        )
    rows = tuple(_row(one) for one in assessment.scores)
    on = "rows that were not trained on" if judged.split == "validation" else "rows that it was trained on"
    columns = ("metric", "model", "trivial guess", "better by", "what it is")
    note = "Beneath the model's score is its 95 % interval; better by is one too."
    parts.append(Table(f"Scores on {n:,} {on}", columns, rows, (0, 4), note, folds=True))
    if judged.split == "validation" and metrics is not None and metrics.training is not None:
        note = "Where these are far better than those above, much was learned by heart."
        parts.append(_recorded("training rows", metrics.training, note))
    return Section(NAME, TITLE, tuple(parts))


def recorded(metrics: RecordedMetrics) -> Section:
    """The scores that the training wrote down, without intervals: the rows themselves are not at hand."""
    cards = [("validation rows", metrics.validation), ("training rows", metrics.training)]
    tables = tuple(_recorded(title, card) for title, card in cards if card is not None)
    return Section(NAME, TITLE, (Paragraph(GUESS), *tables))


def between(interval: ConfidenceInterval | None, told: Callable[[float], str] = number) -> str:
    """`0.12 to 0.18`."""
    return "–" if interval is None else f"{told(interval.low)} to {told(interval.high)}"


def _how(assessment: ScoresWithIntervals) -> str:
    sampling = assessment.resampling
    what = "rows" if sampling.groups == len(sampling.rows) else f"whole groups ({sampling.groups:,})"
    text = f"Intervals are those of the middle 95 % of {RESAMPLES:,} resamples of {what}, which both share."
    if sampling.n > MAX_ROWS:
        text += f" They come from {MAX_ROWS:,} of the rows, narrowed for all of them."
    return text


def _row(one: ScoreWithInterval) -> tuple[str, ...]:
    value = number(one.value) if one.interval is None else f"{number(one.value)}\n{between(one.interval)}"
    name, meaning = name_of(one.name, one.target), METRICS[one.name].description
    return name, value, number(one.baseline), between(one.improvement), meaning


def name_of(name: str, target: str | None) -> str:
    """Of several targets, with that which it is about."""
    return name if target is None else f"{name}, {shown(target)}"


def guessed(name: str, trivial: float | None) -> float | None:
    """The trivial guess's score, where it sets a mark."""
    return trivial if has_baseline(name) else None


def _recorded(title: str, card: RecordedScores, note: str = "") -> Table:
    rows = tuple(
        (name_of(one.name, one.target), number(one.value), number(guessed(one.name, one.baseline)))
        for one in card.scores
    )
    return Table(f"Scores on {card.rows:,} {title}", ("metric", "model", "trivial guess"), rows, note=note)

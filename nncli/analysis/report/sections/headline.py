"""The head of a report: whether the model is better than the baseline, and the main numbers as tiles."""

from __future__ import annotations

from collections.abc import Callable

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.evaluation.linear_model import LinearBenchmark
from nncli.analysis.evaluation.run_summary import RunSummary
from nncli.analysis.report.page import Tile, Verdict
from nncli.analysis.report.sections.overview import TITLES, main_score, quoted_name, scored_rows
from nncli.base.text import format_number, format_percent
from nncli.models.scores import ScoresWithIntervals, ScoreWithInterval
from nncli.runs.manifest import Manifest
from nncli.targets.metrics.bootstrap import ConfidenceInterval

MAX_VERDICTS = 3
"""Most targets with a verdict of their own."""
FRACTIONS = frozenset({"accuracy", "balanced_accuracy"})
"""Metrics that are shown in percent."""


def verdicts(
    held_out: HeldOutPredictions, scores: ScoresWithIntervals, linear: LinearBenchmark | None = None
) -> tuple[Verdict, ...]:
    """Whether the model is better than the baseline and a linear model, by intervals of the improvement."""
    if held_out.split == "training":
        return (Verdict("Not known to be better than the baseline: no rows were kept apart to measure it.", False),)
    metric = held_out.predictions.target.verdict_metric
    compared = [score for score in scores.scores if score.name == metric]
    found = []
    for score in compared[:MAX_VERDICTS]:
        found.append(_verdict(score, "the baseline", score.improvement))
        beside = None if linear is None else linear.of(score)
        if linear is not None and beside is not None:
            found.append(_verdict(score, f"a linear model ({linear.name})", beside.improvement))
    return tuple(found)


def _verdict(score: ScoreWithInterval, other: str, gain: ConfidenceInterval | None) -> Verdict:
    """The verdict by the interval of how much lower the model's score is than that of `other`."""
    of = f" for {quoted_name(score.target)}" if score.target else ""
    title = TITLES[score.name]
    title = title if title.isupper() else title[0].lower() + title[1:]
    if gain is None:
        return Verdict(f"Not clearly better than {other}{of}: there are too few rows to tell.", False)
    low, high = (gain.low, gain.high) if gain.high >= 0 else (-gain.high, -gain.low)
    interval = f"(95 % CI of the difference: {format_number(low)} to {format_number(high)})"
    if gain.low > 0:
        return Verdict(f"Clearly better than {other}{of}: its {title} is lower {interval}.", True)
    if gain.high < 0:
        return Verdict(f"Worse than {other}{of}: its {title} is higher {interval}.", False)
    return Verdict(f"Not clearly better than {other}{of}: the difference in {title} may be chance {interval}.", False)


def tiles(
    held_out: HeldOutPredictions, scores: ScoresWithIntervals, linear: LinearBenchmark | None = None
) -> tuple[Tile, ...]:
    """The main score with its interval, those of the baseline and a linear model, and the sizes of the table."""
    main = main_score(scores)
    form, manifest = format_of(main.name), held_out.manifest
    name = TITLES[main.name] + (f" of {quoted_name(main.target)}" if main.target else "")
    return (
        Tile(name, form(main.value), _interval(main, form)),
        Tile("Baseline", form(main.baseline), f"{name}, without features"),
        *_linear_tile(main, linear, form),
        Tile("Rows", f"{manifest.data.rows:,}", f"scored on {scored_rows(held_out)}"),
        Tile("Features", f"{len(held_out.model.names):,}", _networks(manifest)),
    )


def _linear_tile(
    main: ScoreWithInterval, linear: LinearBenchmark | None, form: Callable[[float | None], str]
) -> tuple[Tile, ...]:
    """The tile of the linear model, if there is one."""
    beside = None if linear is None else linear.of(main)
    return () if linear is None or beside is None else (Tile("Linear model", form(beside.baseline), linear.name),)


def format_of(metric: str) -> Callable[[float | None], str]:
    """How the values of a metric are written."""
    return _percent if metric in FRACTIONS else format_number


def _percent(value: float | None) -> str:
    return "–" if value is None else format_percent(value)


def _interval(score: ScoreWithInterval, form: Callable[[float | None], str]) -> str:
    interval = score.interval
    return "" if interval is None else f"95 % CI {form(interval.low)} to {form(interval.high)}"


def _networks(manifest: Manifest) -> str:
    networks = "1 network" if manifest.members == 1 else f"{manifest.members:,} networks"
    return f"{networks}, {manifest.parameters:,} parameters"


def head_of(
    summary: RunSummary, scores: ScoresWithIntervals | None, linear: LinearBenchmark | None = None
) -> tuple[tuple[Verdict, ...], tuple[Tile, ...]]:
    """The verdicts and the tiles; none for a run whose rows cannot be scored again."""
    if summary.held_out is None or scores is None:
        return (), ()
    return verdicts(summary.held_out, scores, linear), tiles(summary.held_out, scores, linear)

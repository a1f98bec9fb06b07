"""Charts of a search: scores by trial, scores by the values of a parameter, and parallel coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import NullLocator

from nncli.analysis.report.charts import (
    FIRST,
    INK,
    MAX_ROWS,
    MAX_TICK_LENGTH,
    RULE,
    SECOND,
    SOFT,
    THIN,
    PlainLogLocator,
    draw,
    evenly_spaced,
    finish_axes,
    needs_log_scale,
    plain_numbers,
)
from nncli.analysis.report.charts import Axis as Labels
from nncli.analysis.report.page import Figure, Table, display
from nncli.base.text import format_number
from nncli.tuning.space.space import ChoiceDomain, Domain, Parameter

WIDE, TALL = 760, 330
"""Size of the parallel coordinates."""
BEST_SHARE = 0.1
"""Share of the trials that are drawn as the best ones in parallel coordinates."""
MIN_BEST = 3
MAX_CATEGORY_LENGTH = 14
"""Longest label of a choice in parallel coordinates, in characters."""
MAX_LABELED = 8
"""Most choices with a label on an axis of parallel coordinates."""


@dataclass(frozen=True)
class ScoredTrial:
    """A trial with its score, which is an estimate if it was pruned, and its values and their texts by parameter."""

    number: int
    score: float
    is_pruned: bool
    values: dict[str, float]
    labels: dict[str, str]


def history(metric: str, trials: Sequence[ScoredTrial], best_so_far: Sequence[float]) -> Figure:
    """The scores in the order of the trials, and the best complete one so far."""
    numbers = [trial.number for trial in trials]

    def paint(drawing: Drawing, axes: Axes) -> None:
        _points(axes, trials, numbers)
        axes.step(numbers, best_so_far, where="post", color=SECOND, linewidth=1.8, label="best so far")
        finish_axes(drawing, axes, Labels("trial", metric, log=needs_log_scale([trial.score for trial in trials])))

    rows = tuple(
        (str(trials[i].number), _state(trials[i]), format_number(trials[i].score), format_number(best_so_far[i]))
        for i in evenly_spaced(len(trials), MAX_ROWS)
    )
    note = f"{len(rows)} of {len(trials):,} trials, evenly spaced." if len(rows) < len(trials) else ""
    table = Table("Scores by trial", ("trial", "state", metric, "best so far"), rows, prose=(1,), note=note)
    description = (
        f"The {metric} of each trial in the order in which they were chosen, with the best one so far. Crosses are "
        "pruned trials, whose scores are estimates."
    )
    return Figure(draw(paint), "Scores by trial", description, table)


def slice_chart(metric: str, parameter: Parameter, trials: Sequence[ScoredTrial], best: int) -> Figure | None:
    """The scores by the values of a parameter, over the trials that have one; None without any."""
    name, domain = parameter.name, parameter.domain
    own = [trial for trial in trials if name in trial.values]
    if not own:
        return None
    title = display(name, MAX_TICK_LENGTH * 2)
    choices = (
        tuple((float(i), label) for i, label in enumerate(domain.labels)) if isinstance(domain, ChoiceDomain) else None
    )
    is_log = not isinstance(domain, ChoiceDomain) and domain.is_log

    def paint(drawing: Drawing, axes: Axes) -> None:
        _points(axes, own, [trial.values[name] for trial in own])
        for trial in own:
            if trial.number == best:
                axes.plot([trial.values[name]], [trial.score], "o", color=INK, markersize=7, zorder=3, label="best")
        labels = Labels(title, metric, log=needs_log_scale([trial.score for trial in trials]), ticks=choices)
        finish_axes(drawing, axes, labels)
        if is_log:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(PlainLogLocator())
            axes.xaxis.set_minor_locator(NullLocator())
            plain_numbers(axes, y=False)
        if choices is not None:
            axes.set_xlim(-0.5, len(choices) - 0.5)

    table = _choices_table(metric, parameter, own) if choices else _values_table(metric, parameter, own)
    of_all = "" if len(own) == len(trials) else f" It is set in {len(own):,} of {len(trials):,} trials."
    description = f"The {metric} of trials by {title}.{' The axis is logarithmic.' * is_log}{of_all}"
    return Figure(draw(paint), f"{metric} by {title}", description, table)


def parallel_coordinates(
    metric: str, parameters: Sequence[Parameter], trials: Sequence[ScoredTrial], best: Sequence[int]
) -> Figure:
    """One line for each trial through its values and its score. `best` are the best trials, the best one first."""
    scores = np.array([trial.score for trial in trials])
    logarithmic = needs_log_scale(scores)
    heights = np.log(scores) if logarithmic else scores
    low, spread = float(heights.min()), float(np.ptp(heights)) or 1.0
    columns = [*((p.name, p.domain) for p in parameters)]
    places = np.arange(len(columns) + 1)

    def paint(drawing: Drawing, axes: Axes) -> None:
        for trial, height in zip(trials, heights, strict=True):
            y = [_position(domain, trial.values.get(name)) for name, domain in columns]
            rank = best.index(trial.number) if trial.number in best else None
            color, width, order = (THIN, 0.7, 1) if rank is None else (FIRST, 1.4, 2) if rank else (SECOND, 2.4, 3)
            label = "_" if rank is None or rank > 1 else "among the best" if rank else "best trial"
            line = [*y, (float(height) - low) / spread]
            marker = "o" if np.isnan(y).any() else None  # a value between two that are not set would have no line
            axes.plot(
                places, line, color=color, linewidth=width, zorder=order, label=label, marker=marker, markersize=3
            )
        for place in range(len(places)):
            axes.axvline(place, color=RULE, linewidth=1, zorder=0)
        for place, (_, domain) in enumerate(columns):
            for text, height in _axis_labels(domain):
                axes.text(place + 0.03, height, display(text, MAX_CATEGORY_LENGTH), color=SOFT, fontsize=9, va="center")
        for end, value in ((0.0, float(scores.min())), (1.0, float(scores.max()))):
            axes.text(places[-1] + 0.03, end, format_number(value), color=SOFT, fontsize=9, va="center")
        finish_axes(drawing, axes, Labels("", "", (-0.1, len(columns) + 0.45), (-0.06, 1.06)))
        axes.yaxis.set_visible(False)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.grid(visible=False)
        names = [display(name, MAX_TICK_LENGTH) for name, _ in columns]
        axes.set_xticks(places, [*names, metric], rotation=25, ha="right", rotation_mode="anchor")

    by_number = {trial.number: trial for trial in trials}
    rows = tuple(
        (
            str(number),
            format_number(by_number[number].score),
            *(display(by_number[number].labels.get(name, "–")) for name, _ in columns),
        )
        for number in best
    )
    names = tuple(display(name) for name, _ in columns)
    table = Table("The best trials", ("trial", metric, *names), rows, prose=tuple(range(2, len(names) + 2)))
    description = (
        "Each line is a trial, through its values and its score, on logarithmic axes where the range is. The best "
        "trials are drawn in color. A line is interrupted where a parameter is not set."
    )
    return Figure(draw(paint, WIDE, TALL), "Parallel coordinates", description, table, wide=True)


def number_of_best(trials: int) -> int:
    """How many trials are drawn as the best ones."""
    return min(trials, max(MIN_BEST, round(BEST_SHARE * trials)))


def _points(axes: Axes, trials: Sequence[ScoredTrial], x: Sequence[float]) -> None:
    """Dots of complete trials, crosses of pruned ones."""
    size = 5.0 if len(trials) < 200 else 3.0
    for is_pruned, marker, color, label in ((True, "x", THIN, "pruned"), (False, "o", FIRST, "complete")):
        own = [(place, trial.score) for place, trial in zip(x, trials, strict=True) if trial.is_pruned == is_pruned]
        if own:
            axes.plot(*zip(*own, strict=True), marker, color=color, markersize=size, alpha=0.8, label=label)


def _state(trial: ScoredTrial) -> str:
    return "pruned" if trial.is_pruned else "complete"


def _values_table(metric: str, parameter: Parameter, trials: Sequence[ScoredTrial]) -> Table:
    ordered = sorted(trials, key=lambda trial: trial.values[parameter.name])
    shown = [ordered[i] for i in evenly_spaced(len(ordered), MAX_ROWS)]
    rows = tuple(
        (trial.labels[parameter.name], str(trial.number), _state(trial), format_number(trial.score)) for trial in shown
    )
    note = f"{len(rows)} of {len(trials):,} trials, evenly spaced." if len(rows) < len(trials) else ""
    name = display(parameter.name)
    return Table(f"{metric} by {name}", (name, "trial", "state", metric), rows, prose=(2,), note=note)


def _choices_table(metric: str, parameter: Parameter, trials: Sequence[ScoredTrial]) -> Table:
    assert isinstance(parameter.domain, ChoiceDomain)
    rows = []
    for i, label in enumerate(parameter.domain.labels):
        scores = sorted(trial.score for trial in trials if trial.values[parameter.name] == i)
        ends = (scores[0], float(np.median(scores)), scores[-1]) if scores else (None, None, None)
        rows.append((display(label), f"{len(scores):,}", *map(format_number, ends)))
    name = display(parameter.name)
    return Table(f"{metric} by {name}", (name, "trials", "lowest", "median", "highest"), tuple(rows))


def _position(domain: Domain, value: float | None) -> float:
    """The place of a value on an axis from 0 to 1; NaN where it is not set."""
    if value is None:
        return np.nan
    if isinstance(domain, ChoiceDomain):
        return (value + 0.5) / len(domain.choices)
    low, high, value = float(domain.low), float(domain.high), float(value)
    if domain.is_log:
        low, high, value = np.log(low), np.log(high), np.log(value)
    return (value - low) / (high - low)


def _axis_labels(domain: Domain) -> list[tuple[str, float]]:
    """The texts on the axis of a parameter, with their places."""
    if not isinstance(domain, ChoiceDomain):
        return [(format_number(float(domain.low)), 0.0), (format_number(float(domain.high)), 1.0)]
    labels = list(enumerate(domain.labels))
    shown = labels if len(labels) <= MAX_LABELED else [labels[i] for i in evenly_spaced(len(labels), MAX_LABELED)]
    return [(label, _position(domain, i)) for i, label in shown]

"""The report of a search as one HTML file: trials, gain, importance of parameters, the best configuration."""

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
    PICTURE_HEIGHT,
    PICTURE_WIDTH,
    RULE,
    SECOND,
    SOFT,
    THIN,
    ErrorBar,
    PlainLogLocator,
    draw,
    evenly_spaced,
    finish_axes,
    needs_log_scale,
    plain_numbers,
    ranges,
)
from nncli.analysis.report.charts import Axis as Labels
from nncli.analysis.report.page import (
    Facts,
    FigureBlock,
    Gallery,
    Listing,
    Notice,
    Page,
    Paragraph,
    Part,
    Row,
    Section,
    TableBlock,
    Tile,
    Verdict,
    capitalized,
    display,
    method,
    number_cell,
)
from nncli.base.logs import format_duration
from nncli.base.text import format_number, format_percent, short_number
from nncli.targets.metrics.registry import metric_title
from nncli.tuning.gain import gain_text
from nncli.tuning.space.space import ChoiceDomain, Domain, Parameter
from nncli.tuning.summary import SearchSummary
from nncli.tuning.trials import BEST, Trial

MAX_LISTED = 200
"""Most trials that are listed."""
MAX_SLICES = 24
MAX_COORDINATES = 10
"""Most parameters of the parallel coordinates."""
MAX_PATH = 400
METHOD = (
    "The best trial was chosen by the rows that it is scored on, so its score is too good: of many equal trials one "
    "looks better by chance. The gain is therefore estimated by a bootstrap in which the best trial is chosen by the "
    "rows that are drawn, and compared with trial 0 on the others (Tsamardinos, Greasidou and Borboudakis, 2018). The "
    "interval is the middle 95 % of these gains. The p-value is of a sign-flip test of the largest gain of all trials "
    "(Westfall and Young, 1993): how often a gain as clear would be found among so many trials if none were better "
    "than trial 0. A pruned trial is a candidate too, and counts with the rows of its folds. Every training has a seed "
    "of its own, whose effect all rows of its fold share. How much gains vary by it is estimated from the folds, and "
    "is part of the interval and of the p-value; with one training a trial it cannot be estimated and is missing in "
    "both. A sampler that follows the best trials adapts to the noise of these rows, which makes p-values too small; "
    "so a gain is significant only if the p-value is below 0.05 and the interval lies above 0."
)
IMPORTANCE = (
    "PED-ANOVA (Watanabe, Bansal and Hutter, 2023): how much the values of the best trials differ from those of all. "
    "A parameter that is set in some trials only counts by these. Importance is of this search, not of the parameter: "
    "one that was searched in a range where nothing changes has none."
)


def search_page(summary: SearchSummary) -> Page:
    """The page of a search, finished or not."""
    trials = _scored(summary)
    overview = Facts(tuple((term, display(value, MAX_PATH)) for term, value in summary.facts() if value))
    sections = [
        *_gain(summary),
        *_importance(summary),
        *_slices(summary, trials),
        *_coordinates(summary, trials),
        *_trials(summary),
        *_best(summary),
        Section("model", "Search and data", (overview,), wide=True),
    ]
    return Page(
        title=f"Report of {display(summary.path.resolve().name)}",
        summary=_sentence(summary),
        notices=_notices(summary),
        verdicts=_verdicts(summary),
        picture=_history(summary, trials),
        tiles=_tiles(summary),
        sections=tuple(sections),
    )


def _sentence(summary: SearchSummary) -> str:
    target, best = display(", ".join(summary.config.data.target)), summary.best
    text = f"A search of hyperparameters for “{target}” with {len(summary.trials):,} trials."
    if best is None:
        return text
    return f"{text} The best {_metric(summary)} is {format_number(best.score)}, of trial {best.number}."


def _notices(summary: SearchSummary) -> tuple[Notice, ...]:
    notices = []
    if not summary.is_done:
        notices.append(
            Notice("warning", f"The search is not finished. To continue: {display(summary.resume_command, MAX_PATH)}")
        )
    if not summary.is_repeatable:
        text = "The time limit ended the search, so that its result depends on the machine and is not repeatable."
        notices.append(Notice("note", text))
    if summary.result is not None and summary.result.is_worse_than_baseline:
        text = "The best trial is no better than the baseline, a prediction that is the same for every row."
        notices.append(Notice("warning", text))
    if summary.result is not None and summary.result.message is not None:
        notices.append(Notice("warning", f"The gain is not known: {display(summary.result.message, MAX_PATH)}"))
    return tuple(notices)


def _verdicts(summary: SearchSummary) -> tuple[Verdict, ...]:
    gain = None if summary.result is None else summary.result.gain
    if gain is None:
        return ()
    if gain.trial == 0:
        return (Verdict("No trial is better than the configuration itself, which is trial 0.", is_clear=False),)
    given = f"given {gain.trials:,} trials, with the interval {gain.interval_text}{gain.notes}"
    text = f"The gain of trial {gain.trial} over the configuration is {gain.verdict}, {given}."
    return (Verdict(text, is_clear=gain.is_significant),)


def _metric(summary: SearchSummary) -> str:
    """The metric of the search as people write it."""
    return display(metric_title(summary.metric))


def _tiles(summary: SearchSummary) -> tuple[Tile, ...]:
    best, first, metric = summary.best, summary.first, _metric(summary)
    gain = None if summary.result is None else summary.result.gain
    states = [f"{summary.count(state):,} {state}" for state in ("complete", "pruned", "failed")]
    tiles = []
    if best is not None:
        tiles.append(
            Tile(f"Best {metric}", short_number(best.score), f"trial {best.number}", format_number(best.score))
        )
    if first is not None:
        exact = format_number(first.score)
        tiles.append(Tile("Trial 0", short_number(first.score), "the configuration itself", exact))
    if gain is not None and gain.estimate is not None:
        tiles.append(Tile("Gain", gain_text(gain.estimate), f"95 % interval {gain.interval_text}"))
    tiles.append(Tile("Trials", f"{len(summary.trials):,}", ", ".join(states)))
    saved = summary.time_saved
    if saved is not None:
        remark = f"{saved.share:.0%} of the training time, an estimate"
        tiles.append(Tile("Saved by pruning", format_duration(saved.seconds), remark))
    return tuple(tiles)


def _gain(summary: SearchSummary) -> list[Section]:
    gain = None if summary.result is None else summary.result.gain
    if gain is None or gain.trial == 0:
        return []
    metric = _metric(summary)
    rows = (
        ("gain by the recorded scores", gain_text(gain.apparent)),
        ("gain, corrected for the choice", gain_text(gain.estimate)),
        ("95 % interval", gain.interval_text),
        ("p-value, given all trials", gain.p_text),
        ("trials that were compared", f"{gain.trials:,}"),
        ("rows", f"{gain.rows:,}"),
    )
    note = f"A positive gain is a better {metric}. The p-value compares the {gain.loss} of each row{gain.notes}."
    if gain.reason is not None:
        note += f" The corrected gain is not known: {gain.reason}."
    table = TableBlock(f"Gain in {metric} of trial {gain.trial} over trial 0", ("measure", "value"), rows, note=note)
    return [Section("gain", "Gain", (table, method(METHOD)))]


def _scored(summary: SearchSummary) -> list[ScoredTrial]:
    """The trials with a score or an estimate in order; trial 0 with its values if they are in the space."""
    scored = []
    for trial in summary.trials:
        score = trial.comparable_score
        if trial.state in ("complete", "pruned") and score is not None:
            values = summary.values(trial)
            labels = summary.space.labels(values)
            numbers = {name: float(value) for name, value in values.items()}
            scored.append(ScoredTrial(trial.number, score, trial.state == "pruned", numbers, labels))
    return scored


def _history(summary: SearchSummary, trials: list[ScoredTrial]) -> FigureBlock | None:
    if not trials:
        return None
    best_so_far, best = [], float("nan")
    for trial in trials:
        if not trial.is_pruned:
            values = (trial.score, best) if best == best else (trial.score,)
            best = max(values) if summary.higher_is_better else min(values)
        best_so_far.append(best)
    return history(_metric(summary), trials, best_so_far)


def _importance(summary: SearchSummary) -> list[Section]:
    importance = None if summary.result is None else summary.result.importance
    name, title = "importance", "Parameter importance"
    if summary.result is not None and importance is None:
        text = "Too few trials have a score: the importance of parameters needs ten."
        return [Section(name, title, (Notice("note", text),))]
    if not importance:
        return []
    drawn = [ErrorBar(display(one.parameter), one.importance) for one in importance[:MAX_SLICES]]
    rows = tuple((display(one.parameter), format_percent(one.importance)) for one in importance)
    table = TableBlock("Importance by parameter", ("parameter", "importance"), rows)
    figure = ranges(
        "Parameter importance", "The share of each parameter.", "importance", drawn, table, 0.0, from_level=True
    )
    return [Section(name, title, (figure, method(IMPORTANCE)))]


def _parameters(summary: SearchSummary) -> list[Parameter]:
    """The parameters, the most important ones first."""
    result = summary.result
    importance = () if result is None or result.importance is None else result.importance
    ranked = {share.parameter: i for i, share in enumerate(importance)}
    return sorted(summary.space.parameters, key=lambda parameter: ranked.get(parameter.name, len(ranked)))


def _slices(summary: SearchSummary, trials: list[ScoredTrial]) -> list[Section]:
    best = -1 if summary.best is None else summary.best.number
    metric = _metric(summary)
    charts = (slice_chart(metric, parameter, trials, best) for parameter in _parameters(summary)[:MAX_SLICES])
    figures = tuple(chart for chart in charts if chart is not None)
    if not figures:
        return []
    return [Section("slices", "Scores by parameter", (Gallery(figures),), wide=True)]


def _coordinates(summary: SearchSummary, trials: list[ScoredTrial]) -> list[Section]:
    drawn = [trial for trial in trials if trial.values and not trial.is_pruned]
    if len(drawn) < 2:
        return []
    sign = -1.0 if summary.higher_is_better else 1.0
    ranked = sorted(drawn, key=lambda trial: (sign * trial.score, trial.number))
    best = [trial.number for trial in ranked[: number_of_best(len(drawn))]]
    figure = parallel_coordinates(_metric(summary), _parameters(summary)[:MAX_COORDINATES], drawn, best)
    return [Section("parallel-coordinates", "Parallel coordinates", (figure,), wide=True)]


def _trials(summary: SearchSummary) -> list[Section]:
    if not summary.trials:
        return []
    names = [parameter.name for parameter in summary.space.parameters]
    sign = -1.0 if summary.higher_is_better else 1.0

    def rank(trial: Trial) -> tuple[int, float, int]:
        order = ("complete", "pruned", "failed", "running").index(trial.state)
        score = trial.comparable_score
        return order, sign * (score or 0.0), trial.number

    shown = sorted(summary.trials, key=rank)[:MAX_LISTED]
    rows: tuple[Row, ...] = tuple(
        (
            str(trial.number),
            trial.state if trial.message is None else f"{trial.state}: {display(trial.message)}",
            number_cell(trial.comparable_score),
            f"{len(trial.folds):,}",
            *(display(summary.labels(trial).get(name, "–")) for name in names),
        )
        for trial in shown
    )
    note = "The best trials first. The score of a pruned trial is an estimate."
    if len(shown) < len(summary.trials):
        note += f" The first {len(shown):,} of {len(summary.trials):,} trials; trials.csv has all."
    columns = ("trial", "state", _metric(summary), "folds", *map(display, names))
    prose = (1, *range(4, len(columns)))
    return [Section("trials", "Trials", (TableBlock("Trials", columns, rows, prose, note=note),), wide=True)]


def _best(summary: SearchSummary) -> list[Section]:
    text = summary.best_config
    if text is None:
        return []
    parts: list[Part] = [
        Paragraph("The complete configuration of the best trial. To train it on all rows:"),
        Listing("Command", display(summary.train_command, MAX_PATH), long=False),
        Listing(BEST, text),
    ]
    return [Section("best-configuration", "Best configuration", tuple(parts), wide=True)]


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


def history(metric: str, trials: Sequence[ScoredTrial], best_so_far: Sequence[float]) -> FigureBlock:
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
    table = TableBlock("Scores by trial", ("trial", "state", metric, "best so far"), rows, prose=(1,), note=note)
    description = (
        f"The {metric} of each trial in the order in which they were chosen, with the best one so far. Crosses are "
        "pruned trials, whose scores are estimates."
    )
    return FigureBlock(draw(paint, PICTURE_WIDTH, PICTURE_HEIGHT), "Scores by trial", description, table)


def slice_chart(metric: str, parameter: Parameter, trials: Sequence[ScoredTrial], best: int) -> FigureBlock | None:
    """The scores by the values of a parameter, over the trials that have one; None without any."""
    name, domain = parameter.name, parameter.domain
    with_value = [trial for trial in trials if name in trial.values]
    if not with_value:
        return None
    title = display(name, MAX_TICK_LENGTH * 2)
    choices = (
        tuple((float(i), label) for i, label in enumerate(domain.labels)) if isinstance(domain, ChoiceDomain) else None
    )
    is_log = not isinstance(domain, ChoiceDomain) and domain.is_log

    def paint(drawing: Drawing, axes: Axes) -> None:
        _points(axes, with_value, [trial.values[name] for trial in with_value])
        for trial in with_value:
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

    table = _choices_table(metric, parameter, with_value) if choices else _values_table(metric, parameter, with_value)
    of_all = "" if len(with_value) == len(trials) else f" It is set in {len(with_value):,} of {len(trials):,} trials."
    description = f"The {metric} of trials by {title}.{' The axis is logarithmic.' * is_log}{of_all}"
    return FigureBlock(draw(paint), f"{capitalized(metric)} by {title}", description, table)


def parallel_coordinates(
    metric: str, parameters: Sequence[Parameter], trials: Sequence[ScoredTrial], best: Sequence[int]
) -> FigureBlock:
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
    table = TableBlock("The best trials", ("trial", metric, *names), rows, prose=tuple(range(2, len(names) + 2)))
    description = (
        "Each line is a trial, through its values and its score, on logarithmic axes where the range is. The best "
        "trials are drawn in color. A line is interrupted where a parameter is not set."
    )
    return FigureBlock(draw(paint, WIDE, TALL), "Parallel coordinates", description, table, wide=True)


def number_of_best(trials: int) -> int:
    """How many trials are drawn as the best ones."""
    return min(trials, max(MIN_BEST, round(BEST_SHARE * trials)))


def _points(axes: Axes, trials: Sequence[ScoredTrial], x: Sequence[float]) -> None:
    """Dots of complete trials, crosses of pruned ones."""
    size = 5.0 if len(trials) < 200 else 3.0
    for is_pruned, marker, color, label in ((True, "x", THIN, "pruned"), (False, "o", FIRST, "complete")):
        of_state = [
            (place, trial.score) for place, trial in zip(x, trials, strict=True) if trial.is_pruned == is_pruned
        ]
        if of_state:
            axes.plot(*zip(*of_state, strict=True), marker, color=color, markersize=size, alpha=0.8, label=label)


def _state(trial: ScoredTrial) -> str:
    return "pruned" if trial.is_pruned else "complete"


def _values_table(metric: str, parameter: Parameter, trials: Sequence[ScoredTrial]) -> TableBlock:
    ordered = sorted(trials, key=lambda trial: trial.values[parameter.name])
    shown = [ordered[i] for i in evenly_spaced(len(ordered), MAX_ROWS)]
    rows = tuple(
        (trial.labels[parameter.name], str(trial.number), _state(trial), format_number(trial.score)) for trial in shown
    )
    note = f"{len(rows)} of {len(trials):,} trials, evenly spaced." if len(rows) < len(trials) else ""
    name = display(parameter.name)
    return TableBlock(f"{metric} by {name}", (name, "trial", "state", metric), rows, prose=(2,), note=note)


def _choices_table(metric: str, parameter: Parameter, trials: Sequence[ScoredTrial]) -> TableBlock:
    assert isinstance(parameter.domain, ChoiceDomain)
    rows = []
    for i, label in enumerate(parameter.domain.labels):
        scores = sorted(trial.score for trial in trials if trial.values[parameter.name] == i)
        ends = (scores[0], float(np.median(scores)), scores[-1]) if scores else (None, None, None)
        rows.append((display(label), f"{len(scores):,}", *map(format_number, ends)))
    name = display(parameter.name)
    return TableBlock(f"{metric} by {name}", (name, "trials", "lowest", "median", "highest"), tuple(rows))


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

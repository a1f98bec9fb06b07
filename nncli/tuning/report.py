"""The report of a search as one HTML file: trials, gain, importance of parameters, the best configuration."""

from __future__ import annotations

from nncli.analysis.report.charts import Range, ranges
from nncli.analysis.report.page import (
    Details,
    Facts,
    Gallery,
    Listing,
    Notice,
    Page,
    Paragraph,
    Part,
    Section,
    Table,
    Tile,
    Verdict,
    display,
)
from nncli.base.logs import format_duration
from nncli.base.text import format_number, format_percent
from nncli.tuning.report_charts import ScoredTrial, history, number_of_best, parallel_coordinates, slice_chart
from nncli.tuning.result.gain import gain_text
from nncli.tuning.result.summary import SearchSummary
from nncli.tuning.space.space import Parameter
from nncli.tuning.trials.record import BEST
from nncli.tuning.trials.trials import Trial

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
    "of its own, whose luck all rows of its fold share. How much gains vary by it is estimated from the folds, and is "
    "part of the interval and of the p-value; with one training a trial it cannot be estimated and is missing in both. "
    "A sampler that follows the best trials adapts to the noise of these rows, which makes p-values too small; so a "
    "gain is significant only if the p-value is below 0.05 and the interval lies above 0."
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
        Section("overview", "Overview", (overview,), wide=True),
        *_gain(summary),
        *_history(summary, trials),
        *_importance(summary),
        *_slices(summary, trials),
        *_coordinates(summary, trials),
        *_trials(summary),
        *_best(summary),
    ]
    return Page(
        title=f"Report of {display(summary.path.resolve().name)}",
        summary=_sentence(summary),
        notices=_notices(summary),
        verdicts=_verdicts(summary),
        tiles=_tiles(summary),
        sections=tuple(sections),
    )


def _sentence(summary: SearchSummary) -> str:
    target, best = display(", ".join(summary.config.data.target)), summary.best
    text = f"A search of hyperparameters for “{target}” with {len(summary.trials):,} trials."
    if best is None:
        return text
    return f"{text} The best {display(summary.metric)} is {format_number(best.score)}, of trial {best.number}."


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


def _tiles(summary: SearchSummary) -> tuple[Tile, ...]:
    best, first, metric = summary.best, summary.first, display(summary.metric)
    gain = None if summary.result is None else summary.result.gain
    states = [f"{summary.count(state):,} {state}" for state in ("complete", "pruned", "failed")]
    tiles = []
    if best is not None:
        tiles.append(Tile(f"Best {metric}", format_number(best.score), f"trial {best.number}"))
    if first is not None:
        tiles.append(Tile("Trial 0", format_number(first.score), "the configuration itself"))
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
    metric = display(summary.metric)
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
    table = Table(f"Gain in {metric} of trial {gain.trial} over trial 0", ("measure", "value"), rows, note=note)
    return [Section("gain", "Gain", (table, Details("How the gain is computed", (Paragraph(METHOD),))))]


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


def _history(summary: SearchSummary, trials: list[ScoredTrial]) -> list[Section]:
    if not trials:
        return []
    best_so_far, best = [], float("nan")
    for trial in trials:
        if not trial.is_pruned:
            values = (trial.score, best) if best == best else (trial.score,)
            best = max(values) if summary.higher_is_better else min(values)
        best_so_far.append(best)
    return [Section("history", "History", (history(display(summary.metric), trials, best_so_far),))]


def _importance(summary: SearchSummary) -> list[Section]:
    importance = None if summary.result is None else summary.result.importance
    name, title = "importance", "Parameter importance"
    if summary.result is not None and importance is None:
        text = "Too few trials have a score: the importance of parameters needs ten."
        return [Section(name, title, (Notice("note", text),))]
    if not importance:
        return []
    drawn = [Range(display(one.parameter), one.importance, None, None) for one in importance[:MAX_SLICES]]
    rows = tuple((display(one.parameter), format_percent(one.importance)) for one in importance)
    table = Table("Importance by parameter", ("parameter", "importance"), rows)
    figure = ranges("Parameter importance", "The share of each parameter.", "importance", drawn, table, 0.0)
    return [Section(name, title, (Paragraph(IMPORTANCE), figure))]


def _parameters(summary: SearchSummary) -> list[Parameter]:
    """The parameters, the most important ones first."""
    result = summary.result
    importance = () if result is None or result.importance is None else result.importance
    ranked = {one.parameter: i for i, one in enumerate(importance)}
    return sorted(summary.space.parameters, key=lambda parameter: ranked.get(parameter.name, len(ranked)))


def _slices(summary: SearchSummary, trials: list[ScoredTrial]) -> list[Section]:
    best = -1 if summary.best is None else summary.best.number
    metric = display(summary.metric)
    charts = (slice_chart(metric, parameter, trials, best) for parameter in _parameters(summary)[:MAX_SLICES])
    figures = tuple(chart for chart in charts if chart is not None)
    if not figures:
        return []
    return [Section("slices", "Scores by parameter", (Gallery(figures),), wide=True)]


def _coordinates(summary: SearchSummary, trials: list[ScoredTrial]) -> list[Section]:
    own = [trial for trial in trials if trial.values and not trial.is_pruned]
    if len(own) < 2:
        return []
    sign = -1.0 if summary.higher_is_better else 1.0
    ranked = sorted(own, key=lambda trial: (sign * trial.score, trial.number))
    best = [trial.number for trial in ranked[: number_of_best(len(own))]]
    figure = parallel_coordinates(display(summary.metric), _parameters(summary)[:MAX_COORDINATES], own, best)
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
    rows = tuple(
        (
            str(trial.number),
            trial.state if trial.message is None else f"{trial.state}: {display(trial.message)}",
            format_number(trial.comparable_score),
            f"{len(trial.folds):,}",
            *(display(summary.labels(trial).get(name, "–")) for name in names),
        )
        for trial in shown
    )
    note = "The best trials first. The score of a pruned trial is an estimate."
    if len(shown) < len(summary.trials):
        note += f" The first {len(shown):,} of {len(summary.trials):,} trials; trials.csv has all."
    columns = ("trial", "state", display(summary.metric), "folds", *map(display, names))
    prose = (1, *range(4, len(columns)))
    return [Section("trials", "Trials", (Table("Trials", columns, rows, prose, note=note),), wide=True)]


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

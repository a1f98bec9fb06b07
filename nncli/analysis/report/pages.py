"""The pages of a comparison of runs, of the drift of new rows, and of a cross-validation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.analysis.comparison import Comparison
from nncli.analysis.drift import Batch, ColumnDrift, Drift
from nncli.analysis.drift_limits import VALIDITY
from nncli.analysis.evaluation.pairwise import PairwiseResult
from nncli.analysis.evaluation.run_summary import CrossValidationSummary
from nncli.analysis.report.charts import Axis, Line, Range, lines, ranges
from nncli.analysis.report.page import (
    Columns,
    Details,
    Facts,
    Figure,
    Gallery,
    Notice,
    Page,
    Paragraph,
    Part,
    Section,
    Table,
    Tile,
    display,
)
from nncli.analysis.report.sections.learning_curves import compared_curves
from nncli.analysis.report.sections.scores import format_interval
from nncli.base.logs import format_duration
from nncli.base.text import MAX_QUOTE_LENGTH, format_number, format_percent
from nncli.data.columns.datetimes import date_text
from nncli.models.scores import ScoreWithInterval
from nncli.runs.monitoring.reference import CategoryBins, Counts, NumberBins

MAX_TEXT, MAX_PATH = 1000, 400
TESTING = (
    "Each pair is tested on the row-wise differences of its losses over the shared rows. The p-value is of a paired "
    "permutation test, which flips the signs of the differences at random; the confidence interval holds the "
    "differences that this test does not reject at 5 %, so that both agree. Both have the same correction for several "
    "comparisons (Bonferroni). Rows that chose the epoch of a run make its scores optimistic: if they chose it from "
    "more epochs than that of the other run, p-value and interval are corrected by the ratio of these numbers. Runs "
    "whose validation rows were chosen differently are not ranked."
)
NO_PAIRS = "No two runs can be compared on the same rows: that takes the same table, the same target and shared rows."


def comparison_page(comparison: Comparison) -> Page:
    """The page of a comparison."""
    sections = [
        _pairs(comparison),
        _scores(comparison),
        _settings(comparison),
        compared_curves(comparison),
        _runs(comparison),
    ]
    notes = (display(" ".join(note.split()), MAX_TEXT).rstrip(".") for note in comparison.notes)
    return Page(
        title=f"Comparison of {len(comparison.runs)} runs",
        summary=" ".join(_verdicts(comparison)) or NO_PAIRS,
        notices=tuple(Notice("note", f"{note}.") for note in notes),
        sections=tuple(section for section in sections if section is not None),
    )


def _verdicts(comparison: Comparison) -> Iterator[str]:
    """For each table and target, the best run, and the runs that it is significantly better than."""
    ranked = [pair for pair in comparison.pairs if pair.rules is None]
    for best in dict.fromkeys(pair.a for pair in ranked):
        pairs = [pair for pair in ranked if pair.a == best]
        pairs = [pair for pair in pairs if pair.measure == pairs[0].measure]
        name = display(comparison.runs[best].name)
        scored = [run.rows_scored for run in comparison.runs]
        if all(pair.rows == scored[pair.a] == scored[pair.b] for pair in pairs):
            yield f"{name} has the lowest {pairs[0].measure} of {len(pairs) + 1} runs."
        else:
            yield f"{len(pairs) + 1} runs are compared with {name} in pairs, on the rows that they share."
        worse = [pair for pair in pairs if pair.is_significant and pair.test is not None and pair.test.mean > 0]
        if worse:
            yield f"{name} is significantly better than {_names(comparison, worse)}."
        better = [pair for pair in pairs if pair.is_significant and pair not in worse]
        if better:
            yield f"It is significantly worse than {_names(comparison, better)}."
        if others := [pair for pair in pairs if not pair.is_significant]:
            yield f"The difference from {_names(comparison, others)} is not significant."
    yield from (display(comparison.sentence(pair), MAX_TEXT) for pair in comparison.pairs if pair not in ranked)


def _names(comparison: Comparison, pairs: list[PairwiseResult]) -> str:
    names = [display(comparison.runs[pair.b].name) for pair in pairs]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _pairs(comparison: Comparison) -> Section:
    """Every pair as a sentence and as numbers."""
    name, title = "pairwise", "Pairwise comparison"
    if not comparison.pairs:
        return Section(name, title, (Paragraph(NO_PAIRS),))
    rows = tuple(
        (
            display(comparison.runs[pair.a].name),
            display(comparison.runs[pair.b].name),
            pair.measure,
            f"{pair.rows:,}",
            "–" if pair.test is None else format_number(pair.test.mean),
            "–" if pair.test is None else format_interval(pair.test.interval),
            "–" if pair.test is None else format_number(pair.test.p),
            format_number(pair.adjusted_p),
        )
        for pair in comparison.pairs
    )
    columns = ("run", "other run", "measure", "shared rows", "improvement", "95 % CI", "p-value", "adjusted p-value")
    sentences = tuple(Paragraph(display(comparison.sentence(pair), MAX_TEXT)) for pair in comparison.pairs)
    parts: tuple[Part, ...] = (*sentences, Table("Paired tests on shared rows", columns, rows, (0, 1, 2)))
    return Section(name, title, (*parts, Details("How runs are compared", (Paragraph(TESTING),))), wide=True)


def _scores(comparison: Comparison) -> Section | None:
    if not comparison.scores:
        return None
    facts = [("rows", *(f"{run.rows_scored:,}" if run.scored_on else "–" for run in comparison.runs))]
    if comparison.data is None:
        facts.append(("predictions", *(run.predictions or "–" for run in comparison.runs)))
    is_optimistic = any(run.optimistic for run in comparison.runs)
    if is_optimistic:
        fact = "these rows chose its epoch" if comparison.data is None else "trained on these rows"
        facts.append((fact, *("yes" if run.optimistic else "no" for run in comparison.runs)))
    rows = tuple(
        (
            display(row.title),
            *(_cell(score, best) for score, best in zip(row.values, row.best, strict=True)),
        )
        for row in comparison.scores
    )
    names = tuple(display(run.name) for run in comparison.runs)
    note = "The 95 % confidence interval is below each score. * marks the best of several runs scored on the same rows."
    if is_optimistic:
        note += " Scores on rows that a run was trained on, or that chose its epoch, are optimistic."
    table = Table(
        f"Scores on {display(comparison.scored_rows, MAX_PATH)}", ("metric", *names), (*facts, *rows), note=note
    )
    return Section("scores", "Scores", (table,), wide=True)


def _cell(score: ScoreWithInterval | None, best: bool) -> str:
    if score is None:
        return "–"
    interval = "" if score.interval is None else f"\n{format_interval(score.interval)}"
    return f"{format_number(score.value)}{' *' * best}{interval}"


def _settings(comparison: Comparison) -> Section:
    name, title = "settings", "Configuration differences"
    if not comparison.settings:
        return Section(name, title, (Paragraph("No differences between the configurations are known."),))
    unset = ["?" if run.config is None else "–" for run in comparison.runs]
    rows = tuple(
        (
            setting.key,
            *(display(value or none, 4 * MAX_QUOTE_LENGTH) for value, none in zip(setting.values, unset, strict=True)),
        )
        for setting in comparison.settings
    )
    names = tuple(display(run.name) for run in comparison.runs)
    table = Table("Settings that differ", ("key", *names), rows, tuple(range(len(names) + 1)))
    return Section(name, title, (table,), wide=True)


def _runs(comparison: Comparison) -> Section:
    """Directory, status and size of each run."""
    columns = ("run", "directory", "status", "networks", "rows", "epochs", "best epoch", "started (UTC)", "duration")
    rows = []
    for run in comparison.runs:
        info = run.info
        counts = [
            "–" if count is None else f"{count:,}" for count in (info.members, info.rows, info.epochs, info.best_epoch)
        ]
        duration = "–" if info.seconds is None else format_duration(info.seconds)
        started = display((info.started or "–")[:19].replace("T", " "))
        rows.append((display(run.name), display(run.path, MAX_PATH), info.status, *counts, started, duration))
    return Section("runs", "Runs", (Table("Runs", columns, tuple(rows), (0, 1, 2)),), wide=True)


MAX_BATCHES, MAX_CHARTS = 100, 30
"""Batches that are shown, and charts of each."""
MAX_PLACE = 200
"""Characters of a path."""
MAX_CATEGORIES = 12
"""Categories of a chart."""
METHOD = (
    "A difference is drift if its population stability index (PSI) exceeds what is expected by chance by the limit, "
    "and it is significant at 5 % over all tests of the same rows. Scores are estimated from the probabilities, "
    f"without labels; that is valid {VALIDITY}."
)


def drift_page(drift: Drift) -> Page:
    """The page: a section for each batch."""
    n = sum(bool(batch.comparison.drifted) for batch in drift.batches)
    shown = drift.batches[:MAX_BATCHES]
    more = f" The first {MAX_BATCHES} are shown." if len(drift.batches) > MAX_BATCHES else ""
    what = "The rows have" if len(drift.batches) == 1 else f"{n:,} of {len(drift.batches):,} batches have"
    verdict = "There is no drift." if not n else f"{what} drifted.{more}"
    return Page(
        title="Drift",
        summary=f"{verdict} {display(drift.data, MAX_PLACE)} is compared with the training rows of the run "
        f"{display(drift.run, MAX_PLACE)}. {METHOD}",
        notices=tuple(Notice("note", f"{note}.") for note in drift.notes),
        sections=tuple(_section(i, batch) for i, batch in enumerate(shown)),
    )


def _section(i: int, batch: Batch) -> Section:
    comparison = batch.comparison
    every = (*comparison.columns, *comparison.predictions)
    table = Table(
        "Columns and predictions",
        ("column", "drift", "PSI", "expected PSI", "distance", "adjusted p", "missing", "in training", "unseen"),
        tuple(row for column in every for row in _rows(column)),
        prose=(0, 1),
    )
    parts: list[Part] = [table]
    if comparison.performance is not None:
        estimated, actual = comparison.performance.estimated, comparison.performance.actual
        names = ("accuracy", "log_loss", "roc_auc")
        scores = [
            (name, *(format_number(getattr(performance, name)) for performance in (estimated, actual)))
            for name in names
        ]
        parts.append(Table("Scores", ("score", "estimated", "true"), tuple(scores)))
    if charts := tuple(_drift_figure(column) for column in comparison.drifted[:MAX_CHARTS]):
        parts.append(Gallery(charts))
    else:
        parts.append(Paragraph("No column has drifted."))
    title = "All rows" if batch.name == "all" else display(batch.name)
    return Section(f"batch-{i + 1}", f"{title}: {comparison.rows:,} rows", tuple(parts), wide=True)


def _rows(column: ColumnDrift) -> list[tuple[str, ...]]:
    """A row for each kind of drift of a column, or one row without drift."""
    missing, unseen = column.test("missing"), column.test("unseen")
    shares = (None if missing is None else missing.new, None if missing is None else missing.reference)
    percents = [
        "–" if share is None else format_percent(share) for share in (*shares, None if unseen is None else unseen.new)
    ]
    name = display(column.title)
    return [
        (
            name,
            test.kind if column.drifted else "none",
            *map(format_number, (test.psi, test.expected, test.distance, test.adjusted_p)),
            *percents,
        )
        for test in column.shown
    ] or [(name, "none", *["–"] * 4, *percents)]


def _drift_figure(column: ColumnDrift) -> Figure:
    """The shares of the reference and of the new rows: in groups of numbers, of categories, and of missing cells."""
    names, reference, new = _groups(column)
    p, q = reference / max(1, int(reference.sum())), new / max(1, int(new.sum()))
    rows = tuple(
        (name, format_percent(float(a)), format_percent(float(b))) for name, a, b in zip(names, p, q, strict=True)
    )
    places = np.arange(len(names), dtype=np.float64)
    ticks = tuple((float(place), name) for place, name in zip(places, names, strict=True))
    return lines(
        display(column.title),
        f"Share of the training rows and of the new rows by {display(column.title)}.",
        Axis(display(column.title), "share of rows", ticks=ticks),
        [Line("training rows", places, p, dashed=True), Line("new rows", places, q, color="second")],
        Table(display(column.title), ("group", "training rows", "new rows"), rows),
        dots=True,
    )


def _groups(column: ColumnDrift) -> tuple[list[str], Counts, Counts]:
    """The names of the groups, with their counts in the reference and in the new rows; missing cells come last."""
    bins = column.bins
    if isinstance(bins, CategoryBins):
        n = min(MAX_CATEGORIES, len(bins.categories))
        group = np.minimum(np.arange(len(bins.counts) - 1), n)
        names = [display(category) for category in bins.categories[:n]] + ["others"]
    else:
        group, names = bins.groups, _intervals(bins)
    reference, new = (
        np.array([*np.bincount(group, counts[1:], len(names)), counts[0]], np.int64)
        for counts in (bins.counts, column.counts)
    )
    return [*names, "missing"], reference, new


def _intervals(bins: NumberBins) -> list[str]:
    """The upper end of each group of intervals."""
    last = np.flatnonzero(np.diff(bins.groups, append=bins.groups[-1] + 1))
    return [
        f"to {_number(bins, float(bins.edges[i]))}" if i < len(bins.edges) else f"above {_number(bins, _lower(bins))}"
        for i in last.tolist()
    ]


def _lower(bins: NumberBins) -> float:
    """The lower end of the last group."""
    first = int(np.flatnonzero(bins.groups == bins.groups[-1])[0])
    return float(bins.edges[max(0, first - 1)])


def _number(bins: NumberBins, x: float) -> str:
    return date_text(x) if bins.measure == "date" else format_number(x)


MAIN = ("accuracy", "balanced_accuracy", "rmse")
MAX_FOLDS = 60
"""Most folds that are listed."""
SPREAD = (
    "Mean and standard deviation are of the scores of the folds; the out-of-fold scores are of all rows at once. No "
    "row is scored by a network that was trained on it."
)


def cross_validation_page(summary: CrossValidationSummary) -> Page:
    """The page of a cross-validation."""
    name, names = main_metric(summary), tuple(summary.out_of_fold)
    overview = Facts(tuple((term, display(value, 400)) for term, value in summary.facts() if value))
    sections = [Section("overview", "Overview", (overview,), wide=True)]
    if summary.is_done:
        sections.append(
            Section("scores", "Scores", (Paragraph(SPREAD), _fold_table(summary, names), *_fold_figure(summary, name)))
        )
    target = display(", ".join(summary.config.data.target))
    value, mean = (format_number(scores.get(name)) for scores in (summary.out_of_fold, summary.mean))
    spread = format_number(summary.standard_deviation.get(name))
    text = f"A cross-validation of “{target}” in {summary.folds:,} folds."
    if summary.is_done:
        text += f" {display(name)} on {summary.rows:,} out-of-fold rows: {value}."
    unfinished = f"The cross-validation is not finished. To continue: {display(summary.resume, 400)}"
    return Page(
        title=f"Report of {display(summary.path.resolve().name)}",
        summary=text,
        notices=() if summary.is_done else (Notice("warning", unfinished),),
        sections=tuple(sections),
        tiles=(
            Tile(display(name), value, "of all out-of-fold rows"),
            Tile("Mean of the folds", mean, f"standard deviation {spread}"),
            Tile("Folds", f"{summary.folds:,}", f"repeated {summary.repeats:,} times" if summary.repeats > 1 else ""),
            Tile("Rows", f"{summary.rows:,}"),
        )
        if summary.is_done
        else (),
    )


def main_metric(summary: CrossValidationSummary) -> str:
    """The metric that stands first; the scores begin with balanced_accuracy if a class is rare."""
    names = [*summary.out_of_fold]
    return next((name for name in names if name.startswith(MAIN)), names[0] if names else "")


def _fold_table(summary: CrossValidationSummary, names: tuple[str, ...]) -> Table:
    lines = [
        (_title(summary, fold.repeat, fold.fold), f"{fold.rows:,}", fold.metrics) for fold in summary.scored[:MAX_FOLDS]
    ]
    lines += [
        ("mean", "", summary.mean),
        ("standard deviation", "", summary.standard_deviation),
        ("out-of-fold", f"{summary.rows:,}", summary.out_of_fold),
    ]
    rows = [(title, count, *(format_number(scores.get(name)) for name in names)) for title, count, scores in lines]
    note = f"The first {MAX_FOLDS} of {len(summary.scored):,} folds." if len(summary.scored) > MAX_FOLDS else ""
    return Table("Scores by fold", ("fold", "rows", *map(display, names)), tuple(rows), note=note)


def _fold_figure(summary: CrossValidationSummary, name: str) -> tuple[Columns, ...]:
    """The main metric by fold, beside that of all out-of-fold rows."""
    values = [(fold, fold.metrics.get(name)) for fold in summary.scored[:MAX_FOLDS]]
    drawn = [
        Range(f"fold {_title(summary, fold.repeat, fold.fold)}", value, None, None)
        for fold, value in values
        if value is not None
    ]
    level = summary.out_of_fold.get(name)
    if not drawn or level is None:
        return ()
    rows = tuple((fold.name, format_number(fold.value)) for fold in drawn)
    title = display(name)
    table = Table(f"{title} by fold", ("fold", title), rows)
    description = f"The {title} of each fold. Dotted line: all out-of-fold rows."
    return (Columns((ranges(f"{title} by fold", description, title, drawn, table, level),)),)


def _title(summary: CrossValidationSummary, repeat: int, fold: int) -> str:
    return f"{repeat}.{fold}" if summary.repeats > 1 else str(fold)

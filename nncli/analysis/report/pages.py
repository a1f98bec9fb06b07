"""The pages of a comparison of runs, of the drift of new rows, and of a cross-validation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nncli.analysis.drift_limits import VALIDITY
from nncli.analysis.drift_report import ColumnDrift, Drift, DriftWindow
from nncli.analysis.evaluation.pairwise import PairwiseResult
from nncli.analysis.evaluation.run_summary import CrossValidationSummary
from nncli.analysis.report.charts import PICTURE_WIDTH, Axis, ErrorBar, paired_bars, ranges
from nncli.analysis.report.page import (
    Cell,
    Details,
    Facts,
    FigureBlock,
    Gallery,
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
    shortened,
)
from nncli.analysis.report.sections.learning_curves import compared_curves
from nncli.analysis.report.sections.scores import format_interval, interval_cell, metric_cell
from nncli.analysis.run_comparison import RunComparison, ScoreRow
from nncli.base.logs import format_duration
from nncli.base.text import MAX_QUOTE_LENGTH, format_number, format_percent, short_number
from nncli.data.columns.datetimes import date_text
from nncli.models.scores import ScoreWithInterval
from nncli.nn.arrays import Counts
from nncli.run_directory.monitoring.reference import CategoryBins, NumberBins
from nncli.targets.metrics.registry import METRICS, higher_is_better, metric_title

MAX_TEXT, MAX_PATH = 1000, 400
TESTING = (
    "Each pair is tested on the row-wise differences of its losses over the shared rows. The p-value is of a paired "
    "permutation test, which flips the signs of the differences at random; the confidence interval holds the "
    "differences that this test does not reject at 5 %, so that both agree. Both have the same correction for several "
    "comparisons (Bonferroni). Rows that chose the epoch of a run make its scores optimistic: if they chose it from "
    "more epochs than that of the other run, p-value and interval are corrected by the ratio of these numbers. Runs "
    "whose validation rows were chosen differently are not ranked."
)
MAX_TILES, MAX_DRAWN = 4, 15
"""Most runs with a tile of their own, and in the picture."""
SMALLEST_P = 0.001
"""The smallest p-value that is written as a number."""
NO_PAIRS = "No two runs can be compared on the same rows: that takes the same table, the same target and shared rows."


def comparison_page(comparison: RunComparison) -> Page:
    """The page of a comparison."""
    sections = [
        _pairs(comparison),
        _scores(comparison),
        _settings(comparison),
        compared_curves(comparison),
        _runs(comparison),
    ]
    notes = (display(" ".join(note.split()), MAX_TEXT).rstrip(".") for note in comparison.notes)
    summary = " ".join(_verdicts(comparison))
    main = [pair for pair in comparison.pairs if pair.measure == comparison.pairs[0].measure]
    is_clear = any(pair.is_significant for pair in main)
    return Page(
        title=f"Comparison of {len(comparison.runs)} runs",
        summary=summary or NO_PAIRS,
        lead=f"Scored on {display(comparison.scored_rows, MAX_PATH)}." if summary else "",
        verdicts=(Verdict(summary, is_clear),) if summary else (),
        tiles=_tiles(comparison),
        picture=_picture(comparison),
        notices=tuple(Notice("note", f"{note}.") for note in notes),
        sections=tuple(section for section in sections if section is not None),
    )


def _verdicts(comparison: RunComparison) -> Iterator[str]:
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


def _main_row(comparison: RunComparison) -> ScoreRow | None:
    """The scores that stand first, if every run has one."""
    rows = [row for row in comparison.scores if row.name in MAIN and None not in row.values]
    return rows[0] if rows else None


def _tiles(comparison: RunComparison) -> tuple[Tile, ...]:
    """The main score of each of a few runs, with its interval."""
    row = _main_row(comparison)
    if row is None or len(comparison.runs) > MAX_TILES:
        return ()
    label, tiles = metric_cell(row.name, row.target).text, list[Tile]()
    for run, score in zip(comparison.runs, row.values, strict=True):
        assert score is not None
        interval = "" if score.interval is None else f", 95 % CI {format_interval(score.interval, short_number)}"
        tiles.append(Tile(display(run.name), short_number(score.value), label + interval, format_number(score.value)))
    return tuple(tiles)


def _picture(comparison: RunComparison) -> FigureBlock | None:
    """The main score of every run with its interval."""
    row = _main_row(comparison)
    if row is None:
        return None
    drawn, lines = list[ErrorBar](), list[tuple[str, str, str]]()
    for run, score in zip(comparison.runs[:MAX_DRAWN], row.values, strict=False):
        if score is not None and score.value is not None:
            ends = (None, None) if score.interval is None else (score.interval.low, score.interval.high)
            drawn.append(ErrorBar(run.name, score.value, *ends))
            lines.append((display(run.name), format_number(score.value), format_interval(score.interval)))
    if not drawn:
        return None
    title = metric_cell(row.name, row.target).text
    better = "Higher" if higher_is_better(row.name) else "Lower"
    text = f"{title} of each run with its 95 % confidence interval. {better} is better."
    best = max(drawn, key=lambda one: one.value) if better == "Higher" else min(drawn, key=lambda one: one.value)
    table = TableBlock(f"{title} by run", ("run", title, "95 % CI"), tuple(lines))
    return ranges(f"{title} by run", text, title, drawn, table, best.value, width=PICTURE_WIDTH)


def _names(comparison: RunComparison, pairs: list[PairwiseResult]) -> str:
    names = [display(comparison.runs[pair.b].name) for pair in pairs]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _pairs(comparison: RunComparison) -> Section:
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
            number_cell(None if pair.test is None else pair.test.mean),
            interval_cell(None if pair.test is None else pair.test.interval),
            _p(None if pair.test is None else pair.test.p),
            _p(pair.adjusted_p),
        )
        for pair in comparison.pairs
    )
    columns = ("run", "other run", "measure", "shared rows", "improvement", "95 % CI", "p-value", "adjusted p-value")
    sentences = tuple(Paragraph(display(comparison.sentence(pair), MAX_TEXT)) for pair in comparison.pairs)
    table = TableBlock("Paired tests on shared rows", columns, rows, (0, 1, 2))
    return Section(name, title, (table, Details("The results in words", sentences), method(TESTING)), wide=True)


def _scores(comparison: RunComparison) -> Section | None:
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
            shortened(capitalized(display(row.title.replace(row.name, metric_title(row.name), 1))), display(row.title)),
            *(_cell(score, best) for score, best in zip(row.values, row.best, strict=True)),
        )
        for row in comparison.scores
    )
    names = tuple(display(run.name) for run in comparison.runs)
    note = "The 95 % confidence interval is below each score. * marks the best of several runs scored on the same rows."
    if is_optimistic:
        note += " Scores on rows that a run was trained on, or that chose its epoch, are optimistic."
    table = TableBlock(
        f"Scores on {display(comparison.scored_rows, MAX_PATH)}", ("metric", *names), (*facts, *rows), note=note
    )
    return Section("scores", "Scores", (table,), wide=True)


def _p(value: float | None) -> Cell:
    """A p-value; that of a test by random signs is never exactly 0."""
    if value is None or value >= SMALLEST_P:
        return number_cell(value)
    return Cell(f"< {SMALLEST_P:g}", format_number(value))


def _cell(score: ScoreWithInterval | None, best: bool) -> Cell:
    if score is None:
        return Cell("–")
    texts = []
    for form in (short_number, format_number):
        interval = "" if score.interval is None else f"\n{format_interval(score.interval, form)}"
        texts.append(f"{form(score.value)}{' *' * best}{interval}")
    return shortened(*texts)


def _settings(comparison: RunComparison) -> Section:
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
    table = TableBlock("Settings that differ", ("key", *names), rows, tuple(range(len(names) + 1)))
    return Section(name, title, (table,), wide=True)


def _runs(comparison: RunComparison) -> Section:
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
    return Section("runs", "Runs", (TableBlock("Runs", columns, tuple(rows), (0, 1, 2)),), wide=True)


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
    shown, first = drift.batches[:MAX_BATCHES], drift.batches[0].comparison
    more = f" The first {MAX_BATCHES} are shown." if len(drift.batches) > MAX_BATCHES else ""
    compared = len(first.columns) + len(first.predictions)
    what = f"{n:,} of {len(drift.batches):,} batches have drifted"
    if len(drift.batches) == 1:
        what = f"{len(first.drifted):,} of {compared:,} columns and predictions have drifted"
    verdict = "There is no drift." if not n else f"{what}.{more}"
    data, run = display(drift.data, MAX_PLACE), display(drift.run, MAX_PLACE)
    lead = f"{data} is compared with the training rows of the run {run}."
    return Page(
        title="Drift",
        summary=f"{verdict} {lead} {METHOD}",
        lead=lead,
        verdicts=(Verdict(verdict, is_clear=not n),),
        tiles=(
            Tile("New rows", f"{sum(batch.comparison.rows for batch in drift.batches):,}"),
            Tile("Compared", f"{compared:,}", "columns and predictions"),
            Tile("Limit", f"{drift.limit:g}", "of the population stability index, beyond what is expected"),
        ),
        picture=_largest_drift(drift, shown),
        notices=tuple(Notice("note", f"{note}.") for note in drift.notes),
        sections=tuple(_section(i, batch) for i, batch in enumerate(shown)),
    )


def _largest_drift(drift: Drift, shown: Sequence[DriftWindow]) -> FigureBlock | None:
    """How far each column has drifted, or, of several batches, the column that has drifted most in each."""
    if len(shown) == 1:
        one = shown[0].comparison
        what, label = "column", "PSI beyond the expected"
        values = [(column.title, column.psi) for column in (*one.columns, *one.predictions)]
    else:
        what, label = "batch", "largest PSI beyond the expected"
        each = ((batch.name, (*batch.comparison.columns, *batch.comparison.predictions)) for batch in shown)
        values = [(name, max((column.psi for column in columns), default=0.0)) for name, columns in each]
    drawn = [ErrorBar(name, max(0.0, psi)) for name, psi in values[:MAX_DRAWN] if np.isfinite(psi)]
    if not drawn:
        return None
    rows = tuple((display(name), format_number(psi)) for name, psi in values)
    text = (
        f"The population stability index beyond what is expected by chance, by {what}: drift if it exceeds the limit."
    )
    table = TableBlock(f"Population stability index by {what}", (what, label), rows)
    mark = (drift.limit, f"limit {drift.limit:g}")
    return ranges(f"Drift by {what}", text, label, drawn, table, 0.0, from_level=True, mark=mark, width=PICTURE_WIDTH)


def _section(i: int, batch: DriftWindow) -> Section:
    comparison = batch.comparison
    every = (*comparison.columns, *comparison.predictions)
    table = TableBlock(
        "Columns and predictions",
        ("column", "drift", "PSI", "expected PSI", "distance", "adjusted p", "missing", "in training", "unseen"),
        tuple(row for column in every for row in _rows(column)),
        prose=(0, 1),
    )
    parts: list[Part] = [table]
    if comparison.performance is not None:
        estimated, actual = comparison.performance.estimated, comparison.performance.actual
        names = ("accuracy", "log_loss", "roc_auc")
        scores: list[Row] = [
            (capitalized(metric_title(name)), *(number_cell(getattr(one, name)) for one in (estimated, actual)))
            for name in names
        ]
        parts.append(TableBlock("Scores", ("score", "estimated", "true"), tuple(scores)))
    if comparison.errors is not None and comparison.errors.actual:
        errors = [
            (metric_cell(name, target if len(comparison.errors.names) > 1 else None), number_cell(value))
            for target, of_target in comparison.errors.actual.items()
            for name, value in of_target.items()
        ]
        parts.append(TableBlock("Scores of the rows with a label", ("score", "true"), tuple(errors)))
    if charts := tuple(_drift_figure(column) for column in comparison.drifted[:MAX_CHARTS]):
        parts.append(Gallery(charts))
    else:
        parts.append(Paragraph("No column has drifted."))
    parts.append(method(METHOD))
    title = "All rows" if batch.name == "all" else display(batch.name)
    return Section(f"batch-{i + 1}", f"{title}: {comparison.rows:,} rows", tuple(parts), wide=True)


def _rows(column: ColumnDrift) -> list[Row]:
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
            *map(number_cell, (test.psi, test.expected, test.distance)),
            _p(test.adjusted_p),
            *percents,
        )
        for test in column.shown
    ] or [(name, "none", *["–"] * 4, *percents)]


def _drift_figure(column: ColumnDrift) -> FigureBlock:
    """The shares of the reference and of the new rows: in groups of numbers, of categories, and of missing cells."""
    names, reference, new = _groups(column)
    p, q = reference / max(1, int(reference.sum())), new / max(1, int(new.sum()))
    rows = tuple(
        (name, format_percent(float(a)), format_percent(float(b))) for name, a, b in zip(names, p, q, strict=True)
    )
    places = np.arange(len(names), dtype=np.float64)
    ticks = tuple((float(place), name) for place, name in zip(places, names, strict=True))
    return paired_bars(
        display(column.title),
        f"Share of the training rows and of the new rows by {display(column.title)}.",
        Axis(display(column.title), "share of rows", ticks=ticks),
        ("training rows", p),
        ("new rows", q),
        TableBlock(display(column.title), ("group", "training rows", "new rows"), rows),
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
    return date_text(x) if bins.measure == "date" else short_number(x)


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
    sections = list[Section]()
    if summary.is_done:
        sections.append(Section("scores", "Scores", (_fold_table(summary, names), method(SPREAD)), wide=True))
    sections.append(Section("model", "Model and data", (overview,), wide=True))
    target, title = display(", ".join(summary.config.data.target)), capitalized(main_title(name))
    value, mean, spread = (
        number_cell(scores.get(name)) for scores in (summary.out_of_fold, summary.mean, summary.standard_deviation)
    )
    text = f"A cross-validation of “{target}” in {summary.folds:,} folds."
    if summary.is_done:
        text += f" {title} on {summary.rows:,} out-of-fold rows: {value.full}."
    unfinished = f"The cross-validation is not finished. To continue: {display(summary.resume, 400)}"
    return Page(
        title=f"Report of {display(summary.path.resolve().name)}",
        summary=text,
        notices=() if summary.is_done else (Notice("warning", unfinished),),
        sections=tuple(sections),
        picture=_fold_figure(summary, name),
        tiles=(
            Tile(title, value.text, "of all out-of-fold rows", value.exact),
            Tile("Mean of the folds", mean.text, f"standard deviation {spread.text}", mean.exact),
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


def _fold_table(summary: CrossValidationSummary, names: tuple[str, ...]) -> TableBlock:
    lines = [
        (_title(summary, fold.repeat, fold.fold), f"{fold.rows:,}", fold.metrics) for fold in summary.scored[:MAX_FOLDS]
    ]
    lines += [
        ("mean", "", summary.mean),
        ("standard deviation", "", summary.standard_deviation),
        ("out-of-fold", f"{summary.rows:,}", summary.out_of_fold),
    ]
    rows: list[Row] = [
        (title, count, *(number_cell(scores.get(name)) for name in names)) for title, count, scores in lines
    ]
    note = f"The first {MAX_FOLDS} of {len(summary.scored):,} folds." if len(summary.scored) > MAX_FOLDS else ""
    return TableBlock(
        "Scores by fold", ("fold", "rows", *(capitalized(main_title(name)) for name in names)), tuple(rows), note=note
    )


def main_title(name: str) -> str:
    """A metric as people write it, followed by its target if there are several."""
    metric = next((metric for metric in sorted(METRICS, key=len, reverse=True) if name.startswith(f"{metric}_")), name)
    return metric_title(metric) + (f" of {display(name.removeprefix(f'{metric}_'))}" if metric != name else "")


def _fold_figure(summary: CrossValidationSummary, name: str) -> FigureBlock | None:
    """The main metric by fold, beside that of all out-of-fold rows."""
    values = [(fold, fold.metrics.get(name)) for fold in summary.scored[:MAX_FOLDS]]
    drawn = [
        ErrorBar(f"fold {_title(summary, fold.repeat, fold.fold)}", value)
        for fold, value in values
        if value is not None
    ]
    level = summary.out_of_fold.get(name)
    if not drawn or level is None:
        return None
    rows = tuple((one.name, format_number(one.value)) for one in drawn)
    title = main_title(name)
    table = TableBlock(f"{title} by fold", ("fold", title), rows)
    description = f"The {title} of each fold. Dotted line: all out-of-fold rows."
    return ranges(f"{capitalized(title)} by fold", description, title, drawn, table, level, width=PICTURE_WIDTH)


def _title(summary: CrossValidationSummary, repeat: int, fold: int) -> str:
    return f"{repeat}.{fold}" if summary.repeats > 1 else str(fold)

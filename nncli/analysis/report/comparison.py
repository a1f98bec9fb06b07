"""`nncli compare --html`: the comparison of runs as one HTML file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nncli.analysis.comparison import Comparison
from nncli.analysis.evaluation.pairwise import PairwiseResult
from nncli.analysis.report.page import (
    Details,
    Notice,
    Page,
    Paragraph,
    Part,
    Section,
    Table,
    check_html_suffix,
    display,
    render,
)
from nncli.analysis.report.sections.learning_curves import compared_curves
from nncli.analysis.report.sections.scores import format_interval, metric_label
from nncli.base.atomic_files import check_overwrite, write_text
from nncli.base.logs import format_duration
from nncli.base.text import MAX_QUOTE_LENGTH, format_number
from nncli.models.scores import ScoreWithInterval
from nncli.targets.metrics.bootstrap import RESAMPLES
from nncli.version import __version__

MAX_TEXT, MAX_PATH = 1000, 400
METHOD = (
    "Each pair is tested on the row-wise differences of its losses over the shared rows. The confidence interval is a "
    f"95 % bootstrap interval ({RESAMPLES:,} resamples); the p-value is of a paired permutation test, which flips the "
    "signs of the differences at random. Rows that chose the epoch of a run make its scores optimistic: its p-values "
    "are multiplied by the ratio of the numbers of epochs if these rows chose it from more epochs than the other run, "
    "and its intervals are widened."
)
NO_PAIRS = "No two runs can be compared on the same rows: that takes the same table, the same target and shared rows."


def write_comparison(comparison: Comparison, path: Path, *, force: bool = False) -> None:
    """Write the page.

    Raises:
        UsageError: the file exists, or its name does not end in .html or .htm.
    """
    check_html_suffix(path)
    check_overwrite(path, force=force)
    write_text(path, render(page_of(comparison)))


def page_of(comparison: Comparison) -> Page:
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
        footer=f"Written by nncli {__version__}.",
    )


def _verdicts(comparison: Comparison) -> Iterator[str]:
    """For each table and target, the best run, and the runs that it is significantly better than."""
    for best in dict.fromkeys(pair.a for pair in comparison.pairs):
        pairs = [pair for pair in comparison.pairs if pair.a == best]
        pairs = [pair for pair in pairs if pair.measure == pairs[0].measure]
        name = display(comparison.runs[best].name)
        if all(_has_same_rows(comparison, pair) for pair in pairs):
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


def _has_same_rows(comparison: Comparison, pair: PairwiseResult) -> bool:
    """Whether all scored rows of both runs are shared."""
    return pair.rows == comparison.runs[pair.a].rows_scored == comparison.runs[pair.b].rows_scored


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
    return Section(name, title, (*parts, Details("How runs are compared", (Paragraph(METHOD),))), wide=True)


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
            metric_label(row.name, row.target),
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

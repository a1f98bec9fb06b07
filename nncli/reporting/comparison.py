"""`nncli compare --html`: runs beside each other, as one HTML file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nncli.commands.compare import Comparison
from nncli.evaluation.pairwise import PairwiseResult
from nncli.evaluation.score_intervals import ScoreWithInterval
from nncli.metrics.bootstrap import RESAMPLES
from nncli.reporting.html import html, refuse_other_than_html
from nncli.reporting.page import Notice, Page, Paragraph, Part, Section, Table, number, shown
from nncli.reporting.sections.compared_curves import compared_curves
from nncli.reporting.sections.scores import between
from nncli.text import MAX_QUOTE_LENGTH
from nncli.utils.atomic_files import check_overwrite, write_text
from nncli.utils.logs import format_duration
from nncli.version import __version__

TEST = (
    "Of every shared row it is looked at how much more the one run loses than the other. The interval is that of the "
    f"middle 95 % of {RESAMPLES:,} resamples of the rows; p says how often so large a difference would come about if "
    "the sign of each row's were thrown by a coin. The epoch whose weights were kept was in general chosen by these "
    "rows, of each run alike, so that all scores flatter a little."
)


def write_comparison(found: Comparison, path: Path, *, force: bool = False) -> None:
    """Write the page.

    Raises:
        UsageError: the file exists, or is not named as a page is.
    """
    refuse_other_than_html(path)
    check_overwrite(path, force=force)
    write_text(path, html(page_of(found)))


def page_of(found: Comparison) -> Page:
    """All that was found."""
    sections = [_tests(found), _scores(found), _settings(found), compared_curves(found), _runs(found)]
    return Page(
        title=f"{len(found.sides)} runs compared",
        lead=_lead(found),
        notices=tuple(Notice("note", f"{shown(' '.join(note.split()), 1000).rstrip('.')}.") for note in found.notes),
        sections=tuple(section for section in sections if section is not None),
        footer=f"Written by nncli {__version__}.",
    )


def _lead(found: Comparison) -> str:
    """Which run is best, and of which others that is more than chance."""
    said = list(_verdicts(found))
    return " ".join(said) or "No two of these runs can be tested on the same rows."


def _verdicts(found: Comparison) -> Iterator[str]:
    for best in dict.fromkeys(pair.a for pair in found.pairs):
        mine = [pair for pair in found.pairs if pair.a == best]
        first = [pair for pair in mine if pair.measure == mine[0].measure]
        name = shown(found.sides[best].name)
        yield f"{name} has the least {first[0].measure.removeprefix('the ')} of {len(first) + 1} runs."
        worse = [pair for pair in first if pair.is_significant and pair.found is not None and pair.found.mean > 0]
        if worse:
            yield f"It is better than {_listed(found, worse)} by more than chance would give."
        if rest := [pair for pair in first if pair not in worse]:
            yield f"That it is better than {_listed(found, rest)} is not sure."


def _listed(found: Comparison, some: list[PairwiseResult]) -> str:
    names = [shown(found.sides[pair.b].name) for pair in some]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _tests(found: Comparison) -> Section:
    """Every pair in a sentence and as numbers."""
    if not found.pairs:
        text = "That takes two runs of the same table and target which both held some of its rows out."
        return Section("better", "Which is better", (Paragraph(text),))
    rows = tuple(
        (
            shown(found.sides[pair.a].name),
            shown(found.sides[pair.b].name),
            pair.measure,
            f"{pair.rows:,}",
            "–" if pair.found is None else number(pair.found.mean),
            "–" if pair.found is None else between(pair.found.interval),
            "–" if pair.found is None else number(pair.found.p),
            number(pair.adjusted),
        )
        for pair in found.pairs
    )
    columns = ("run", "than", "in", "shared rows", "better by", "95 % interval", "p", "adjusted p")
    sentences = tuple(Paragraph(shown(found.sentence(pair), 1000)) for pair in found.pairs)
    parts: tuple[Part, ...] = (*sentences, Table("Runs on the rows that both held out", columns, rows, (0, 1, 2)))
    return Section("better", "Which is better", (*parts, Paragraph(TEST)))


def _scores(found: Comparison) -> Section | None:
    if not found.scores:
        return None
    judged = ("rows", *(f"{side.rows:,}" if side.on else "–" for side in found.sides))
    rows = tuple(
        (
            line.name if line.target is None else f"{line.name}, {shown(line.target)}",
            *(_cell(one, best) for one, best in zip(line.values, line.best, strict=True)),
        )
        for line in found.scores
    )
    names = tuple(shown(side.name) for side in found.sides)
    note = (
        "Beneath each other: the score and its 95 % interval. * is the best of the runs with the same table and target."
    )
    return Section(
        "scores",
        "How good each is",
        (Table("Scores on held-out rows", ("metric", *names), (judged, *rows), note=note),),
    )


def _cell(one: ScoreWithInterval | None, best: bool) -> str:
    if one is None:
        return "–"
    ends = "" if one.interval is None else f"\n{between(one.interval)}"
    return f"{number(one.value)}{' *' * best}{ends}"


def _settings(found: Comparison) -> Section:
    if not found.settings:
        return Section("settings", "In what they differ", (Paragraph("No difference of their settings is known."),))
    unknown = ["?" if side.config is None else "–" for side in found.sides]
    rows = tuple(
        (
            one.key,
            *(shown(value or none, 4 * MAX_QUOTE_LENGTH) for value, none in zip(one.values, unknown, strict=True)),
        )
        for one in found.settings
    )
    names = tuple(shown(side.name) for side in found.sides)
    table = Table("Settings that differ", ("key", *names), rows, tuple(range(len(names) + 1)))
    return Section("settings", "In what they differ", (table,))


def _runs(found: Comparison) -> Section:
    """What each run is."""
    columns = ("run", "directory", "status", "networks", "rows", "epochs", "best epoch", "started (UTC)", "took")
    rows = []
    for side in found.sides:
        info = side.info
        counts = [
            "–" if count is None else f"{count:,}" for count in (info.members, info.rows, info.epochs, info.best_epoch)
        ]
        took = "–" if info.seconds is None else format_duration(info.seconds)
        started = shown((info.started or "–")[:19].replace("T", " "))
        rows.append((shown(side.name), shown(side.path, 400), info.status, *counts, started, took))
    return Section("runs", "The runs", (Table("The runs", columns, tuple(rows), (0, 1, 2)),))

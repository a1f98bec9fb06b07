"""`nncli compare` on the command line."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.api.options import SourceOptions
from nncli.base.option import INPUT, Option
from nncli.base.text import MAX_QUOTE_LENGTH, escape_unprintable
from nncli.cli.console import echo_err, format_number, interrupt_at_once, interval_text
from nncli.cli.shared_arguments import PageOptions, ResultOptions, each_target, requires_extra
from nncli.cli.tables import on_one_line, prose, table

if TYPE_CHECKING:
    from nncli.analysis.run_comparison import RunComparison
    from nncli.models.scores import ScoreWithInterval

MAX_WIDE_RUNS, NARROW_WIDTH = 3, 24
"""With more runs than that, the value of a setting is cut off at that many characters; --json has all of it."""
CONTEXT_LENGTH = 8
"""Characters shown before the first difference of long values."""


@dataclass(frozen=True, kw_only=True)
class ComparedTable(SourceOptions):
    """The table that runs are compared on."""

    data: Annotated[
        str | None,
        Option(
            "Score all runs on the labeled rows of this table. Default: the rows that each run held out.",
            INPUT,
            metavar="TABLE",
        ),
    ] = None


def compare(
    *,
    runs: Annotated[
        list[Path], typer.Argument(help="Runs, cross-validations, or a folder.", metavar="RUN", show_default=False)
    ],
    source: ComparedTable,
    page: PageOptions,
    display: ResultOptions,
) -> None:
    """Scores are those on held-out rows, with 95 % confidence intervals; * marks the best of runs with the same rows.
    Two runs of the same table and target are compared by a paired test if their validation rows were chosen alike: at
    random, or the same blocks of time. New rows rank all runs: --data. If the validation rows chose the epoch of one
    run, its scores are optimistic, and the test is corrected for that.

    \b
    nncli compare runs/first runs/second
    nncli compare runs/first runs/second --data new.csv
    nncli compare runs --html runs.html
    nncli compare runs/first runs/second --json | jq '.pairs[].sentence'
    """
    from nncli.api.compare import compare as compare_runs
    from nncli.run_directory.run import targets_of

    interrupt_at_once()
    page.check()
    data = None if source.data is None else source.source(source.data)
    by_name = [targets_of(run) for run in runs]
    if len(runs) > 1 and all(by_name) and len({frozenset(targets) for targets in by_name}) == 1:
        of_runs = {first.path: [targets[name].path for targets in by_name] for name, first in by_name[0].items()}
        for of_target, shown in each_target(runs[0], display, data, to_file=page.html is not None):
            comparison = compare_runs(of_runs[of_target], data)
            shown.note(*comparison.notes)
            shown.show(comparison.json, partial(_text, comparison))
        return
    comparison = compare_runs(runs, data)
    if page.html is not None:
        with requires_extra("report"):
            from nncli.analysis.report.page import write_page
            from nncli.analysis.report.pages import comparison_page

        write_page(comparison_page(comparison), page.html, force=page.force)
    if comparison.apart is not None and page.html is None:
        display.show(comparison.json, partial(_text, comparison))
        return
    for note in comparison.notes:
        if note in comparison.warnings:
            echo_err(f"warning: {note}")
        else:
            display.note(note)
    display.show(comparison.json, partial(_text, comparison))
    words = [*map(str, runs), *([] if source.data is None else ["--data", source.data, *source.words])]
    if page.html is not None:
        display.next(f"open {page.html} in a browser")
    elif source.data is None and any(pair.rules is not None for pair in comparison.pairs):
        display.next(f"nncli compare {shlex.join(words)} --data FRESH")
    else:
        display.next(f"nncli compare {shlex.join(words)} --html comparison.html")


def _text(comparison: RunComparison) -> str:
    if comparison.apart is not None:
        return comparison.apart
    return "\n\n".join(_parts(comparison))


def _parts(comparison: RunComparison) -> list[str]:
    """The sections of the output: settings, scores and tests."""
    names, parts = [on_one_line(side.name) for side in comparison.runs], []
    max_length = MAX_QUOTE_LENGTH if len(names) <= MAX_WIDE_RUNS else NARROW_WIDTH
    if comparison.settings:
        unknown = ["?" if side.config is None else "–" for side in comparison.runs]
        lines = [
            [
                on_one_line(setting.key),
                *_cut([value or none for value, none in zip(setting.values, unknown, strict=True)], max_length),
            ]
            for setting in comparison.settings
        ]
        parts.append(f"settings that differ\n{table([['', *names], *lines])}")
    else:
        parts.append("settings: no differences found")
    if comparison.scores:
        n_rows = ["rows", *(f"{side.rows_scored:,}  " if side.scored_on else "–  " for side in comparison.runs)]
        lines = [
            [
                on_one_line(line.title),
                *(_cell(value, best) for value, best in zip(line.values, line.best, strict=True)),
            ]
            for line in comparison.scores
        ]
        titles = ["", *(f"{name}  " for name in names)]
        optimistic = [
            "chose its epoch" if comparison.data is None else "trained on",
            *("yes  " if side.optimistic else "no  " for side in comparison.runs),
        ]
        shown = [n_rows]
        if comparison.data is None:
            shown.append(["predictions", *(f"{side.predictions or '–'}  " for side in comparison.runs)])
        is_optimistic = any(side.optimistic for side in comparison.runs)
        if is_optimistic:
            shown.append(optimistic)
        title = f"scores on {on_one_line(comparison.scored_rows)}; * is the best"
        if is_optimistic:
            title += "; optimistic for a run "
            title += "whose epoch these rows chose" if comparison.data is None else "that was trained on these rows"
        parts.append(f"{prose(title)}\n{table([titles, *shown, *lines])}")
    if comparison.pairs:
        parts.append(
            "\n".join(prose(escape_unprintable(comparison.sentence(pair), keep="")) for pair in comparison.pairs)
        )
    return parts


def _cell(score: ScoreWithInterval | None, best: bool) -> str:
    """`0.92 (0.88 to 0.95) *`."""
    if score is None:
        return "–  "
    ends = "" if score.interval is None else f" ({interval_text(score.interval)})"
    return f"{format_number(score.value)}{ends} {'*' if best else ' '}"


def _cut(values: Sequence[str], max_length: int) -> list[str]:
    """Values of at most `max_length` characters; values that differ only later begin shortly before the difference."""
    shown = [on_one_line(value, max_length) for value in values]
    for text in set(shown):
        same = [i for i, other in enumerate(shown) if other == text]
        letters = zip(*(values[i] for i in same), strict=False)
        common = next((j for j, each in enumerate(letters) if len({*each}) > 1), max_length)
        if len({values[i] for i in same}) > 1 and common >= max_length - 1:
            rest = _cut([f"…{values[i][common - CONTEXT_LENGTH :]}" for i in same], max_length)
            for i, value in zip(same, rest, strict=True):
                shown[i] = value
    return shown

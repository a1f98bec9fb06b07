"""`nncli compare` on the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.base.option import INPUT, OUTPUT
from nncli.cli.options import AsJson, DisplayOptions, Force, SourceOptions, requires_extra

if TYPE_CHECKING:
    from nncli.analysis.comparison import Comparison
    from nncli.models.scores import ScoreWithInterval

MAX_WIDE_RUNS, NARROW_WIDTH = 3, 24
"""With more runs than that, the value of a setting is cut off at that many characters; --json has all of it."""
CONTEXT_LENGTH = 8
"""Characters shown before the first difference of long values."""


def compare(
    *,
    runs: Annotated[
        list[Path], typer.Argument(help="Runs, cross-validations, or a folder.", metavar="RUN", show_default=False)
    ],
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="TABLE",
            help="Score all runs on the labeled rows of this table. Default: the rows that each run held out.",
            rich_help_panel=INPUT,
        ),
    ] = None,
    place: SourceOptions,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Also write an HTML page with learning curves.", rich_help_panel=OUTPUT
        ),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
    display: DisplayOptions,
) -> None:
    """Scores are those on held-out rows, with 95 % confidence intervals; * marks the best of runs with the same rows.
    Two runs of the same table and target are compared by a paired test on the rows that both held out. If these rows
    chose the epoch of one run, its scores are optimistic, and the test is corrected for that. New rows decide better:
    --data.

    \b
    nncli compare runs/first runs/second
    nncli compare runs/first runs/second --data new.csv
    nncli compare runs --html runs.html
    nncli compare runs/first runs/second --json | jq '.pairs[].sentence'
    """
    import json

    from nncli.api.compare import compare as compare_runs
    from nncli.cli.console import interrupt_at_once

    interrupt_at_once()
    write_page = None if html is None else _page_writer(html, force=force)
    options = place
    comparison = compare_runs(runs, None if data is None else options.source(data))
    if write_page is not None:
        write_page(comparison)
    _print_notes(comparison, quiet=display.quiet)
    if as_json:
        typer.echo(json.dumps(comparison.json(), ensure_ascii=False).encode())
    else:
        typer.echo("\n\n".join(_parts(comparison)))
    if not display.quiet:
        of_table = [] if data is None else ["--data", data, *options.words]
        _print_next([*map(str, runs), *of_table], html)


def _print_next(words: Sequence[str], html: Path | None) -> None:
    import shlex

    from nncli.cli.console import echo_err

    page = f"open {html} in a browser"
    echo_err(f"next: {page}" if html else f"next: nncli compare {shlex.join(words)} --html comparison.html")


def _print_notes(comparison: Comparison, *, quiet: bool) -> None:
    """Print the notes on stderr, and the warnings among them also with --quiet."""
    from nncli.cli.console import echo_err

    for note in comparison.notes:
        if note in comparison.warnings:
            echo_err(f"warning: {note}")
        elif not quiet:
            echo_err(f"note: {note}")


def _page_writer(path: Path, *, force: bool) -> Callable[[Comparison], object]:
    """A function that writes the HTML page, once it is known that the page can be written."""
    from functools import partial

    from nncli.base.atomic_files import check_overwrite

    check_overwrite(path, force=force)
    with requires_extra("report"):
        from nncli.analysis.report.comparison import write_comparison
        from nncli.analysis.report.page import check_html_suffix
    check_html_suffix(path)
    return partial(write_comparison, path=path, force=force)


def _parts(comparison: Comparison) -> list[str]:
    """The sections of the output: settings, scores and tests."""
    from nncli.base.text import MAX_QUOTE_LENGTH, escape_unprintable
    from nncli.cli.tables import prose, table

    names, parts = [_short(side.name) for side in comparison.runs], []
    max_length = MAX_QUOTE_LENGTH if len(names) <= MAX_WIDE_RUNS else NARROW_WIDTH
    if comparison.settings:
        unknown = ["?" if side.config is None else "–" for side in comparison.runs]
        lines = [
            [
                _short(one.key),
                *_cut([value or none for value, none in zip(one.values, unknown, strict=True)], max_length),
            ]
            for one in comparison.settings
        ]
        parts.append(f"settings that differ\n{table([['', *names], *lines])}")
    else:
        parts.append("settings: no differences found")
    if comparison.scores:
        n_rows = ["rows", *(f"{side.rows_scored:,}  " if side.scored_on else "–  " for side in comparison.runs)]
        lines = [
            [
                _short(line.name if line.target is None else f"{line.name}, {line.target}"),
                *(_cell(one, best) for one, best in zip(line.values, line.best, strict=True)),
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
        title = f"scores on {_short(comparison.scored_rows)}; * is the best"
        if is_optimistic:
            title += "; optimistic for a run "
            title += "whose epoch these rows chose" if comparison.data is None else "that was trained on these rows"
        parts.append(f"{prose(title)}\n{table([titles, *shown, *lines])}")
    if comparison.pairs:
        parts.append(
            "\n".join(prose(escape_unprintable(comparison.sentence(pair), keep="")) for pair in comparison.pairs)
        )
    return parts


def _cell(one: ScoreWithInterval | None, best: bool) -> str:
    """`0.92 (0.88 to 0.95) *`."""
    from nncli.cli.console import format_number

    if one is None:
        return "–  "
    ends = "" if one.interval is None else f" ({format_number(one.interval.low)} to {format_number(one.interval.high)})"
    return f"{format_number(one.value)}{ends} {'*' if best else ' '}"


def _cut(values: Sequence[str], max_length: int) -> list[str]:
    """Values of at most `max_length` characters; values that differ only later begin shortly before the difference."""
    shown = [_short(value, max_length) for value in values]
    for text in set(shown):
        same = [i for i, other in enumerate(shown) if other == text]
        letters = zip(*(values[i] for i in same), strict=False)
        common = next((j for j, each in enumerate(letters) if len({*each}) > 1), max_length)
        if len({values[i] for i in same}) > 1 and common >= max_length - 1:
            rest = _cut([f"…{values[i][common - CONTEXT_LENGTH :]}" for i in same], max_length)
            for i, value in zip(same, rest, strict=True):
                shown[i] = value
    return shown


def _short(text: str, max_length: int | None = None) -> str:
    """Text on one line, cut off at `max_length` characters."""
    from nncli.base.text import MAX_QUOTE_LENGTH, escape_unprintable

    max_length = max_length or MAX_QUOTE_LENGTH
    return escape_unprintable(text if len(text) <= max_length else text[: max_length - 1] + "…", keep="")

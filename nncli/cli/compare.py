"""`nncli compare` on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.cli.address_limit import settle_within_limit
from nncli.cli.options import AsJson, Force, NoColor, Quiet, Verbose

if TYPE_CHECKING:
    from nncli.commands.compare import Comparison
    from nncli.evaluation.score_intervals import ScoreWithInterval

FEW, NARROW = 3, 24
"""Runs beyond which a value of a setting is cut off at so many characters; --json has all of it."""
BEFORE = 8
"""Characters that are shown before the place where long values differ."""


def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Run directories, or a folder of them.", metavar="RUN", show_default=False)
    ],
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write a page with the curves of all runs.")
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """Compare trained RUNs: configuration differences, scores, and significance tests.

    Scores are of the validation rows, with 95 % confidence intervals; * marks the best. Runs with the same table and
    target are tested on the validation rows that they share.

    \b
    nncli compare runs/first runs/second
    nncli compare runs --html runs.html
    nncli compare runs/first runs/second --json | jq '.pairs[].sentence'
    """
    settle_within_limit()
    import json
    import shlex

    from nncli.cli.console import echo_err
    from nncli.cli.report import needing_extra
    from nncli.cli.signals import interrupt_at_once
    from nncli.commands.compare import compare as compared
    from nncli.utils.atomic_files import check_overwrite

    interrupt_at_once()
    if html is not None:
        check_overwrite(html, force=force)
        with needing_extra():
            from nncli.reporting.comparison import write_comparison
            from nncli.reporting.html import check_html_suffix
        check_html_suffix(html)
    found = compared(runs)
    if html is not None:
        write_comparison(found, html, force=force)
    if not quiet:
        for note in found.notes:
            echo_err(f"note: {note}")
    if as_json:
        typer.echo(json.dumps(found.json(), ensure_ascii=False).encode())
    else:
        typer.echo("\n\n".join(_parts(found)))
    if not quiet:
        words = shlex.join(map(str, runs))
        echo_err(f"next: open {html} in a browser" if html else f"next: nncli compare {words} --html comparison.html")


def _parts(found: Comparison) -> list[str]:
    """The settings that differ, the scores and the tests, each with a title."""
    from nncli.cli.tables import prose, table
    from nncli.text import MAX_QUOTE_LENGTH, escape_unprintable

    names, parts = [_short(side.name) for side in found.runs], []
    most = MAX_QUOTE_LENGTH if len(names) <= FEW else NARROW
    if found.settings:
        unknown = ["?" if side.config is None else "–" for side in found.runs]
        lines = [
            [_short(one.key), *_cut([value or none for value, none in zip(one.values, unknown, strict=True)], most)]
            for one in found.settings
        ]
        parts.append(f"settings that differ\n{table([['', *names], *lines])}")
    else:
        parts.append("settings: no differences are known")
    if found.scores:
        counts = ["rows", *(f"{side.rows_scored:,}  " if side.scored_on else "–  " for side in found.runs)]
        lines = [
            [
                _short(line.name if line.target is None else f"{line.name}, {line.target}"),
                *(_cell(one, best) for one, best in zip(line.values, line.best, strict=True)),
            ]
            for line in found.scores
        ]
        titles = ["", *(f"{name}  " for name in names)]
        parts.append(f"scores on validation rows; * marks the best\n{table([titles, counts, *lines])}")
    if found.pairs:
        parts.append("\n".join(prose(escape_unprintable(found.sentence(pair), keep="")) for pair in found.pairs))
    return parts


def _cell(one: ScoreWithInterval | None, best: bool) -> str:
    """`0.92 (0.88 to 0.95) *`."""
    from nncli.cli.console import number

    if one is None:
        return "–  "
    ends = "" if one.interval is None else f" ({number(one.interval.low)} to {number(one.interval.high)})"
    return f"{number(one.value)}{ends} {'*' if best else ' '}"


def _cut(values: Sequence[str], most: int) -> list[str]:
    """Values of at most so many characters; those that would look the same begin shortly before they differ."""
    told = [_short(value, most) for value in values]
    for text in set(told):
        same = [i for i, one in enumerate(told) if one == text]
        letters = zip(*(values[i] for i in same), strict=False)
        alike = next((j for j, each in enumerate(letters) if len({*each}) > 1), most)
        if len({values[i] for i in same}) > 1 and alike >= most - 1:
            rest = _cut([f"…{values[i][alike - BEFORE :]}" for i in same], most)
            for i, value in zip(same, rest, strict=True):
                told[i] = value
    return told


def _short(text: str, most: int | None = None) -> str:
    from nncli.text import MAX_QUOTE_LENGTH, escape_unprintable

    most = most or MAX_QUOTE_LENGTH
    return escape_unprintable(text if len(text) <= most else text[: most - 1] + "…", keep="")

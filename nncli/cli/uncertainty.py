"""Scores of prediction intervals and sets as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nncli.base.text import escape_unprintable, format_percent

if TYPE_CHECKING:
    from nncli.analysis.evaluation.uncertainty import UncertaintyScores
    from nncli.targets.metrics.coverage import Coverage

MAX_PARTS = 40
"""Largest number of groups or classes whose coverage is printed."""


def uncertainty_text(scores: UncertaintyScores) -> str:
    """The coverage and the size of the intervals or sets of each level, by parts of the rows, and the guarantee."""
    blocks = [*_intervals(scores), *_sets(scores)]
    return "\n\n".join(blocks)


def _intervals(scores: UncertaintyScores) -> Iterator[str]:
    """The tables of prediction intervals, for each target and level."""
    from nncli.cli.console import format_number
    from nncli.cli.tables import prose, table

    if not scores.intervals:
        return
    several = len({one.target for one in scores.intervals}) > 1
    titles = ["coverage", "95% interval", "mean width", "median width", "interval score", "truth below", "truth above"]
    lines = [["level", *titles]]
    for one in scores.intervals:
        all_rows = one.scores.coverage
        values = (all_rows.size, one.scores.median_width, one.scores.score)
        lines.append(
            [
                _name(one.scores.level, one.target if several else None),
                *_shares(all_rows),
                *map(format_number, values),
                *map(format_percent, (one.scores.below, one.scores.above)),
            ]
        )
    yield f"prediction intervals\n{table(lines)}"
    for one in scores.intervals:
        name = _name(one.scores.level, one.target if several else None)
        for title, parts in (("width", one.scores.by_width), ("group", one.scores.by_group)):
            yield from _parts(f"{name} intervals by {title}", parts, "mean width")
    for sentence in dict.fromkeys(one.guarantee.sentence for one in scores.intervals):
        yield prose(escape_unprintable(sentence))


def _sets(scores: UncertaintyScores) -> Iterator[str]:
    """The tables of prediction sets, for each level."""
    from nncli.cli.console import format_number
    from nncli.cli.tables import prose, table

    if not scores.sets:
        return
    lines = [["level", "coverage", "95% interval", "classes a row", "one class", "no class"]]
    for one in scores.sets:
        all_rows = one.scores.coverage
        lines.append(
            [
                _name(one.scores.level),
                *_shares(all_rows),
                format_number(all_rows.size),
                *map(format_percent, (one.scores.single, one.scores.empty)),
            ]
        )
    yield f"prediction sets\n{table(lines)}"
    for one in scores.sets:
        level = _name(one.scores.level)
        by = (("size", one.scores.by_size), ("true class", one.scores.by_class), ("group", one.scores.by_group))
        for title, parts in by:
            yield from _parts(f"{level} sets by {title}", parts, "classes a row")
    for sentence in dict.fromkeys(one.guarantee.sentence for one in scores.sets):
        yield prose(escape_unprintable(sentence))


def _parts(title: str, parts: Sequence[Coverage], size: str) -> Iterator[str]:
    """The coverage of parts of the rows; of many, of those with the lowest one."""
    from nncli.cli.console import format_number
    from nncli.cli.tables import one_line_table

    if not parts:
        return
    shown = list(parts)
    if len(parts) > MAX_PARTS:
        shown = sorted(parts, key=lambda part: part.share)[:MAX_PARTS]
        title = f"{title}, the {MAX_PARTS} of {len(parts):,} with the lowest coverage; see --json"
    lines = [
        [escape_unprintable(part.name), f"{part.rows:,}", *_shares(part), format_number(part.size)] for part in shown
    ]
    yield f"{title}\n{one_line_table([['', 'rows', 'coverage', '95% interval', size], *lines])}"


def _shares(part: Coverage) -> list[str]:
    """The coverage and its confidence interval."""
    interval = part.interval
    if interval is None:
        return [format_percent(part.share), "–"]
    return [format_percent(part.share), f"{format_percent(interval.low)} to {format_percent(interval.high)}"]


def _name(level: float, target: str | None = None) -> str:
    name = f"{100 * level:g} %"
    return name if target is None else f"{name}, {escape_unprintable(target)}"

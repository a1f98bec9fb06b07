"""Notes, tables and the summary, for people. All of it goes to stderr; stdout is for data."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

from nncli.cli.tables import table
from nncli.errors import UsageError
from nncli.text import escape_unprintable
from nncli.utils.logs import format_duration

if TYPE_CHECKING:
    from rich.console import Console

    from nncli.pipeline.train.events import Finished, MembersStarted, Started


def echo_err(text: str) -> None:
    """A line to stderr."""
    print(escape_unprintable(text), file=sys.stderr, flush=True)  # noqa: T201


class _StderrHandler(logging.Handler):
    """Says what the log is told, to whatever stderr is by then: a live view takes its place for a while."""

    def emit(self, record: logging.LogRecord) -> None:
        echo_err(record.getMessage())


def show_stages(wanted: bool) -> None:
    """Whether each stage of what is done is said (-v)."""
    log = logging.getLogger("nncli")
    log.setLevel(logging.INFO if wanted else logging.WARNING)
    log.handlers = [_StderrHandler()] if wanted else []
    log.propagate = not wanted


def announce_input(what: str) -> None:
    """Before the standard input is read: tell a person at a terminal that something is waited for.

    Raises:
        UsageError: there is no standard input.
    """
    if sys.stdin is None:
        raise UsageError("the standard input is closed", hint="Name a file, or pipe one in.")
    if sys.stdin.isatty():
        echo_err(f"reading {what} from the terminal; Ctrl-D on a line of its own ends it")


def rows(count: int) -> str:
    """`1 row`, `1,024 rows`."""
    return f"{count:,} row{'' if count == 1 else 's'}"


def terminal() -> Console | None:
    """Rich on stderr, where that is a terminal that can redraw its lines: anything else need not wait for its import.

    What CI shows as a terminal is a log all the same. Without markup or highlighting: what is shown may come from
    anybody's table.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") in ("dumb", "unknown"):
        return None
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        return None
    from rich.console import Console

    no_color = True if os.environ.get("CLICOLOR") == "0" else None  # None: as NO_COLOR says
    return Console(stderr=True, markup=False, highlight=False, emoji=False, no_color=no_color)


def number(value: float | None) -> str:
    """Four significant digits; a dash for what is undefined, 0 for what is no more than rounding."""
    if value is None:
        return "–"
    return "0" if abs(value) < 1e-12 else f"{value:.4g}"


def summary(started: Started | MembersStarted, finished: Finished) -> str:
    """The end: what was trained, and a table of how good it is beside the trivial guess."""
    from nncli.metrics.registry import has_baseline
    from nncli.scoring import headlines

    trained = f"{_trained(started, finished)}, {format_duration(finished.seconds)}"
    titles, columns = [""], []
    for title, card in (("training", finished.training), ("validation", finished.validation)):
        if card is not None:
            titles += [title, "trivial"]
            columns += [headlines(card.model), headlines(card.baseline)]
    if finished.training is None:
        return trained
    scores = [
        [
            escape_unprintable(name),
            *(number(v if i % 2 == 0 or has_baseline(name) else None) for i, (_, v) in enumerate(figures)),
        ]
        for (name, _), *figures in zip(columns[0], *columns, strict=True)
    ]
    return f"{trained}\n{table([titles, *scores], sys.stderr)}"


def _trained(started: Started | MembersStarted, finished: Finished) -> str:
    """What was trained, in a line."""
    from nncli.pipeline.train.events import Started

    best = f"best epoch {finished.best_epoch} of {finished.epochs}" if finished.best_epoch else "no epoch was completed"
    if isinstance(started, Started):
        return (
            f"{started.training_rows:,} training rows, {started.validation_rows:,} validation rows, "
            f"{started.features:,} feature{'' if started.features == 1 else 's'}, "
            f"{started.parameters:,} parameters, {best}"
        )
    if finished.training is None:
        return f"{started.members:,} members"
    held = finished.validation
    judged = f"{rows(held.rows)} held out, " if held else ""
    return f"{started.members:,} members, {rows(finished.training.rows)}, {judged}at most {finished.epochs:,} epochs"

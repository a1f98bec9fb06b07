"""Notes, tables and the summary, for people. All of it goes to stderr; stdout is for data."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from nncli.errors import UsageError, printable
from nncli.stages import duration

if TYPE_CHECKING:
    from rich.console import Console

    from nncli.commands.sessions.progress import MembersStarted
    from nncli.commands.sessions.session import Finished, Started


def say(text: str) -> None:
    """A line to stderr."""
    print(printable(text), file=sys.stderr, flush=True)  # noqa: T201


class _Said(logging.Handler):
    """Says what the log is told, to whatever stderr is by then: a live view takes its place for a while."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def show_stages(wanted: bool) -> None:
    """Whether each stage of what is done is said (-v)."""
    log = logging.getLogger("nncli")
    log.setLevel(logging.INFO if wanted else logging.WARNING)
    log.handlers = [_Said()] if wanted else []
    log.propagate = not wanted


def announce_input(what: str) -> None:
    """Before the standard input is read: tell a person at a terminal that something is waited for.

    Raises:
        UsageError: there is no standard input.
    """
    if sys.stdin is None:
        raise UsageError("the standard input is closed", hint="Name a file, or pipe one in.")
    if sys.stdin.isatty():
        say(f"reading {what} from the terminal; Ctrl-D on a line of its own ends it")


def table(lines: Sequence[Sequence[str]], stream: TextIO | None = None) -> str:
    """Lines of cells, one column beneath the other: the first flush left, all others right, none cut off.

    Where that is wider than `stream`, by default stdout, the columns draw together, then titles are folded at their
    spaces, and if that is not enough each line becomes a few: its first cell, and beneath it the others with their
    titles.

    >>> print(table([["", "training"], ["rmse", "0.35"], ["r2", "-0.021"]]))
            training
    rmse        0.35
    r2        -0.021
    """
    room = _room(sys.stdout if stream is None else stream)
    if room is None:
        return _columns(lines, 4)
    for text in (_columns(lines, 4), _columns(lines, 2), _columns(_folded(lines), 2)):
        if max(map(_width, text.splitlines())) <= room:
            return text
    return _stacked(lines, room)


def prose(text: str) -> str:
    """A sentence or two for stdout, broken at blanks where they are wider than it."""
    from textwrap import wrap

    room = _room(sys.stdout)
    if room is None:
        return text
    return "\n".join(wrap(text, room, break_long_words=False, break_on_hyphens=False))


def _room(stream: TextIO) -> int | None:
    """How many characters a line holds, as the variable COLUMNS or the terminal says; None: as many as there are."""
    told = os.environ.get("COLUMNS", "")
    if told.isascii() and told.isdigit() and int(told) > 0:
        return int(told)
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or None  # 0 is a terminal that does not know
    except OSError:
        return None


def _width(text: str) -> int:
    from nncli.config.text import width

    return width(text)


def _columns(lines: Sequence[Sequence[str]], gap: int) -> str:
    """Each column as wide as its widest cell, so many blanks apart."""
    widest = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        (" " * gap).join(
            " " * (most - _width(cell)) + cell if i else cell + " " * (most - _width(cell))
            for i, (cell, most) in enumerate(zip(line, widest, strict=True))
        )
        for line in lines
    )


def _folded(lines: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """The table with its titles, the first line, on as many lines as bring each down to the width of its column."""
    from textwrap import wrap

    titles, body = lines[0], lines[1:]
    pieces = []
    for title, *cells in zip(titles, *body, strict=True):
        most = max(map(_width, [*cells, *title.split()]), default=1)
        pieces.append([title] if _width(title) <= most else wrap(title, most, break_on_hyphens=False))
    deep = max(map(len, pieces))
    return [*zip(*([""] * (deep - len(one)) + one for one in pieces), strict=True), *body]


def _stacked(lines: Sequence[Sequence[str]], room: int) -> str:
    """Every line as its first cell, and indented beneath it the other cells that hold something, by their titles."""
    from textwrap import wrap

    titles, *body = ([cell.strip() for cell in line] for line in lines)
    widest = max(map(_width, titles[1:]))
    told = []
    for first, *cells in body:
        told.append(first)
        for title, cell in zip(titles[1:], cells, strict=True):
            name = f"  {title}{' ' * (widest - _width(title))}"
            beside = wrap(cell, max(1, room - _width(name) - 2), break_long_words=False, break_on_hyphens=False)
            told += [f"{name if i == 0 else ' ' * _width(name)}  {text}" for i, text in enumerate(beside)]
    return "\n".join(told)


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
    from nncli.commands.judging.scores import WITHOUT_GUESS, headlines

    trained = f"{_trained(started, finished)}, {duration(finished.seconds)}"
    titles, columns = [""], []
    for title, card in (("training", finished.training), ("validation", finished.validation)):
        if card is not None:
            titles += [title, "trivial"]
            columns += [headlines(card.model), headlines(card.baseline)]
    if finished.training is None:
        return trained
    scores = [
        [printable(name), *(number(None if name in WITHOUT_GUESS and i % 2 else v) for i, (_, v) in enumerate(figures))]
        for (name, _), *figures in zip(columns[0], *columns, strict=True)
    ]
    return f"{trained}\n{table([titles, *scores], sys.stderr)}"


def _trained(started: Started | MembersStarted, finished: Finished) -> str:
    """What was trained, in a line."""
    from nncli.commands.sessions.session import Started

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

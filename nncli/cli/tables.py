"""Tables and paragraphs as wide as the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO


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
    from nncli.config.yaml.source_text import width

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

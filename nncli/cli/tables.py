"""Tables and paragraphs that fit the width of the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO

from nncli.base.text import MAX_QUOTE_LENGTH, escape_unprintable

BAR_CELLS = 12
"""Length of the longest bar."""
SIDE_CELLS = 8
"""Length of the longest bar to either side of an axis."""
MIN_NAME = 12
"""Fewest characters to which a name is shortened."""


def table(lines: Sequence[Sequence[str]], stream: TextIO | None = None) -> str:
    """Format lines of cells as a table, the first column aligned left and the others right, without cutting cells off.

    If it is wider than `stream` (stdout by default), the gaps shrink, then titles wrap, and then each line becomes a
    block: its first cell, and beneath it one line for each other cell with its title.

    >>> print(table([["", "training"], ["rmse", "0.35"], ["r2", "-0.021"]]))
            training
    rmse        0.35
    r2        -0.021
    """
    max_width = _max_width(sys.stdout if stream is None else stream)
    if max_width is None:
        return _columns(lines, 4)
    for text in (_columns(lines, 4), _columns(lines, 2), _columns(_folded(lines), 2)):
        if max(map(_width, text.splitlines())) <= max_width:
            return text
    return _stacked(lines, max_width)


def one_line_table(lines: Sequence[Sequence[str]], droppable: Sequence[int] = (), stream: TextIO | None = None) -> str:
    """Format lines of cells as a table with one line for each, whatever the width of the terminal.

    If it is wider than `stream` (stdout by default), the gaps shrink, then titles wrap, then the columns at the
    positions `droppable` are left out, the first one first, and then the first column is shortened in the middle.
    """
    max_width = _max_width(sys.stdout if stream is None else stream)
    if max_width is None:
        return _columns(lines, 4)
    dropped: set[int] = set()
    for position in (None, *droppable):
        if position is not None:
            dropped.add(position)
        kept = [[cell for i, cell in enumerate(line) if i not in dropped] for line in lines]
        for text in (_columns(kept, 4), _columns(kept, 2), _columns(_folded(kept), 2)):
            if max(map(_width, text.splitlines())) <= max_width:
                return text
    folded = _folded(kept)
    others = [[*line[1:]] for line in folded]
    space = max_width - max(map(_width, _columns(others, 2).splitlines())) - 2 if others[0] else max_width
    return _columns([[shortened(line[0], max(space, MIN_NAME)), *line[1:]] for line in folded], 2)


def fits(lines: Sequence[Sequence[str]]) -> bool:
    """Whether `table` formats these lines for stdout with one line for each."""
    max_width = _max_width(sys.stdout)
    return max_width is None or max(map(_width, _columns(_folded(lines), 2).splitlines())) <= max_width


def shortened(text: str, width: int) -> str:
    """`text` in at most `width` columns of the terminal, with an ellipsis in the middle of what is too long.

    >>> shortened("runs/a-long-name-7", 11)
    'runs/…ame-7'
    """
    if _width(text) <= width:
        return text
    start, end = text[: len(text) // 2], text[len(text) // 2 :]
    while _width(start) + 1 + _width(end) > width and (start or end):
        if _width(start) >= _width(end):
            start = start[:-1]
        else:
            end = end[1:]
    return f"{start}…{end}"


def on_one_line(text: str, max_length: int = MAX_QUOTE_LENGTH) -> str:
    """A text from a table in one line, cut off at `max_length` characters."""
    return escape_unprintable(text if len(text) <= max_length else text[: max_length - 1] + "…", keep="")


def bar(fraction: float, cells: int = BAR_CELLS) -> str:
    """A bar of `fraction` of the cells, from 0 to 1; at least a thin one above 0."""
    eighths = round(8 * cells * min(max(fraction, 0.0), 1.0)) if fraction == fraction else 0
    if not _shows_blocks():
        return "#" * -(-eighths // 8)
    return "█" * (eighths // 8) + "▏▎▍▌▋▊▉"[eighths % 8 - 1] * (eighths % 8 > 0) or "▏" * (fraction > 0)


def signed_bar(fraction: float) -> str:
    """A bar of a fraction from -1 to 1, from an axis to the left below 0, and to the right above."""
    lowers = fraction < 0
    halves = max(1, round(2 * SIDE_CELLS * min(-fraction, 1.0))) if lowers else 0
    left = "▐" * (halves % 2) + "█" * (halves // 2) if _shows_blocks() else "#" * -(-halves // 2)
    right = "" if lowers else bar(fraction, SIDE_CELLS)
    return f"{left:>{SIDE_CELLS}}{'│' if _shows_blocks() else '|'}{right:<{SIDE_CELLS}}"


def _shows_blocks() -> bool:
    """Whether stdout can encode block elements."""
    try:
        "█▏▐│".encode(sys.stdout.encoding or "ascii")
    except UnicodeError:
        return False
    return True


def prose(text: str) -> str:
    """Text for stdout, wrapped at its width."""
    from textwrap import wrap

    max_width = _max_width(sys.stdout)
    if max_width is None:
        return text
    return "\n".join(wrap(text, max_width, break_long_words=False, break_on_hyphens=False))


def hanging(name: str, text: str) -> str:
    """`name` and, beside it, text for stdout, wrapped at its width.

    >>> print(hanging("loss  ", "mse"))
    loss  mse
    """
    from textwrap import wrap

    max_width = _max_width(sys.stdout)
    if max_width is None or max_width <= len(name) or not text:
        return name + text
    lines = wrap(text, max_width - len(name), break_long_words=False, break_on_hyphens=False)
    return name + f"\n{' ' * len(name)}".join(lines)


def _max_width(stream: TextIO) -> int | None:
    """The characters of a line by the variable COLUMNS or the terminal; None is unlimited."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns) > 0:
        return int(columns)
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or None  # 0 is an unknown width
    except OSError:
        return None


def _width(text: str) -> int:
    from nncli.config.yaml.document import width

    return width(text)


def _columns(lines: Sequence[Sequence[str]], gap: int) -> str:
    """Each column as wide as its widest cell, with `gap` spaces between columns."""
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        (" " * gap).join(
            " " * (width - _width(cell)) + cell if i else cell + " " * (width - _width(cell))
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def _folded(lines: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """The lines with the titles, the first line, wrapped to the width of their columns."""
    from textwrap import wrap

    titles, body = lines[0], lines[1:]
    pieces = []
    for title, *cells in zip(titles, *body, strict=True):
        width = max(map(_width, [*cells, *title.split()]), default=1)
        pieces.append([title] if _width(title) <= width else wrap(title, width, break_on_hyphens=False))
    height = max(map(len, pieces))
    return [*zip(*([""] * (height - len(piece)) + piece for piece in pieces), strict=True), *body]


def _stacked(lines: Sequence[Sequence[str]], max_width: int) -> str:
    """Each line as a block: its first cell, and indented beneath it the other cells with their titles."""
    from textwrap import wrap

    titles, *body = ([cell.strip() for cell in line] for line in lines)
    widest = max(map(_width, titles[1:]))
    output = []
    for first, *cells in body:
        output.append(first)
        for title, cell in zip(titles[1:], cells, strict=True):
            name = f"  {title}{' ' * (widest - _width(title))}"
            wrapped = wrap(cell, max(1, max_width - _width(name) - 2), break_long_words=False, break_on_hyphens=False)
            output += [f"{name if i == 0 else ' ' * _width(name)}  {text}" for i, text in enumerate(wrapped)]
    return "\n".join(output)

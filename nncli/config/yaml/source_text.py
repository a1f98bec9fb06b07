"""The text of a configuration: what it may hold, where each character stands, and how a line of it is shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from nncli.errors import ConfigError, ConfigIssue, Location
from nncli.text import escape_unprintable

LARGEST_TEXT = 1 << 20  # bytes
WIDEST_EXCERPT = 100
LINE_BREAK = re.compile(r"\r\n|\r|\n")
_BLANK = " \t"  # other blank characters are shown as escapes: they may be the mistake

# All but YAML's printable characters, with U+0085, U+2028 and U+2029: it takes them for line breaks, editors do not.
# Put this way round, since compiling takes 20 times as long for what is printable.
_UNPRINTABLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")

Position = tuple[int, int]  # line and character, both from 1


def position(text: str, index: int) -> Position:
    """Line and character, both from 1, of the character at `index`."""
    lines = LINE_BREAK.split(text[:index])
    return len(lines), len(lines[-1]) + 1


def too_large(source: str) -> ConfigError:
    """The refusal of a text beyond LARGEST_TEXT."""
    hint = "Is this the right file? A configuration is a page or two of YAML."
    return ConfigError(ConfigIssue("the text is larger than 1 MiB", Location(source), hint))


def checked_lines(text: str, source: str) -> tuple[str, ...]:
    """The lines of `text`, once its size and its characters are known to be fit for YAML.

    Raises:
        ConfigError: they are not.
    """
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST_TEXT:
        raise too_large(source)
    lines = tuple(LINE_BREAK.split(text))
    strange = _UNPRINTABLE.search(text)
    if strange:
        message = f"the character U+{ord(strange[0]):04X} cannot stand in a configuration"
        hint = r'Delete it, or write it as an escape in double quotes: "\u' + f'{ord(strange[0]):04x}".'
        raise ConfigError(fault(message, source, lines, position(text, strange.start()), hint))
    return lines


def fault(message: str, source: str, lines: Sequence[str], at: Position, hint: str | None = None) -> ConfigIssue:
    """A mistake at a line and character of a text that is not a document yet."""
    return ConfigIssue(message, Location(source, *at), hint, excerpt(lines, *at))


def width(text: str) -> int:
    """Columns that `text` takes on a terminal: wide East Asian characters take two, combining marks none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def excerpt(lines: Sequence[str], line: int | None, character: int | None) -> str | None:
    """The source line and a caret beneath its `character`; None when there is nothing to show. Both count from 1.

    >>> print(excerpt(["  units: many"], 1, 10))
    units: many
           ^
    """
    if line is None or character is None or not 0 < line <= len(lines) or not lines[line - 1].strip(_BLANK):
        return None
    before, after = lines[line - 1][: character - 1].lstrip(_BLANK), lines[line - 1][character - 1 :].rstrip(_BLANK)
    if not before:
        after = after.lstrip(_BLANK)
    before, after = escape_unprintable(before, keep=""), escape_unprintable(after, keep="")
    if len(before) + len(after) > WIDEST_EXCERPT:
        room_before = max(WIDEST_EXCERPT // 2, WIDEST_EXCERPT - len(after))
        if len(before) > room_before:
            before = "…" + before[len(before) - room_before + 1 :]
        room_after = WIDEST_EXCERPT - len(before)
        if len(after) > room_after:
            after = after[: room_after - 1] + "…"
    return f"{before}{after}\n{' ' * width(before)}^"

"""A configuration as plain values with the source location of each."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from nncli.base.credentials import redacted
from nncli.base.errors import ConfigError, ConfigFix, ConfigIssue, Location
from nncli.base.text import UNDECODED, escape_unprintable, quote

Path = tuple[str | int, ...]


MAX_TEXT_BYTES = 64 << 20
"""Bytes of a configuration: that of a run lists its columns twice, and a table may have tens of thousands."""
MAX_EXCERPT_WIDTH = 100
MAX_EXCERPT_SEARCH = 10_000
"""Characters before and after a place in a line that may be shown, and are searched for passwords."""
LINE_BREAK = re.compile(r"\r\n|\r|\n")
_BLANK = " \t"  # other blank characters are shown as escapes

# Everything outside YAML's printable characters, and U+0085, U+2028 and U+2029, which are line breaks in YAML but not
# in editors. The complement compiles 20 times faster than the set of printable characters.
_UNPRINTABLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")

Position = tuple[int, int]  # line and character, both from 1


def position(text: str, index: int) -> Position:
    """Line and character, both from 1, of the character at `index`."""
    lines = LINE_BREAK.split(text[:index])
    return len(lines), len(lines[-1]) + 1


def too_large(source: str) -> ConfigError:
    """The error for a text of more than MAX_TEXT_BYTES."""
    hint = "Is this the right file? A configuration is a page or two of YAML."
    return ConfigError(ConfigIssue(f"the text is larger than {MAX_TEXT_BYTES >> 20} MiB", Location(source), hint))


def checked_lines(text: str, source: str) -> tuple[str, ...]:
    """The lines of `text` after its size and its characters are checked.

    Raises:
        ConfigError: the text is too large or has a character that YAML does not allow.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
        raise too_large(source)
    lines = tuple(LINE_BREAK.split(text))
    match = _UNPRINTABLE.search(text)
    if match:
        message = f"the character U+{ord(match[0]):04X} is not allowed in a configuration"
        hint = r'Delete it, or write it as an escape in double quotes: "\u' + f'{ord(match[0]):04x}".'
        if UNDECODED.fullmatch(match[0]):
            message = f"the byte {quote(match[0])[1:-1]} is not UTF-8"
            hint = "Write the text in UTF-8; a file whose name is not must be renamed."
        raise ConfigError(syntax_issue(message, source, lines, position(text, match.start()), hint))
    return lines


def syntax_issue(
    message: str, source: str, lines: Sequence[str], start: Position, hint: str | None = None
) -> ConfigIssue:
    """An issue at a line and character of text that is not parsed yet."""
    return ConfigIssue(message, Location(source, *start), hint, excerpt(lines, *start))


def width(text: str) -> int:
    """Width of `text` in terminal columns: 2 for wide East Asian characters, 0 for combining marks."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def excerpt(lines: Sequence[str], line: int | None, character: int | None) -> str | None:
    """The source line with a caret below `character`; None for a blank or unknown line. Both count from 1.

    >>> print(excerpt(["  units: many"], 1, 10))
    units: many
           ^
    """
    if line is None or character is None or not 0 < line <= len(lines) or not lines[line - 1].strip(_BLANK):
        return None
    text, start = lines[line - 1], max(0, character - MAX_EXCERPT_SEARCH)
    text = redacted(text[start : character + MAX_EXCERPT_SEARCH])  # a line may be as long as the text
    character -= start
    before, after = text[: character - 1].lstrip(_BLANK), text[character - 1 :].rstrip(_BLANK)
    if not before:
        after = after.lstrip(_BLANK)
    before, after = escape_unprintable(before, keep=""), escape_unprintable(after, keep="")
    if len(before) + len(after) > MAX_EXCERPT_WIDTH:
        room_before = max(MAX_EXCERPT_WIDTH // 2, MAX_EXCERPT_WIDTH - len(after))
        if len(before) > room_before:
            before = "…" + before[len(before) - room_before + 1 :]
        room_after = MAX_EXCERPT_WIDTH - len(before)
        if len(after) > room_after:
            after = after[: room_after - 1] + "…"
    return f"{before}{after}\n{' ' * width(before)}^"


@dataclass(frozen=True)
class SourceSpan:
    """Where an entry was written: line and character (from 1) of its key and of its value.

    An entry set on the command line or by the environment has no position: `source` is the assignment that set it, and
    `setter` the option or the variable. A list item has no key; both positions are the item's.
    """

    source: str
    key: Position | None = None
    value: Position | None = None
    setter: str | None = None


@dataclass(frozen=True)
class Document:
    """A configuration as plain Python values with the span of each.

    `lines` are the lines of the source, `other_lines` those of other files that a part of it is from.
    """

    value: dict[str, object]
    spans: Mapping[Path, SourceSpan]
    source: str
    lines: tuple[str, ...]
    other_lines: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def location(self, path: Path, at: Literal["key", "value"] = "key") -> Location:
        """The location of `path` or of its nearest ancestor. A missing top-level key has no line."""
        nearest = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in self.spans), None)
        span = self.spans[nearest] if nearest else SourceSpan(self.source)
        line, character = (span.key if at == "key" else span.value) or (None, None)
        return Location(source=span.source, line=line, character=character, key=dotted(path) or None)

    def issue(
        self,
        message: str,
        path: Path,
        at: Literal["key", "value"] = "key",
        hint: str | None = None,
        fix: ConfigFix | None = None,
    ) -> ConfigIssue:
        """An issue at `path` with an excerpt of its line."""
        location = self.location(path, at)
        lines = self.other_lines.get(location.source or "", self.lines)
        return ConfigIssue(message, location, hint, excerpt(lines, location.line, location.character), fix)


def dotted(path: Path) -> str:
    """`layers.0.units`."""
    return ".".join(str(step) for step in path)

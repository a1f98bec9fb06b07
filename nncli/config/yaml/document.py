"""A configuration as plain values that remember where they were written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from nncli.config.yaml.source_text import Position, excerpt
from nncli.errors import ConfigIssue, Location

Path = tuple[str | int, ...]


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
    """A configuration as plain Python values, with the place of each. `lines` are the source's, for excerpts."""

    value: dict[str, object]
    spans: Mapping[Path, SourceSpan]
    source: str
    lines: tuple[str, ...]

    def location(self, path: Path, at: Literal["key", "value"] = "key") -> Location:
        """Where `path` is, or else its nearest ancestor. A missing top-level key has no line."""
        known = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in self.spans), None)
        mark = self.spans[known] if known else SourceSpan(self.source)
        line, character = (mark.key if at == "key" else mark.value) or (None, None)
        return Location(source=mark.source, line=line, character=character, key=dotted(path) or None)

    def issue(
        self, message: str, path: Path, at: Literal["key", "value"] = "key", hint: str | None = None
    ) -> ConfigIssue:
        """A mistake at `path`, with the line it stands on."""
        place = self.location(path, at)
        return ConfigIssue(message, place, hint, excerpt(self.lines, place.line, place.character))


def dotted(path: Path) -> str:
    """`layers.0.units`."""
    return ".".join(str(step) for step in path)

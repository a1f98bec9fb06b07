"""A configuration as plain values with the source location of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from nncli.base.errors import ConfigFix, ConfigIssue, Location
from nncli.config.yaml.source_text import Position, excerpt

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

"""From YAML text to a `Document`. Tags, merge keys, duplicate keys and endless aliases are mistakes.

What is read remembers where it was written, so that every later mistake can point at its line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import yaml

from nncli.config.yaml.document import Document, Path, SourceSpan
from nncli.config.yaml.scalars import parse_scalar
from nncli.config.yaml.source_text import Position, checked_lines, fault
from nncli.config.yaml.syntax_errors import events, where
from nncli.errors import ConfigError, ConfigIssue, Location
from nncli.text import quote

DEEPEST = 50  # sections and lists inside each other
MOST_VALUES = 100_000  # after aliases are expanded
MOST_MISTAKES = 20  # a file that is not a configuration at all need not be told a thousand times


@dataclass(frozen=True)
class _Anchored:
    value: object
    size: int  # values inside, aliases expanded, itself included
    height: int  # sections and lists inside each other, itself included


@dataclass
class _Parser:
    """Builds values from events. Mistakes that leave the structure clear are gathered; the others are raised."""

    text: str
    source: str
    lines: Sequence[str]
    marks: dict[Path, SourceSpan] = field(default_factory=dict)
    mistakes: list[ConfigIssue] = field(default_factory=list)
    anchors: dict[str, _Anchored | None] = field(default_factory=dict)  # None while still being built
    size: int = 0
    deepest: int = 0

    def __post_init__(self) -> None:
        self.events = events(self.text, self.source, self.lines, self.mistakes)

    def wrong(self, event: yaml.Event, message: str, hint: str | None = None) -> None:
        self.mistakes.append(fault(message, self.source, self.lines, where(event), hint))
        if len(self.mistakes) == MOST_MISTAKES:
            raise ConfigError(*self.mistakes)

    def fatal(self, event: yaml.Event, message: str, hint: str | None = None) -> ConfigError:
        return ConfigError(*self.mistakes, fault(message, self.source, self.lines, where(event), hint))

    def grow(self, event: yaml.Event, size: int, depth: int) -> None:
        self.size += size
        self.deepest = max(self.deepest, depth)
        if self.size > MOST_VALUES:
            raise self.fatal(event, f"the configuration holds more than {MOST_VALUES:,} values")
        if depth > DEEPEST:
            raise self.fatal(event, f"more than {DEEPEST} sections or lists inside each other")

    def node(self, event: yaml.Event, path: Path, depth: int) -> object:
        """The value that starts with `event`, inside `depth` sections and lists."""
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, depth)
        is_scalar = isinstance(event, yaml.ScalarEvent)
        size_before, deepest_before = self.size, self.deepest
        self.deepest = depth
        self.grow(event, 1, depth if is_scalar else depth + 1)
        tag, anchor = getattr(event, "tag", None), getattr(event, "anchor", None)
        if tag is not None:
            spelled = tag.replace("tag:yaml.org,2002:", "!!")
            self.wrong(event, f"tags such as {quote(spelled)} are not supported", "Remove the tag, or quote the text.")
        if anchor is not None:
            self.anchors[anchor] = None
        value: object
        if isinstance(event, yaml.ScalarEvent):
            value = self.scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self.sequence(path, depth + 1)
        else:
            value = self.mapping(path, depth + 1)
        if anchor is not None:
            self.anchors[anchor] = _Anchored(value, self.size - size_before, self.deepest - depth)
        self.deepest = max(self.deepest, deepest_before)
        return value

    def alias(self, event: yaml.AliasEvent, depth: int) -> object:
        name = event.anchor or ""
        anchored = self.anchors.get(name)
        if anchored is None and name in self.anchors:
            raise self.fatal(event, f"the alias {quote('*' + name)} stands inside what it stands for")
        if anchored is None:
            hint = "Text that starts with '*' must be in quotes."
            raise self.fatal(event, f"nothing is called {quote('&' + name)} above this alias", hint)
        self.grow(event, anchored.size, depth + anchored.height)
        return anchored.value

    def scalar(self, event: yaml.ScalarEvent) -> object:
        text = event.value
        try:
            # "\ud83d\ude00" is JSON's way to write one character; half of such a pair is none.
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
            return text if event.style else parse_scalar(text)
        except UnicodeError:
            self.wrong(event, r"half a surrogate pair (\ud800 to \udfff) is not a character")
        except ValueError:
            self.wrong(event, f"the number {quote(text)} is too large")
        return None

    def sequence(self, path: Path, depth: int) -> list[object]:
        values: list[object] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            here = (*path, len(values))
            self.marks[here] = SourceSpan(self.source, where(event), where(event))
            values.append(self.node(event, here, depth))
        return values

    def mapping(self, path: Path, depth: int) -> dict[str, object]:
        values: dict[str, object] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self.key(event, path, depth)
            here = path if key is None else (*path, key)
            if key is not None and key in values:
                first = self.marks[here].key
                self.wrong(event, f"the key {quote(key)} is given twice; first on line {first and first[0]}")
            value_event = next(self.events)
            if key is not None and key not in values:
                self.marks[here] = SourceSpan(self.source, where(event), where(value_event))
            value = self.node(value_event, here, depth)
            if key is not None:
                values.setdefault(key, value)
        return values

    def key(self, event: yaml.Event, path: Path, depth: int) -> str | None:
        """The key as it is spelled: `1`, `true` and `null` are words here. None when it is not a usable key."""
        if not isinstance(event, yaml.ScalarEvent):
            self.node(event, path, depth)
            self.wrong(event, "a key must be a word or a number", "Put the key in quotes if it is meant as text.")
            return None
        if event.style or event.tag is not None:
            text = self.node(event, path, depth)
            return text if isinstance(text, str) else None
        if event.value == "<<":
            self.wrong(event, "merge keys ('<<') are not supported", "Write the keys out.")
            return None
        if not event.value:
            self.wrong(event, "there is no key before this ':'")
            return None
        return event.value


@dataclass(frozen=True)
class ParsedValue:
    """One value that was read, and where each part of it was written."""

    value: object
    marks: dict[Path, SourceSpan]
    lines: tuple[str, ...]
    start: Position
    inline: bool  # [a, b] and {a: 1} and words, rather than one item a line


def compose(text: str, source: str, depth: int = 0) -> ParsedValue:
    """The one value in `text`, which stands inside `depth` sections and lists; None when there is nothing.

    Raises:
        ConfigError: every mistake found.
    """
    lines = checked_lines(text, source)
    composer = _Parser(text, source, lines)
    value: object = None
    start: Position = (1, 1)
    documents, inline = 0, True
    for event in composer.events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise composer.fatal(event, "a second configuration starts here", "Give each a file of its own.")
        elif isinstance(event, yaml.NodeEvent):
            start = where(event)
            inline = getattr(event, "flow_style", True) is not False and getattr(event, "style", "") not in ("|", ">")
            value = composer.node(event, (), depth)
    if composer.mistakes:
        raise ConfigError(*composer.mistakes)
    return ParsedValue(value, composer.marks, lines, start, inline)


def parse(text: str, source: str) -> Document:
    """Read a configuration from `text`; `source` is the name that mistakes give to it.

    Raises:
        ConfigError: the text is not YAML, or not the YAML described above; holds every mistake found.
    """
    found = compose(text.removeprefix("\ufeff"), source)
    if found.value is None:
        raise ConfigError(ConfigIssue("the configuration is empty", Location(source)))
    if not isinstance(found.value, dict):
        hint = "A space must follow the ':' after a key."
        raise ConfigError(fault("expected key: value pairs", source, found.lines, found.start, hint))
    return Document(found.value, MappingProxyType(found.marks), source, found.lines)

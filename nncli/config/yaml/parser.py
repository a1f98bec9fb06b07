"""Parse YAML text into a `Document`. Tags, merge keys, duplicate keys and unbounded aliases are refused.

Values are built from the events of PyYAML rather than from the nodes of `yaml.compose`. The composer recurses without a
limit, refuses an anchor that is defined again, forgets where an alias stands and whether a tag was written out, and
raises a syntax error without the issues on the lines above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import yaml

from nncli.base.errors import ConfigError, ConfigIssue, Location
from nncli.base.text import quote
from nncli.config.yaml.document import Document, Path, SourceSpan
from nncli.config.yaml.scalars import parse_scalar
from nncli.config.yaml.source_text import Position, checked_lines, syntax_issue
from nncli.config.yaml.syntax_errors import events, start_of

MAX_DEPTH = 50  # nested sections and lists
MAX_VALUES = 1_000_000  # after aliases are expanded
MAX_ALIASED_VALUES = 100_000  # those that aliases repeat, which cost a few bytes each
MAX_ISSUES = 20  # in one text


@dataclass(frozen=True)
class _Anchored:
    value: object
    size: int  # number of values in it, aliases expanded, including itself
    height: int  # nesting depth, including itself


@dataclass
class _Parser:
    """Builds values from events. Issues that leave the structure clear are collected; the others are raised."""

    text: str
    source: str
    lines: Sequence[str]
    spans: dict[Path, SourceSpan] = field(default_factory=dict)
    issues: list[ConfigIssue] = field(default_factory=list)
    anchors: dict[str, _Anchored | None] = field(default_factory=dict)  # None while still being built
    size: int = 0
    aliased: int = 0
    max_depth: int = 0

    def __post_init__(self) -> None:
        self.events = events(self.text, self.source, self.lines, self.issues)

    def add_issue(self, event: yaml.Event, message: str, hint: str | None = None) -> None:
        self.issues.append(syntax_issue(message, self.source, self.lines, start_of(event), hint))
        if len(self.issues) == MAX_ISSUES:
            raise ConfigError(*self.issues)

    def error(self, event: yaml.Event, message: str, hint: str | None = None) -> ConfigError:
        return ConfigError(*self.issues, syntax_issue(message, self.source, self.lines, start_of(event), hint))

    def grow(self, event: yaml.Event, size: int, depth: int) -> None:
        self.size += size
        self.max_depth = max(self.max_depth, depth)
        if self.size > MAX_VALUES:
            raise self.error(event, f"the configuration has more than {MAX_VALUES:,} values")
        if depth > MAX_DEPTH:
            raise self.error(event, f"sections and lists are nested more than {MAX_DEPTH} deep")

    def node(self, event: yaml.Event, path: Path, depth: int) -> object:
        """The value that starts with `event`, nested in `depth` sections and lists."""
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, depth)
        is_scalar = isinstance(event, yaml.ScalarEvent)
        size_before, max_depth_before = self.size, self.max_depth
        self.max_depth = depth
        self.grow(event, 1, depth if is_scalar else depth + 1)
        tag, anchor = getattr(event, "tag", None), getattr(event, "anchor", None)
        if tag is not None:
            written = tag.replace("tag:yaml.org,2002:", "!!")
            self.add_issue(
                event, f"tags such as {quote(written)} are not supported", "Remove the tag, or quote the text."
            )
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
            self.anchors[anchor] = _Anchored(value, self.size - size_before, self.max_depth - depth)
        self.max_depth = max(self.max_depth, max_depth_before)
        return value

    def alias(self, event: yaml.AliasEvent, depth: int) -> object:
        name = event.anchor or ""
        anchored = self.anchors.get(name)
        if anchored is None and name in self.anchors:
            raise self.error(event, f"the alias {quote('*' + name)} is inside its own anchor")
        if anchored is None:
            hint = "Text that starts with '*' must be in quotes."
            raise self.error(event, f"there is no anchor {quote('&' + name)} above this alias", hint)
        self.aliased += anchored.size
        if self.aliased > MAX_ALIASED_VALUES:
            raise self.error(event, f"aliases stand for more than {MAX_ALIASED_VALUES:,} values")
        self.grow(event, anchored.size, depth + anchored.height)
        return anchored.value

    def scalar(self, event: yaml.ScalarEvent) -> object:
        text = event.value
        try:
            # JSON writes some characters as a surrogate pair, such as "\ud83d\ude00".
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
            return text if event.style else parse_scalar(text)
        except UnicodeError:
            self.add_issue(event, r"half a surrogate pair (\ud800 to \udfff) is not a character")
        except ValueError:
            self.add_issue(event, f"the number {quote(text)} is too large")
        return None

    def sequence(self, path: Path, depth: int) -> list[object]:
        values: list[object] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            item = (*path, len(values))
            self.spans[item] = SourceSpan(self.source, start_of(event), start_of(event))
            values.append(self.node(event, item, depth))
        return values

    def mapping(self, path: Path, depth: int) -> dict[str, object]:
        values: dict[str, object] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self.key(event, path, depth)
            entry = path if key is None else (*path, key)
            if key is not None and key in values:
                first = self.spans[entry].key
                self.add_issue(event, f"the key {quote(key)} is given twice; first on line {first and first[0]}")
            value_event = next(self.events)
            if key is not None and key not in values:
                self.spans[entry] = SourceSpan(self.source, start_of(event), start_of(value_event))
            value = self.node(value_event, entry, depth)
            if key is not None:
                values.setdefault(key, value)
        return values

    def key(self, event: yaml.Event, path: Path, depth: int) -> str | None:
        """The key as text: `1`, `true` and `null` are not converted. None when it is not a usable key."""
        if not isinstance(event, yaml.ScalarEvent):
            self.node(event, path, depth)
            self.add_issue(event, "a key must be a single word or number", "Put the key in quotes if it is text.")
            return None
        if event.style or event.tag is not None:
            text = self.node(event, path, depth)
            return text if isinstance(text, str) else None
        if event.value == "<<":
            self.add_issue(event, "merge keys ('<<') are not supported", "Write each key.")
            return None
        if not event.value:
            self.add_issue(event, "there is no key before this ':'")
            return None
        return event.value


@dataclass(frozen=True)
class ParsedValue:
    """A value with the source spans of its parts."""

    value: object
    spans: dict[Path, SourceSpan]
    lines: tuple[str, ...]
    start: Position
    inline: bool  # a scalar, [a, b] or {a: 1}, not one item per line


def parse_value(text: str, source: str, depth: int = 0) -> ParsedValue:
    """Parse the single value in `text`, nested in `depth` sections and lists; None when the text is empty.

    Raises:
        ConfigError: holds every issue parsed.
    """
    lines = checked_lines(text, source)
    parser = _Parser(text, source, lines)
    value: object = None
    start: Position = (1, 1)
    documents, inline = 0, True
    for event in parser.events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise parser.error(event, "a second document starts here", "Put each configuration into its own file.")
        elif isinstance(event, yaml.NodeEvent):
            start = start_of(event)
            inline = getattr(event, "flow_style", True) is not False and getattr(event, "style", "") not in ("|", ">")
            value = parser.node(event, (), depth)
    if parser.issues:
        raise ConfigError(*parser.issues)
    return ParsedValue(value, parser.spans, lines, start, inline)


def parse(text: str, source: str) -> Document:
    """Parse a configuration from `text`; issues name it `source`.

    Raises:
        ConfigError: the text is not YAML or uses a part of YAML that is not supported; holds every issue parsed.
    """
    parsed = parse_value(text.removeprefix("\ufeff"), source)
    if parsed.value is None:
        raise ConfigError(ConfigIssue("the configuration is empty", Location(source)))
    if not isinstance(parsed.value, dict):
        hint = "A space is required after the ':' of a key."
        raise ConfigError(syntax_issue("expected key: value pairs", source, parsed.lines, parsed.start, hint))
    return Document(parsed.value, MappingProxyType(parsed.spans), source, parsed.lines)

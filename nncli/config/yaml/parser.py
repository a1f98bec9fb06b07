"""Parse YAML text into a `Document`. Tags, merge keys, duplicate keys and unbounded aliases are refused.

Values are built from the events of PyYAML rather than from the nodes of `yaml.compose`. The composer recurses without a
limit, refuses an anchor that is defined again, forgets where an alias stands and whether a tag was written out, and
raises a syntax error without the issues on the lines above it.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path as FilePath
from types import MappingProxyType

import yaml

from nncli.base.errors import Advice, ConfigError, ConfigIssue, Location, RunCommand, UseOption, output_to
from nncli.base.text import closest_file, join_quoted, quote
from nncli.config.yaml.document import (
    LINE_BREAK,
    MAX_TEXT_BYTES,
    Document,
    Path,
    Position,
    SourceSpan,
    checked_lines,
    position,
    syntax_issue,
    too_large,
)

MAX_DEPTH = 50  # nested sections and lists
MAX_KEYS = 10_000  # at the top level
MAX_VALUES = 1_000_000  # after aliases are expanded
MAX_ALIASED_VALUES = 100_000  # those that aliases repeat, which cost a few bytes each
MAX_ISSUES = 20  # in one text
FAST_TEXT = 1 << 16
"""Characters from which libyaml parses a text, if it is there."""
MAX_SLOW_TEXT = 1 << 20
"""Characters before an error up to which PyYAML parses the text once more, to say what is wrong."""
FAST_LOADER = getattr(yaml, "CSafeLoader", None)
NOT_YAML = "this is not valid YAML"


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
            if depth == 1 and len(values) >= MAX_KEYS:
                raise self.error(event, f"the configuration has more than {MAX_KEYS:,} keys at its top level")
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


_CONSTANTS: Mapping[str, object] = MappingProxyType(
    {word: value for words, value in (
        (("", "~", "null", "Null", "NULL"), None),
        (("true", "True", "TRUE"), True),
        (("false", "False", "FALSE"), False),
        ((".nan", ".NaN", ".NAN"), float("nan")),
        ((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
        (("-.inf", "-.Inf", "-.INF"), float("-inf")),
    ) for word in words}
)  # fmt: skip
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|(?:\.[0-9]+|[0-9]+)[eE][-+]?[0-9]+)")


def parse_scalar(text: str) -> object:
    """Convert a scalar that is written without quotes.

    Raises:
        ValueError: a number has too many digits or would round to infinity.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise ValueError(text)
        return number
    return text


def describe(value: object) -> str:
    """`value` as written in YAML, or its kind if it is a list or a section."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, int | float):
        return quote(value).strip("'")
    if isinstance(value, dict):
        return "key: value pairs"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return quote(value)


_QUOTE_IT = "Put text with special characters in quotes."

_SAME_COLUMN = "Start it in the same column as the line above."
UNEXPECTED_COLON = "unexpected ':'"

# (part of PyYAML's message, our message, our hint). The first match is used.
_SYNTAX: tuple[tuple[str, str, str], ...] = (
    (r"character '\t'", "a tab is not allowed here", "Use spaces for indentation and between a key and its value."),
    ("cannot start any token", "text cannot start with this character", _QUOTE_IT),
    (
        "mapping values are not allowed",
        UNEXPECTED_COLON,
        "Check the line above and the indentation. Text with ': ' must be in quotes.",
    ),
    ("could not find expected ':'", "expected 'key: value' here", "Is the ':' or a space after it missing?"),
    ("unexpected end of stream", "this quote is never closed", "Add the closing quote."),
    ("unexpected document separator", "this quote is never closed", "Add the closing quote."),
    ("unknown escape", r"unknown escape after '\'", r"Use single quotes, which have no escapes, or write '\\'."),
    ("expected escape sequence", "this escape needs more hexadecimal digits", r"Examples: \x0a, \u00e9."),
    ("expected ',' or ']'", "this list is never closed, or a ',' is missing", "Write [a, b, c]."),
    ("expected ',' or '}'", "this '{' is never closed, or a ',' is missing", "Write {a: 1, b: 2}."),
    (
        "expected <block end>",
        "this line does not match the lines above it",
        "Keys of a section start in the same column. Nothing may follow a value in quotes.",
    ),
    ("entries are not allowed", "a list item is not allowed here", "Start the list on a new line."),
    ("keys are not allowed", "a '?' is not allowed here", _QUOTE_IT),
    ("scanning an alias", "text cannot start with '*'", _QUOTE_IT),
    ("scanning an anchor", "text cannot start with '&'", _QUOTE_IT),
    ("scanning a block scalar", "text cannot start with '|' or '>'", _QUOTE_IT),
    ("scanning a tag", "text cannot start with '!'", _QUOTE_IT),
    ("tag handle", "text cannot start with '!'", _QUOTE_IT),
    ("directive", "a line cannot start with '%'", _QUOTE_IT),
    ("node content", "a value is missing or misplaced", "Check for an extra bracket, comma or dash."),
    ("document start", "this line does not belong to the configuration above it", "Check the indentation."),
)

# These errors are reported at the start of the construct, not where PyYAML stopped looking for its end.
_POINTS_AT_START = ("never closed", "'key: value'", "text cannot start with '")

_TOO_HIGH_ESCAPE = re.compile(r"\\U(?!000[0-9a-fA-F]|0010)[0-9a-fA-F]{8}")


def reworded(context: str, problem: str) -> tuple[str, str, bool]:
    """Our message and hint for an error of PyYAML, and whether to report it at the start of the construct."""
    error = f"{context} {problem}"
    for part, message, hint in _SYNTAX:
        if part in error:
            return message, hint, any(start in message for start in _POINTS_AT_START)
    return NOT_YAML, _QUOTE_IT, False


def _column_of_key_below(lines: Sequence[str], colon: Position) -> int | None:
    """The column of the key with this colon, if it is indented further than the line `key: value` above it."""
    line, column = colon
    text, above = lines[line - 1], next((other for other in reversed(lines[: line - 1]) if other.strip()), "")
    indent, indent_above = (len(each) - len(each.lstrip(" ")) for each in (text, above))
    is_key = text[: column - 1].strip().isidentifier() and re.match(r" *[\w.-]+: +[^#\s]", above)
    return indent + 1 if is_key and indent > indent_above else None


def start_of(event: yaml.Event) -> Position:
    """Line and character of the start of `event`, both from 1."""
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def events(text: str, source: str, lines: Sequence[str], earlier: Sequence[ConfigIssue]) -> Iterator[yaml.Event]:
    """PyYAML's events.

    Raises:
        ConfigError: a syntax error, after the `earlier` issues.
    """
    last: Position = (1, 1)
    done = 0
    if len(text) > FAST_TEXT and FAST_LOADER is not None:
        # libyaml is twenty times as fast. Its errors are others: those of a text of some size are said by PyYAML.
        try:
            for event in yaml.parse(text, Loader=FAST_LOADER):
                last, done = start_of(event), done + 1
                yield event
            return
        except (yaml.YAMLError, ValueError) as error:
            mark = getattr(error, "problem_mark", None)
            if mark is not None and mark.index > MAX_SLOW_TEXT:
                place = (mark.line + 1, mark.column + 1)
                raise ConfigError(*earlier, syntax_issue(NOT_YAML, source, lines, place, _QUOTE_IT)) from None
    try:
        for event in islice(yaml.parse(text, Loader=yaml.SafeLoader), done, None):
            last = start_of(event)
            yield event
    except yaml.MarkedYAMLError as error:
        message, hint, points_at_start = reworded(error.context or "", error.problem or "")
        mark = (error.context_mark if points_at_start else None) or error.problem_mark
        start = (mark.line + 1, mark.column + 1) if mark else last
        if message == UNEXPECTED_COLON and (column := _column_of_key_below(lines, start)):
            message, hint = "this line is indented further than the line above it, which has a value", _SAME_COLUMN
            start = (start[0], column)
        raise ConfigError(*earlier, syntax_issue(message, source, lines, start, hint)) from None
    except (ValueError, OverflowError, IndexError):
        # Not caught by PyYAML: chr() of "\UFFFFFFFF" and int() of a %YAML version with thousands of digits.
        escape = _TOO_HIGH_ESCAPE.search(text)
        start = position(text, escape.start()) if escape else last
        raise ConfigError(*earlier, syntax_issue("invalid character or number", source, lines, start)) from None


def read(path: str | FilePath) -> Document:
    """Read a configuration from a file, or from standard input for "-". UTF-8, with or without a byte order mark.

    Raises:
        ConfigError: the file cannot be read or parsed.
    """
    source = "<stdin>" if str(path) == "-" else str(path)
    _check_not_table(FilePath(path))
    try:
        if source == "<stdin>":
            data = sys.stdin.buffer.read(MAX_TEXT_BYTES + 1)
        else:
            with FilePath(path).open("rb") as file:
                data = file.read(MAX_TEXT_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigError(_unreadable(FilePath(path), error)) from None
    return parse_bytes(data, source)


def parse_bytes(data: bytes, source: str) -> Document:
    """Parse the content of a file; ConfigError as `read`."""
    if len(data) > MAX_TEXT_BYTES:
        raise too_large(source)
    try:
        return parse(data.decode("utf-8"), source)
    except UnicodeDecodeError as error:
        start = position(data[: error.start].decode("utf-8"), error.start)
        lines = LINE_BREAK.split(data.decode("utf-8", "backslashreplace"))
        message = f"the byte 0x{data[error.start]:02X} is not UTF-8"
        raise ConfigError(syntax_issue(message, source, lines, start, "Save the file as UTF-8.")) from None


TO_CONFIG = output_to("config.yaml")


def _check_not_table(path: FilePath) -> None:
    """Raise a ConfigError if the file name is that of a table: YAML syntax errors would not help."""
    if path.suffix.lower() in (".yaml", ".yml", ".txt", "") or not path.is_file():
        return
    from nncli.data.formats.registry import ZIP, suffix_of, table_suffixes  # rarely needed

    if suffix_of(path) in (*table_suffixes(), ZIP):
        target = UseOption("target", "target", placeholder="COLUMN")
        hint = Advice("Write a configuration for it: ", RunCommand("init", (str(path),), (target, TO_CONFIG)))
        raise ConfigError(ConfigIssue("this is a table, not a configuration", Location(str(path)), hint))


def _unreadable(path: FilePath, error: OSError | ValueError) -> ConfigIssue:
    """The issue of a file that cannot be opened, with the closest file name."""
    location = Location(str(path))
    if isinstance(error, ValueError):
        return ConfigIssue("this is not a valid file name", location)
    folder = path if path.is_dir() else path.parent
    try:
        names = sorted(p.name for p in folder.iterdir() if p.suffix in (".yaml", ".yml"))
    except OSError:
        names = []
    if path.is_dir():
        message = "this is a folder, not a configuration"
    elif isinstance(error, FileNotFoundError):
        message = "there is no such file"
    else:
        return ConfigIssue(f"the file cannot be read: {error.strerror or error}", location)
    closest = closest_file(path.name, names)
    if closest:
        return ConfigIssue(message, location, f"Did you mean {quote(closest)}?")
    return ConfigIssue(message, location, f"The folder has the configurations {join_quoted(names)}." if names else None)

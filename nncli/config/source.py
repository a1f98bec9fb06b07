"""The only YAML door: `read` or `parse` text, `override` from the command line, `validate`, and `dump` it back.

YAML 1.2's core schema, less what surprises: `no` and `1:30` and `007` and `2024-01-01` are text, `1e-3` is a
number, and tags, merge keys, duplicate keys and endless aliases are mistakes. What is read remembers where it
was written, so that every later mistake can point at its line.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Literal, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from nncli.config.mistakes import as_written, excerpt, model_mistakes, syntax_words, visible
from nncli.errors import ConfigError, Mistake, Place, UsageError, listed, nearest, quoted

LARGEST_TEXT = 1 << 20  # bytes
DEEPEST = 50  # sections and lists inside each other
MOST_VALUES = 100_000  # after aliases are expanded
MOST_MISTAKES = 20  # a file that is not a configuration at all need not be told a thousand times
LONGEST_ORIGIN = 100

Path = tuple[str | int, ...]
Position = tuple[int, int]
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Mark:
    """Where an entry was written: line and character (from 1) of its key and of its value.

    An entry set on the command line has no position, and `source` is the option that set it. A list item has no
    key; both positions are the item's.
    """

    source: str
    key: Position | None = None
    value: Position | None = None


@dataclass(frozen=True)
class Document:
    """A configuration as plain Python values, with the place of each. `lines` are the source's, for excerpts."""

    value: dict[str, object]
    marks: Mapping[Path, Mark]
    source: str
    lines: tuple[str, ...]

    def place(self, path: Path, at: Literal["key", "value"] = "key") -> Place:
        """Where `path` is, or else its nearest ancestor. A missing top-level key has no line."""
        known = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in self.marks), None)
        mark = self.marks[known] if known else Mark(self.source)
        line, character = (mark.key if at == "key" else mark.value) or (None, None)
        return Place(source=mark.source, line=line, character=character, key=_dotted(path) or None)

    def mistake(
        self, message: str, path: Path, at: Literal["key", "value"] = "key", hint: str | None = None
    ) -> Mistake:
        """A mistake at `path`, with the line it stands on."""
        place = self.place(path, at)
        return Mistake(message, place, hint, excerpt(self.lines, place.line, place.character))


def _dotted(path: Path) -> str:
    return ".".join(visible(str(step)) for step in path)


# --------------------------------------------------------------------------------------------------------------
# Text to characters to lines

_LINE_BREAK = re.compile(r"\r\n|\r|\n")

# YAML's printable characters, without U+0085, U+2028 and U+2029: it takes them for line breaks, editors do not.
_UNPRINTABLE = re.compile("[^\t\n\r -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _fault(message: str, source: str, lines: Sequence[str], at: Position, hint: str | None = None) -> Mistake:
    return Mistake(message, Place(source, *at), hint, excerpt(lines, *at))


def _position(text: str, index: int) -> Position:
    lines = _LINE_BREAK.split(text[:index])
    return len(lines), len(lines[-1]) + 1


def _too_large(source: str) -> ConfigError:
    hint = "Is this the right file? A configuration is a page or two of YAML."
    return ConfigError(Mistake("the text is larger than 1 MiB", Place(source), hint))


def _checked_lines(text: str, source: str) -> tuple[str, ...]:
    """The lines of `text`, once its size and its characters are known to be fit for YAML."""
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST_TEXT:
        raise _too_large(source)
    lines = tuple(_LINE_BREAK.split(text))
    strange = _UNPRINTABLE.search(text)
    if strange:
        message = f"the character U+{ord(strange[0]):04X} cannot stand in a configuration"
        hint = r'Delete it, or write it as an escape in double quotes: "\u' + f'{ord(strange[0]):04x}".'
        raise ConfigError(_fault(message, source, lines, _position(text, strange.start()), hint))
    return lines


# --------------------------------------------------------------------------------------------------------------
# Scalars

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


def _unquoted(text: str) -> object:
    """The value of a scalar written without quotes.

    Raises:
        ValueError: a number that Python would not read, or would round to infinity.
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


# --------------------------------------------------------------------------------------------------------------
# Events to values

_TOO_HIGH_ESCAPE = re.compile(r"\\U(?!000[0-9a-fA-F]|0010)[0-9a-fA-F]{8}")


def _at(event: yaml.Event) -> Position:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _events(text: str, source: str, lines: Sequence[str], earlier: Sequence[Mistake]) -> Iterator[yaml.Event]:
    """The parser's events. They are flat, so that depth can be refused before anything recurses.

    A syntax error is raised together with the mistakes gathered `earlier`, before it was reached.
    """
    last: Position = (1, 1)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            last = _at(event)
            yield event
    except yaml.MarkedYAMLError as error:
        message, hint, points_at_start = syntax_words(error.context or "", error.problem or "")
        mark = (error.context_mark if points_at_start else None) or error.problem_mark
        at = (mark.line + 1, mark.column + 1) if mark else last
        raise ConfigError(*earlier, _fault(message, source, lines, at, hint)) from None
    except (ValueError, OverflowError, IndexError):
        # PyYAML lets these through: "\UFFFFFFFF" to chr(), and a %YAML version of five thousand digits to int().
        high = _TOO_HIGH_ESCAPE.search(text)
        at = _position(text, high.start()) if high else last
        raise ConfigError(*earlier, _fault("no such character or number", source, lines, at)) from None


@dataclass(frozen=True)
class _Anchored:
    value: object
    size: int  # values inside, aliases expanded, itself included
    height: int  # sections and lists inside each other, itself included


@dataclass
class _Composer:
    """Builds values from events. Mistakes that leave the structure clear are gathered; the others are raised."""

    text: str
    source: str
    lines: Sequence[str]
    marks: dict[Path, Mark] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    anchors: dict[str, _Anchored | None] = field(default_factory=dict)  # None while still being built
    size: int = 0
    deepest: int = 0

    def __post_init__(self) -> None:
        self.events = _events(self.text, self.source, self.lines, self.mistakes)

    def wrong(self, event: yaml.Event, message: str, hint: str | None = None) -> None:
        self.mistakes.append(_fault(message, self.source, self.lines, _at(event), hint))
        if len(self.mistakes) == MOST_MISTAKES:
            raise ConfigError(*self.mistakes)

    def fatal(self, event: yaml.Event, message: str, hint: str | None = None) -> ConfigError:
        return ConfigError(*self.mistakes, _fault(message, self.source, self.lines, _at(event), hint))

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
            self.wrong(event, f"tags such as {quoted(spelled)} are not supported", "Remove the tag, or quote the text.")
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
            raise self.fatal(event, f"the alias {quoted('*' + name)} stands inside what it stands for")
        if anchored is None:
            hint = "Text that starts with '*' must be in quotes."
            raise self.fatal(event, f"nothing is called {quoted('&' + name)} above this alias", hint)
        self.grow(event, anchored.size, depth + anchored.height)
        return anchored.value

    def scalar(self, event: yaml.ScalarEvent) -> object:
        text = event.value
        try:
            # "\ud83d\ude00" is JSON's way to write one character; half of such a pair is none.
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
            return text if event.style else _unquoted(text)
        except UnicodeError:
            self.wrong(event, r"half a surrogate pair (\ud800 to \udfff) is not a character")
        except ValueError:
            self.wrong(event, f"the number {quoted(text)} is too large")
        return None

    def sequence(self, path: Path, depth: int) -> list[object]:
        values: list[object] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            here = (*path, len(values))
            self.marks[here] = Mark(self.source, _at(event), _at(event))
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
                self.wrong(event, f"the key {quoted(key)} is given twice; first on line {first and first[0]}")
            value_event = next(self.events)
            if key is not None and key not in values:
                self.marks[here] = Mark(self.source, _at(event), _at(value_event))
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
class _Composed:
    value: object
    marks: dict[Path, Mark]
    lines: tuple[str, ...]
    start: Position
    inline: bool  # [a, b] and {a: 1} and words, rather than one item a line


def _compose(text: str, source: str, depth: int = 0) -> _Composed:
    """The one value in `text`, which stands inside `depth` sections and lists; None when there is nothing."""
    lines = _checked_lines(text, source)
    composer = _Composer(text, source, lines)
    value: object = None
    start: Position = (1, 1)
    documents, inline = 0, True
    for event in composer.events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise composer.fatal(event, "a second configuration starts here", "Give each a file of its own.")
        elif isinstance(event, yaml.NodeEvent):
            start = _at(event)
            inline = getattr(event, "flow_style", True) is not False and getattr(event, "style", "") not in ("|", ">")
            value = composer.node(event, (), depth)
    if composer.mistakes:
        raise ConfigError(*composer.mistakes)
    return _Composed(value, composer.marks, lines, start, inline)


def parse(text: str, source: str) -> Document:
    """Read a configuration from `text`; `source` is the name that mistakes give to it.

    Raises:
        ConfigError: the text is not the YAML that is described at the top of this file.
    """
    found = _compose(text.removeprefix("\ufeff"), source)
    if found.value is None:
        raise ConfigError(Mistake("the configuration is empty", Place(source)))
    if not isinstance(found.value, dict):
        hint = "A space must follow the ':' after a key."
        raise ConfigError(_fault("expected key: value pairs", source, found.lines, found.start, hint))
    return Document(found.value, MappingProxyType(found.marks), source, found.lines)


def read(path: str | FilePath) -> Document:
    """Read a configuration from a file, or from standard input for "-". UTF-8, with or without a byte order mark.

    Raises:
        ConfigError: the file cannot be read, or what it holds cannot be parsed.
    """
    source = "<stdin>" if str(path) == "-" else str(path)
    try:
        if source == "<stdin>":
            data = sys.stdin.buffer.read(LARGEST_TEXT + 1)
        else:
            with FilePath(path).open("rb") as file:
                data = file.read(LARGEST_TEXT + 1)
    except (OSError, ValueError) as error:
        raise ConfigError(_unreadable(FilePath(path), error)) from None
    if len(data) > LARGEST_TEXT:
        raise _too_large(source)
    try:
        return parse(data.decode("utf-8"), source)
    except UnicodeDecodeError as error:
        at = _position(data[: error.start].decode("utf-8"), error.start)
        lines = _LINE_BREAK.split(data.decode("utf-8", "backslashreplace"))
        message = f"the byte 0x{data[error.start]:02X} is not UTF-8"
        raise ConfigError(_fault(message, source, lines, at, "Save the file with the encoding UTF-8.")) from None


def _unreadable(path: FilePath, error: OSError | ValueError) -> Mistake:
    """What is wrong with a file that could not be opened, and which one may have been meant."""
    place = Place(str(path))
    if isinstance(error, ValueError):
        return Mistake("this is not a usable file name", Place(visible(str(path))))
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
        return Mistake(f"the file cannot be read: {error.strerror or error}", place)
    near = nearest(path.name, names)
    if near:
        return Mistake(message, place, f"Did you mean {quoted(near)}?")
    return Mistake(message, place, f"The configurations there are {listed(names)}." if names else None)


# --------------------------------------------------------------------------------------------------------------
# Overrides


def override(document: Document, assignments: Sequence[str]) -> Document:
    """`document` with each "a.b.0.c=value" applied in turn; the value is YAML written inline.

    Missing sections are made on the way. A word where a section is needed is the section's short form: with
    `optimizer: sgd`, "optimizer.momentum=0.9" makes {type: sgd, momentum: 0.9}.

    Raises:
        UsageError: an assignment is not of this form.
        ConfigError: the value is not valid YAML, or the path leads through something that is not a section.
    """
    for assignment in assignments:
        document = _assign(document, assignment)
    return document


def _assign(document: Document, assignment: str) -> Document:
    dotted, equals, text = assignment.partition("=")
    words = dotted.strip().split(".")
    shown = visible(assignment)
    origin = "--set " + (shown if len(shown) <= LONGEST_ORIGIN else shown[: LONGEST_ORIGIN - 1] + "…")
    if not equals or not all(words):
        hint = "For example --set optimizer.learning_rate=0.01"
        raise UsageError(f"expected key=value, found {quoted(assignment)}", place=Place("--set"), hint=hint)

    def wrong(message: str, hint: str | None = None) -> ConfigError:
        return ConfigError(Mistake(message, Place(origin, key=visible(dotted.strip())), hint))

    if len(words) > DEEPEST:
        raise wrong(f"more than {DEEPEST} sections inside each other")
    try:
        _checked_lines(dotted, origin)
        found = _compose(text, origin, depth=len(words))
    except ConfigError as error:
        # The line and character count within the argument, which nobody thinks of as a file.
        raise ConfigError(*(replace(m, place=wrong("").place or m.place) for m in error.mistakes)) from None
    if found.value is None and text.lstrip().startswith("#"):
        raise wrong("YAML takes a value that starts with '#' for a comment", "Put it in quotes.")
    if not found.inline:
        raise wrong("the value must be written inline", "Put text in quotes; write [a, b] and {key: value}.")

    marks = dict(document.marks)

    def put(node: object, words: Sequence[str], path: Path) -> object:
        """`node` with the value at `words` below it. Only what lies on the way is copied, never changed in place."""
        if not words:
            for old in [p for p in marks if p[: len(path)] == path]:
                del marks[old]
            marks[path] = Mark(origin)
            return found.value
        word, *rest = words
        if isinstance(node, list):
            if not re.fullmatch("[0-9]{1,9}", word) or int(word) >= len(node):
                numbers = f"Its items are numbered 0 to {len(node) - 1}." if node else None
                raise wrong(f"{quoted(word)} is not an item of {quoted(_dotted(path))}", numbers)
            index = int(word)
            return [*node[:index], put(node[index], rest, (*path, index)), *node[index + 1 :]]
        if node is None:
            marks.setdefault(path, Mark(origin))
            node = {}
        elif isinstance(node, str):
            short = marks.get(path, Mark(document.source))
            marks[(*path, "type")] = replace(short, key=short.value)
            node = {"type": node}
        elif not isinstance(node, dict):
            hint = f"It comes from {replace(document.place(path, 'value'), key=None)}."
            raise wrong(f"{quoted(_dotted(path))} is {as_written(node)}, which has no keys", hint)
        return {**node, word: put(node.get(word), rest, (*path, word))}

    changed = {**document.value, words[0]: put(document.value.get(words[0]), words[1:], (words[0],))}
    return replace(document, value=changed, marks=MappingProxyType(marks))


# --------------------------------------------------------------------------------------------------------------
# Out of the door


def validate(model: type[M], document: Document) -> M:
    """The document as a `model`.

    Raises:
        ConfigError: it does not fit; holds every mistake, in the order of the file.
    """
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        raise ConfigError(*model_mistakes(error, model, document)) from None


# Text that every YAML reader, of version 1.1 or 1.2, takes for text without quotes. All else is quoted.
_PLAIN = re.compile(r"[^\W\d][\w./+-]*(?: [\w/+][\w./+-]*)*")
_OLD_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_ESCAPES = MappingProxyType({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"})
_LONGEST_KEY = 1000  # a longer one needs the "? key" form
_LONGEST_INLINE = 80


def dump(value: Mapping[str, object]) -> str:
    """Block-style YAML such that `parse(dump(value), ...).value == value`; keys keep their order.

    Raises:
        TypeError: something inside is not a str, int, float, bool, None, list or dict.
    """
    return "\n".join(_written(dict(value))) + "\n"


def _written(value: object) -> list[str]:
    """The lines of `value`, not indented; what fits on one line is one line."""
    if isinstance(value, dict) and value:
        return [line for key, item in value.items() for line in _entry(key, item)]
    if isinstance(value, list) and value:
        inline = None if any(isinstance(v, dict | list) for v in value) else ", ".join(map(_scalar, value))
        if inline is not None and len(inline) <= _LONGEST_INLINE:
            return [f"[{inline}]"]
        return [("  " if number else "- ") + line for item in value for number, line in enumerate(_written(item))]
    return [_scalar(value)]


def _entry(key: object, value: object) -> Iterator[str]:
    if not isinstance(key, str):
        raise TypeError(f"a key must be text, not {type(key).__name__}")
    word, lines = _scalar(key), _written(value)
    if len(word) > _LONGEST_KEY:
        yield f"? {word}"
        word = ""
    if not isinstance(value, dict | list) or not value or lines[0].startswith("["):
        yield f"{word}: {lines[0]}"
    else:
        yield f"{word}:"
        yield from ("  " + line for line in lines)


def _scalar(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() if math.isfinite(value):
            text = repr(value)
            # YAML 1.1 wants a point before the exponent.
            return text if "." in text else text.replace("e", ".0e")
        case float():
            return as_written(value)
        case str():
            plain = _PLAIN.fullmatch(value) and value.lower() not in _OLD_WORDS
            return value if plain else '"' + "".join(map(_escaped, value)) + '"'
        case []:
            return "[]"
        case dict() if not value:
            return "{}"
    raise TypeError(f"{type(value).__name__} cannot be written as YAML")


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

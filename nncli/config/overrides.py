"""Override values of a document from the command line and the environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from nncli.base.errors import Advice, ConfigError, ConfigIssue, Location, SetKey, UsageError
from nncli.base.plugins import ALLOWED, TRUST
from nncli.base.text import join_quoted, quote
from nncli.config.errors.suggestions import item_type, suggest
from nncli.config.yaml.document import Document, Path, SourceSpan, checked_lines, dotted
from nncli.config.yaml.parser import MAX_DEPTH, describe, parse_value

OPTION = "--set"
PREFIX = "NNCLI_"
NO_KEYS = frozenset({"NNCLI_DEBUG", ALLOWED, TRUST})
"""Variables of nncli that are not configuration keys."""
OF_A_SERVICE = re.compile(
    r"NNCLI_(?=\w*+\Z)(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
"""Variables that Kubernetes sets in every pod for a service called nncli or nncli-something."""
MARKS = frozenset(",|'`")
"""Words that are these characters, as separators and decimal marks are; as YAML they would be no values."""
DIRECTIVE = "%"
"""The beginning of a date format, with which no value of YAML begins."""
MAX_SOURCE_LENGTH = 100
MAX_NAMES = 3


@dataclass(frozen=True)
class Assignment:
    """A value for the key at `path`, or the issues of a text that has none. `span` names the option or variable.

    `inner_spans` are those of entries inside the value, by their path in it, where they are known. A value that `adds`
    is a list whose items follow those that are there.
    """

    path: tuple[str, ...]
    span: SourceSpan
    value: object = None
    issues: tuple[ConfigIssue, ...] = ()
    inner_spans: Mapping[Path, SourceSpan] = field(default_factory=dict)
    adds: bool = False

    def error(self, message: str, hint: str | None = None) -> ConfigError:
        """An error of this assignment."""
        line, character = self.span.key or (None, None)
        return ConfigError(ConfigIssue(message, Location(self.span.source, line, character, ".".join(self.path)), hint))


def override(document: Document, assignments: Iterable[Assignment]) -> tuple[Document, list[ConfigIssue]]:
    """The document with each valid assignment applied in turn, and the issues of the others.

    Missing sections are created. A word in place of a section is its short form: with `optimizer: sgd`,
    "optimizer.momentum=0.9" gives {type: sgd, momentum: 0.9}.
    """
    issues: list[ConfigIssue] = []
    for assignment in assignments:
        issues.extend(assignment.issues)
        try:
            document = document if assignment.issues else _assign(document, assignment)
        except ConfigError as error:
            issues.extend(error.issues)
    return document, issues


def apply_overrides(document: Document, options: Iterable[str]) -> Document:
    """The document with each `key=value` applied in turn.

    Raises:
        ConfigError: a value cannot be parsed, or a key leads through a value that has no keys.
        UsageError: an option is not of the form key=value.
    """
    document, issues = override(document, from_options(options))
    if issues:
        raise ConfigError(*issues)
    return document


def _assign(document: Document, assignment: Assignment) -> Document:
    spans = dict(document.spans)

    def put(node: object, keys: Sequence[str], path: Path) -> object:
        """A copy of `node`, which is at `path`, with the value set at `keys` below it."""
        if not keys:
            for old in [p for p in spans if p[: len(path)] == path]:
                del spans[old]
            spans.update({(*path, *inner): span for inner, span in assignment.inner_spans.items()})
            spans[path] = assignment.span
            if assignment.adds and isinstance(node, list) and isinstance(assignment.value, list):
                return [*node, *(item for item in assignment.value if item not in node)]
            return assignment.value
        key, *rest = keys
        if isinstance(node, list):
            if not re.fullmatch("[0-9]{1,9}", key) or int(key) >= len(node):
                hint = f"The items are numbered from 0 to {len(node) - 1}." if node else None
                raise assignment.error(f"{quote(key)} is not an item of {quote(dotted(path))}", hint)
            index = int(key)
            return [*node[:index], put(node[index], rest, (*path, index)), *node[index + 1 :]]
        if node is None:
            spans.setdefault(path, assignment.span)
            node = {}
        elif isinstance(node, str):
            short = spans.get(path, SourceSpan(document.source))
            spans[(*path, "type")] = replace(short, key=short.value)
            node = {"type": node}
        elif not isinstance(node, dict):
            hint = f"It is set in {replace(document.location(path, 'value'), key=None)}."
            raise assignment.error(f"{quote(dotted(path))} is {describe(node)}, which has no keys", hint)
        return {**node, key: put(node.get(key), rest, (*path, key))}

    first, *rest = assignment.path
    value = {**document.value, first: put(document.value.get(first), rest, (first,))}
    return replace(document, value=value, spans=MappingProxyType(spans))


def from_options(texts: Iterable[str]) -> Iterator[Assignment]:
    """Parse each `a.b.0.c=value` of a `--set`; the value is inline YAML. A `+=` adds to a list.

    Raises:
        UsageError: a text is not of this form.
    """
    for text in texts:
        key, equals, value = text.partition("=")
        path, adds = tuple(key.strip().removesuffix("+").split(".")), key.rstrip().endswith("+")
        if not equals or not all(path):
            hint = Advice("For example ", SetKey("optimizer.type", "adam"))
            raise UsageError(f"expected key=value, found {quote(text)}", location=Location(OPTION), hint=hint)
        span = SourceSpan(f"{OPTION} {shortened(text)}", setter=OPTION)
        yield with_value(Assignment(path, span, adds=adds), value)


def from_environment(environment: Mapping[str, str], keys: Iterable[str]) -> Iterator[Assignment]:
    """Parse variables such as NNCLI_EPOCHS=10 and NNCLI_DATA__TARGET=y, which set one of `keys` or a key inside it.

    Empty variables and those that Kubernetes sets are ignored. Any other variable with the prefix that is not a key is
    an issue, so that a misspelled name cannot go unnoticed.
    """
    names = list(keys)
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX) or name in NO_KEYS or not text.strip():
            continue
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        assignment = Assignment(path, SourceSpan(shortened(f"{name}={text}"), setter=name))
        if path[0] in names and all(path):
            yield with_value(assignment, text)
            continue
        if OF_A_SERVICE.fullmatch(name):
            continue
        near = suggest(path[0], names)
        better = f"; did you mean {quote(PREFIX + '__'.join([near, *path[1:]]).upper())}?" if near else ""
        location = Location(assignment.span.source)
        hint = f"Unset it or use the name of a key: {PREFIX}EPOCHS is epochs, {PREFIX}DATA__TARGET is data.target."
        yield replace(assignment, issues=(ConfigIssue(f"{quote(name)} is not a key{better}", location, hint),))


def ignored_variables(environment: Mapping[str, str]) -> str | None:
    """A note on the variables with our prefix that Kubernetes has set; None if there are none."""
    names = sorted(name for name in environment if OF_A_SERVICE.fullmatch(name))
    if not names:
        return None
    shown = join_quoted(names[:MAX_NAMES]) + (" …" if len(names) > MAX_NAMES else "")
    return f"ignored {shown}: Kubernetes sets these variables for a service called nncli, and they are not keys"


def shortened(text: str) -> str:
    """The text of an option as the source of an error."""
    return text if len(text) <= MAX_SOURCE_LENGTH else text[: MAX_SOURCE_LENGTH - 1] + "…"


def with_value(assignment: Assignment, text: str) -> Assignment:
    """The assignment with the value of `text`, which is inline YAML, or with the issues in it."""
    try:
        return replace(assignment, value=_listed(assignment.path, text, _value(assignment, text)))
    except ConfigError as error:
        return replace(assignment, issues=error.issues)


def _listed(path: Sequence[str], text: str, value: object) -> object:
    """The value of a text; where a key takes a list alone, one item or several with commas between them become one."""
    items = None if isinstance(value, list | dict | bool | None) else item_type(path)
    if items is None:
        return value
    if text.lstrip()[:1] in ("'", '"'):
        return [value]
    words = [word for word in (part.strip() for part in text.split(",")) if word]
    return [word if items is str else parse_value(word, OPTION).value for word in words]


def _value(assignment: Assignment, text: str) -> object:
    if text.strip() in MARKS or text.lstrip().startswith(DIRECTIVE):
        return text.strip()
    source, depth = assignment.span.source, len(assignment.path)
    if depth > MAX_DEPTH:
        raise assignment.error(f"sections are nested more than {MAX_DEPTH} deep")
    try:
        checked_lines(".".join(assignment.path), source)
        parsed = parse_value(text, source, depth=depth)
    except ConfigError as error:
        # Line and character count within the argument and are of no use.
        location = Location(source, key=".".join(assignment.path))
        raise ConfigError(*(replace(issue, location=location) for issue in error.issues)) from None
    if parsed.value is None and text.lstrip().startswith("#"):
        raise assignment.error("in YAML, a value that starts with '#' is a comment", "Put it in quotes.")
    if not parsed.inline:
        raise assignment.error("the value must be inline YAML", "Put text in quotes; write [a, b] and {key: value}.")
    return parsed.value

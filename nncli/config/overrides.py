"""A value from the command line or the environment put into a document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from nncli.config.errors.aliases import suggest
from nncli.config.yaml.document import Document, Path, SourceSpan, dotted
from nncli.config.yaml.parser import DEEPEST, compose
from nncli.config.yaml.scalars import describe
from nncli.config.yaml.source_text import checked_lines
from nncli.errors import ConfigError, ConfigIssue, Location, UsageError
from nncli.text import join_quoted, quote


def override(document: Document, assignments: Iterable[Assignment], mistakes: list[ConfigIssue]) -> Document:
    """`document` with each assignment applied in turn. What is wrong with one is gathered, and it is left out.

    Missing sections are made on the way. A word where a section is needed is the section's short form: with
    `optimizer: sgd`, "optimizer.momentum=0.9" makes {type: sgd, momentum: 0.9}.
    """
    for assignment in assignments:
        mistakes.extend(assignment.mistakes)
        try:
            document = document if assignment.mistakes else _assign(document, assignment)
        except ConfigError as error:
            mistakes.extend(error.issues)
    return document


def apply_overrides(document: Document, options: Iterable[str]) -> Document:
    """`document` with each `key=value` applied in turn.

    Raises:
        ConfigError, UsageError: one of them is wrong.
    """
    mistakes: list[ConfigIssue] = []
    document = override(document, from_options(options), mistakes)
    if mistakes:
        raise ConfigError(*mistakes)
    return document


def _assign(document: Document, assignment: Assignment) -> Document:
    marks = dict(document.spans)

    def put(node: object, words: Sequence[str], path: Path) -> object:
        """`node` with the value at `words` below it. Only what lies on the way is copied, never changed in place."""
        if not words:
            for old in [p for p in marks if p[: len(path)] == path]:
                del marks[old]
            marks[path] = assignment.mark
            return assignment.value
        word, *rest = words
        if isinstance(node, list):
            if not re.fullmatch("[0-9]{1,9}", word) or int(word) >= len(node):
                numbers = f"Its items are numbered 0 to {len(node) - 1}." if node else None
                raise assignment.wrong(f"{quote(word)} is not an item of {quote(dotted(path))}", numbers)
            index = int(word)
            return [*node[:index], put(node[index], rest, (*path, index)), *node[index + 1 :]]
        if node is None:
            marks.setdefault(path, assignment.mark)
            node = {}
        elif isinstance(node, str):
            short = marks.get(path, SourceSpan(document.source))
            marks[(*path, "type")] = replace(short, key=short.value)
            node = {"type": node}
        elif not isinstance(node, dict):
            hint = f"It comes from {replace(document.location(path, 'value'), key=None)}."
            raise assignment.wrong(f"{quote(dotted(path))} is {describe(node)}, which has no keys", hint)
        return {**node, word: put(node.get(word), rest, (*path, word))}

    first, *rest = assignment.words
    changed = {**document.value, first: put(document.value.get(first), rest, (first,))}
    return replace(document, value=changed, spans=MappingProxyType(marks))


OPTION = "--set"


PREFIX = "NNCLI_"


NO_KEYS = frozenset({"NNCLI_DEBUG"})
"""Variables that say something else."""


OF_A_SERVICE = re.compile(
    r"NNCLI_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
"""Variables that Kubernetes sets in every pod beside a service called nncli, or nncli-something."""


LONGEST_ORIGIN = 100


MOST_NAMED = 3


@dataclass(frozen=True)
class Assignment:
    """A value for the key at `words`, or the mistakes that keep it from being one. The mark says who set it."""

    words: tuple[str, ...]
    mark: SourceSpan
    value: object = None
    mistakes: tuple[ConfigIssue, ...] = ()

    def wrong(self, message: str, hint: str | None = None) -> ConfigError:
        """The refusal of this assignment."""
        return ConfigError(ConfigIssue(message, Location(self.mark.source, key=".".join(self.words)), hint))


def from_options(texts: Iterable[str]) -> Iterator[Assignment]:
    """What each `--set a.b.0.c=value` says; the value is YAML written inline.

    Raises:
        UsageError: a text is not of this form.
    """
    for text in texts:
        address, equals, value = text.partition("=")
        words = tuple(address.strip().split("."))
        if not equals or not all(words):
            hint = "For example --set optimizer.type=adam"
            raise UsageError(f"expected key=value, found {quote(text)}", place=Location(OPTION), hint=hint)
        yield _read(Assignment(words, SourceSpan(f"{OPTION} {_shortened(text)}", setter=OPTION)), value)


def from_environment(environment: Mapping[str, str], keys: Iterable[str]) -> Iterator[Assignment]:
    """What variables such as NNCLI_EPOCHS=10 and NNCLI_DATA__TARGET=y say of `keys` and what is within them.

    An empty variable is as good as none, and so is one that Kubernetes sets of its own accord. Any other that is no key
    is a mistake: by its name it is meant for nncli, and a misspelt one would silently train something else.
    """
    known = list(keys)
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX) or name in NO_KEYS or not text.strip():
            continue
        words = tuple(name.removeprefix(PREFIX).lower().split("__"))
        assignment = Assignment(words, SourceSpan(_shortened(f"{name}={text}"), setter=name))
        if words[0] in known and all(words):
            yield _read(assignment, text)
            continue
        if OF_A_SERVICE.fullmatch(name):
            continue
        near = suggest(words[0], known)
        better = f"; did you mean {quote(PREFIX + '__'.join([near, *words[1:]]).upper())}?" if near else ""
        place = Location(assignment.mark.source)
        hint = f"Unset it, or name a key: {PREFIX}EPOCHS is epochs, {PREFIX}DATA__TARGET is data.target."
        yield replace(assignment, mistakes=(ConfigIssue(f"{quote(name)} sets no key{better}", place, hint),))


def ignored_variables(environment: Mapping[str, str]) -> str | None:
    """A note on variables that begin as those for nncli do and are Kubernetes's; None where there are none."""
    names = sorted(name for name in environment if OF_A_SERVICE.fullmatch(name))
    if not names:
        return None
    shown = join_quoted(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")
    return f"passed over {shown}: Kubernetes sets such variables for a service of this name, and they set no key"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_ORIGIN else text[: LONGEST_ORIGIN - 1] + "…"


def _read(assignment: Assignment, text: str) -> Assignment:
    """The assignment with the value that `text` spells, or with the mistakes in it."""
    try:
        return replace(assignment, value=_value(assignment, text))
    except ConfigError as error:
        return replace(assignment, mistakes=error.issues)


def _value(assignment: Assignment, text: str) -> object:
    origin, depth = assignment.mark.source, len(assignment.words)
    if depth > DEEPEST:
        raise assignment.wrong(f"more than {DEEPEST} sections inside each other")
    try:
        checked_lines(".".join(assignment.words), origin)
        found = compose(text, origin, depth=depth)
    except ConfigError as error:
        # The line and character count within the argument, which nobody thinks of as a file.
        place = Location(origin, key=".".join(assignment.words))
        raise ConfigError(*(replace(mistake, place=place) for mistake in error.issues)) from None
    if found.value is None and text.lstrip().startswith("#"):
        raise assignment.wrong("YAML takes a value that starts with '#' for a comment", "Put it in quotes.")
    if not found.inline:
        raise assignment.wrong("the value must be written inline", "Put text in quotes; write [a, b] and {key: value}.")
    return found.value

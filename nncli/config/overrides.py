"""`--set optimizer.type=adam`: a value from the command line put into a document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

from nncli.config.document import Document, Mark, Path, dotted
from nncli.config.parsing import DEEPEST, compose
from nncli.config.scalars import as_written
from nncli.config.text import checked_lines
from nncli.errors import ConfigError, Mistake, Place, UsageError, quoted

LONGEST_ORIGIN = 100


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
    address, equals, text = assignment.partition("=")
    words = address.strip().split(".")
    shown = assignment if len(assignment) <= LONGEST_ORIGIN else assignment[: LONGEST_ORIGIN - 1] + "…"
    origin = f"--set {shown}"
    if not equals or not all(words):
        hint = "For example --set optimizer.type=adam"
        raise UsageError(f"expected key=value, found {quoted(assignment)}", place=Place("--set"), hint=hint)

    def wrong(message: str, hint: str | None = None) -> ConfigError:
        return ConfigError(Mistake(message, Place(origin, key=address.strip()), hint))

    if len(words) > DEEPEST:
        raise wrong(f"more than {DEEPEST} sections inside each other")
    try:
        checked_lines(address, origin)
        found = compose(text, origin, depth=len(words))
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
                raise wrong(f"{quoted(word)} is not an item of {quoted(dotted(path))}", numbers)
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
            raise wrong(f"{quoted(dotted(path))} is {as_written(node)}, which has no keys", hint)
        return {**node, word: put(node.get(word), rest, (*path, word))}

    changed = {**document.value, words[0]: put(document.value.get(words[0]), words[1:], (words[0],))}
    return replace(document, value=changed, marks=MappingProxyType(marks))

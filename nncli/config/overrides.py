"""A value from the command line or the environment put into a document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from types import MappingProxyType

from nncli.config.assignments import Assignment, from_options
from nncli.config.document import Document, Mark, Path, dotted
from nncli.config.scalars import as_written
from nncli.errors import ConfigError, Mistake, quoted


def override(document: Document, assignments: Iterable[Assignment], mistakes: list[Mistake]) -> Document:
    """`document` with each assignment applied in turn. What is wrong with one is gathered, and it is left out.

    Missing sections are made on the way. A word where a section is needed is the section's short form: with
    `optimizer: sgd`, "optimizer.momentum=0.9" makes {type: sgd, momentum: 0.9}.
    """
    for assignment in assignments:
        mistakes.extend(assignment.mistakes)
        try:
            document = document if assignment.mistakes else _assign(document, assignment)
        except ConfigError as error:
            mistakes.extend(error.mistakes)
    return document


def overridden(document: Document, options: Iterable[str]) -> Document:
    """`document` with each `key=value` applied in turn.

    Raises:
        ConfigError, UsageError: one of them is wrong.
    """
    mistakes: list[Mistake] = []
    document = override(document, from_options(options), mistakes)
    if mistakes:
        raise ConfigError(*mistakes)
    return document


def _assign(document: Document, assignment: Assignment) -> Document:
    marks = dict(document.marks)

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
                raise assignment.wrong(f"{quoted(word)} is not an item of {quoted(dotted(path))}", numbers)
            index = int(word)
            return [*node[:index], put(node[index], rest, (*path, index)), *node[index + 1 :]]
        if node is None:
            marks.setdefault(path, assignment.mark)
            node = {}
        elif isinstance(node, str):
            short = marks.get(path, Mark(document.source))
            marks[(*path, "type")] = replace(short, key=short.value)
            node = {"type": node}
        elif not isinstance(node, dict):
            hint = f"It comes from {replace(document.place(path, 'value'), key=None)}."
            raise assignment.wrong(f"{quoted(dotted(path))} is {as_written(node)}, which has no keys", hint)
        return {**node, word: put(node.get(word), rest, (*path, word))}

    first, *rest = assignment.words
    changed = {**document.value, first: put(document.value.get(first), rest, (first,))}
    return replace(document, value=changed, marks=MappingProxyType(marks))

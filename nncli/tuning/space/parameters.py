"""The parameters of a search space as it is written, also those inside choices, before they are checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nncli.config.schema.tune import Choices, Range
from nncli.config.yaml.document import Document, SourceSpan
from nncli.config.yaml.document import Path as SourcePath
from nncli.config.yaml.writer import one_line
from nncli.tuning.space.domains import ChoiceDomain, NumberDomain
from nncli.tuning.space.keys import Key, key_of, long_form
from nncli.tuning.space.space import Condition, Parameter

Inside = list[tuple[Key, Range | Choices]]
"""What keys inside a choice are chosen from."""


@dataclass(frozen=True)
class WrittenParameter:
    """A parameter and what it is chosen from as it is written.

    `nested` are the search spaces inside each of its choices. One that `is_nested` itself must have a value wherever
    the choice is made that it is in: the key has no other one.
    """

    parameter: Parameter
    written: Range | Choices
    nested: tuple[Inside, ...] = ()
    is_nested: bool = False


def parameters_of(search: Mapping[str, Range | Choices], document: Document) -> Iterator[WrittenParameter]:
    """The parameters of the section `tune.search` in a document."""
    for name, domain in search.items():
        yield from _parameters(name, key_of(name), domain, ("tune", "search", name), None, document)


def _parameters(
    name: str, key: Key, domain: Range | Choices, path: SourcePath, condition: Condition | None, document: Document
) -> Iterator[WrittenParameter]:
    span = _span(document, path)
    if isinstance(domain, Range):
        parameter = Parameter(name, key, number_domain(domain), span, (), condition)
        yield WrittenParameter(parameter, domain, is_nested=condition is not None)
        return
    nested: tuple[Inside, ...] = tuple([] for _ in domain.choices)
    plain = [_without_domains(value, (), found) for value, found in zip(domain.choices, nested, strict=True)]
    spans = tuple(_span(document, (*path, "choices", i)) for i in range(len(plain)))
    values = tuple(long_form(key, _completed(value)) for value in plain)
    choices = ChoiceDomain(values, _labels(plain))
    parameter = Parameter(name, key, choices, span, spans, condition)
    yield WrittenParameter(parameter, domain, nested, is_nested=condition is not None)
    for i, found in enumerate(nested):
        label = _name_of(plain, i)
        for inner, inner_domain in found:
            at = (*path, "choices", i, *(int(step) if step.isdecimal() else step for step in inner))
            inside = Condition(name, frozenset([i]))
            full_name = f"{name}{label}{'.' if inner else ''}{'.'.join(inner)}"
            yield from _parameters(full_name, (*key, *inner), inner_domain, at, inside, document)


def number_domain(written: Range) -> NumberDomain:
    """The numbers of a range: whole numbers if all that is written is whole."""
    low, high, step = written.low, written.high, written.step
    is_int = isinstance(low, int) and isinstance(high, int) and isinstance(step, int | None)
    if is_int:
        return NumberDomain(low, high, step, written.scale == "log", is_int=True)
    return fractions_of(written)


def fractions_of(written: Range) -> NumberDomain:
    """The numbers of a range, also those that are not whole."""
    return NumberDomain(float(written.low), float(written.high), written.step, written.scale == "log", is_int=False)


class _Domain:
    """The place of a search space inside a choice."""


def _without_domains(value: object, key: Key, found: Inside) -> object:
    """The value with `_Domain` in place of each search space inside it, which are added to `found`."""
    if isinstance(value, Range | Choices):
        found.append((key, value))
        return _Domain()
    if isinstance(value, Mapping):
        return {name: _without_domains(item, (*key, str(name)), found) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_domains(item, (*key, str(i)), found) for i, item in enumerate(value)]
    return value


def _completed(value: object) -> object:
    """The value without the keys that have a search space of their own; an item of a list is None instead."""
    if isinstance(value, _Domain):
        return None
    if isinstance(value, Mapping):
        return {name: _completed(item) for name, item in value.items() if not isinstance(item, _Domain)}
    return [_completed(item) for item in value] if isinstance(value, list) else value


def _labels(choices: Sequence[object]) -> tuple[str, ...]:
    """The types of the choices, those without one of their own as inline YAML, numbered where two would look alike."""
    texts = [_own_type(choices, i) or one_line(_completed(choice)) for i, choice in enumerate(choices)]
    return tuple(text if texts.count(text) == 1 else f"{text} ({i})" for i, text in enumerate(texts))


def _name_of(choices: Sequence[object], i: int) -> str:
    """`.sgd` for a choice of that type; `[2]`, its number, from 0, if it has none, or others have the same."""
    own = _own_type(choices, i)
    return f"[{i}]" if own is None else f".{own}"


def _own_type(choices: Sequence[object], i: int) -> str | None:
    """The type of a choice, which may be written alone; None if it has none, or others have the same."""
    types = [choice.get("type") if isinstance(choice, Mapping) else choice for choice in choices]
    mine = types[i]
    return mine if isinstance(mine, str) and types.count(mine) == 1 else None


def _span(document: Document, path: SourcePath) -> SourceSpan:
    """The span of a path or of its nearest ancestor."""
    nearest = (document.spans[path[:n]] for n in range(len(path), 0, -1) if path[:n] in document.spans)
    return next(nearest, SourceSpan(document.source))

"""The search space of a section `tune`, its keys checked against the configuration, each mistake with its location."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from nncli.config.loading import LoadedConfig
from nncli.config.schema.tune import Choices, Range, TuneSection
from nncli.config.yaml.document import Document, SourceSpan
from nncli.config.yaml.document import Path as SourcePath
from nncli.config.yaml.writer import one_line
from nncli.errors import ConfigError, ConfigIssue
from nncli.text import quote
from nncli.tuning.domains import ChoiceDomain, NumberDomain
from nncli.tuning.space import Condition, Key, Parameter, SearchSpace, Values, with_keys

NOT_COMPARABLE = "trials would be scored on other rows, or for another target"
NO_EFFECT = "it has no effect on the scores of trials"
REFUSED: Mapping[str, str] = {
    "data": NOT_COMPARABLE,
    "positive_class": NOT_COMPARABLE,
    "seed": "the best of several seeds is luck",
    "members": "each trial trains one network for each fold",
    "bagging": "each trial trains one network for each fold",
    "teacher": "it was trained on the rows that trials are scored on",
    "preset": "the preset is beneath all trials",
    "quality": "the preset is beneath all trials",
    "tune": "a search cannot search itself",
    **dict.fromkeys(("workers", "output", "memory_limit", "threads", "backend", "checkpoint", "time_limit"), NO_EFFECT),
}
"""Keys that cannot be searched, and why."""
SEARCHABLE_DATA = ("features", "drop")


class _Written(NamedTuple):
    """A domain as it is written, with the keys that it sets and the path in the document."""

    name: str
    keys: tuple[Key, ...]
    domain: Range | Choices
    path: SourcePath
    condition: Condition | None = None


def build_space(loaded: LoadedConfig, section: TuneSection) -> SearchSpace:
    """The space of `section`, whose text is in the document of the configuration.

    Raises:
        ConfigError: a key cannot be searched, or a value of it is not valid; holds every issue with its location.
    """
    issues: list[ConfigIssue] = []
    parameters: list[Parameter] = []
    base = SearchSpace.of(loaded)
    for name, domain in sorted(section.search.items(), key=lambda item: item[0].count(".")):
        path: SourcePath = ("tune", "search", name)
        try:
            keys = _keys(name, loaded.document, base.document, path)
            for written in _nested(_Written(name, keys, domain, path)):
                parameters.append(_checked(written, base, loaded.document, parameters))
        except ConfigError as error:
            issues.extend(error.issues)
    if issues:
        raise ConfigError(*issues)
    order = {name: i for i, name in enumerate(section.search)}
    parameters.sort(key=lambda parameter: (parameter.condition is not None, order.get(parameter.name, 0)))
    return SearchSpace.of(loaded, parameters)


def _keys(name: str, document: Document, merged: Document, path: SourcePath) -> tuple[Key, ...]:
    """The keys that a name stands for: itself, or with * in place of an item, that key of every item that has it.

    Raises:
        ConfigError: it cannot be searched, or no item has the key.
    """
    steps = tuple(name.split("."))
    reason = REFUSED.get(steps[0])
    if reason is not None and not (steps[0] == "data" and steps[1:2] and steps[1] in SEARCHABLE_DATA):
        raise ConfigError(document.issue(f"{quote(name)} cannot be searched: {reason}", path))
    keys: list[Key] = []

    def expand(value: object, rest: Key, before: Key) -> None:
        if "*" not in rest:
            if not before or not isinstance(value, Mapping) or rest[0] in value:
                keys.append((*before, *rest))
            return
        if rest[0] == "*":
            for i, item in enumerate(value if isinstance(value, list) else ()):
                expand(item, rest[1:], (*before, str(i)))
        else:
            expand(value.get(rest[0]) if isinstance(value, Mapping) else None, rest[1:], (*before, rest[0]))

    if "*" not in steps:
        return (steps,)
    expand(merged.value, steps, ())
    found = tuple(key for key in keys if len(key) == len(steps))
    if not found:
        message = f"no item of {quote(name.partition('.*')[0])} has the key {quote(name.rpartition('*.')[2])}"
        raise ConfigError(document.issue(message, path, hint="Write it there, so that * finds it, or number the item."))
    return found


def _nested(written: _Written) -> Iterator[_Written]:
    """The domain, and those inside its choices, which are active with the choice that they are in."""
    if not isinstance(written.domain, Choices):
        yield written
        return
    choices, inside = [], []
    names = [_name_of(choice, i, written.domain.choices) for i, choice in enumerate(written.domain.choices)]
    for i, choice in enumerate(written.domain.choices):
        condition = Condition(written.name, frozenset([i]))
        found: list[tuple[Key, Range | Choices]] = []
        choices.append(_without_domains(choice, (), found))
        for key, domain in found:
            keys = tuple((*own, *key) for own in written.keys)
            path = (*written.path, "choices", i, *(int(step) if step.isdecimal() else step for step in key))
            inside.append(_Written(f"{written.name}.{names[i]}.{'.'.join(key)}", keys, domain, path, condition))
    yield written._replace(domain=Choices(choices=tuple(choices)))
    for one in inside:
        yield from _nested(one)


def _without_domains(value: object, key: Key, found: list[tuple[Key, Range | Choices]]) -> object:
    """The value without the keys that have a domain, which are added to `found`."""
    if isinstance(value, list):
        return [_without_domains(item, (*key, str(i)), found) for i, item in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    kept = {}
    for name, item in value.items():
        domain = _domain(item)
        if domain is None:
            kept[name] = _without_domains(item, (*key, str(name)), found)
        else:
            found.append(((*key, str(name)), domain))
    return kept


def _domain(value: object) -> Range | Choices | None:
    """The domain that a value inside a choice stands for, if it does."""
    if not isinstance(value, Mapping):
        return None
    if {"from", "to"} <= value.keys():
        return Range.model_validate(value)
    return Choices.model_validate(value) if value.keys() == {"choices"} else None


def _name_of(choice: object, i: int, choices: Sequence[object]) -> str:
    """The type of a choice, or its number, from 0, if others have the same type."""
    types = [one.get("type") if isinstance(one, Mapping) else one for one in choices]
    mine = types[i]
    return mine if isinstance(mine, str) and types.count(mine) == 1 else str(i)


def _checked(written: _Written, base: SearchSpace, document: Document, before: Sequence[Parameter]) -> Parameter:
    """The parameter, once each end of its range, or each choice, has given a valid configuration.

    A key inside another key that is searched has a value where the choice of that one has the key.

    Raises:
        ConfigError: a value is not valid.
    """
    parents = [p for p in before if any(_is_inside(key, own) for key in written.keys for own in p.keys)]
    parent = parents[-1] if parents and parents[-1].name != written.name else None
    if parent is None or not isinstance(parent.domain, ChoiceDomain):
        return _parameter(written, base, document, {})
    candidates = (
        sorted(written.condition.choices)
        if written.condition is not None and written.condition.parent == parent.name
        else range(len(parent.domain.choices))
    )
    space, issues, valid = replace(base, parameters=tuple(before)), list[ConfigIssue](), set[int]()
    parameter = None
    for index in candidates:
        try:
            parameter = _parameter(written, space, document, {**_context(parent, before), parent.name: index})
            valid.add(index)
        except ConfigError as error:
            issues.extend(error.issues)
    if parameter is None or (written.condition is not None and issues):
        raise ConfigError(*issues[: max(1, len(issues) // max(1, len(candidates)))])
    return replace(parameter, condition=Condition(parent.name, frozenset(valid)))


def _is_inside(key: Key, other: Key) -> bool:
    return len(key) > len(other) and key[: len(other)] == other


def _context(parent: Parameter, before: Sequence[Parameter]) -> dict[str, int]:
    """A choice of each parameter that a parent depends on."""
    values: dict[str, int] = {}
    by_name = {parameter.name: parameter for parameter in before}
    condition = parent.condition
    while condition is not None:
        values[condition.parent] = min(condition.choices)
        condition = by_name[condition.parent].condition
    return dict(reversed(values.items()))


def _parameter(written: _Written, space: SearchSpace, document: Document, values: Values) -> Parameter:
    """The parameter, each of whose values gives a valid configuration together with others.

    Raises:
        ConfigError: a value is not valid.
    """
    span = document.spans.get(written.path, SourceSpan(document.source))

    def checked(domain: NumberDomain | ChoiceDomain, spans: tuple[SourceSpan, ...] = ()) -> Parameter:
        parameter = Parameter(written.name, written.keys, domain, span, spans, written.condition)
        issues: list[ConfigIssue] = []
        given = space.assignments(values)
        ends = domain.values if isinstance(domain, ChoiceDomain) else (domain.low, domain.high)
        for value in ends:
            try:
                space.resolved([*given, *parameter.assignments(value)])
            except ConfigError as error:
                issues.extend(error.issues)
        if issues:
            raise ConfigError(*dict.fromkeys(issues))
        return parameter

    if isinstance(written.domain, Choices):
        choices = written.domain.choices
        spans = tuple(document.spans.get((*written.path, "choices", i), span) for i in range(len(choices)))
        labels = _labels(choices)
        if written.keys == (("layers",),):
            choices = tuple(map(with_keys, choices))
        return checked(ChoiceDomain(choices, labels), spans)
    low, high, step = written.domain.low, written.domain.high, written.domain.step
    is_log = written.domain.scale == "log"
    whole = isinstance(low, int) and isinstance(high, int) and isinstance(step, int | None)
    fractions = NumberDomain(float(low), float(high), step, is_log, is_int=False)
    if not whole:
        return checked(fractions)
    whole_numbers = checked(NumberDomain(low, high, step, is_log, is_int=True))
    try:  # a key that takes fractions has them between whole ends too
        checked(replace(fractions, low=low + 0.5, high=high - 0.5) if high - low > 1 else fractions)
    except ConfigError:
        return whole_numbers
    return replace(whole_numbers, domain=fractions) if step is None else whole_numbers


def _labels(choices: Sequence[object]) -> tuple[str, ...]:
    """The choices as inline YAML, with a number where two would look the same."""
    texts = [one_line(choice) for choice in choices]
    return tuple(text if texts.count(text) == 1 else f"{text} ({i})" for i, text in enumerate(texts))

"""The search space: parameters, each with the keys that it sets, such as `layers.0.units` and `layers.*.units`."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from math import floor, log10
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from nncli.base.errors import ConfigError
from nncli.base.spec import Spec, non_defaults
from nncli.config.loading import LoadedConfig, resolve
from nncli.config.overrides import Assignment, override
from nncli.config.schema import Config
from nncli.config.schema.tune import SEARCHABLE_DATA
from nncli.config.yaml.document import Document, SourceSpan
from nncli.config.yaml.document import Path as SourcePath

Key: TypeAlias = tuple[str, ...]
"""The steps of a key of the configuration, such as ("layers", "0", "units"); * is every item of a list."""

WILDCARD = "*"
"""The step of a key that stands for every item of a list."""


def key_of(name: str) -> Key:
    """The steps of a name, items without leading zeros."""
    return tuple(str(int(step)) if re.fullmatch("[0-9]{1,9}", step) else step for step in name.split("."))


def expand(key: Key, config: Config) -> list[Key]:
    """The keys that a key stands for: with *, that of every item that has it.

    It is empty if the configuration has no such key: a layer of that type, for example, or a section that is null.
    """
    return list(_inside(config, key, ()))


def _inside(value: object, rest: Key, before: Key) -> Iterator[Key]:
    if not rest:
        yield before
        return
    step, rest = rest[0], rest[1:]
    if isinstance(value, list | tuple):
        for i, item in enumerate(value):
            if step in (WILDCARD, str(i)):
                yield from _inside(item, rest, (*before, str(i)))
    elif isinstance(value, Spec):
        names = {field.alias or name: name for name, field in type(value).model_fields.items()}
        if step in names:
            yield from _inside(getattr(value, names[step]), rest, (*before, step))
    elif isinstance(value, Mapping):  # of names that the user chooses, such as groups of parameters
        if step in value:
            yield from _inside(value[step], rest, (*before, step))
        else:
            yield (*before, step, *rest)


def is_same(key: Key, other: Key) -> bool:
    """Whether two keys may be the same, as those of one item and of every item are."""
    return len(key) == len(other) and all(a == b or WILDCARD in (a, b) for a, b in zip(key, other, strict=True))


def is_inside(key: Key, other: Key) -> bool:
    """Whether a key may be inside another one."""
    return len(key) > len(other) and is_same(key[: len(other)], other)


def value_at(config: Config, key: Key) -> object:
    """The plain value of a key without *; None if there is none."""
    value: object = config.model_dump(mode="json")
    for step in key:
        if isinstance(value, list):
            value = value[int(step)] if step.isdecimal() and int(step) < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def with_sections(value: Mapping[str, object], config: Config) -> dict[str, object]:
    """The values of a configuration with the keys that short forms and defaults stand for, so that they can be set.

    Layers such as 64 or dropout, the learning rate 0.1 and the default optimizer have no keys as they are written.
    """
    written = {key: item for key, item in value.items() if key != "tune"}
    written["layers"] = non_defaults(config.layers)
    written["optimizer"] = non_defaults(config.optimizer)
    if config.learning_rate is not None:
        written["learning_rate"] = non_defaults(config.learning_rate)
    return written


def long_form(key: Key, value: object) -> object:
    """A value of a key with the keys that its short form stands for."""
    if isinstance(value, Mapping):
        return {name: long_form((*key, name), item) for name, item in value.items()}
    if isinstance(value, list):
        return [long_form((*key, str(i)), item) for i, item in enumerate(value)]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return {"type": value} if isinstance(value, str) and _is_layer(key) else value
    if key == ("learning_rate",):
        return {"type": "constant", "peak": value}
    return {"type": "dense", "units": value} if _is_layer(key) else value


def _is_layer(key: Key) -> bool:
    """Whether a key is that of a layer: layers.0, or layers.0.layers.1 in a residual block."""
    pairs = zip_longest(key[::2], key[1::2], fillvalue="")
    return len(key) > 0 and all(name == "layers" and (item == WILDCARD or item.isdecimal()) for name, item in pairs)


ParameterValue: TypeAlias = int | float
"""The value of a parameter in a trial: a number, or the index of a choice."""

SIGNIFICANT_DIGITS = 4
"""Digits of the numbers that are trained with: more make no difference, and these can be read."""
MIN_VALUES, MAX_DIGITS = 1_000, 17
"""Numbers of a narrow range that differ, which then have more digits; 17 are all of a floating-point number."""
MAX_VALUES = 1_000_000
"""Numbers of a range that are listed."""


@dataclass(frozen=True)
class NumberDomain:
    """The numbers from `low` to `high`, both included; `step` is their distance, or None."""

    low: int | float
    high: int | float
    step: int | float | None
    is_log: bool
    is_int: bool

    def rounded(self, value: ParameterValue) -> ParameterValue:
        """The number of the domain with few digits that is closest to `value`."""
        if self.is_int:
            return int(value)
        if self.step is None:
            rounded = float(f"{float(value):.{self._digits(float(value))}g}")
        else:
            rounded = round(float(value), max(0, SIGNIFICANT_DIGITS - floor(log10(self.step))))
        return min(max(rounded, float(self.low)), float(self.high))

    def _digits(self, value: float) -> int:
        """The significant digits of a fraction: enough for about MIN_VALUES different ones in the range."""
        if value == 0.0:
            return SIGNIFICANT_DIGITS
        unit = (float(self.high) - float(self.low)) / MIN_VALUES
        digits = floor(log10(abs(value))) - floor(log10(unit)) + 1 if unit else MAX_DIGITS
        return min(MAX_DIGITS, max(SIGNIFICANT_DIGITS, digits))

    def contains(self, value: ParameterValue) -> bool:
        """Whether the number is one of the domain."""
        if not self.low <= value <= self.high:
            return False
        distance = self._distance
        steps = 0.0 if distance is None else (value - self.low) / distance
        return abs(steps - round(steps)) < 1e-8

    @property
    def count(self) -> int | None:
        """How many numbers there are; None if they are not finite."""
        distance = self._distance
        return None if distance is None else floor((self.high - self.low) / distance + 1e-8) + 1

    @property
    def values(self) -> tuple[ParameterValue, ...] | None:
        """All numbers, or None if there are too many to list."""
        count, distance = self.count, self._distance
        if count is None or distance is None or count > MAX_VALUES:
            return None
        return tuple(self.rounded(self.low + i * distance) for i in range(count))

    @property
    def _distance(self) -> int | float | None:
        return self.step if self.step is not None or not self.is_int else 1


@dataclass(frozen=True)
class ChoiceDomain:
    """Several choices; `labels` are their texts in tables."""

    choices: tuple[object, ...]
    labels: tuple[str, ...]

    def rounded(self, value: ParameterValue) -> ParameterValue:
        """The index itself."""
        return int(value)

    def contains(self, value: ParameterValue) -> bool:
        """Whether there is a choice of that index."""
        return value in range(self.count)

    @property
    def count(self) -> int:
        """How many choices there are."""
        return len(self.choices)

    @property
    def values(self) -> tuple[ParameterValue, ...]:
        """The indices of the choices."""
        return tuple(range(self.count))


Domain: TypeAlias = NumberDomain | ChoiceDomain


Values: TypeAlias = Mapping[str, ParameterValue]
"""The value of each active parameter by its name."""

MAX_COMBINATIONS = 1_000_000
"""Combinations that are counted."""


@dataclass(frozen=True)
class Condition:
    """A parameter is active if the parameter `parent` has one of these choices."""

    parent: str
    choices: frozenset[int]


@dataclass(frozen=True)
class Parameter:
    """A parameter of the search space.

    `key` is set to its value, and with * that key of every item that has it. `span` is where the parameter is written,
    `choice_spans` where each of its choices is, at (), and the entries inside it.
    """

    name: str
    key: Key
    domain: Domain
    span: SourceSpan
    choice_spans: tuple[Mapping[SourcePath, SourceSpan], ...] = ()
    condition: Condition | None = None

    def is_active(self, values: Values) -> bool:
        """Whether the condition holds for these values of earlier parameters."""
        condition = self.condition
        return condition is None or values.get(condition.parent, -1) in condition.choices

    def assignment(self, value: ParameterValue) -> Assignment:
        """The assignment of a value to the key."""
        if isinstance(self.domain, ChoiceDomain):
            index = int(value)
            spans = self.choice_spans[index]
            return Assignment(self.key, spans[()], self.domain.choices[index], inner_spans=spans)
        return Assignment(self.key, self.span, value)

    def label(self, value: ParameterValue) -> str:
        """The value as text."""
        return self.domain.labels[int(value)] if isinstance(self.domain, ChoiceDomain) else repr(value)


@dataclass(frozen=True)
class SearchSpace:
    """The parameters in the order of the search space, and the configuration that their values change.

    A conditional parameter comes after its parent. `document` is the merged configuration without the section `tune`.
    """

    parameters: tuple[Parameter, ...]
    document: Document
    base: Config

    @classmethod
    def of(cls, loaded: LoadedConfig, parameters: Sequence[Parameter] = ()) -> SearchSpace:
        """The space of these parameters around a configuration."""
        document = replace(loaded.document, value=with_sections(loaded.document.value, loaded.config))
        return cls(tuple(parameters), document, loaded.config)

    def assignments(self, values: Values) -> list[Assignment]:
        """The assignments of the values of all active parameters."""
        return [p.assignment(values[p.name]) for p in self.parameters if p.name in values]

    def config(self, values: Values) -> Config:
        """The configuration with these values; without any, the configuration itself.

        Raises:
            ConfigError: they are not valid together.
        """
        if not values:
            return self.base
        return self.resolved(self.assignments(values))

    def resolved(self, assignments: Sequence[Assignment]) -> Config:
        """The configuration with some assignments.

        Raises:
            ConfigError: it is not valid.
        """
        assignments = self._expanded(assignments)
        document, issues = override(self.document, assignments)
        config = resolve(document, assignments, issues, Path.cwd(), "tuned").config
        # Paths are relative to the folder of the configuration, and the base has them absolute.
        kept = {"data": self.base.data, "validation": self.base.validation, "output": self.base.output}
        if any(assignment.path[0] == "data" for assignment in assignments):
            update = {key: getattr(config.data, key) for key in SEARCHABLE_DATA}
            kept["data"] = self.base.data.model_copy(update=update)
        if any(assignment.path[0] == "validation" for assignment in assignments):
            del kept["validation"]
        return config.model_copy(update=kept)

    def _expanded(self, assignments: Sequence[Assignment]) -> list[Assignment]:
        """The assignments with one for every item in place of *, of the layers that those before it set."""
        expanded: list[Assignment] = []
        for assignment in assignments:
            path = assignment.path
            if WILDCARD not in path:
                expanded.append(assignment)
                continue
            is_changed = any(before.path[0] == path[0] and len(before.path) < len(path) for before in expanded)
            config = self.resolved(expanded) if is_changed else self.base
            expanded.extend(replace(assignment, path=key) for key in expand(path, config))
        return expanded

    def base_values(self, resolve_auto: Callable[[Config], Config] = lambda config: config) -> Values | None:
        """The values that give the configuration itself; None if it is not in the space.

        `resolve_auto` puts numbers in place of `auto`, where they are known, and leaves the network the same.
        """
        resolved = resolve_auto(self.base)

        def is_base(values: Values) -> bool:
            try:
                return resolve_auto(self.config(values)) == resolved
            except ConfigError:
                return False

        values: dict[str, ParameterValue] = {}
        for parameter in self.parameters:
            if not parameter.is_active(values):
                continue
            candidates = _candidates(parameter, resolved)
            same = (value for value in candidates if is_base({**values, parameter.name: value}))
            value = next(same, None)
            if value is None:
                return None
            values[parameter.name] = value
        return MappingProxyType(values)

    def rounded(self, values: Values) -> Values:
        """The values that are trained with, which have few digits."""
        domains = {parameter.name: parameter.domain for parameter in self.parameters}
        return MappingProxyType({name: domains[name].rounded(value) for name, value in values.items()})

    def rounded_config(self, values: Values) -> Config:
        """The configuration with the values as they are trained with.

        Raises:
            ConfigError: they are not valid together.
        """
        return self.config(self.rounded(values))

    def trial_config(self, values: Values) -> Config:
        """The configuration that a trial with these values trains, one network for each fold.

        Raises:
            ConfigError: they are not valid together.
        """
        return with_one_network(self.rounded_config(values))

    def labels(self, values: Values) -> dict[str, str]:
        """The text of the value of each active parameter."""
        return {p.name: p.label(values[p.name]) for p in self.parameters if p.name in values}

    @property
    def size(self) -> int | None:
        """The number of combinations, at most; None if it is not finite, or larger than MAX_COMBINATIONS."""
        size = 1
        for parameter in self.parameters:
            count = parameter.domain.count
            if count is None or size * count > MAX_COMBINATIONS:
                return None
            size *= count
        return size

    def combinations(self) -> Iterator[Values]:
        """All combinations of the values of active parameters, the last one changing fastest; `size` is finite."""
        seen: set[tuple[tuple[str, ParameterValue], ...]] = set()
        for combination in itertools.product(*(parameter.domain.values or () for parameter in self.parameters)):
            values: dict[str, ParameterValue] = {}
            for parameter, value in zip(self.parameters, combination, strict=True):
                if parameter.is_active(values):
                    values[parameter.name] = value
            key = tuple(values.items())
            if key not in seen:
                seen.add(key)
                yield MappingProxyType(values)


def with_one_network(config: Config) -> Config:
    """The configuration with one network for each fold, as all trials have it."""
    return config.model_copy(update={"members": 1, "bagging": "auto", "time_limit": None})


def _candidates(parameter: Parameter, config: Config) -> tuple[ParameterValue, ...]:
    """The values of a parameter that a configuration may have."""
    if isinstance(parameter.domain, ChoiceDomain):
        return parameter.domain.values
    key = next(iter(expand(parameter.key, config)), parameter.key)
    written = value_at(config, key)
    if isinstance(written, dict):  # a number is short for a constant learning rate
        written = written.get("peak")
    if isinstance(written, bool) or not isinstance(written, int | float):
        return ()
    return (written,) if parameter.domain.contains(written) else ()

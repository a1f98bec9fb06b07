"""The search space: parameters, each with the keys of the configuration that it sets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from nncli.config.loading import LoadedConfig, resolve
from nncli.config.overrides import Assignment, override
from nncli.config.schema import Config
from nncli.config.yaml.document import Document, SourceSpan
from nncli.errors import ConfigError
from nncli.tuning.domains import ChoiceDomain, Domain, Value

Key: TypeAlias = tuple[str, ...]
"""The steps of a key of the configuration, such as ("layers", "0", "units")."""
Values: TypeAlias = Mapping[str, Value]
"""The value of each active parameter by its name."""

MAX_COMBINATIONS = 10_000_000
"""Combinations that are counted."""


@dataclass(frozen=True)
class Condition:
    """A parameter is active if the parameter `parent` has one of these choices."""

    parent: str
    choices: frozenset[int]


@dataclass(frozen=True)
class Parameter:
    """A parameter of the search space.

    `keys` are set to its value. `span` is where it is written, `choice_spans` where each of its choices is.
    """

    name: str
    keys: tuple[Key, ...]
    domain: Domain
    span: SourceSpan
    choice_spans: tuple[SourceSpan, ...] = ()
    condition: Condition | None = None

    def is_active(self, values: Values) -> bool:
        """Whether the parameter has a value beside those of the parameters before it."""
        condition = self.condition
        return condition is None or values.get(condition.parent, -1) in condition.choices

    def assignments(self, value: Value) -> Iterator[Assignment]:
        """The assignments of a value to the keys."""
        if isinstance(self.domain, ChoiceDomain):
            index = int(value)
            written, span = self.domain.choices[index], self.choice_spans[index]
        else:
            written, span = value, self.span
        return (Assignment(key, span, written) for key in self.keys)

    def label(self, value: Value) -> str:
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
        value = {key: item for key, item in loaded.document.value.items() if key != "tune"}
        if "layers" in value:
            value["layers"] = with_keys(value["layers"])
        return cls(tuple(parameters), replace(loaded.document, value=value), loaded.config)

    def assignments(self, values: Values) -> list[Assignment]:
        """The assignments of the values of all active parameters."""
        return [
            assignment
            for parameter in self.parameters
            if parameter.name in values
            for assignment in parameter.assignments(values[parameter.name])
        ]

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
        document, issues = override(self.document, assignments)
        config = resolve(document, assignments, issues, Path.cwd(), "tuned").config
        # Paths are relative to the folder of the configuration, and the base has them absolute.
        kept = {"data": self.base.data, "validation": self.base.validation, "output": self.base.output}
        if any(assignment.path[0] == "data" for assignment in assignments):
            data = config.data.model_dump(include={"features", "drop"})
            kept["data"] = self.base.data.model_copy(update={key: getattr(config.data, key) for key in data})
        if any(assignment.path[0] == "validation" for assignment in assignments):
            del kept["validation"]
        return config.model_copy(update=kept)

    def base_values(self) -> Values | None:
        """The values that give the configuration itself; None if it is not in the space."""
        values: dict[str, Value] = {}
        for parameter in self.parameters:
            if not parameter.is_active(values):
                continue
            candidates = self._candidates(parameter)
            same = (value for value in candidates if self._is_base({**values, parameter.name: value}))
            value = next(same, None)
            if value is None:
                return None
            values[parameter.name] = value
        return MappingProxyType(values)

    def _candidates(self, parameter: Parameter) -> tuple[Value, ...]:
        if isinstance(parameter.domain, ChoiceDomain):
            return parameter.domain.values
        written: object = self.base.model_dump(mode="json")
        for step in parameter.keys[0]:
            if isinstance(written, list):
                written = written[int(step)] if step.isdecimal() and int(step) < len(written) else None
            else:
                written = written.get(step) if isinstance(written, dict) else None
        if isinstance(written, dict):  # a number is short for a constant learning rate
            written = written.get("initial")
        domain = parameter.domain
        in_range = isinstance(written, int | float) and domain.low <= written <= domain.high
        return (written,) if in_range and isinstance(written, int | float) else ()

    def _is_base(self, values: Values) -> bool:
        try:
            return self.config(values) == self.base
        except ConfigError:
            return False

    def rounded(self, values: Values) -> Values:
        """The values that are trained with, which have few digits."""
        domains = {parameter.name: parameter.domain for parameter in self.parameters}
        return MappingProxyType({name: domains[name].rounded(value) for name, value in values.items()})

    def labels(self, values: Values) -> dict[str, str]:
        """The text of the value of each active parameter."""
        return {p.name: p.label(values[p.name]) for p in self.parameters if p.name in values}

    @property
    def size(self) -> int | None:
        """The number of combinations, at most; None if it is not finite, or larger than MAX_COMBINATIONS."""
        counts = [None if p.domain.values is None else len(p.domain.values) for p in self.parameters]
        if None in counts:
            return None
        size = prod(count for count in counts if count is not None)
        return size if size <= MAX_COMBINATIONS else None

    def combinations(self) -> Iterator[Values]:
        """All combinations of the values of active parameters, the last one changing fastest; `size` is finite."""
        seen: set[tuple[tuple[str, Value], ...]] = set()
        for combination in itertools.product(*(parameter.domain.values or () for parameter in self.parameters)):
            values: dict[str, Value] = {}
            for parameter, value in zip(self.parameters, combination, strict=True):
                if parameter.is_active(values):
                    values[parameter.name] = value
            key = tuple(values.items())
            if key not in seen:
                seen.add(key)
                yield MappingProxyType(values)


def with_keys(layers: object) -> object:
    """A list of layers, each with the keys that its short form stands for, so that they can be set."""
    if not isinstance(layers, list):
        return layers
    return [
        {"type": "dense", "units": layer}
        if isinstance(layer, int) and not isinstance(layer, bool)
        else {"type": layer}
        if isinstance(layer, str)
        else layer
        for layer in layers
    ]

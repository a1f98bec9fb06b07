"""The search space of a section `tune`, its keys checked against the configuration, each mistake with its location."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nncli.base.errors import ConfigError, ConfigIssue, Location
from nncli.base.text import quote
from nncli.config.loading import LoadedConfig
from nncli.config.schema import Config, TuneSection, ValidationFile
from nncli.config.schema.tune import NOT_COMPARABLE, SEARCHABLE_DATA, UNSEARCHABLE, Range
from nncli.config.yaml.document import Document
from nncli.tuning.space.domains import ChoiceDomain, NumberDomain, Value
from nncli.tuning.space.keys import WILDCARD, expand, is_inside, is_same
from nncli.tuning.space.locate_issues import IssueLocator
from nncli.tuning.space.parameters import Inside, WrittenParameter, fractions_of, parameters_of
from nncli.tuning.space.space import Condition, Parameter, SearchSpace
from nncli.tuning.space.unknown_keys import item_with, unknown_key


def build_space(loaded: LoadedConfig, section: TuneSection) -> SearchSpace:
    """The space of `section`, whose text is in the document of the configuration.

    Raises:
        ConfigError: a key cannot be searched, or a value of it is not valid; holds every issue with its location.
    """
    written = list(parameters_of(section.search, loaded.document))
    ordered = tuple(sorted(written, key=lambda one: len(one.parameter.key)))
    builder = _SpaceBuilder(loaded.document, SearchSpace.of(loaded), section.folds == "holdout", ordered)
    for one in ordered:
        builder.add(one)
    if builder.issues:
        raise ConfigError(*_in_order(builder.issues, written))
    return builder.space


def _in_order(issues: Sequence[ConfigIssue], written: Sequence[WrittenParameter]) -> list[ConfigIssue]:
    """The issues of files from top to bottom, and those of options in their order."""
    sources = list(dict.fromkeys(one.parameter.span.source for one in written))

    def position(issue: ConfigIssue) -> tuple[int, int, int]:
        at = issue.location
        source = sources.index(at.source) if at.source in sources else -1
        return (source, at.line or 0, at.character or 0)

    return sorted(dict.fromkeys(issues), key=position)


@dataclass
class _SpaceBuilder:
    """Adds one parameter after another to the space, those of a key before those of keys inside it."""

    document: Document
    space: SearchSpace
    is_holdout: bool
    written: tuple[WrittenParameter, ...]

    def __post_init__(self) -> None:
        self.locator = IssueLocator(self.document, tuple(one.parameter for one in self.written))
        self.issues: list[ConfigIssue] = []
        self.invalid: dict[str, Parameter] = {}  # whose values have an issue
        self.refused: dict[str, Parameter] = {}  # whose key has one

    def add(self, one: WrittenParameter) -> None:
        """Add a parameter, or its issues."""
        parameter = one.parameter
        try:
            self._check_key(one)
            if self._is_inside_refused(one):
                self.refused[parameter.name] = parameter
                return
            parameter = self._with_condition(one)
        except ConfigError as error:
            self.issues.extend(error.issues)
            self.refused[parameter.name] = parameter
            return
        try:
            parameter = self._with_checked_domain(replace(one, parameter=parameter))
        except ConfigError as error:
            self.issues.extend(error.issues)
            self.invalid[parameter.name] = parameter
        else:
            self.space = replace(self.space, parameters=(*self.space.parameters, parameter))

    def _check_key(self, one: WrittenParameter) -> None:
        """Raise a ConfigError if the key cannot be searched, or is searched already."""
        parameter, key = one.parameter, one.parameter.key
        unknown = None if key[0] in UNSEARCHABLE else unknown_key(key, one.written)
        if unknown is not None:
            raise self.locator.error(parameter, *unknown)
        reason = UNSEARCHABLE.get(key[0])
        if key[0] == "validation" and self.is_holdout:
            reason = NOT_COMPARABLE
        if reason is not None and not (key[0] == "data" and key[1:2] and key[1] in SEARCHABLE_DATA):
            raise self.locator.error(parameter, f"{quote(parameter.name)} cannot be searched: {reason}")
        for other in self.written:
            if other.parameter is parameter:
                break
            if is_same(key, other.parameter.key) and not (one.is_nested and other.is_nested):
                message = f"{quote(parameter.name)} is searched already, as {quote(other.parameter.name)}"
                raise self.locator.error(parameter, message, "Remove one of the two.")

        by_name = {other.parameter.name: other.parameter for other in self.written}
        for other in self.written:
            condition = other.parameter.condition
            is_above = condition is not None and len(by_name[condition.parent].key) < len(key)
            if is_above and not one.is_nested and is_inside(other.parameter.key, key):
                message = f"{quote(parameter.name)} cannot be searched: {quote(other.parameter.name)} is inside it"
                raise self.locator.error(parameter, message, "Remove one of the two.")

    def _is_inside_refused(self, one: WrittenParameter) -> bool:
        """Whether the parameter depends on another one that has an issue, so that it cannot be checked."""
        condition, key = one.parameter.condition, one.parameter.key
        if condition is not None:
            return condition.parent in self.refused
        return any(is_inside(key, other.key) for other in (*self.refused.values(), *self.invalid.values()))

    def _with_condition(self, one: WrittenParameter) -> Parameter:
        """The parameter with the choices of another one beside which it is active.

        Raises:
            ConfigError: there are none.
        """
        parameter, name = one.parameter, quote(one.parameter.name)
        others = (*self.space.parameters, *self.invalid.values())
        parents = [other for other in others if is_inside(parameter.key, other.key)]
        parent = max(parents, key=lambda other: len(other.key), default=None)
        if parent is None:
            if WILDCARD in parameter.key and not expand(parameter.key, self.space.base):
                item = item_with(parameter.key)
                hint = f"Add one of the layers {item} to the configuration." if item else "Check its name."
                raise self.locator.error(parameter, f"no key matches {name}", hint)
            return parameter
        if isinstance(parent.domain, NumberDomain):
            message = f"{name} is inside {quote(parent.name)}, which is chosen from a range and has no keys then"
            raise self.locator.error(
                parameter, message, f"Remove one of the two, or give {quote(parent.name)} choices."
            )
        if one.is_nested:
            return parameter
        choices = [i for i in range(parent.domain.count) if self._has_key(parameter, parent, i)]
        if not choices:
            rest = ".".join(parameter.key[len(parent.key) :])
            message = f"no choice of {quote(parent.name)} has the key {quote(rest)}"
            item = item_with(parameter.key)
            hint = (
                f"Add it to a choice of {quote(parent.name)}{f', such as {item}' if item else ', or check its name'}."
            )
            raise self.locator.error(parameter, message, hint)
        return replace(parameter, condition=Condition(parent.name, frozenset(choices)))

    def _has_key(self, parameter: Parameter, parent: Parameter, choice: int) -> bool:
        return bool(expand(parameter.key, self._config(self._context(Condition(parent.name, frozenset([choice]))))))

    def _context(self, condition: Condition | None) -> dict[str, Value]:
        """Values with which a parameter of that condition is active."""
        values: dict[str, Value] = {}
        by_name = {parameter.name: parameter for parameter in self.space.parameters} | self.invalid
        while condition is not None:
            values[condition.parent] = min(condition.choices)
            condition = by_name[condition.parent].condition
        return values

    def _config(self, values: Mapping[str, Value], added: Parameter | None = None) -> Config:
        """The configuration with these values, and with one for each search space inside a choice that is made.

        Raises:
            ConfigError: it is not valid.
        """
        values, assignments = dict(values), []
        for one in self.written:
            parameter = added if added is not None and added.name == one.parameter.name else one.parameter
            if one.is_nested and parameter.name not in values and parameter.is_active(values):
                domain = parameter.domain
                values[parameter.name] = 0 if isinstance(domain, ChoiceDomain) else domain.low
            if parameter.name in values:
                assignments.append(parameter.assignment(values[parameter.name]))
        return self.space.resolved(assignments)

    def _with_checked_domain(self, one: WrittenParameter) -> Parameter:
        """The parameter, once each end of its range, or each choice, has given a valid configuration.

        Raises:
            ConfigError: a value is not valid.
        """
        parameter, written = one.parameter, one.written
        if isinstance(parameter.domain, ChoiceDomain):
            issues = [*self._value_issues(parameter, parameter.domain.values), *self._repeated(one)]
        else:
            issues = self._value_issues(parameter, (parameter.domain.low, parameter.domain.high))[:1]
        if issues:
            raise ConfigError(*issues)
        if isinstance(parameter.domain, ChoiceDomain):
            return parameter
        if not parameter.domain.is_int or not isinstance(written, Range) or written.step is not None:
            return parameter
        fractions = replace(parameter, domain=fractions_of(written))
        low, high = float(written.low), float(written.high)
        # A key that takes fractions has them between whole ends too.
        inside = (low + 0.5, high - 0.5) if high - low > 1 else (low, high)
        return parameter if self._value_issues(fractions, inside) else fractions

    def _value_issues(self, parameter: Parameter, values: Sequence[Value]) -> list[ConfigIssue]:
        """The issues of the configuration with each of the values."""
        condition = parameter.condition
        choices = [None] if condition is None else sorted(condition.choices)
        issues: dict[tuple[Location, str], ConfigIssue] = {}
        for choice in choices:
            inside = None if condition is None else replace(condition, choices=frozenset([choice or 0]))
            for value in values:
                try:
                    config = self._config({**self._context(inside), parameter.name: value}, parameter)
                except ConfigError as error:
                    located = (
                        self.locator.located(issue, parameter, parameter.assignment(value).span)
                        for issue in error.issues
                    )
                    issues |= {(issue.location, issue.message): issue for issue in located}
                else:
                    if parameter.key[0] == "validation" and isinstance(config.validation, ValidationFile):
                        span, message = parameter.assignment(value).span, "a validation file cannot be searched"
                        issue = self.locator.issue(span, parameter, f"{message}: {NOT_COMPARABLE}", None)
                        issues[issue.location, issue.message] = issue
        return list(issues.values())

    def _repeated(self, one: WrittenParameter) -> Iterator[ConfigIssue]:
        """The issues of choices that are the same as an earlier one."""
        parameter, seen = one.parameter, list[tuple[Config, Inside]]()
        assert isinstance(parameter.domain, ChoiceDomain), "numbers cannot be repeated"
        for i, inside in enumerate(one.nested):
            try:
                config = self._config({**self._context(parameter.condition), parameter.name: i}, parameter)
            except ConfigError:
                continue
            if (config, inside) in seen:
                message = f"the choice {quote(parameter.domain.labels[i])} is repeated"
                yield self.locator.issue(parameter.choice_spans[i], parameter, message, "Remove it.")
            seen.append((config, inside))

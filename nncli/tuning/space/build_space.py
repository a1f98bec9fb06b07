"""The search space of a section `tune`, its keys checked against the configuration, each mistake with its location."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from nncli.base.errors import ConfigError, ConfigIssue, Location
from nncli.base.text import quote
from nncli.config.errors.suggestions import field_names, section_hints
from nncli.config.loading import LoadedConfig
from nncli.config.schema import Config, ValidationFile
from nncli.config.schema.tune import NOT_COMPARABLE, SEARCHABLE_DATA, UNSEARCHABLE, Choices, Range, TuneSection
from nncli.config.yaml.document import Document, SourceSpan, excerpt
from nncli.config.yaml.document import Path as SourcePath
from nncli.config.yaml.writer import one_line
from nncli.tuning.space.space import (
    WILDCARD,
    ChoiceDomain,
    Condition,
    Key,
    NumberDomain,
    Parameter,
    ParameterValue,
    SearchSpace,
    expand,
    is_inside,
    is_same,
    key_of,
    long_form,
)


def build_space(loaded: LoadedConfig, section: TuneSection) -> SearchSpace:
    """The space of `section`, whose text is in the document of the configuration.

    Raises:
        ConfigError: a key cannot be searched, or a value of it is not valid; holds every issue with its location.
    """
    written = list(parameters_of(section.search, loaded.document))
    ordered = tuple(sorted(written, key=lambda item: len(item.parameter.key)))
    builder = _SpaceBuilder(loaded.document, SearchSpace.of(loaded), section.folds == "holdout", ordered)
    for item in ordered:
        builder.add(item)
    if builder.issues:
        raise ConfigError(*_in_order(builder.issues, written))
    return builder.space


def _in_order(issues: Sequence[ConfigIssue], written: Sequence[WrittenParameter]) -> list[ConfigIssue]:
    """The issues of files from top to bottom, and those of options in their order."""
    sources = list(dict.fromkeys(item.parameter.span.source for item in written))

    def position(issue: ConfigIssue) -> tuple[int, int, int]:
        at = issue.location
        source = sources.index(at.source) if at.source in sources else -1
        return (source, at.line or 0, at.character or 0)

    return sorted(dict.fromkeys(issues), key=position)


def _time_bins(config: Config) -> int:
    return 0 if config.loss is None else config.loss.time_bins


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
    plain = [_without_domains(value, (), inside) for value, inside in zip(domain.choices, nested, strict=True)]
    spans = tuple(_spans(document, (*path, "choices", i)) for i in range(len(plain)))
    values = tuple(long_form(key, _completed(value)) for value in plain)
    choices = ChoiceDomain(values, _labels(plain))
    parameter = Parameter(name, key, choices, span, spans, condition)
    yield WrittenParameter(parameter, domain, nested, is_nested=condition is not None)
    for i, domains in enumerate(nested):
        label = _name_of(plain, i)
        for inner, inner_domain in domains:
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


def _without_domains(value: object, key: Key, inside: Inside) -> object:
    """The value with `_Domain` in place of each search space inside it, which are added to `inside`."""
    if isinstance(value, Range | Choices):
        inside.append((key, value))
        return _Domain()
    if isinstance(value, Mapping):
        return {name: _without_domains(item, (*key, str(name)), inside) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_domains(item, (*key, str(i)), inside) for i, item in enumerate(value)]
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
    type_name = _own_type(choices, i)
    return f"[{i}]" if type_name is None else f".{type_name}"


def _own_type(choices: Sequence[object], i: int) -> str | None:
    """The type of a choice, which may be written alone; None if it has none, or others have the same."""
    types = [choice.get("type") if isinstance(choice, Mapping) else choice for choice in choices]
    mine = types[i]
    return mine if isinstance(mine, str) and types.count(mine) == 1 else None


def _span(document: Document, path: SourcePath) -> SourceSpan:
    """The span of a path or of its nearest ancestor."""
    nearest = (document.spans[path[:n]] for n in range(len(path), 0, -1) if path[:n] in document.spans)
    return next(nearest, SourceSpan(document.source))


def _spans(document: Document, path: SourcePath) -> dict[SourcePath, SourceSpan]:
    """The spans of a path, at (), and of the entries inside it."""
    inside = {at[len(path) :]: span for at, span in document.spans.items() if at[: len(path)] == path}
    return inside | {(): _span(document, path)}


@dataclass
class _SpaceBuilder:
    """Adds one parameter after another to the space, those of a key before those of keys inside it."""

    document: Document
    space: SearchSpace
    is_holdout: bool
    written: tuple[WrittenParameter, ...]

    def __post_init__(self) -> None:
        self.issues: list[ConfigIssue] = []
        self.by_name = {item.parameter.name: item.parameter for item in self.written}
        self.wrong: dict[str, Parameter] = {}  # whose key or values have an issue
        self.refused: set[str] = set()  # whose key has one

    def add(self, item: WrittenParameter) -> None:
        """Add a parameter, or its issues; neither if it depends on a parameter that has some."""
        name = item.parameter.name
        try:
            self._check_key(item)
            if self._is_inside_wrong(item):
                self.refused.add(name)
                return
            parameter = self._with_condition(item)
        except ConfigError as error:
            self.issues.extend(error.issues)
            self.wrong[name] = item.parameter
            self.refused.add(name)
            return
        try:
            parameter = self._with_checked_domain(replace(item, parameter=parameter))
        except ConfigError as error:
            self.issues.extend(error.issues)
            self.wrong[name] = parameter
        else:
            self.space = replace(self.space, parameters=(*self.space.parameters, parameter))

    def _check_key(self, item: WrittenParameter) -> None:
        """Raise a ConfigError if the key cannot be searched, or is searched already."""
        parameter, key = item.parameter, item.parameter.key
        reason = UNSEARCHABLE.get(key[0])
        if key[0] == "validation" and self.is_holdout:
            reason = NOT_COMPARABLE
        if reason is not None and not (key[0] == "data" and key[1:2] and key[1] in SEARCHABLE_DATA):
            raise self._error(parameter, f"{quote(parameter.name)} cannot be searched: {reason}")
        if reason is None and key[0] not in field_names(Config):
            first = parameter.assignment(parameter.domain.low if isinstance(parameter.domain, NumberDomain) else 0)
            try:
                self.space.resolved([replace(first, span=parameter.span)])
            except ConfigError as error:
                message, hint = error.issues[0].message, error.issues[0].hint
                section = next(section_hints(key[:1], first.value, Config), None)
                raise self._error(parameter, message, section.text if hint and section else hint) from None
        for other in self.written:
            if other.parameter is parameter:
                break
            if is_same(key, other.parameter.key) and not (item.is_nested and other.is_nested):
                message = f"{quote(parameter.name)} is searched already, as {quote(other.parameter.name)}"
                raise self._error(parameter, message, "Remove one of the two.")
        for other in self.written:
            condition = other.parameter.condition
            is_above = condition is not None and len(self.by_name[condition.parent].key) < len(key)
            if is_above and not item.is_nested and is_inside(other.parameter.key, key):
                message = f"{quote(parameter.name)} cannot be searched: {quote(other.parameter.name)} is inside it"
                raise self._error(parameter, message, "Remove one of the two.")

    def _is_inside_wrong(self, item: WrittenParameter) -> bool:
        """Whether the parameter depends on another one that has an issue, so that it cannot be checked."""
        condition = item.parameter.condition
        if condition is not None:
            return condition.parent in self.refused
        return any(is_inside(item.parameter.key, other.key) for other in self.wrong.values())

    def _with_condition(self, item: WrittenParameter) -> Parameter:
        """The parameter with the choices of another one beside which it is active.

        Raises:
            ConfigError: there are none.
        """
        parameter, name = item.parameter, quote(item.parameter.name)
        if item.is_nested:
            return parameter
        parents = [other for other in self.space.parameters if is_inside(parameter.key, other.key)]
        parent = max(parents, key=lambda other: len(other.key), default=None)
        if parent is None:
            if WILDCARD in parameter.key and not expand(parameter.key, self.space.base):
                raise self._error(parameter, f"no key matches {name}", "Check its name, or add an item that has it.")
            return parameter
        of_parent = quote(parent.name)
        if isinstance(parent.domain, NumberDomain):
            message = f"{name} is inside {of_parent}, which is chosen from a range and has no keys then"
            raise self._error(parameter, message, f"Remove one of the two, or give {of_parent} choices.")
        choices = [i for i in range(parent.domain.count) if self._has_key(parameter, parent, i)]
        if not choices:
            message = f"no choice of {of_parent} has the key {quote('.'.join(parameter.key[len(parent.key) :]))}"
            raise self._error(parameter, message, f"Add it to a choice of {of_parent}, or check its name.")
        return replace(parameter, condition=Condition(parent.name, frozenset(choices)))

    def _has_key(self, parameter: Parameter, parent: Parameter, choice: int) -> bool:
        return bool(expand(parameter.key, self._config(self._context(Condition(parent.name, frozenset([choice]))))))

    def _context(self, condition: Condition | None) -> dict[str, ParameterValue]:
        """Values with which a parameter of that condition is active."""
        values: dict[str, ParameterValue] = {}
        while condition is not None:
            values[condition.parent] = min(condition.choices)
            condition = self.by_name[condition.parent].condition
        return values

    def _config(self, values: Mapping[str, ParameterValue]) -> Config:
        """The configuration with these values, and with one for each search space inside a choice that is made.

        Raises:
            ConfigError: it is not valid.
        """
        values, assignments = dict(values), []
        for item in self.written:
            parameter = self.by_name[item.parameter.name]
            if item.is_nested and parameter.name not in values and parameter.is_active(values):
                domain = parameter.domain
                values[parameter.name] = 0 if isinstance(domain, ChoiceDomain) else domain.low
            if parameter.name in values:
                assignments.append(parameter.assignment(values[parameter.name]))
        return self.space.resolved(assignments)

    def _with_checked_domain(self, item: WrittenParameter) -> Parameter:
        """The parameter, once each end of its range, or each choice, has given a valid configuration.

        Raises:
            ConfigError: a value is not valid.
        """
        parameter, written = item.parameter, item.written
        if isinstance(parameter.domain, ChoiceDomain):
            issues = [*self._value_issues(parameter, parameter.domain.values), *self._repeated(item)]
        else:
            issues = self._value_issues(parameter, (parameter.domain.low, parameter.domain.high))[:1]
        if issues:
            raise ConfigError(*issues)
        if isinstance(parameter.domain, ChoiceDomain) or not isinstance(written, Range):
            return parameter
        if not parameter.domain.is_int or written.step is not None:
            return parameter
        low, high = float(written.low), float(written.high)
        # A key that takes fractions has them between whole ends too.
        inside = (low + 0.5, high - 0.5) if high - low > 1 else (low, high)
        fractions = replace(parameter, domain=fractions_of(written))
        return parameter if self._value_issues(fractions, inside) else fractions

    def _value_issues(self, parameter: Parameter, values: Sequence[ParameterValue]) -> list[ConfigIssue]:
        """The issues of each of the values, beside each choice in which the parameter is active."""
        self.by_name[parameter.name] = parameter
        condition = parameter.condition
        choices = [None] if condition is None else [frozenset([i]) for i in sorted(condition.choices)]
        issues: dict[tuple[Location, str], ConfigIssue] = {}
        for choice, value in product(choices, values):
            inside = None if condition is None or choice is None else Condition(condition.parent, choice)
            span, of_value = parameter.assignment(value).span, list[ConfigIssue]()
            try:
                config = self._config({**self._context(inside), parameter.name: value})
            except ConfigError as error:
                of_value = [self._located(issue, parameter, span) for issue in error.issues]
            else:
                if parameter.key[0] == "validation" and isinstance(config.validation, ValidationFile):
                    of_value = [self._issue(span, parameter, f"a validation file cannot be searched: {NOT_COMPARABLE}")]
                if parameter.key[0] == "loss" and _time_bins(config) != (bins := _time_bins(self.space.base)):
                    message = f"the bins of time cannot be searched: {NOT_COMPARABLE}"
                    hint = f"All trials have those of the loss of the configuration, bins: {bins or 'auto'}. Remove it."
                    of_value = [self._issue(span, parameter, message, hint)]
            issues |= {(issue.location, issue.message): issue for issue in of_value}
        return list(issues.values())

    def _repeated(self, item: WrittenParameter) -> Iterator[ConfigIssue]:
        """The issues of choices that are the same as an earlier one."""
        parameter, seen = item.parameter, list[tuple[Config, Inside]]()
        for i, inside in enumerate(item.nested):
            try:
                config = self._config({**self._context(parameter.condition), parameter.name: i})
            except ConfigError:
                continue
            if (config, inside) in seen:
                message = f"the choice {quote(parameter.label(i))} is repeated"
                yield self._issue(parameter.choice_spans[i][()], parameter, message, "Remove it.")
            seen.append((config, inside))

    def _located(self, issue: ConfigIssue, parameter: Parameter, value: SourceSpan) -> ConfigIssue:
        """An issue of the configuration with a value of the parameter: where it is written, or at the value."""
        at = issue.location
        place = None if at.line is None or at.character is None else (at.line, at.character)
        spans = (span for path, span in self.document.spans.items() if path[:2] == ("tune", "search"))
        if any(span.source == at.source and place in (span.key, span.value) for span in spans):
            return replace(issue, excerpt=self._excerpt(at), fix=None)
        return self._issue(value, parameter, issue.message, issue.hint)

    def _error(self, parameter: Parameter, message: str, hint: str | None = None) -> ConfigError:
        """An error of the key of a parameter."""
        return ConfigError(self._issue(parameter.span, parameter, message, hint))

    def _issue(self, span: SourceSpan, parameter: Parameter, message: str, hint: str | None = None) -> ConfigIssue:
        """An issue of a parameter at a span."""
        line, character = span.key or (None, None)
        location = Location(span.source, line, character, ".".join(parameter.key))
        return ConfigIssue(message, location, hint, self._excerpt(location))

    def _excerpt(self, at: Location) -> str | None:
        return excerpt(self.document.other_lines.get(at.source or "", self.document.lines), at.line, at.character)

"""The search space of a section `tune`, its keys checked against the configuration, each mistake with its location."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nncli.base.errors import ConfigError, ConfigIssue, Location
from nncli.base.text import quote
from nncli.config.loading import LoadedConfig
from nncli.config.schema import Config, TuneSection, ValidationFile
from nncli.config.schema.tune import NOT_COMPARABLE, SEARCHABLE_DATA, UNSEARCHABLE, Choices, Range
from nncli.config.yaml.document import Document, SourceSpan, excerpt
from nncli.config.yaml.document import Path as SourcePath
from nncli.config.yaml.writer import one_line
from nncli.tuning.space.keys import WILDCARD, Key, expand, is_inside, is_same, item_with, key_of, long_form, unknown_key
from nncli.tuning.space.space import ChoiceDomain, Condition, NumberDomain, Parameter, SearchSpace, Value


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


@dataclass(frozen=True)
class IssueLocator:
    """Locates issues in the document of the search space, whose parameters are `written` there."""

    document: Document
    written: tuple[Parameter, ...]

    def located(self, issue: ConfigIssue, parameter: Parameter, value: SourceSpan) -> ConfigIssue:
        """An issue of the configuration with a value of the parameter, where that is written from which it follows."""
        at = issue.location
        position = None if at.line is None or at.character is None else (at.line, at.character)
        for other in self.written:
            for span in (other.span, *other.choice_spans):
                if span.source == at.source and position in (span.key, span.value):
                    inside = self._inside(span, other, issue)
                    line, character = (inside.key if inside is not span else position) or (None, None)
                    location = replace(at, line=line, character=character)
                    return replace(issue, location=location, excerpt=self._excerpt(location), fix=None)
        return self.issue(self._inside(value, parameter, issue), parameter, issue.message, issue.hint)

    def error(self, parameter: Parameter, message: str, hint: str | None = None) -> ConfigError:
        """An error of the key of a parameter."""
        return ConfigError(self.issue(parameter.span, parameter, message, hint))

    def issue(self, span: SourceSpan, parameter: Parameter, message: str, hint: str | None) -> ConfigIssue:
        """An issue of a parameter at a span."""
        line, character = span.key or (None, None)
        location = Location(span.source, line, character, ".".join(parameter.key))
        return ConfigIssue(message, location, hint, self._excerpt(location))

    def _inside(self, span: SourceSpan, parameter: Parameter, issue: ConfigIssue) -> SourceSpan:
        """The span of the key inside a value that an issue is about, or that of the value."""
        spans = self.document.spans
        steps = tuple((issue.location.key or "").split("."))[len(parameter.key) :]
        if span.key is None or not steps:
            return span
        paths = (path for path, other in spans.items() if path[:2] == ("tune", "search") and other == span)
        path = next(paths, ())
        return spans.get((*path, *(int(step) if step.isdecimal() else step for step in steps)), span)

    def _excerpt(self, at: Location) -> str | None:
        return excerpt(self.document.other_lines.get(at.source or "", self.document.lines), at.line, at.character)

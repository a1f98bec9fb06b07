"""The message and the hint of each kind of error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from nncli.base.errors import Advice, ConfigError, ConfigFix, ConfigIssue, Location, SetKey
from nncli.base.text import join_quoted, quote
from nncli.config.errors.suggestions import (
    CUSTOM_KINDS,
    UNKNOWN_TARGET,
    FixChecker,
    Hint,
    LocatedError,
    discriminator,
    example,
    field_names,
    is_complete,
    locate,
    normalized,
    same_spelling,
    section_hints,
    sections_with_key,
    sections_with_type,
    suggest,
    suggest_key,
    type_of,
)
from nncli.config.yaml.document import Document, Path, dotted
from nncli.config.yaml.parser import describe, parse_scalar
from nncli.config.yaml.writer import one_line

MAX_KEYS = 12  # in a hint
NO_HINT = Hint("")
CODE = "code"

_EXPECTED = {
    kind: words
    for words, kinds in {
        "a whole number": "int",
        "a number": "float decimal",
        "true or false": "bool",
        "text": "string",
        "a path": "path",
        "a list": "list tuple set frozen",
        "key: value pairs": "dict mapping model dataclass",
        "nothing": "none",
    }.items()
    for kind in kinds.split()
}

# Constraints on a value of the right type: what it must be or have, filled from the error's context.
_RULES = {
    "greater_than": "be greater than {gt}",
    "greater_than_equal": "be at least {ge}",
    "less_than": "be less than {lt}",
    "less_than_equal": "be at most {le}",
    "multiple_of": "be a multiple of {multiple_of}",
    "finite_number": "be a finite number",
    "too_short": "have at least {min_length} item(s)",
    "too_long": "have at most {max_length} item(s)",
    "string_too_short": "have at least {min_length} character(s)",
    "string_too_long": "have at most {max_length} character(s)",
    "string_pattern_mismatch": "match the pattern {pattern}",
}

_SINGLE = ("union_tag_invalid", "missing", "union_tag_not_found")  # not joined with other errors by "or"
_CHOICES = ("literal_error", "enum")


@dataclass(frozen=True)
class IssueWriter:
    """Words the errors of one location as an issue. `root` is the model of the whole document."""

    root: type[BaseModel]
    document: Document
    checker: FixChecker

    def issue(self, group: Sequence[LocatedError]) -> ConfigIssue:
        """One issue for all errors of a location: the most specific error, or all of them joined by "or"."""
        specific = [error for error in group if error.is_custom] + [error for error in group if error.kind in _SINGLE]
        if specific:
            return self._single(specific[0])
        if all(error.kind == "extra_forbidden" for error in group):
            return self._unknown_key(group)
        value = group[0].details["input"]
        choices = [choice for error in group for choice in error.choices]
        if isinstance(value, str) and all(error.kind in _CHOICES for error in group):
            return self._unknown_choice(group[0], value, choices)
        return self._wrong_value(group, choices)

    def _wrong_value(self, group: Sequence[LocatedError], choices: Sequence[str]) -> ConfigIssue:
        path, value = group[0].path, group[0].details["input"]
        rules = dict.fromkeys(_rule(error) for error in group if error.kind in _RULES)
        others = dict.fromkeys(
            _expected(error) for error in group if error.kind not in _RULES and error.kind != "extra_forbidden"
        )
        about_key = group[0].about_key
        if rules:
            rest = "".join(f" or be {other}" for other in others)
            message = f"{'the key ' if about_key else ''}must {' and '.join(rules)}{rest}, found {describe(value)}"
        else:
            key = "the key to be " if about_key else ""
            message = f"expected {key}{' or '.join(others)}, found {describe(value)}"
        if about_key:
            return self._written(message, path, "key", ())
        near = suggest(value, choices) if isinstance(value, str) else None
        candidates = [Hint("", ConfigFix(path, near))] if near else value_hints(group)
        return self._written(message + _did_you_mean(value, choices), path, "value", candidates)

    def _unknown_choice(self, error: LocatedError, word: str, choices: Sequence[str]) -> ConfigIssue:
        path = error.path
        noun = "target" if error.kind == UNKNOWN_TARGET else "key" if error.about_key else _noun(path)
        message = f"unknown {noun} {quote(word)}{_did_you_mean(word, choices)}"
        fallback = _expected_hint(choices)
        if error.about_key:
            near = suggest(word, choices)
            fix = ConfigFix((*path[:-1], near), error_value(self.document, path), remove=path) if near else None
            return self._written(message, path, "key", [Hint(fallback.text, fix)] if fix else (), fallback)
        return self._written(message, path, "value", choice_hints(path, word, choices, self.root), fallback)

    def _unknown_key(self, group: Sequence[LocatedError]) -> ConfigIssue:
        """The issue of an unknown key: it is misspelled, or belongs to another section."""
        path, value = group[0].path, group[0].details["input"]
        word, message = str(path[-1]), f"unknown key {quote(path[-1])}"
        # Keys that other libraries have where a model has others, and what is written instead.
        foreign = [keys[word] for e in group for m in e.models if word in (keys := getattr(m, "foreign_keys", {}))]
        if foreign:
            return self._written(message, path, "key", (), Hint(foreign[0]))
        siblings = list(dict.fromkeys(key for error in group for model in error.models for key in field_names(model)))
        root_keys = [] if len(path) == 1 else list(field_names(self.root))
        better = suggest_key(word, siblings, root_keys, self.root)
        renamed = ConfigFix((*path[:-1], str(better)), value, remove=path)
        if better == CODE and isinstance(value, dict) and not self.checker.accepts(renamed):
            better = None  # it is near to many words, and has no keys
        if better is not None:
            message += f"; did you mean {quote(better)}?"
        span = self.document.spans.get(path)
        is_set = span is not None and span.setter == SET
        if is_set and not isinstance(value, dict) and not better and word not in root_keys:
            for match in sections_with_key(self.root, word)[:1]:
                key = SetKey(f"{match.section}.{word}", one_line(value))
                return self._written(message, path, "key", (), Hint(Advice("Use ", key, ".")))
        in_root = word in root_keys or (better in root_keys and better not in siblings)
        if in_root:
            text = f"It belongs at the top level, next to {quote(path[0])}."
            fallback = Hint(text)
            candidates: Iterable[Hint] = [Hint(text, ConfigFix((better or word,), value, remove=path))]
        else:
            verb = "key here is" if len(siblings) == 1 else "keys here are"
            listed = siblings and not (better and len(siblings) > MAX_KEYS)
            fallback = Hint(f"The {verb} {join_quoted(siblings, max_words=MAX_KEYS)}." if listed else "")
            if better is not None:
                candidates = [Hint(fallback.text, ConfigFix((*path[:-1], better), value, remove=path))]
            elif len(path) == 1 and isinstance(value, dict) and any(key in field_names(self.root) for key in value):
                fallback = Hint(f"Its keys belong at the top level, not under {quote(word)}.")
                candidates = ()
            else:
                candidates = section_hints(path, value, self.root)
        return self._written(message, path, "key", candidates, fallback)

    def _single(self, error: LocatedError) -> ConfigIssue:
        """The issue of an error that needs no other error of its location."""
        path, context = error.path, error.details.get("ctx", {})
        if error.kind == "missing":
            models = [model for model in error.models if path[-1] in field_names(model)]
            value = error.details["input"]
            fallback = missing_hint(path[:-1], value, models[0]) if models and len(path) == 2 else NO_HINT
            return self._written(f"missing key {quote(path[-1])}", path, "key", (), fallback)
        if error.kind == "union_tag_not_found":
            tags = [tag for model in error.models for tag in get_args(field_names(model).get(str(path[-1])))]
            candidates = untyped_hints(path[:-1], error.details["input"], error.models)
            fallback = _expected_hint(tags) if tags else NO_HINT
            return self._written(f"missing key {quote(path[-1])}", path, "key", candidates, fallback)
        if error.kind == "union_tag_invalid":
            key, tag = discriminator(error.details), context.get("tag", "")
            owner, of = path[:-1] if path and path[-1] == key else path, ""
            if len(owner) == 2 and owner[0] == "loss":  # of a mapping from targets
                of, owner = f" of the target {quote(owner[1])}", ("loss",)
            message = f"unknown {f'{_noun(owner)} {key}'.strip()} {quote(tag)}{of}{_did_you_mean(tag, error.choices)}"
            foreign = [types[tag] for m in error.models if tag in (types := getattr(m, "foreign_types", {}))]
            if foreign:
                return self._written(message, path, "value", (), Hint(foreign[0]))
            candidates = type_hints(path, tag, error.choices, error.models, self.root)
            return self._written(message, path, "value", candidates, _expected_hint(error.choices))
        if error.kind == UNKNOWN_TARGET:
            return self._unknown_choice(error, str(path[-1]), error.choices)
        message = str(context["error"]) if error.kind in CUSTOM_KINDS else error.details["msg"]
        value = error.details["input"]
        forms = [{"choices": value} if error.kind == "search_space" else [value]] if isinstance(value, list) else []
        written = [write_hint(path, form) for form in forms]
        return self._written(message or "this value is not valid", path, "value", written)

    def _written(
        self, message: str, path: Path, at: str, candidates: Iterable[Hint], fallback: Hint = NO_HINT
    ) -> ConfigIssue:
        """The issue with the first hint that is accepted when it is followed, or else the fallback."""
        hint = next((hint for hint in candidates if hint.fix is None or self.checker.accepts(hint.fix)), fallback)
        fix = hint.fix if hint.fix and is_complete(hint.fix.value) else None
        text, span = hint.text, self.document.spans.get(path)
        if fix is not None and fix.remove in (None, path) and span is not None and span.setter == SET:
            text = Advice("Use ", SetKey(dotted(fix.path), one_line(fix.value)), ".")
        return self.document.issue(message, path, "key" if at == "key" else "value", text or None, fix)


def error_value(document: Document, path: Path) -> object:
    """The value at `path` of the document."""
    value: object = document.value
    for step in path:
        value = value[step]  # type: ignore[index]
    return value


def meant_key(error: LocatedError) -> str | None:
    """The key of the same section that an unknown key was meant to be."""
    return suggest(str(error.path[-1]), (key for model in error.models for key in field_names(model)))


def _did_you_mean(word: object, words: Iterable[str]) -> str:
    near = suggest(word, words) if isinstance(word, str) else None
    return f"; did you mean {quote(near)}?" if near else ""


def _noun(path: Path) -> str:
    """What a value at `path` is called: `optimizer`, or `layer` for an item of `layers`."""
    names = [step for step in path if isinstance(step, str)]
    if not names:
        return "value" if path else ""
    if path[:-1] == ("data", "columns"):
        return "kind"
    if path[:-1] == ("monotone",):
        return "direction"
    return names[-1].removesuffix("s") if isinstance(path[-1], int) else names[-1]


def _rule(error: LocatedError) -> str:
    context: Mapping[str, object] = error.details.get("ctx", {})
    words = _RULES[error.kind].format(**{name: describe(limit).strip("'") for name, limit in context.items()})
    return words.replace("(s)", "" if " 1 " in words else "s")


def _expected(error: LocatedError) -> str:
    if error.kind in _CHOICES:
        return str(error.details.get("ctx", {}).get("expected", "another value"))
    plain = _EXPECTED.get(error.kind.split("_")[0])
    # For other kinds, pydantic's message: "Input should be a valid date" -> "a valid date".
    return plain or re.sub(r"^(Input|Value) should (be )?(an instance of )?", "", error.details["msg"])


MAX_CHOICES = 20
MAX_NUMBER_LENGTH = 40
MIN_PERCENTAGE = 5
"""A number from which on it is rather meant as a percentage than as a fraction."""
_COUNT = re.compile("[1-9][0-9]{0,8}")
SET = "--set"
"""What sets values that no line of the file has."""
YES, NO = ("yes", "true", "on"), ("no", "false", "off")


def write_hint(path: Path, value: object, suffix: str = "") -> Hint:
    """A hint to write `value` at `path`. A placeholder `...` in it is for the user to fill in."""
    key = f"{one_line(path[-1])}: " if path and isinstance(path[-1], str) else ""
    return Hint(f"Write {key}{one_line(value)}{suffix}.", ConfigFix(path, value))


def value_hints(group: Sequence[LocatedError]) -> Iterator[Hint]:
    """What to write instead of a value of the wrong type, most likely first. Not all of them need to be valid."""
    path, value = group[0].path, group[0].details["input"]
    kinds = {error.kind.split("_")[0] for error in group}
    sections = [model for error in group for model in error.models if type_of(model) is None]
    if "model" in kinds and sections and not isinstance(value, dict | list):
        yield from _section_hints(path, value, sections[0])
    if kinds & {"tuple", "list"}:
        yield from _list_hints(path, value)
    if kinds & {"int", "float"}:
        yield from _number_hints(path, value, whole="float" not in kinds)
    if kinds == {"bool"} and isinstance(value, str) and normalized(value) in (*YES, *NO):
        yield write_hint(path, normalized(value) in YES)
    if isinstance(value, list) and len(value) == 1:
        yield write_hint(path, value[0])
    if kinds & {"string", "tuple"} and isinstance(value, int | float) and not isinstance(value, bool):
        yield write_hint(path, str(value), ", in quotes")
    limits = [error.details.get("ctx", {}).get(name) for error in group for name in ("lt", "le")]
    if "less" in kinds and 1 in limits and isinstance(value, int | float) and 1 < value <= 100:
        key = f"{one_line(path[-1])}: " if path and isinstance(path[-1], str) else ""
        text = f"A fraction is expected: {key}{value / 100:g} for {describe(value)} %."
        is_percentage = value >= MIN_PERCENTAGE
        between = Hint("A fraction between 0 and 1 is expected.")
        yield Hint(text, ConfigFix(path, value / 100)) if is_percentage else between


def choice_hints(path: Path, word: str, choices: Sequence[str], root: type[BaseModel]) -> Iterator[Hint]:
    """What to write instead of `word`, which is not one of the `choices` but may be one of another key."""
    near = suggest(word, choices)
    if near is not None:
        yield _expected_hint(choices, ConfigFix(path, near))
        return
    for key, annotation in field_names(root).items():
        if word in _literals(annotation):
            yield Hint(f"Write {key}: {one_line(word)}.", ConfigFix((key,), word, remove=path))


def type_hints(
    path: Path, word: object, choices: Sequence[str], models: Sequence[type[BaseModel]], root: type[BaseModel]
) -> Iterator[Hint]:
    """What to write instead of `word`, which is not a `type` at `path`.

    It may be a misspelled type, have options in parentheses, be a number in quotes, or be a type of another section.
    """
    name = re.match(r"([A-Za-z_0-9]+)(?:[(]|\W.*[(=:])", str(word))
    same = same_spelling(name[1], choices) if name else None
    if same:
        yield Hint(f"Options are keys next to the type: {{type: {same}, …}}.")
    near = suggest(str(word), choices)
    if near is not None:
        written = [example(model) for model in models if type_of(model) == near]
        if path and path[-1] != "type" and written and isinstance(written[0], dict):
            yield write_hint(path, written[0])
        yield _expected_hint(choices, ConfigFix(path, near))
        return
    yield from _number_hints(path, word, whole=False)
    yield from (match.type_hint(path) for match in sections_with_type(root, str(word)))


def untyped_hints(path: Path, value: object, models: Sequence[type[BaseModel]]) -> Iterator[Hint]:
    """What to write instead of the section `value` at `path`, which has no `type`: one that fits its keys."""
    by_type = {str(type_of(model)): model for model in models if type_of(model)}
    if not isinstance(value, Mapping) or not value or not by_type:
        return
    for key, item in value.items():
        if isinstance(item, str) and item in by_type:
            text = f"Write type: {item} instead of {one_line(key)}: {item}."
            yield Hint(text, ConfigFix((*path, "type"), item, remove=(*path, key)))
        elif key in by_type:
            options = item if isinstance(item, Mapping) else {}
            form = {"type": key, **options} if options else example(by_type[key], item)
            yield Hint(f"Write {one_line(form)}.", ConfigFix(path, form))
    for name, model in by_type.items():
        if value.keys() <= field_names(model).keys():
            form = {"type": name, **value}
            yield Hint(f"Write for example {one_line(form)}.", ConfigFix(path, form))


def missing_hint(path: Path, value: object, model: type[BaseModel]) -> Hint:
    """How the section `value` at `path` is written with all required keys."""
    required = {name: ... for name, field in model.model_fields.items() if field.is_required() and name != "type"}
    type_ = type_of(model)
    written = value if isinstance(value, Mapping) else {}
    form = {**({"type": type_} if type_ else {}), **required, **written}
    return Hint(f"Write {one_line(path[-1])}: {one_line(form)}.")


def _expected_hint(choices: Sequence[str], fix: ConfigFix | None = None) -> Hint:
    """The words that are valid."""
    return Hint(f"Expected one of {join_quoted(choices, max_words=MAX_CHOICES)}.", fix)


def _list_hints(path: Path, value: object) -> Iterator[Hint]:
    if isinstance(value, str) and normalized(value) in ("none", ""):
        yield write_hint(path, [], " for none")
    elif isinstance(value, str):
        parts = [part for part in re.split(r"[\s,;]+", value.strip("()[] ")) if part]
        if not all(map(_COUNT.fullmatch, parts)):  # names may contain spaces and semicolons
            parts = [part.strip() for part in value.strip("()[] ").split(",") if part.strip()]
        yield write_hint(path, [int(part) if _COUNT.fullmatch(part) else part for part in parts])
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield write_hint(path, [value])
        yield write_hint(path, [str(value)], ", in quotes")
    elif isinstance(value, dict):
        yield write_hint(path, [value], ", in brackets, or start each item with a dash")


def _section_hints(path: Path, value: object, section: type[BaseModel]) -> Iterator[Hint]:
    word = normalized(value) if isinstance(value, str) else value
    if word is True or word in YES:
        yield write_hint(path, {}, " for the defaults")
    if word is False or word in (*NO, "none"):
        yield write_hint(path, None, ", or remove the key")
    required = [name for name, field in section.model_fields.items() if field.is_required()]
    first = required[0] if required else next(iter(section.model_fields))
    yield write_hint(path, {first: value, **dict.fromkeys(required[1:], ...)})


def _number_hints(path: Path, value: object, *, whole: bool) -> Iterator[Hint]:
    """A number that is in quotes, a percentage, or has a decimal comma or an exponent."""
    if isinstance(value, float) and value.is_integer() and whole:
        yield write_hint(path, int(value), ", without a decimal point or an exponent")
    if not isinstance(value, str) or len(value) > MAX_NUMBER_LENGTH:
        return
    text = value.strip().removesuffix("%").strip()
    try:
        number = parse_scalar(re.sub(r"^([0-9]+),([0-9]+)$", r"\1.\2", text))
    except ValueError:
        return
    if isinstance(number, int | float) and not isinstance(number, bool):
        number = number if text == value.strip() else number / 100
        yield write_hint(path, number, ", without quotes" if one_line(number) == value else "")
        if isinstance(number, float) and number.is_integer() and whole:
            yield write_hint(path, int(number))


def _literals(annotation: object) -> Iterator[object]:
    """Every value of a Literal in `annotation`."""
    for inner in get_args(getattr(annotation, "__value__", annotation)):
        yield from [inner] if get_origin(annotation) is Literal else _literals(inner)


M = TypeVar("M", bound=BaseModel)
ErrorGroup = Sequence[LocatedError]

MAX_ISSUES = 20  # shown in full
MAX_ERRORS = 5_000  # located and grouped to issues
MAX_SUGGESTIONS = 100  # unknown keys that are compared with the missing keys


def validate(model: type[M], document: Document) -> M:
    """The document as a `model`.

    Raises:
        ConfigError: the document is not valid; holds the first MAX_ISSUES issues in the order of the file.
    """
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        details = error.errors(include_url=False)
        errors = [locate(of_error, model, document) for of_error in details[:MAX_ERRORS]]
        raise ConfigError(*_issues(errors, model, document, len(details) - len(errors))) from None


def _issues(
    errors: Sequence[LocatedError], model: type[BaseModel], document: Document, others: int = 0
) -> list[ConfigIssue]:
    """One issue for each location, in the order of the file, and one that counts those that are left out.

    `others` is the number of errors that are not looked at.
    """
    groups = sorted(_by_location(errors).values(), key=lambda group: _order(document.location(group[0].path), document))
    writer = IssueWriter(model, document, FixChecker(model, document, errors))
    issues = sorted(map(writer.issue, groups[:MAX_ISSUES]), key=lambda issue: _order(issue.location, document))
    if len(groups) > MAX_ISSUES:
        more = len(groups) - MAX_ISSUES + others
        issues.append(document.issue(f"and {more:,} more", groups[MAX_ISSUES][0].path))
    return issues


def _by_location(errors: Sequence[LocatedError]) -> Mapping[tuple[Path, bool], ErrorGroup]:
    """The errors of each path, of its key or its value, without those that follow from others."""
    nested = {error.path[:n] for error in errors for n in range(len(error.path))}
    groups: dict[tuple[Path, bool], list[LocatedError]] = {}
    for error in errors:
        # A union reports the errors of every branch; the branch with the longest path is the one that was meant.
        if error.path not in nested:
            groups.setdefault((error.path, error.about_key), []).append(error)
    # A misspelled key is also reported as missing. One mistake is one issue.
    unknown = [error for error in errors if error.kind == "extra_forbidden"]
    misspelled = {(*error.path[:-1], meant_key(error)) for error in unknown[:MAX_SUGGESTIONS]}
    return {
        (path, about_key): group
        for (path, about_key), group in groups.items()
        if not (group[0].kind == "missing" and path in misspelled)
    }


def _order(location: Location, document: Document) -> tuple[bool, int, int]:
    """The order of issues: that of the file, then those of other sources."""
    return (location.source != document.source, location.line or 0, location.character or 0)

"""Hints: how a value with an error should be written, as text and as a fix."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, get_args, get_origin

from pydantic import BaseModel

from nncli.base.errors import ConfigFix
from nncli.base.text import join_quoted
from nncli.config.errors.aliases import normalized, same_spelling, suggest
from nncli.config.errors.locate import LocatedError, field_names
from nncli.config.errors.suggestions import Hint, example, sections_with_type, type_of
from nncli.config.yaml.document import Path
from nncli.config.yaml.scalars import describe, parse_scalar
from nncli.config.yaml.writer import one_line

MAX_CHOICES = 20
MAX_NUMBER_LENGTH = 40
MIN_PERCENTAGE = 5
"""A number from which on it is rather meant as a percentage than as a fraction."""
_COUNT = re.compile("[1-9][0-9]{0,8}")
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
        yield (
            Hint(text, ConfigFix(path, value / 100))
            if is_percentage
            else Hint("A fraction between 0 and 1 is expected.")
        )


def choice_hints(path: Path, word: str, choices: Sequence[str], root: type[BaseModel]) -> Iterator[Hint]:
    """What to write instead of `word`, which is not one of the `choices` but may be one of another key."""
    near = suggest(word, choices)
    if near is not None:
        yield Hint(_choices(choices), ConfigFix(path, near))
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
        yield Hint(_choices(choices), ConfigFix(path, near))
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


def expected_hint(choices: Sequence[str]) -> Hint:
    """The words that are valid."""
    return Hint(_choices(choices))


def _choices(choices: Sequence[str]) -> str:
    return f"Expected one of {join_quoted(choices, max_words=MAX_CHOICES)}."


def _list_hints(path: Path, value: object) -> Iterator[Hint]:
    if isinstance(value, str) and normalized(value) in ("none", ""):
        yield write_hint(path, [], " for none")
    elif isinstance(value, str):
        parts = [part for part in re.split(r"[\s,;]+", value.strip("()[] ")) if part]
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

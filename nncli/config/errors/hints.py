"""How a value should have been written that is of the wrong form: the right words to put in its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, get_args, get_origin

from pydantic import BaseModel

from nncli.config.errors.aliases import normalized, same_spelling, suggest
from nncli.config.errors.locate import LocatedError, field_names
from nncli.config.errors.suggestions import sections_with_type, type_of, typed
from nncli.config.yaml.scalars import describe, parse_scalar
from nncli.config.yaml.writer import one_line
from nncli.text import join_quoted

MOST_CHOICES = 20
LONGEST_NUMBER = 40
_COUNT = re.compile("[1-9][0-9]{0,8}")
YES, NO = ("yes", "true", "on"), ("no", "false", "off")


def value_hint(group: Sequence[LocatedError], at: str) -> str | None:
    """What to write, after `at` (`epochs: `, or nothing in a list), instead of a value of no form that may stand there.

    None where nothing is plain.
    """
    value, kinds = group[0].details["input"], {complaint.kind.split("_")[0] for complaint in group}
    sections = [model for complaint in group for model in complaint.models if type_of(model) is None]
    if "model" in kinds and sections and not isinstance(value, dict | list):
        return _section(at, value, sections[0])
    if kinds & {"tuple", "list"} and "model" not in kinds:
        return _list(at, value)
    if kinds & {"int", "float"}:
        return _number(at, value, whole="float" not in kinds)
    if kinds == {"bool"} and isinstance(value, str) and normalized(value) in (*YES, *NO):
        return f"Write {at}{one_line(normalized(value) in YES)}."
    if kinds == {"string"} and isinstance(value, list) and len(value) == 1:
        return f"Write {at}{one_line(value[0])}."
    if kinds == {"string"} and isinstance(value, int | float):
        return f"Write {at}{one_line(str(value))}, in quotes."
    if "less" in kinds and isinstance(value, int | float) and 1 < value <= 100:
        return f"A share is a part of 1: {at}{value / 100:g} for {describe(value)} %."
    return None


def choice_hint(word: str, choices: Sequence[str], top: type[BaseModel]) -> str:
    """What to write instead of `word`, which is none of the `choices`: it may be one of another key's."""
    near = suggest(word, choices)
    others = [key for key, annotation in field_names(top).items() if word in _words(annotation)] if near is None else []
    return (
        f"Write {others[0]}: {one_line(word)}."
        if others
        else f"Expected one of {join_quoted(choices, most=MOST_CHOICES)}."
    )


def type_hint(word: object, choices: Sequence[str], noun: str, top: type[BaseModel]) -> str:
    """What to write instead of `word`, no type of a `noun`: it may hold options, or be a type of something else."""
    name = re.match(r"([A-Za-z_0-9]+)(?:[(]|\W.*[(=:])", str(word))
    near = same_spelling(name[1], choices) if name else None
    if near:
        return f"Options stand beside the type: {{type: {near}, …}}."
    number = _number(f"{noun}: ", word, whole=False) if noun == "learning_rate" else None
    if number or suggest(str(word), choices):
        return number or f"Expected one of {join_quoted(choices, most=MOST_CHOICES)}."
    elsewhere = sections_with_type(top, str(word))
    return elsewhere[0].hint_of_type() if elsewhere else f"Expected one of {join_quoted(choices, most=MOST_CHOICES)}."


def untyped_hint(value: object, models: Sequence[type[BaseModel]]) -> str | None:
    """What to write instead of key: value pairs without a `type`, seen from the keys that are there."""
    named = {str(type_of(model)): model for model in models if type_of(model)}
    if not isinstance(value, Mapping) or not value or not named:
        return None
    for key, item in value.items():
        if isinstance(item, str) and item in named:
            return f"Write type: {item} instead of {one_line(key)}: {item}."
        if key in named:
            options = (
                [f"{one_line(name)}: {one_line(inner)}" for name, inner in item.items()]
                if isinstance(item, Mapping)
                else []
            )
            form = f"{{type: {key}, {', '.join(options)}}}" if options else typed(named[key], item)
            return f"Write {form}."
    fitting = [name for name, model in named.items() if value.keys() <= field_names(model).keys()]
    options = [f"{key}: {one_line(item)}" for key, item in value.items()]
    return f"Write {{type: {fitting[0]}, {', '.join(options)}}}, say." if fitting else None


def missing_hint(key: str, model: type[BaseModel]) -> str:
    """How a section with all that it needs is written."""
    type_ = type_of(model)
    needed = [f"{name}: …" for name, field in model.model_fields.items() if field.is_required() and name != "type"]
    return f"Write {key}: {{{', '.join([*([f'type: {type_}'] if type_ else []), *needed])}}}."


def _list(at: str, value: object) -> str | None:
    if isinstance(value, str) and normalized(value) in ("none", ""):
        return f"Write {at}[] for none."
    if isinstance(value, str):
        parts = [part for part in re.split(r"[\s,;]+", value.strip("()[] ")) if part]
        return f"Write {at}{one_line([int(part) if _COUNT.fullmatch(part) else part for part in parts])}."
    if isinstance(value, int | float):
        return f"Write {at}{one_line([value])}."
    return f"Write {at}[{{…}}], in brackets, or begin each item with a dash." if isinstance(value, dict) else None


def _section(at: str, value: object, section: type[BaseModel]) -> str:
    if value is True:
        return f"Write {at}{{}} for its defaults."
    if value is False:
        return f"Write {at}null, or leave it out."
    needed = [name for name, field in section.model_fields.items() if field.is_required()]
    first = needed[0] if needed else next(iter(section.model_fields))
    rest = [f"{name}: …" for name in needed[1:]]
    return f"Write {at}{{{', '.join([f'{first}: {one_line(value)}', *rest])}}}."


def _number(at: str, value: object, *, whole: bool) -> str | None:
    """What to write for a number in another spelling: in quotes, 20%, a decimal comma, 1e3 for a thousand."""
    if isinstance(value, float) and value.is_integer() and whole:
        return f"Write {at}{int(value)}, without a decimal point or an exponent."
    if not isinstance(value, str) or len(value) > LONGEST_NUMBER:
        return None
    share = value.strip().removesuffix("%").strip()
    try:
        number = parse_scalar(re.sub(r"^([0-9]+),([0-9]+)$", r"\1.\2", share))
    except ValueError:
        return None
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    shown = one_line(number if share == value.strip() else number / 100)
    return f"Write {at}{shown}, without quotes." if shown == value else f"Write {at}{shown}."


def _words(annotation: object) -> Iterator[object]:
    """Every word that a literal in `annotation` holds."""
    for inner in get_args(getattr(annotation, "__value__", annotation)):
        yield from [inner] if get_origin(annotation) is Literal else _words(inner)

"""Keys of a configuration as a search space names them, such as `layers.0.units` and `layers.*.units`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import TypeAlias

from nncli.base.spec import Spec, non_defaults
from nncli.base.text import join_quoted, quote
from nncli.config.errors.suggestions import (
    SectionMatch,
    aliases_of,
    field_names,
    model_classes,
    sections_with_key,
    suggest_key,
    type_of,
)
from nncli.config.schema import Config
from nncli.config.schema.tune import Choices, Range
from nncli.config.yaml.writer import one_line

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
        return {"type": "constant", "initial": value}
    return {"type": "dense", "units": value} if _is_layer(key) else value


def _is_layer(key: Key) -> bool:
    """Whether a key is that of a layer: layers.0, or layers.0.layers.1 in a residual block."""
    pairs = zip_longest(key[::2], key[1::2], fillvalue="")
    return len(key) > 0 and all(name == "layers" and (item == WILDCARD or item.isdecimal()) for name, item in pairs)


Written = Range | Choices
EXAMPLES: tuple[tuple[str, object], ...] = (
    ("rate", {"from": 0.0, "to": 0.5}),
    ("units", {"from": 16, "to": 256}),
    ("momentum", {"from": 0.5, "to": 0.99}),
)
"""What a key of that name may be chosen from."""


def unknown_key(key: Key, written: Written | None = None) -> tuple[str, str] | None:
    """The message and the hint for a key that no configuration has, searched as `written`; None if one may have it.

    A hyperparameter such as dropout or momentum is a key inside another one.
    """
    if key[0] in field_names(Config):
        return None
    word, message = ".".join(key), f"unknown key {quote('.'.join(key))}"
    keys = list(field_names(Config))
    meant = suggest_key(key[0], keys, (), Config)
    if meant == "layers" and isinstance(written, Range) and len(key) == 1:
        word, meant = "units", None
    if meant is not None:
        meant = ".".join((meant, *key[1:]))
        return f"{message}; did you mean {quote(meant)}?", f"Write {meant} instead."
    for name in (word, *aliases_of(word)):
        for match in sections_with_key(Config, name)[:1]:
            step = f"{match.section}.{WILDCARD}" if match.is_list else match.section
            return f"{message}; did you mean {quote(f'{step}.{name}')}?", _of_section(match, name)
    return message, "Keys are those of a configuration, such as learning_rate, layers.0.units or optimizer.momentum."


def _of_section(match: SectionMatch, name: str) -> str:
    """That a key belongs to a section, and how it is searched in a choice of it."""
    types = [str(kind) for kind in map(type_of, match.models) if kind]
    if not types:
        return f"It belongs to {quote(match.section)}."
    form = one_line({"type": types[0], name: _example(name)})
    of = join_quoted(types, max_words=4)
    return f"It belongs to {quote(match.section)} of type {of}; in choices of {match.section}: {form}."


def item_with(key: Key) -> str | None:
    """How an item of layers is written that has the last step of a key such as layers.*.rate; None if none has it."""
    if key[0] != "layers" or len(key) < 3:
        return None
    models = [model for model in model_classes(field_names(Config)["layers"]) if key[-1] in field_names(model)]
    return one_line({"type": type_of(models[0]), key[-1]: _example(key[-1])}) if models else None


def _example(name: str) -> object:
    return dict(EXAMPLES).get(name, {"from": ..., "to": ...})

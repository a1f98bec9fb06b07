"""Keys of a search space that the configuration does not have, and the keys that were meant."""

from __future__ import annotations

from nncli.base.text import join_quoted, quote
from nncli.config.errors.aliases import aliases_of
from nncli.config.errors.locate import field_names, model_classes
from nncli.config.errors.suggestions import SectionMatch, sections_with_key, suggest_key, type_of
from nncli.config.schema import Config
from nncli.config.schema.tune import Choices, Range
from nncli.config.yaml.writer import one_line
from nncli.tuning.space.keys import WILDCARD, Key

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

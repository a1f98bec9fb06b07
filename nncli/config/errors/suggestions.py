"""Where a key or a type belongs that stands in the wrong place, and how it is written there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args, get_origin

from pydantic import BaseModel

from nncli.config.errors.aliases import aliases_of, normalized, same_spelling
from nncli.config.errors.locate import field_names, model_classes
from nncli.config.yaml.writer import one_line
from nncli.text import closest_match, join_quoted, quote


@dataclass(frozen=True)
class SectionMatch:
    """A section that has a key: a plain one, or specifications of these types; `many`, where it is a list of them."""

    section: str
    models: tuple[type[BaseModel], ...]
    many: bool

    def hint(self, key: str, value: str) -> str:
        """How the key is written here."""
        types = [name for name in map(type_of, self.models) if name]
        if not types:
            return f"It belongs under {quote(self.section)}, as in {self.section}: {{{key}: {value}}}."
        of = "" if len(types) == 1 else f" of type {join_quoted(types, most=4)}"
        return (
            f"It belongs to {quote(self.section)}{of}, as in {self._written(f'{{type: {types[0]}, {key}: {value}}}')}."
        )

    def hint_of_type(self, value: object = None) -> str:
        """How the type is written here, with `value` for its first option where that is a number."""
        return f"It is a type of {quote(self.section)}, as in {self._written(typed(self.models[0], value))}."

    def _written(self, form: str) -> str:
        return f"{self.section}: [{form}]" if self.many else f"{self.section}: {form}"


def suggest_section(
    word: str, value: object, here: Sequence[str], beside: Sequence[str], top: type[BaseModel]
) -> tuple[str | None, str | None]:
    """What `word`, an unknown key, was meant to be, and where in `top` it belongs if not here; what is known of it.

    `here` are the keys of the section where it stands, `beside` those of the top if that is not it. What is only
    spelled differently comes first, then a key of another section, another library's word, and what is merely alike.
    """
    for known in (beside, here):
        if same := same_spelling(word, known):
            return (None if same == word else same), None
    if at_home := sections_with_key(top, word):
        return None, at_home[0].hint(word, one_line(value))
    ours = aliases_of(word)
    for known in (here, beside):
        if fitting := [other for other in ours if other in known]:
            return fitting[0], None
    for other in ours:
        if at_home := sections_with_key(top, other):
            return None, at_home[0].hint(other, "…" if isinstance(value, bool) else one_line(value))
    if at_home := sections_with_type(top, word):
        return None, at_home[0].hint_of_type(value)
    return closest_match(word, here), None


def sections_with_key(model: type[BaseModel], key: str) -> list[SectionMatch]:
    """The sections within `model` that have `key`, plain ones first, lists last."""
    found = [
        SectionMatch(home.section, having, home.many)
        for home in _sections(model, "")
        if key != "type" and (having := tuple(member for member in home.models if key in field_names(member)))
    ]
    return sorted(found, key=lambda home: (type_of(home.models[0]) is not None, home.many))


def sections_with_type(model: type[BaseModel], name: str) -> list[SectionMatch]:
    """The sections within `model` that may be, or hold, what goes by the type `name`."""
    return [
        SectionMatch(home.section, (member,), home.many)
        for home in _sections(model, "")
        for member in home.models
        if normalized(type_of(member) or "") == normalized(name)
    ]


def _sections(model: type[BaseModel], before: str) -> Iterator[SectionMatch]:
    """Every section within `model`, and those within the plain ones."""
    for section, annotation in field_names(model).items():
        inside = tuple(dict.fromkeys(model_classes(annotation)))
        if inside and get_origin(annotation) is not dict:
            yield SectionMatch(f"{before}{section}", inside, get_origin(annotation) in (list, tuple))
            for member in inside:
                if type_of(member) is None:
                    yield from _sections(member, f"{before}{section}.")


def typed(model: type[BaseModel], value: object = None) -> str:
    """How a specification is written: its name where that will do, or a number `value` for its first option."""
    options = [key for key in field_names(model) if key != "type"]
    needed = [key for key in options if model.model_fields[key].is_required()]
    if options and isinstance(value, int | float) and not isinstance(value, bool):
        return f"{{type: {type_of(model)}, {options[0]}: {one_line(value)}}}"
    return f"{{type: {type_of(model)}, {', '.join(f'{key}: …' for key in needed)}}}" if needed else str(type_of(model))


def type_of(model: type[BaseModel]) -> str | None:
    """The `type` that a class goes by in a union; None where it needs none."""
    tags = get_args(field_names(model).get("type"))
    return str(tags[0]) if tags else None

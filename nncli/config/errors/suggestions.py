"""Sections that a misplaced key or type belongs to, and how it is written there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import get_args, get_origin

from pydantic import BaseModel

from nncli.base.errors import ConfigFix
from nncli.base.text import closest_match, join_quoted, quote
from nncli.config.errors.aliases import aliases_of, normalized, same_spelling
from nncli.config.errors.locate import field_names, model_classes
from nncli.config.yaml.document import Path
from nncli.config.yaml.writer import one_line


@dataclass(frozen=True)
class Hint:
    """Advice on how to correct an issue. `fix` is the same as a change; `...` in it is for the user to fill in."""

    text: str
    fix: ConfigFix | None = None


@dataclass(frozen=True)
class SectionMatch:
    """A section of the schema with the classes that its value may have; `is_list` for a list of them."""

    section: str
    models: tuple[type[BaseModel], ...]
    is_list: bool

    def key_hint(self, path: Path, key: str, value: object) -> Hint:
        """How `key` with its `value` is written in this section instead of at `path`."""
        types = [name for name in map(type_of, self.models) if name]
        if not types:
            fix = ConfigFix((*self.section.split("."), key), value, remove=path)
            return Hint(f"It belongs to {quote(self.section)}: {self.section}: {one_line({key: value})}.", fix)
        required = example(self.models[0])
        form = {"type": types[0], **(required if isinstance(required, dict) else {}), key: value}
        text, fix = self._written(path, form)
        of = "" if len(types) == 1 else f" of type {join_quoted(types, max_words=4)}"
        return Hint(f"It belongs to {quote(self.section)}{of}: {text}.", fix)

    def type_hint(self, path: Path, value: object = None) -> Hint:
        """How the type is written in this section, with `value` as its first option if that is a number."""
        text, fix = self._written(path, example(self.models[0], value))
        return Hint(f"It is a type of {quote(self.section)}: {text}.", fix)

    def _written(self, path: Path, form: object) -> tuple[str, ConfigFix]:
        value = [form] if self.is_list else form
        return f"{self.section}: {one_line(value)}", ConfigFix(tuple(self.section.split(".")), value, remove=path)


def suggest_key(word: str, siblings: Sequence[str], root_keys: Sequence[str], root: type[BaseModel]) -> str | None:
    """The key that the unknown key `word` was meant to be: one of its `siblings`, or one of the `root_keys`.

    `root_keys` is empty for a key at the top level, whose siblings are the keys of the root.

    A different spelling comes first, then a name that other libraries use, then a similar word. None if it is a key
    or a type of another section of `root`.
    """
    for known in (root_keys, siblings):
        if same := same_spelling(word, known):
            return None if same == word else same
    names = aliases_of(word)
    in_section = [name for name in names if name in siblings]
    if in_section and (root_keys or not sections_with_key(root, word)):
        return in_section[0]
    if sections_with_key(root, word):
        return None
    in_root = [name for name in names if name in root_keys]
    if in_root:
        return in_root[0]
    if any(sections_with_key(root, name) for name in names) or sections_with_type(root, word):
        return None
    return closest_match(word, siblings)


def section_hints(path: Path, value: object, root: type[BaseModel]) -> Iterator[Hint]:
    """How the unknown key at `path` with its `value` is written in the sections that it may belong to."""
    word = str(path[-1])
    for key in (word, *aliases_of(word)):
        for match in sections_with_key(root, key)[:1]:
            if not (isinstance(value, bool) and key != word):
                yield match.key_hint(path, key, value)
            yield match.key_hint(path, key, ...)
    for match in sections_with_type(root, word)[:1]:
        yield match.type_hint(path, value)
        yield match.type_hint(path)


def sections_with_key(model: type[BaseModel], key: str) -> list[SectionMatch]:
    """The sections of `model` that have `key`: those without types first, lists last."""
    matches = [
        SectionMatch(section.section, members, section.is_list)
        for section in _sections(model)
        if key != "type" and (members := tuple(member for member in section.models if key in field_names(member)))
    ]
    return sorted(matches, key=lambda match: (type_of(match.models[0]) is not None, match.is_list))


def sections_with_type(model: type[BaseModel], name: str) -> list[SectionMatch]:
    """The sections of `model` in which `name` is a type."""
    return [
        SectionMatch(section.section, (member,), section.is_list)
        for section in _sections(model)
        for member in section.models
        if normalized(type_of(member) or "") == normalized(name)
    ]


@cache
def _sections(model: type[BaseModel], prefix: str = "") -> tuple[SectionMatch, ...]:
    """Every section of `model`, and those nested in sections without types."""
    sections: list[SectionMatch] = []
    for key, annotation in field_names(model).items():
        members = tuple(dict.fromkeys(model_classes(annotation)))
        if members and get_origin(annotation) is not dict:
            sections.append(SectionMatch(f"{prefix}{key}", members, get_origin(annotation) in (list, tuple)))
            for member in members:
                if type_of(member) is None:
                    sections += _sections(member, f"{prefix}{key}.")
    return tuple(sections)


def example(model: type[BaseModel], value: object = None) -> str | dict[str, object]:
    """How a class with a `type` is written: its name if no option is required.

    A number `value` becomes its first option; the other required options are placeholders.
    """
    options = [key for key in field_names(model) if key != "type"]
    written: dict[str, object] = {key: ... for key in options if model.model_fields[key].is_required()}
    if options and isinstance(value, int | float) and not isinstance(value, bool):
        written = {options[0]: value, **{key: item for key, item in written.items() if key != options[0]}}
    return {"type": type_of(model), **written} if written else str(type_of(model))


@cache
def type_of(model: type[BaseModel]) -> str | None:
    """The `type` of a class in a union; None if it has none."""
    tags = get_args(field_names(model).get("type"))
    return str(tags[0]) if tags else None

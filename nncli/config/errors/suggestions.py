"""What was probably meant by an unknown key or type: another spelling, another section, the word of another library."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path as FilePath
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from nncli.base import plugins
from nncli.base.errors import ConfigFix
from nncli.base.text import LONGEST_WORD, closest_match, join_quoted, quote
from nncli.config.yaml.document import Document, Path
from nncli.config.yaml.parser import parse
from nncli.config.yaml.writer import one_line

# Raised by our validators with our messages, as is every type of error that pydantic does not know.
CUSTOM_KINDS = ("value_error", "assertion_error")
UNKNOWN_TARGET = "unknown_target"  # about a name in a mapping from targets
_PYDANTIC_KINDS = frozenset(get_args(ErrorType))


@dataclass(frozen=True)
class LocatedError:
    """An error of pydantic with its path in the document and the models that were tried there."""

    path: Path
    details: ErrorDetails
    models: tuple[type[BaseModel], ...]

    @property
    def kind(self) -> str:
        return self.details["type"]

    @property
    def is_custom(self) -> bool:
        return self.kind in CUSTOM_KINDS or self.kind not in _PYDANTIC_KINDS

    @property
    def about_key(self) -> bool:
        return self.kind == UNKNOWN_TARGET or (bool(self.details["loc"]) and self.details["loc"][-1] == "[key]")

    @property
    def choices(self) -> list[str]:
        """The valid words, if the error lists them."""
        context = self.details.get("ctx", {})
        if self.kind == UNKNOWN_TARGET:
            return list(context["targets"])
        words = re.findall(r"'([^']*)'", str(context.get("expected_tags", context.get("expected", ""))))
        kinds = {kind for model in self.models if (kind := getattr(model, "plugin_kind", None)) is not None}
        return [*words, *(name for kind in kinds if self.kind == "union_tag_invalid" for name in plugins.names(kind))]


def model_classes(annotation: object) -> Iterator[type[BaseModel]]:
    """Every model class in `annotation`, including those inside unions, lists and Annotated."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    else:
        for inner in get_args(getattr(annotation, "__value__", annotation)):
            yield from model_classes(inner)


@cache
def field_names(model: type[BaseModel]) -> Mapping[str, object]:
    """The keys of `model` with their annotations."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def item_type(path: Sequence[str]) -> object:
    """The type of the items where the key at `path` of a configuration takes a list and nothing else, else None."""
    from nncli.config.schema import Config

    fields: list[FieldInfo] = [FieldInfo(annotation=Config)]
    for name in path:
        models = [model for field in fields for model in model_classes(field.annotation)]
        fields = [model.model_fields[name] for model in models if name in model.model_fields]
    types = {_item_type(field) for field in fields}
    return types.pop() if len(types) == 1 else None


def _item_type(field: FieldInfo) -> object:
    """The type of the items of a field that takes a list and nothing else, without what is said of it besides."""
    if any(isinstance(rule, BeforeValidator) for rule in field.metadata):  # takes one item, too
        return None
    forms = [form for form in (get_args(field.annotation) or ()) if form is not NoneType]
    is_optional = get_origin(field.annotation) in (Union, UnionType)
    annotation = forms[0] if is_optional and len(forms) == 1 else field.annotation
    annotation = _bare(annotation)
    if get_origin(annotation) not in (tuple, list):
        return None
    item = get_args(annotation)[0]
    item = _bare(item)
    return None if get_origin(item) in (tuple, list) else item


def _bare(annotation: object) -> object:
    """A type without what is said of it by Annotated."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


@cache
def _tags(model: type[BaseModel]) -> frozenset[object]:
    """The steps of pydantic's locations that name the branch of a union that is `model`."""
    literals = (annotation for annotation in field_names(model).values() if get_origin(annotation) is Literal)
    return frozenset([model.__name__, *(tag for literal in literals for tag in get_args(literal))])


def locate(details: ErrorDetails, model: type[BaseModel], document: Document) -> LocatedError:
    """Find the path of an error in the document.

    pydantic's location also has the branches of unions ("dense", "constrained-int", "function-before[...]"), which are
    not keys of the file. These steps select the models that were tried.
    """
    value: object = document.value
    models: tuple[type[BaseModel], ...] = (model,)
    path: Path = ()
    kind, location = details["type"], details["loc"]
    for number, step in enumerate(location, 1):
        tagged = tuple(m for m in models if step in _tags(m))
        if tagged and len(tagged) < len(models):
            models = tagged
            continue
        if number == len(location) and kind in ("missing", "extra_forbidden"):
            path = (*path, step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value, path = value[step], (*path, step)
            models = _of_plugin(models, value) or models
        elif isinstance(value, dict) and step in value:
            value, path = value[step], (*path, step)
            fields = [field_names(m)[step] for m in models if isinstance(step, str) and step in field_names(m)]
            models = tuple(m for annotation in fields for m in model_classes(annotation)) if fields else models
            models = _of_plugin(models, value) or models
    if kind == UNKNOWN_TARGET and isinstance(value, dict) and (name := details["ctx"]["name"]) in value:
        path = (*path, name)
    tag = discriminator(details)
    if kind == "union_tag_not_found" or (kind == "union_tag_invalid" and isinstance(value, dict) and tag in value):
        path = (*path, tag)
    return LocatedError(path, details, models)


def _of_plugin(models: Sequence[type[BaseModel]], value: object) -> tuple[type[BaseModel], ...]:
    """The class of a plugin that a value of a union names; none if it names a class of the union."""
    name = value.get("type") if isinstance(value, dict) else value
    kinds = dict.fromkeys(getattr(model, "plugin_kind", None) for model in models)
    return tuple(part for kind in kinds if isinstance(name, str) and (part := plugins.loaded(kind or "").get(name)))


def discriminator(details: ErrorDetails) -> str:
    """The key that selects the model of a union, usually `type`."""
    return str(details.get("ctx", {}).get("discriminator", "type")).strip("'")


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
    for keys in (root_keys, siblings):
        if same := same_spelling(word, keys):
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
        if match.is_list:  # which is written already
            item = one_line(example(match.models[0], value))
            yield Hint(f"It is a type of {quote(match.section)}: add the item {item} to the list.")


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


def apply_fix(values: dict[str, object], fix: ConfigFix) -> dict[str, object]:
    """A copy of `values` with the fix applied. Sections that are missing on the way to its path are created.

    Raises:
        ValueError: the path of the fix leads through a value that has no keys, or to an item that does not exist.
    """
    changed = values if fix.remove is None else _changed(values, fix.remove, None, remove=True)
    changed = _changed(changed, fix.path, fix.value, remove=False)
    return changed if isinstance(changed, dict) else values


def _changed(node: object, path: Path, value: object, *, remove: bool) -> object:
    """A copy of `node` in which the entry at `path` is removed or set to `value`."""
    step, rest = path[0], path[1:]
    if isinstance(node, list) and isinstance(step, int) and step < len(node):
        items = [] if remove and not rest else [_changed(node[step], rest, value, remove=remove) if rest else value]
        return [*node[:step], *items, *node[step + 1 :]]
    if not isinstance(node, dict) or not isinstance(step, str):
        raise ValueError(f"there is no {step} to change")
    if rest:
        return {**node, step: _changed(node.get(step, {}), rest, value, remove=remove)}
    kept = {key: item for key, item in node.items() if not remove or key != step}
    return kept if remove else {**kept, step: value}


def is_complete(value: object) -> bool:
    """Whether `value` has no placeholder `...` for something that only the user knows."""
    if isinstance(value, dict):
        return all(map(is_complete, value.values()))
    return all(map(is_complete, value)) if isinstance(value, list | tuple) else value is not ...


@dataclass(frozen=True)
class FixChecker:
    """Checks fixes of a document by validating the changed document. `errors` are those of the document as it is."""

    model: type[BaseModel]
    document: Document
    errors: Sequence[LocatedError]

    def accepts(self, fix: ConfigFix) -> bool:
        """Whether the value that the fix sets is valid and causes no error elsewhere.

        Placeholders are valid. The value of a renamed key may have errors in its own entries.
        """
        span = self.document.spans.get(fix.path)
        is_renamed = fix.remove is not None and fix.remove[:-1] == fix.path[:-1]
        if is_renamed and span and span.source == self.document.source:
            return False  # both names are written
        keys = {*field_names(self.model), fix.path[0]} | ({fix.remove[0]} if fix.remove else set())
        try:
            values = apply_fix({key: item for key, item in self.document.value.items() if key in keys}, fix)
            self.model.model_validate(values)
        except ValidationError as error:
            changed = replace(self.document, value=values)
            later = [locate(d, self.model, changed) for d in error.errors(include_url=False) if d["input"] is not ...]
            before = {(error.path, error.kind) for error in self.errors}
            inside = [error.path for error in later if error.path[: len(fix.path)] == fix.path]
            outside = [error for error in later if error.path[: len(fix.path)] != fix.path]
            invalid = fix.path in inside if is_renamed else bool(inside)
            # Other keys of a section that was missing may be set by other fixes.
            sections = {error.path for error in self.errors if error.kind == "missing"}
            outside = [error for error in outside if error.kind != "missing" or error.path[:-1] not in sections]
            return not invalid and all((error.path, error.kind) in before for error in outside)
        except ValueError:
            return False
        return True


def normalized(word: str) -> str:
    """The beginning of `word` in lower case without separators; no key or value is as long."""
    return re.sub(r"[\s_.-]", "", word[:LONGEST_WORD]).lower()


@cache
def aliases() -> Mapping[str, str]:
    """The aliases of each key and value."""
    text = FilePath(__file__).with_name("aliases.yaml").read_text(encoding="utf-8")
    return {word: str(others) for word, others in parse(text, "aliases").value.items()}


@cache
def _by_alias() -> Mapping[str, Sequence[str]]:
    """The keys and values that each alias stands for."""
    words: dict[str, list[str]] = {}
    for word, others in aliases().items():
        for alias in others.split():
            words.setdefault(normalized(alias), []).append(word)
    return words


def same_spelling(word: str, words: Iterable[str]) -> str | None:
    """The known word that differs from `word` only in capitals and separators."""
    return next((other for other in words if normalized(other) == normalized(word)), None)


def aliases_of(word: str) -> Sequence[str]:
    """The keys and values that `word` is an alias of."""
    return _by_alias().get(normalized(word), ())


def suggest(word: str, candidates: Iterable[str]) -> str | None:
    """The known word that `word` was most likely meant to be; None if no word is similar."""
    words = list(candidates)
    named = (other for other in aliases_of(word) if other in words)
    return same_spelling(word, words) or next(named, None) or closest_match(word, words)

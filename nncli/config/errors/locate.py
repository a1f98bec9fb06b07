"""pydantic's errors brought back to the document: where each one is, and which models were tried there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from nncli.config.yaml.document import Document, Path

# Raised by a validator of ours, with a message of ours. Whatever pydantic does not know is ours as well.
OWN_WORDS = ("value_error", "assertion_error")
_PYDANTIC_KINDS = frozenset(get_args(ErrorType))


@dataclass(frozen=True)
class LocatedError:
    """One pydantic error brought back to the document: where, about what, and which models were tried there."""

    path: Path
    details: ErrorDetails
    models: tuple[type[BaseModel], ...]

    @property
    def kind(self) -> str:
        return self.details["type"]

    @property
    def is_custom(self) -> bool:
        return self.kind in OWN_WORDS or self.kind not in _PYDANTIC_KINDS

    @property
    def about_key(self) -> bool:
        return bool(self.details["loc"]) and self.details["loc"][-1] == "[key]"

    @property
    def choices(self) -> list[str]:
        """The words that would have been right, where the error lists them."""
        context = self.details.get("ctx", {})
        return re.findall(r"'([^']*)'", str(context.get("expected_tags", context.get("expected", ""))))


def model_classes(annotation: object) -> Iterator[type[BaseModel]]:
    """Every model class that a value of `annotation` may be, looked for inside unions, lists and Annotated."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    else:
        for inner in get_args(getattr(annotation, "__value__", annotation)):
            yield from model_classes(inner)


def field_names(model: type[BaseModel]) -> dict[str, object]:
    """What may be written in `model`, and the annotation of each."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _answers_to(model: type[BaseModel], tag: object) -> bool:
    literals = (a for a in field_names(model).values() if get_origin(a) is Literal)
    return model.__name__ == tag or any(tag in get_args(a) for a in literals)


def locate(details: ErrorDetails, model: type[BaseModel], document: Document) -> LocatedError:
    """Follow the error's location through the document.

    pydantic's location also names the union branch it tried ("dense", "constrained-int", "function-before[...]"),
    which is no key of the file. Those steps narrow down the models instead.
    """
    value: object = document.value
    models: tuple[type[BaseModel], ...] = (model,)
    path: Path = ()
    kind, location = details["type"], details["loc"]
    for number, step in enumerate(location, 1):
        named = tuple(m for m in models if _answers_to(m, step))
        if named and len(named) < len(models):
            models = named
            continue
        if number == len(location) and kind in ("missing", "extra_forbidden"):
            path = (*path, step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value, path = value[step], (*path, step)
        elif isinstance(value, dict) and step in value:
            value, path = value[step], (*path, step)
            fields = [field_names(m)[step] for m in models if isinstance(step, str) and step in field_names(m)]
            models = tuple(m for annotation in fields for m in model_classes(annotation)) if fields else models
    tag = discriminator(details)
    if kind == "union_tag_not_found" or (kind == "union_tag_invalid" and isinstance(value, dict) and tag in value):
        path = (*path, tag)
    return LocatedError(path, details, models)


def discriminator(details: ErrorDetails) -> str:
    """The key whose value says which model of a union is meant: nearly always `type`."""
    return str(details.get("ctx", {}).get("discriminator", "type")).strip("'")

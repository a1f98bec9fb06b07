"""Locate pydantic's errors in the document, with the models that were tried there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from nncli.config.yaml.document import Document, Path

# Raised by our validators with our messages, as is every type of error that pydantic does not know.
CUSTOM_KINDS = ("value_error", "assertion_error")
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
        return bool(self.details["loc"]) and self.details["loc"][-1] == "[key]"

    @property
    def choices(self) -> list[str]:
        """The valid words, if the error lists them."""
        context = self.details.get("ctx", {})
        return re.findall(r"'([^']*)'", str(context.get("expected_tags", context.get("expected", ""))))


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
        elif isinstance(value, dict) and step in value:
            value, path = value[step], (*path, step)
            fields = [field_names(m)[step] for m in models if isinstance(step, str) and step in field_names(m)]
            models = tuple(m for annotation in fields for m in model_classes(annotation)) if fields else models
    tag = discriminator(details)
    if kind == "union_tag_not_found" or (kind == "union_tag_invalid" and isinstance(value, dict) and tag in value):
        path = (*path, tag)
    return LocatedError(path, details, models)


def discriminator(details: ErrorDetails) -> str:
    """The key that selects the model of a union, usually `type`."""
    return str(details.get("ctx", {}).get("discriminator", "type")).strip("'")

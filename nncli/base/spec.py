"""Base class and field types of specifications: frozen pydantic models whose fields are YAML keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

PositiveInt = Annotated[int, Field(strict=True, ge=1)]
NonNegativeInt = Annotated[int, Field(strict=True, ge=0)]
FiniteFloat = Annotated[float, Field(strict=True, allow_inf_nan=False)]
PositiveFloat = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(strict=True, ge=0, lt=1)]  # 0 <= x < 1
StrictBool = Annotated[bool, Field(strict=True)]
StrictStr = Annotated[str, Field(strict=True)]


def _check_path(path: str) -> str:
    if "\0" in path:
        raise ValueError("a path cannot have the character U+0000")
    return path


PathText = Annotated[StrictStr, AfterValidator(_check_path)]
"""The path of a file or folder."""

MAX_MEMBERS = 10_000
"""Members of an ensemble. Files of a run are read with this limit, since a loop over the members follows."""
Members = Annotated[int, Field(strict=True, ge=1, le=MAX_MEMBERS)]

Task: TypeAlias = str
"""What a loss or a metric is for, and what saved models know a kind of target by: classification, regression."""


class Spec(BaseModel):
    """Base of layers, losses, optimizers, schedules, encoders and configuration sections.

    Immutable and comparable. An unknown key is an error, so that a misspelled key is never ignored.
    """

    # A class that is only a part of another one is not built by itself, which takes a third of the time of imports.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def formula(cls) -> str:
        """The first paragraph of the docstring: of a layer, activation, loss or optimizer its formula and source."""
        return " ".join((cls.__doc__ or "").partition("\n\n")[0].split())

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of pydantic, with `type` required, since it selects the class of a union."""
        described = handler(schema)
        inner = handler.resolve_ref_schema(described)
        if "const" in inner.get("properties", {}).get("type", {}):
            inner["required"] = ["type", *inner.get("required", [])]
        return described


def non_defaults(value: Any) -> Any:
    """The values of a specification that differ from their defaults, recursively, as plain JSON values.

    `type` is always included, since it selects the class of a union.
    """
    if isinstance(value, Spec):
        fields = type(value).model_fields.items()
        changed = {
            field.alias or name: getattr(value, name)
            for name, field in fields
            if name == "type" or _differs(value, name, field)
        }
        return non_defaults(changed)
    if isinstance(value, Mapping):
        return {key: non_defaults(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [non_defaults(item) for item in value]
    return value


def _differs(spec: Spec, name: str, field: FieldInfo) -> bool:
    return bool(getattr(spec, name) != field.get_default(call_default_factory=True))


def expand_name(value: object) -> object:
    """`{type: adam}` for `adam`."""
    return {"type": value} if isinstance(value, str) else value


@dataclass(frozen=True)
class Shorthand:
    """Allows short forms of a specification in a discriminated union, and adds them to the JSON Schema.

    `expand` expands a short form. Each name whose class needs no other key is one; `also` is the type of other ones.
    """

    expand: Callable[[object], object] = expand_name
    also: Any = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        full = handler(source)
        short: list[CoreSchema | tuple[CoreSchema, str]] = [core_schema.literal_schema(list(_bare_names(source)))]
        if self.also is not None:
            short.append(handler.generate_schema(self.also))
        allowed = core_schema.union_schema([*short, full])
        return core_schema.no_info_before_validator_function(self.expand, full, json_schema_input_schema=allowed)


def _bare_names(union: Any) -> Iterator[str]:
    for member in get_args(union):
        fields = member.model_fields
        if not any(field.is_required() for field in fields.values()):
            yield fields["type"].default


NameShorthand = Shorthand()
"""Allows a bare name for a specification with its defaults: `adam` for `{type: adam}`."""

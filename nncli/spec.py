"""What every specification shares: a frozen pydantic model whose fields are both hyper-parameters and YAML keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

PositiveInt = Annotated[int, Field(strict=True, ge=1)]
NonNegativeInt = Annotated[int, Field(strict=True, ge=0)]
FiniteFloat = Annotated[float, Field(strict=True, allow_inf_nan=False)]
PositiveFloat = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(strict=True, ge=0, lt=1)]  # 0 <= share < 1
StrictBool = Annotated[bool, Field(strict=True)]
StrictStr = Annotated[str, Field(strict=True)]

Task: TypeAlias = Literal["classification", "regression"]
"""What is predicted: one of several classes, or numbers."""


class Spec(BaseModel):
    """Base of layers, losses, optimizers, schedules, encoders and configuration sections.

    Immutable, comparable, and closed: an unknown key is an error, so that a spelling mistake never passes
    for a default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """pydantic's, where a `type` must be written: it says which class of a union is meant."""
        described = handler(schema)
        inner = handler.resolve_ref_schema(described)
        if "const" in inner.get("properties", {}).get("type", {}):
            inner["required"] = ["type", *inner.get("required", [])]
        return described


def non_defaults(value: Any) -> Any:
    """What is not as its default has it, of a specification and all within it, as plain values fit for JSON.

    A `type` is always there: it says whose defaults the rest has.
    """
    if isinstance(value, Spec):
        fields = type(value).model_fields.items()
        given = {name: getattr(value, name) for name, field in fields if name == "type" or _given(value, name, field)}
        return non_defaults(given)
    if isinstance(value, Mapping):
        return {key: non_defaults(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [non_defaults(item) for item in value]
    return value


def _given(spec: Spec, name: str, field: FieldInfo) -> bool:
    return bool(getattr(spec, name) != field.get_default(call_default_factory=True))


def expand_name(value: object) -> object:
    """`{type: adam}` for `adam`."""
    return {"type": value} if isinstance(value, str) else value


@dataclass(frozen=True)
class Shorthand:
    """Lets short forms stand for a specification in a union told apart by `type`, and tells JSON Schema of them.

    `expand` writes a short form out. Each name whose class can do with defaults is one; `also` is the type of others.
    """

    expand: Callable[[object], object] = expand_name
    also: Any = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        full = handler(source)
        short: list[CoreSchema | tuple[CoreSchema, str]] = [core_schema.literal_schema(list(_bare_names(source)))]
        if self.also is not None:
            short.append(handler.generate_schema(self.also))
        written = core_schema.union_schema([*short, full])
        return core_schema.no_info_before_validator_function(self.expand, full, json_schema_input_schema=written)


def _bare_names(union: Any) -> Iterator[str]:
    for member in get_args(union):
        fields = member.model_fields
        if not any(field.is_required() for field in fields.values()):
            yield fields["type"].default


NameShorthand = Shorthand()
"""Lets a bare name stand for a specification with its defaults: `adam` for `{type: adam}`."""

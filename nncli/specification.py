"""What every specification shares: a frozen pydantic model whose fields are both hyper-parameters and YAML keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.fields import FieldInfo

Count = Annotated[int, Field(strict=True, ge=1)]
Index = Annotated[int, Field(strict=True, ge=0)]
Real = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(strict=True, ge=0, lt=1)]  # 0 <= share < 1
Flag = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(strict=True)]


class Specification(BaseModel):
    """Base of layers, losses, optimizers, schedules, encoders and configuration sections.

    Immutable, comparable, and closed: an unknown key is an error, so that a spelling mistake never passes
    for a default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


def chosen(value: Any) -> Any:
    """What is not as its default has it, of a specification and all within it, as plain values fit for JSON.

    A `type` is always there: it says whose defaults the rest has.
    """
    if isinstance(value, Specification):
        fields = type(value).model_fields.items()
        given = {name: getattr(value, name) for name, field in fields if name == "type" or _given(value, name, field)}
        return chosen(given)
    if isinstance(value, Mapping):
        return {key: chosen(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [chosen(item) for item in value]
    return value


def _given(spec: Specification, name: str, field: FieldInfo) -> bool:
    return bool(getattr(spec, name) != field.get_default(call_default_factory=True))


def _expand(value: object) -> object:
    return {"type": value} if isinstance(value, str) else value


ByName = BeforeValidator(_expand)
"""Lets a bare name stand for a specification with its defaults: `adam` for `{type: adam}`."""

"""What every specification shares: a frozen pydantic model whose fields are both hyper-parameters and YAML keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

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


def _expand(value: object) -> object:
    return {"type": value} if isinstance(value, str) else value


ByName = BeforeValidator(_expand)
"""Lets a bare name stand for a specification with its defaults: `adam` for `{type: adam}`."""

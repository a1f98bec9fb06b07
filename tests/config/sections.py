"""A small schema with unions, short forms, lists and constraints."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    PositiveInt,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from nncli.base.errors import ConfigError, ConfigIssue
from nncli.config.errors.messages import validate
from nncli.config.overrides import apply_overrides
from nncli.config.yaml.parser import parse


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Dense(Section):
    type: Literal["dense"] = "dense"
    units: PositiveInt
    activation: Literal["relu", "tanh"] = "relu"


class Dropout(Section):
    type: Literal["dropout"] = "dropout"
    rate: float = Field(ge=0, lt=1)


class Sgd(Section):
    type: Literal["sgd"] = "sgd"
    learning_rate: FiniteFloat = 0.1


class Adam(Section):
    type: Literal["adam"] = "adam"
    learning_rate: FiniteFloat = 0.001
    betas: tuple[float, float] = (0.9, 0.999)


def spelled_out(value: object) -> object:
    if isinstance(value, str):
        return {"type": value}
    if isinstance(value, int) and not isinstance(value, bool):
        return {"type": "dense", "units": value}
    return value


Layer = Annotated[Dense | Dropout, Field(discriminator="type"), BeforeValidator(spelled_out)]
Optimizer = Annotated[Sgd | Adam, Field(discriminator="type"), BeforeValidator(spelled_out)]


class ValidationFile(Section):
    file: str


class EarlyStopping(Section):
    patience: PositiveInt = 10
    monitor: str = "loss"


class Data(Section):
    train: str
    target: str | None = None
    skip_rows: int = Field(default=0, strict=True, ge=0)
    header: bool = True

    @field_validator("target")
    @classmethod
    def _not_empty(cls, target: str | None) -> str | None:
        if target == "":
            raise ValueError("name the column to predict")
        return target


class Config(Section):
    data: Data
    layers: list[Layer] = Field(min_length=1)
    optimizer: Optimizer = Sgd()
    loss: Literal["mse", "mae", "huber"] = "mse"
    batch_size: PositiveInt | Literal["full"] = 32
    validation: Annotated[float, Field(gt=0, lt=1)] | ValidationFile = 0.2
    early_stopping: EarlyStopping | None = None
    class_weight: Literal["balanced"] | dict[str, float] | None = None
    by_name: dict[str, Layer] = {}
    name: str = Field(default="", pattern="^[a-z]*$", max_length=5)

    @model_validator(mode="after")
    def _full_batches(self) -> Config:
        if self.batch_size == "full" and self.loss == "huber":
            raise PydanticCustomError("full_huber", "huber needs small batches")
        return self


START = "data: {train: t.csv}\nlayers: [8]\n"


def refused(text: str, *assignments: str) -> tuple[ConfigIssue, ...]:
    with pytest.raises(ConfigError) as caught:
        validate(Config, apply_overrides(parse(text, "c.yaml"), assignments))
    shown = str(caught.value)
    for jargon in ("Input should", "pydantic", "Value error", "http", "constrained", "literal[", "function-"):
        assert jargon not in shown
    return caught.value.issues


def only(text: str, *assignments: str) -> ConfigIssue:
    (issue,) = refused(text, *assignments)
    return issue

"""The classes behind a discriminated union: the tests walk them, so that a new class is covered by its name alone."""

from __future__ import annotations

from typing import Any, get_args

from nncli.nn.losses import Loss, MultiTargetLoss


def members(union: Any) -> tuple[type[Any], ...]:
    """The classes of `Annotated[A | B | ..., Field(discriminator="type"), ...]`, in the order of the union."""
    return get_args(get_args(union)[0])


def tag(cls: type[Any]) -> str:
    """The name a class goes by in a configuration."""
    return str(cls.model_fields["type"].default)


def plain_losses() -> list[Any]:
    """Every loss that needs no losses of several targets."""
    return [loss for loss in members(Loss) if loss is not MultiTargetLoss]

"""The columns of all members of a model, which may read them differently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from nncli.data.encoders.kinds import ENCODERS, Column
from nncli.models.ensemble import AnyModel, Ensemble

C = TypeVar("C")


def member_columns(model: AnyModel) -> dict[str, list[Column]]:
    """The columns of each name, in the order of the first member that has it."""
    columns: dict[str, list[Column]] = {}
    for member in model.members if isinstance(model, Ensemble) else (model,):
        for column in member.spec.encoder.columns:
            columns.setdefault(column.name, []).append(column)
    return columns


def kind_of(columns: Sequence[Column]) -> type[Column]:
    """The kind of a column: of members that read it differently, the first kind of kinds.py."""
    return next(kind for kind in ENCODERS.values() if any(isinstance(column, kind) for column in columns))


def of_kind(kind: type[C], columns: Sequence[object]) -> list[C]:
    """The columns of a kind."""
    return [column for column in columns if isinstance(column, kind)]

"""The columns that a model reads, each with its typical value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from nncli.base.errors import UsageError
from nncli.data.encoders.base import ColumnEncoder
from nncli.data.encoders.kinds import Column
from nncli.export.html.fields import date_text, has_time
from nncli.export.lowering import typical_inputs
from nncli.models.ensemble import AnyModel
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput, TextInput
from nncli.runs.monitoring.reference import Reference
from nncli.serving.columns.input_schema import kind_of, member_columns, of_kind


@dataclass(frozen=True)
class ModelInputs:
    """The columns of a model, the decimal mark of its numbers in text, and its spellings of missing cells."""

    inputs: tuple[ProgramInput, ...]
    decimal: str = "."
    missing_values: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: AnyModel, reference: Reference | None) -> ModelInputs:
        """The columns of all members; the profile of the training rows, if there is one, gives the typical values."""
        inputs = typical_inputs(map(_input_of, member_columns(model).values()), reference)
        decimal = "," if model.spec.dialect.decimal == "," else "."
        return cls(tuple(map(_with_shown_typical, inputs)), decimal, model.spec.missing_values)


C = TypeVar("C", bound=ColumnEncoder)


def _input_of(columns: Sequence[Column]) -> ProgramInput:
    """The input of a column of all members; of members that read it differently, that of the first kind of kinds.py."""
    return _input_of_kind(kind_of(columns), columns)


def _input_of_kind(kind: type[C], columns: Sequence[ColumnEncoder]) -> ProgramInput:
    own = of_kind(kind, columns)
    try:
        return kind.program_input(own)
    except UsageError:  # such as another unit
        return kind.program_input(own[:1])


def _with_shown_typical(column: ProgramInput) -> ProgramInput:
    """The column whose typical number has the digits that forms show, so that what they show is what is predicted."""
    if isinstance(column, NumberInput) and column.typical is not None:
        return replace(column, typical=float(f"{column.typical:.12g}"))
    return column


def typical_cell(column: ProgramInput) -> float | str | None:
    """The typical value of a column as a cell of a table; None if it is a missing cell."""
    match column:
        case NumberInput() | CategoryInput():
            return column.typical
        case DateInput():
            return None if column.typical is None else date_text(column.typical, has_time=has_time(column))
        case TextInput():
            return None

"""The columns that a model reads, each with its typical value."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nncli.export.html.fields import day_text
from nncli.export.lowering import typical_inputs
from nncli.models.ensemble import AnyModel
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput, TextInput
from nncli.runs.monitoring.reference import Reference
from nncli.serving.columns.input_schema import model_inputs


@dataclass(frozen=True)
class ModelInputs:
    """The columns of a model, the decimal mark of its numbers in text, and its spellings of missing cells."""

    inputs: tuple[ProgramInput, ...]
    decimal: str = "."
    missing_values: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: AnyModel, reference: Reference | None) -> ModelInputs:
        """The columns of all members; the profile of the training rows, if there is one, gives the typical values."""
        inputs = typical_inputs(model_inputs(model), reference)
        decimal = "," if model.spec.dialect.decimal == "," else "."
        return cls(tuple(map(_with_shown_typical, inputs)), decimal, model.spec.missing_values)


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
            return None if column.typical is None else day_text(column, column.typical)
        case TextInput():
            return None

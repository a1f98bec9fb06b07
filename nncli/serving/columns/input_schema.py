"""The columns that a model reads, as a client must know them: kinds, ranges, categories and examples.

An ensemble has one schema: a column may be missing if any member saw missing cells, and its range and categories are
those of all members. The form of a model, its OpenAPI document and its hints are all made of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from nncli.data.encoders.column_types import Column
from nncli.data.encoders.encoder import program_inputs
from nncli.exporters.form import day_text
from nncli.exporters.lowering import typical_inputs
from nncli.models.ensemble import AnyModel, Ensemble
from nncli.nn.program.inputs import DateInput, NumberInput, ProgramInput, TextInput
from nncli.run_directory.monitoring.reference import Reference

MAX_EXAMPLE_WORDS = 5


@dataclass(frozen=True)
class Feature:
    """A column that a model reads: its `input` of the model's program, which knows its kind, unit, range and values."""

    input: ProgramInput

    @property
    def name(self) -> str:
        """The name of the column."""
        return self.input.name

    @property
    def is_optional(self) -> bool:
        """Whether training rows had missing cells, so that the column may be left out of a row."""
        return self.input.is_optional

    @property
    def unit(self) -> str | None:
        """A currency or percent sign that texts have beside their number."""
        return getattr(self.input, "unit", None)

    @property
    def is_binary(self) -> bool:
        """Whether the training rows have two numbers."""
        return isinstance(self.input, NumberInput) and self.input.is_binary

    @property
    def categories(self) -> tuple[str, ...]:
        """The known categories, sorted; none of another kind."""
        return getattr(self.input, "categories", ())

    @property
    def range(self) -> tuple[float | str, float | str] | None:
        """The training range of numbers, or of dates in ISO 8601; None if there is none."""
        low, high = (cell_of(self.input, getattr(self.input, end, None)) for end in ("lowest", "highest"))
        return None if low is None or high is None else (low, high)

    @property
    def example(self) -> float | str | None:
        """The median, the most frequent category, or some common words; None if nothing is known."""
        if isinstance(self.input, TextInput):
            words = [term for term in self.input.terms if " " not in term]
            return " ".join(words[:MAX_EXAMPLE_WORDS]) or None
        typical = typical_cell(self.input)
        return next(iter(self.categories), None) if typical is None else typical


def typical_cell(column: ProgramInput) -> float | str | None:
    """The typical value of a column as a cell of a table; None if it is a missing cell."""
    return None if isinstance(column, TextInput) else cell_of(column, column.typical)


def cell_of(column: ProgramInput, value: float | str | None) -> float | str | None:
    """A value of a column as a cell of a table: a day since 1970 is a date in ISO 8601."""
    if isinstance(column, DateInput) and isinstance(value, int | float):
        return day_text(column, value)
    return value


@dataclass(frozen=True)
class InputSchema:
    """The columns that a model reads, in its order, the decimal mark of texts and the spellings of missing cells."""

    features: tuple[Feature, ...]
    decimal: str = "."
    missing_values: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: AnyModel, reference: Reference | None) -> InputSchema:
        """The columns of a model; the profile of its training rows, if there is one, gives the typical values."""
        members = model.members if isinstance(model, Ensemble) else (model,)
        inputs = program_inputs([member.spec.encoder for member in members], model.spec.dialect, lenient=True)
        typical = map(_with_shown_typical, typical_inputs(inputs.values(), reference))
        decimal = "," if model.spec.dialect.decimal == "," else "."
        return cls(tuple(map(Feature, typical)), decimal, model.spec.missing_values)

    @cached_property
    def inputs(self) -> tuple[ProgramInput, ...]:
        """The inputs of the columns."""
        return tuple(feature.input for feature in self.features)

    @cached_property
    def by_name(self) -> Mapping[str, Feature]:
        """The columns by name."""
        return {feature.name: feature for feature in self.features}

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The names of the columns that every row must have."""
        return tuple(feature.name for feature in self.features if not feature.is_optional)


def _with_shown_typical(column: ProgramInput) -> ProgramInput:
    """The column whose typical number has the digits that forms show, so that what they show is what is predicted."""
    if isinstance(column, NumberInput) and column.typical is not None:
        return replace(column, typical=float(f"{column.typical:.12g}"))
    return column


def member_columns(model: AnyModel) -> dict[str, list[Column]]:
    """The columns of each name, in the order of the first member that has it."""
    columns: dict[str, list[Column]] = {}
    for member in model.members if isinstance(model, Ensemble) else (model,):
        for column in member.spec.encoder.columns:
            columns.setdefault(column.name, []).append(column)
    return columns


C = TypeVar("C")


def of_kind(kind: type[C], columns: Sequence[object]) -> list[C]:
    """The columns of a kind."""
    return [column for column in columns if isinstance(column, kind)]

"""The columns that a model reads, as a client must know them: kinds, ranges, categories and examples.

An ensemble has one schema: a column may be missing if any member saw missing cells, and its range and categories are
those of all members.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias, TypeVar

from nncli.data.columns.datetimes import date_text
from nncli.data.encoders.encoder import program_inputs
from nncli.data.encoders.kinds import Column
from nncli.export.lowering import typical_inputs
from nncli.models.ensemble import AnyModel, Ensemble
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput, TextInput
from nncli.runs.monitoring.reference import Reference

FeatureKind: TypeAlias = Literal["number", "category", "date", "text"]
MAX_EXAMPLE_WORDS = 5


@dataclass(frozen=True)
class Feature:
    """A column that a model reads.

    With `is_optional`, training rows had missing cells, so the column may be left out of a row. The `unit` is a
    currency or percent sign that texts have beside their number; with `reads_booleans` true is 1 and false is 0.
    `lowest` and `highest` are the training range of numbers, or of dates in ISO 8601, `categories` the known
    categories, sorted. Dates in texts are read in `date_formats`, or any other that is unambiguous; with `has_times`
    they have a time of day. The `example` is the median, the most frequent category, or some common words; None if
    nothing is known, or most training rows have no value.
    """

    name: str
    kind: FeatureKind
    is_optional: bool
    unit: str | None = None
    reads_booleans: bool = False
    lowest: float | str | None = None
    highest: float | str | None = None
    categories: tuple[str, ...] = ()
    date_formats: tuple[str, ...] = ()
    has_times: bool = False
    example: float | str | None = None


@dataclass(frozen=True)
class InputSchema:
    """The columns that a model reads, in its order."""

    features: tuple[Feature, ...]

    @classmethod
    def of(cls, model: AnyModel, reference: Reference | None) -> InputSchema:
        """The columns of a model; the profile of its training rows, if there is one, gives the examples."""
        inputs = model_inputs(model)
        return cls(tuple(map(_feature, inputs, typical_inputs(inputs, reference))))

    @cached_property
    def by_name(self) -> Mapping[str, Feature]:
        """The columns by name."""
        return {feature.name: feature for feature in self.features}

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The names of the columns that every row must have."""
        return tuple(feature.name for feature in self.features if not feature.is_optional)


def _feature(column: ProgramInput, typical: ProgramInput) -> Feature:
    """The column as a client must know it; the same with the `typical` value of training rows gives the example."""
    feature = Feature(column.name, column.kind, column.is_optional)
    match typical:
        case NumberInput():
            feature = replace(feature, unit=typical.unit, reads_booleans=typical.reads_booleans)
            return replace(feature, lowest=typical.lowest, highest=typical.highest, example=typical.typical)
        case DateInput():
            precision: Literal["days", "seconds"] = "seconds" if typical.has_times else "days"
            days = (typical.lowest, typical.highest, typical.typical)
            lowest, highest, example = (None if x is None else date_text(x, precision) for x in days)
            feature = replace(feature, date_formats=typical.formats, has_times=typical.has_times)
            return replace(feature, lowest=lowest, highest=highest, example=example)
        case CategoryInput():
            categories = typical.categories
            example = categories[0] if categories and typical is column else typical.typical
            return replace(feature, categories=categories, example=example)
        case TextInput():
            words = [term for term in typical.terms if " " not in term][:MAX_EXAMPLE_WORDS]
            return replace(feature, example=" ".join(words) or None)


def model_inputs(model: AnyModel) -> list[ProgramInput]:
    """The columns of all members."""
    members = model.members if isinstance(model, Ensemble) else (model,)
    return [*program_inputs([member.spec.encoder for member in members], lenient=True).values()]


C = TypeVar("C")


def member_columns(model: AnyModel) -> dict[str, list[Column]]:
    """The columns of each name, in the order of the first member that has it."""
    columns: dict[str, list[Column]] = {}
    for member in model.members if isinstance(model, Ensemble) else (model,):
        for column in member.spec.encoder.columns:
            columns.setdefault(column.name, []).append(column)
    return columns


def of_kind(kind: type[C], columns: Sequence[object]) -> list[C]:
    """The columns of a kind."""
    return [column for column in columns if isinstance(column, kind)]

"""The columns that a model reads, as a client must know them: kinds, ranges, categories and examples.

An ensemble has one schema: a column may be missing if any member saw missing cells, and its range and categories are
those of all members.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal, TypeAlias, TypeVar

import numpy as np

from nncli.data.columns.datetimes import FIRST_DAY, LAST_DAY
from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.encoders.date import DateColumn
from nncli.data.encoders.kinds import ENCODERS, Column
from nncli.data.encoders.numeric import NumericColumn
from nncli.data.encoders.text import TextColumn
from nncli.export.lowering import median, most_frequent
from nncli.models.ensemble import AnyModel, Ensemble
from nncli.runs.monitoring.bins import Bins, CategoryBins, NumberBins
from nncli.runs.monitoring.reference import Reference

FeatureKind: TypeAlias = Literal["number", "category", "date", "text"]
EPOCH = datetime(1970, 1, 1)
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
        bins = {} if reference is None else {one.name: one for one in reference.columns}
        return cls(tuple(_feature(own, bins.get(name)) for name, own in member_columns(model).items()))

    @cached_property
    def by_name(self) -> Mapping[str, Feature]:
        """The columns by name."""
        return {feature.name: feature for feature in self.features}

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The names of the columns that every row must have."""
        return tuple(feature.name for feature in self.features if not feature.is_optional)


def _feature(columns: Sequence[Column], bins: Bins | None) -> Feature:
    """The column of all members; of members that read it as different kinds, those with the first kind of kinds.py."""
    kind = kind_of(columns)
    if kind is NumericColumn:
        return _number(of_kind(NumericColumn, columns), bins)
    if kind is DateColumn:
        return _date(of_kind(DateColumn, columns), bins)
    if kind is TextColumn:
        return _text(of_kind(TextColumn, columns))
    return _category(of_kind(CategoricalColumn, columns), bins)


def _number(columns: Sequence[NumericColumn], bins: Bins | None) -> Feature:
    known = [column for column in columns if column.lowest is not None]
    example = float(np.median([column.fill_value for column in known])) if known else None
    return Feature(
        columns[0].name,
        "number",
        any(column.missing_indicator for column in columns),
        unit=columns[0].unit,
        reads_booleans=all(column.reads_booleans for column in columns),
        lowest=min((column.range[0] for column in known), default=None),
        highest=max((column.range[1] for column in known), default=None),
        example=median(bins) if isinstance(bins, NumberBins) else example,
    )


def _date(columns: Sequence[DateColumn], bins: Bins | None) -> Feature:
    known = [column for column in columns if column.days.lowest is not None]
    has_times = any("hour" in column.cycles for column in columns)
    days = float(np.median([column.origin + column.days.fill_value for column in known])) if known else None
    if isinstance(bins, NumberBins):
        days = median(bins)
    lowest = min((column.origin + column.days.range[0] for column in known), default=None)
    highest = max((column.origin + column.days.range[1] for column in known), default=None)
    return Feature(
        columns[0].name,
        "date",
        any(column.days.missing_indicator for column in columns),
        lowest=_date_text(lowest, has_times=has_times),
        highest=_date_text(highest, has_times=has_times),
        date_formats=tuple(dict.fromkeys(form for column in columns for form in column.formats)),
        has_times=has_times,
        example=_date_text(days, has_times=has_times),
    )


def _date_text(days: float | None, *, has_times: bool) -> str | None:
    """Days since 1970 as a date in ISO 8601, with the time of day to the second."""
    if days is None:
        return None
    moment = EPOCH + timedelta(seconds=round(min(max(days, FIRST_DAY), LAST_DAY + 1.0 - 1e-5) * 86_400.0))
    return moment.isoformat(" ", "seconds") if has_times else moment.date().isoformat()


def _text(columns: Sequence[TextColumn]) -> Feature:
    terms = dict.fromkeys(term for column in columns for term in column.vocabulary)
    words = [term for term in terms if " " not in term][:MAX_EXAMPLE_WORDS]
    is_optional = any(column.has_missing for column in columns)
    return Feature(columns[0].name, "text", is_optional, example=" ".join(words) or None)


def _category(columns: Sequence[CategoricalColumn], bins: Bins | None) -> Feature:
    categories = tuple(sorted({text for column in columns for text in column.categories}))
    example = categories[0] if categories else None
    is_optional = any(column.has_missing for column in columns)
    if isinstance(bins, CategoryBins):
        example = most_frequent(categories, bins)
    return Feature(columns[0].name, "category", is_optional, categories=categories, example=example)


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

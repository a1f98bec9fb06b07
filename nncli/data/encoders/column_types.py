"""The kinds of column: their registry, and the inference of a column's kind. Exposures and offsets are none of them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias, cast, get_args

from nncli.base import plugins
from nncli.data.columns.raw_column import RawColumn
from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.encoders.date import DateColumn
from nncli.data.encoders.numeric import ExposureColumn, MultiplierColumn, NumericColumn, OffsetColumn
from nncli.data.encoders.text import TextColumn
from nncli.data.table import Table

Feature: TypeAlias = NumericColumn | DateColumn | TextColumn | CategoricalColumn
"""All kinds, in the order in which inference asks them; categories accept every column, so they come last."""
Column: TypeAlias = Feature | ExposureColumn | MultiplierColumn | OffsetColumn
"""All columns that a model reads: features, and those that answers are relative to."""


class ColumnType(StrEnum):
    """The kind of a column. A value is the `type` of its class, or ignore for a column that is left out."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    DATE = "date"
    TEXT = "text"
    EMPTY = "ignore"

    @classmethod
    def _missing_(cls, value: object) -> ColumnType | None:
        """The kind of a plugin, which columns are of if the configuration says so."""
        if not isinstance(value, str) or plugins.find("encoders", value) is None:
            return None
        return plugins.new_member(cls, value)

    @property
    def encoder(self) -> type[Feature]:
        """The class that encodes columns of this kind. EMPTY has none."""
        return ENCODERS[self] if self in ENCODERS else cast("type[Feature]", plugins.find("encoders", self.value))

    @property
    def is_numeric(self) -> bool:
        """Whether cells are read as numbers."""
        return self is not ColumnType.EMPTY and self.encoder.is_numeric

    @property
    def needs_text(self) -> bool:
        """Whether cells are read as they are spelled."""
        return self is not ColumnType.EMPTY and not self.encoder.is_numeric


ENCODERS: Mapping[ColumnType, type[Feature]] = {
    ColumnType(cls.model_fields["type"].default): cls for cls in get_args(Feature)
}


def infer_kind(table: Table, name: str) -> ColumnType:
    """The kind of a column: the first that matches, or EMPTY if there is no value.

    Numbers with a leading zero (007) are ids, and therefore categories.

    Raises:
        DataError: some cells do not fit the kind of most others, or can be read in two ways.
    """
    column = RawColumn(table, name)
    if column.is_empty:
        return ColumnType.EMPTY
    if column.has_leading_zeros:
        return ColumnType.CATEGORICAL
    return next(kind for kind, encoder in ENCODERS.items() if encoder.matches(column))

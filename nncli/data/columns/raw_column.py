"""A column before encoding, with the properties from which its kind is inferred."""

from __future__ import annotations

from functools import cached_property

import polars as pl

from nncli.data.columns.ambiguity import check_mixed_numbers
from nncli.data.columns.parsing import LEADING_ZERO, parse_numbers
from nncli.data.columns.spellings import infer_unit
from nncli.data.table import Table


class RawColumn:
    """One column of a table. Expensive properties are computed on first use and cached."""

    def __init__(self, table: Table, name: str) -> None:
        self.table, self.name = table, name
        self.cells = table.column(name)

    @property
    def is_text(self) -> bool:
        """Whether the cells are strings, as all are in a CSV."""
        return self.cells.dtype == pl.String

    @cached_property
    def present(self) -> pl.Series:
        """The cells that are not missing."""
        return self.cells.drop_nulls()

    @cached_property
    def numbers(self) -> pl.Series:
        """The cells as Float64, null where one is missing or not a number."""
        return parse_numbers(self.cells, self.table.dialect)

    @cached_property
    def unit(self) -> str | None:
        """The currency or percent sign of the first number in a column of text."""
        return infer_unit(self.present)

    @cached_property
    def numbers_without_unit(self) -> pl.Series:
        """The cells as Float64 once the unit is removed, null where one is missing or not a number with that unit."""
        return self.numbers if self.unit is None else parse_numbers(self.cells, self.table.dialect, self.unit)

    def are_all_numbers(self, numbers: pl.Series) -> bool:
        """Whether every cell that is not missing is one of the numbers."""
        return numbers.null_count() == self.cells.null_count()

    @property
    def is_empty(self) -> bool:
        """Whether there is no value: every cell is missing or NaN."""
        if self.cells.dtype.is_float():
            return not self.cells.is_not_nan().any()
        if self.present.is_empty():
            return True
        return self.is_text and self.are_all_numbers(self.numbers) and bool(self.numbers.is_nan().all())

    @property
    def has_leading_zeros(self) -> bool:
        """Whether a number in a column of text has a leading zero, as an id such as 007 does."""
        return self.is_text and bool(self.cells.filter(self.numbers.is_not_null()).str.contains(LEADING_ZERO).any())

    def check_not_numbers(self) -> None:
        """Raise a DataError if most cells of a column of text are numbers, or look like numbers, and some are not."""
        check_mixed_numbers(self.table, self.name, self.numbers, self.numbers_without_unit)

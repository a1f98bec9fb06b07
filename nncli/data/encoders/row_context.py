"""What the answers of rows are relative to: an offset that is added, and an exposure that is multiplied by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nncli.nn.arrays import Floats
from nncli.nn.program.values import Value

Rows = slice | NDArray[np.int64 | np.bool_]


@dataclass(frozen=True)
class RowContext:
    """An answer of a row is its offset + its exposure · the relative answer; None: 0, or 1. Both are (rows,).

    With `in_link` the network adds the logarithm of the exposure before the link of the loss, so that it learns from
    the targets themselves.
    """

    exposure: Floats | None = None
    offset: Floats | None = None
    in_link: bool = False

    def absolute(self, relative: Floats) -> Floats:
        """Answers (rows, …) from the relative ones."""
        answers = relative if self.exposure is None else relative * _for_each(self.exposure, relative)
        return answers if self.offset is None else answers + _for_each(self.offset, relative)

    def relative(self, answers: Floats) -> Floats:
        """Relative answers (rows, …)."""
        answers = answers if self.offset is None else answers - _for_each(self.offset, answers)
        return answers if self.exposure is None else answers / _for_each(self.exposure, answers)

    def learned(self, answers: Floats) -> Floats:
        """What the network learns of answers (rows, …): relative ones, unless the context is in the link."""
        return answers if self.in_link else self.relative(answers)

    def take(self, rows: Rows) -> Self:
        """The context of some rows."""
        return self._map(lambda values: values[rows])

    def repeat(self, times: int) -> Self:
        """The context of the rows so many times, one after the other."""
        return self._map(lambda values: np.tile(values, times))

    def replaced(self, other: Self, rows: Rows | None = None) -> Self:
        """The context with what `other` has, for all rows or for some."""

        def merged(own: Floats | None, new: Floats | None) -> Floats | None:
            if own is None or new is None:
                return own
            values = own.copy()
            values[slice(None) if rows is None else rows] = new
            return values

        return type(self)(merged(self.exposure, other.exposure), merged(self.offset, other.offset), self.in_link)

    def _map(self, function: Callable[[Floats], Floats]) -> Self:
        exposure, offset = (None if values is None else function(values) for values in (self.exposure, self.offset))
        return type(self)(exposure, offset, self.in_link)


@dataclass(frozen=True)
class LoweredContext:
    """The context as values of a program (rows, 1)."""

    exposure: Value | None
    offset: Value | None

    def absolute(self, relative: Value) -> Value:
        """The operations of `RowContext.absolute`."""
        values = relative if self.exposure is None else relative * self.exposure
        return values if self.offset is None else values + self.offset


def _for_each(values: Floats, answers: Floats) -> Floats:
    """Values (rows,) in the shape in which they are broadcast over answers (rows, …)."""
    return values.reshape(-1, *(1,) * (answers.ndim - 1))

"""Groups of calibration rows: by the members that did not train on them, and by the values of a column.

Values of a column, or classes, may each have a coverage of their own (Mondrian conformal prediction).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.base.dataclass import dataclass
from nncli.data.columns.parsing import read_text
from nncli.data.columns.spellings import alternative_categories
from nncli.data.table import Table
from nncli.models.ensemble import AnyModel, Ensemble
from nncli.models.held_out_rows import HeldOutRows
from nncli.models.predictions import Predictions
from nncli.targets.metrics.sorted_scores import Integers

MAX_GROUPS, MAX_ROWS = 128, 2_000
"""Of more groups, as many bootstrap samples have, a sample of rows is used: every group costs a binary search."""

Method: TypeAlias = Literal["split conformal", "CV+", "jackknife+-after-bootstrap"]


@dataclass(frozen=True)
class OutOfFoldGroups:
    """The group (n,) of each calibration row, and the `members` of each group, which did not train on its rows.

    With members by folds a group is a fold; with bootstrap samples it is the rows that the same members did not draw; a
    single network, and members that share their validation rows, have one group.
    """

    members: tuple[tuple[int, ...], ...]
    group: Integers

    @classmethod
    def of(cls, rows: HeldOutRows) -> OutOfFoldGroups:
        """The groups of held-out rows."""
        return cls.of_mask(rows.oof_mask)

    @classmethod
    def of_mask(cls, oof_mask: npt.NDArray[np.bool_]) -> OutOfFoldGroups:
        """The groups of rows, from a mask (members, n) of the members that did not train on each."""
        patterns, group = np.unique(oof_mask, axis=1, return_inverse=True)
        return cls(tuple(tuple(np.flatnonzero(column).tolist()) for column in patterns.T), group.reshape(-1))

    def __len__(self) -> int:
        return len(self.members)

    @property
    def method(self) -> Method:
        """The method of calibration that the groups amount to."""
        if len(self) == 1:
            return "split conformal"
        each = [i for members in self.members for i in members]
        return "CV+" if len(set(each)) == len(each) else "jackknife+-after-bootstrap"

    def predict(self, model: AnyModel, members: Sequence[Predictions]) -> list[Predictions]:
        """The mean predictions of each group, from those of all members for the same rows."""
        return model.averages(members, self.members) if isinstance(model, Ensemble) else [members[0]]


def calibration_sample(rows: HeldOutRows) -> Integers | None:
    """The positions of a random sample of calibration rows, the same for the same rows; None: all are used."""
    if len(rows) <= MAX_ROWS or len(OutOfFoldGroups.of(rows)) <= MAX_GROUPS:
        return None
    return np.sort(np.random.default_rng(0).choice(len(rows), MAX_ROWS, replace=False))


MISSING = "(missing)"
UNKNOWN = -1
"""The code of a value that no calibration row has."""


@dataclass(frozen=True)
class RowGroups:
    """The values of the column `name`, and the `codes` (n,) of those of the calibration rows.

    If there are missing cells (`has_missing`), they have the last code, the number of the values.
    """

    name: str
    values: tuple[str, ...]
    has_missing: bool
    codes: Integers

    @classmethod
    def of(cls, table: Table, name: str) -> RowGroups:
        """The groups of the calibration rows in a table.

        Raises:
            DataError: there is no such column, or its type is not supported.
        """
        table.require([name])
        cells = read_text(table, name)
        values = tuple(cells.drop_nulls().unique().sort())
        groups = cls(name, values, cells.has_nulls(), np.empty(0, np.int64))
        return replace(groups, codes=groups.read(table))

    def take(self, rows: Integers) -> RowGroups:
        """The groups of the calibration rows at these positions."""
        return replace(self, codes=self.codes[rows])

    @property
    def count(self) -> int:
        """The number of codes."""
        return len(self.values) + self.has_missing

    def title(self, code: int) -> str:
        """The value of a code."""
        return self.values[code] if code < len(self.values) else MISSING

    def read(self, table: Table) -> Integers:
        """The codes (rows,) of the rows of a table, -1 for unknown values.

        Raises:
            DataError: there is no such column, or its type is not supported.
        """
        table.require([self.name])
        cells = read_text(table, self.name)
        codes = self._codes_of(cells)
        others = codes == UNKNOWN
        if others.any():
            codes = codes.scatter(
                others.arg_true(), self._codes_of(alternative_categories(cells.filter(others), self.values))
            )
            if self.has_missing:
                codes = codes.scatter(cells.is_null().arg_true(), len(self.values))
        return codes.to_numpy().astype(np.int64)

    def _codes_of(self, cells: pl.Series) -> pl.Series:
        return cells.replace_strict(
            list(self.values), range(len(self.values)), default=UNKNOWN, return_dtype=pl.Int64
        ).fill_null(UNKNOWN)


@dataclass(frozen=True)
class Partition:
    """The positions of the calibration `rows` of each part, and the part of each code.

    The last part is for the codes of too few rows, and for unknown ones: it has the rows of all these codes, or all
    rows (`others_are_all`) where these are too few, too.
    """

    rows: tuple[Integers, ...]
    part: Integers
    others_are_all: bool = True

    @classmethod
    def whole(cls, n: int) -> Partition:
        """All rows in one part, without codes."""
        return cls((np.arange(n),), np.empty(0, np.int64))

    @classmethod
    def of(cls, codes: Integers, count: int, min_rows: int) -> Partition:
        """Parts of at least `min_rows` rows, for rows with these codes (n,) from 0 to count - 1."""
        own = np.flatnonzero(np.bincount(codes, minlength=count) >= min_rows)
        part = np.full(count, len(own))
        part[own] = np.arange(len(own))
        of_row = part[codes]
        others = np.flatnonzero(of_row == len(own))
        too_few = len(others) < min_rows
        if too_few:
            others = np.arange(len(codes))
        return cls((*(np.flatnonzero(of_row == p) for p in range(len(own))), others), part, too_few)

    @property
    def small(self) -> Integers:
        """The codes of too few rows."""
        return np.flatnonzero(self.part == len(self.rows) - 1)

    def parts(self, codes: Integers) -> Integers:
        """The part (rows,) of the code of each row; a code of -1 is unknown."""
        last = len(self.rows) - 1
        return np.full(len(codes), last) if last == 0 else np.append(self.part, last)[codes]

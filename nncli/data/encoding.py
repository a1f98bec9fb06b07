"""From a table to a matrix: fitted on the training rows only, applied to any rows.

A numeric column is centred and scaled; a missing cell becomes the training median, and, where the training rows had
missing cells, a second 0/1 column says so. A categorical column of up to 32 categories becomes one 0/1 column each;
one of more becomes codes for a learned embedding. Every category has a slot: 0 for a missing cell, 1 for one that is
rare in training or was never seen there, 2 and up for the rest.

What the training rows had none of is counted on the way: see nncli/data/strangers.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from nncli.data.columns import Kind, read_numbers, read_text, refuse_extremes, settled_scale
from nncli.data.order import median
from nncli.data.strangers import Strange, Strangers
from nncli.data.table import Table
from nncli.errors import DataError
from nncli.specification import Count, Flag, Positive, Real, Specification, Text

NumericScaling = Literal["standard", "min_max", "none"]

MOST_ONE_HOT = 32
"""Categories up to which a column becomes 0/1 columns."""
RARE_BELOW = 2
"""A category seen fewer times than this in training shares the slot of the unseen: its one row says little of it."""
RARE_TEXT = 1 << 14
"""Characters of rare categories that a column remembers. Beyond, as of ids, none is remembered."""
BLOCK = 65_536
"""Rows encoded at a time: X is filled column by column, and a part of it stays nearer than the whole would."""
MISSING, OTHER, FIRST = 0, 1, 2
"""The slots of a missing cell, of a rare or unseen category, and of the first known one."""
UNSEEN = -1
"""Stands for an unseen category until it is counted."""

Matrix = npt.NDArray[np.floating[Any]]
Codes = npt.NDArray[np.int64]


class Encoded(NamedTuple):
    """X (rows, width), codes (rows, embedded columns), and what is strange of the rows they were made from."""

    X: Matrix
    codes: Codes
    strangers: Strangers


class NumericColumn(Specification):
    """x becomes (x - center) / scale; a missing x becomes `fill` first. `indicator` adds a column of [x missing].

    `lowest` and `highest` are the training range; None for a column without a value, and in models of format 1.
    """

    type: Literal["numeric"] = "numeric"
    name: Text
    center: Real
    scale: Positive
    fill: Real
    indicator: Flag
    lowest: Real | None = None
    highest: Real | None = None

    @classmethod
    def fit(cls, table: Table, name: str, scaling: NumericScaling) -> NumericColumn:
        """Fit on `table`, the training rows. A constant column has scale 1; one without a value counts as zeros.

        Raises:
            DataError: the values are so large that their spread is not a finite number.
        """
        x = read_numbers(table, name)
        missing = np.isnan(x)
        present = x[~missing] if missing.any() else x
        if not len(present):
            return cls(name=name, center=0.0, scale=1.0, fill=0.0, indicator=len(x) > 0)
        lowest, highest = float(present.min()), float(present.max())
        center, scale = 0.0, 1.0
        with np.errstate(over="ignore", invalid="ignore"):
            if scaling == "standard":
                center, scale = float(present.mean()), float(present.std())
            elif scaling == "min_max":
                center, scale = lowest, float(np.ptp(present))
            fill = median(present)
        refuse_extremes(table, name, x, center, scale, fill)
        scale = settled_scale(center, scale)
        return cls(
            name=name,
            center=center,
            scale=scale,
            fill=fill,
            indicator=len(present) < len(x),
            lowest=lowest,
            highest=highest,
        )

    @property
    def width(self) -> int:
        """Columns of the matrix."""
        return 1 + self.indicator

    @property
    def features(self) -> tuple[str, ...]:
        """What each column of the matrix means."""
        return (self.name, f"{self.name} is missing")[: self.width]

    def encode(self, table: Table, out: Matrix) -> Strange:
        """Fill `out` (rows, width), and count what is strange.

        Raises:
            DataError: a cell is not a number, or so far from the training values that `out` cannot hold it.
        """
        x = read_numbers(table, self.name)
        missing = np.isnan(x)
        holes = int(np.count_nonzero(missing))
        if holes:
            x = np.where(missing, self.fill, x)
        with np.errstate(over="ignore"):
            scaled = x - self.center
            scaled /= self.scale
            held = scaled.astype(out.dtype)  # as far as `out` can: a look at every 40th number of it takes longer
        out[:, 0] = held
        finite = np.isfinite(held)
        if not finite.all():
            row = int(finite.argmin())
            raise DataError(
                f"{x[row]:g} is too far from the training values to be computed with in {out.dtype}",
                place=table.place(row=row, column=self.name),
                hint="Mend the cell, or leave it empty.",
            )
        if self.indicator:
            out[:, 1] = missing
        return self._strange(x, 0 if self.indicator else holes)

    def _strange(self, x: npt.NDArray[np.float64], missing: int) -> Strange:
        """What is strange of the values, the missing ones filled."""
        low = -inf if self.lowest is None else self.lowest
        high = inf if self.highest is None else self.highest
        lowest, highest = float(x.min(initial=inf)), float(x.max(initial=-inf))
        if low <= lowest and highest <= high:
            return Strange(missing=missing)
        return Strange(
            missing=missing,
            outside=int(np.count_nonzero((x < low) | (x > high))),
            lowest=lowest if lowest < low else inf,
            highest=highest if highest > high else -inf,
        )


class CategoricalColumn(Specification):
    """One of `categories`, in order of spelling.

    One-hot: a 0/1 column for each, and, where the training rows had such cells, one for the rare or unseen (`other`)
    and one for the missing; a cell whose slot has no column is all zeros. With `embedding_width`, codes instead.
    `rare` are the rare categories of the training rows, to tell them from the unseen; None where they are too many to
    be remembered, and in models of format 1.
    """

    type: Literal["categorical"] = "categorical"
    name: Text
    categories: tuple[Text, ...]
    other: Flag
    missing: Flag
    embedding_width: Count | None = None
    rare: tuple[Text, ...] | None = None

    @classmethod
    def fit(cls, table: Table, name: str) -> CategoricalColumn:
        """Fit on `table`, the training rows."""
        cells = read_text(table, name)
        counts = cells.drop_nulls().alias("category").value_counts(name="rows")
        common = counts.filter(pl.col("rows") >= RARE_BELOW)["category"].to_list()
        rare = counts.filter(pl.col("rows") < RARE_BELOW)["category"]
        c = len(common)
        return cls(
            name=name,
            categories=tuple(sorted(common)),
            other=len(rare) > 0,
            missing=cells.has_nulls(),
            embedding_width=min(50, ceil(1.6 * c**0.56)) if c > MOST_ONE_HOT else None,
            rare=tuple(sorted(rare.to_list())) if rare.str.len_chars().sum() <= RARE_TEXT else None,
        )

    @property
    def slots(self) -> int:
        """Codes that occur: the categories and the two slots before them."""
        return FIRST + len(self.categories)

    @property
    def width(self) -> int:
        """Columns of the matrix; none when the column is embedded."""
        return 0 if self.embedding_width else len(self.categories) + self.other + self.missing

    @property
    def features(self) -> tuple[str, ...]:
        """What each column of the matrix means."""
        if self.embedding_width:
            return ()
        known = [f"{self.name} = {category}" for category in self.categories]
        return (*known, *[f"{self.name} is rare"] * self.other, *[f"{self.name} is missing"] * self.missing)

    def codes(self, table: Table) -> tuple[Codes, Strange]:
        """Each row's slot (rows,), and what is strange of them."""
        cells = read_text(table, self.name)
        rare = self.rare or ()
        slots = [*range(FIRST, self.slots), *[OTHER] * len(rare)]
        found = cells.replace_strict([*self.categories, *rare], slots, default=UNSEEN, return_dtype=pl.Int64)
        codes: Codes = found.to_numpy().copy()
        codes[cells.is_null().to_numpy()] = MISSING
        unseen = codes == UNSEEN
        count = int(np.count_nonzero(unseen))
        if count:
            codes[unseen] = OTHER
        missing = 0 if self.missing else cells.null_count()
        if self.rare is None and self.other:  # training had rare ones, and nobody knows which
            return codes, Strange(rare=count, missing=missing)
        return codes, Strange(unseen=count, missing=missing)

    def encode(self, table: Table, out: Matrix) -> Strange:
        """Fill `out` (rows, width) with zeros and ones, and count what is strange."""
        c = len(self.categories)
        rows = np.zeros((self.slots, self.width), out.dtype)
        rows[FIRST:, :c] = np.eye(c)
        if self.other:
            rows[OTHER, c] = 1.0
        if self.missing:
            rows[MISSING, c + self.other] = 1.0
        codes, strange = self.codes(table)
        out[...] = np.take(rows, codes, axis=0)
        return strange


Column = Annotated[NumericColumn | CategoricalColumn, Field(discriminator="type")]


class Encoder(Specification):
    """What the training rows taught about the features: one fitted column for each, in the order of the matrix."""

    columns: tuple[Column, ...]

    @classmethod
    def fit(cls, table: Table, kinds: Sequence[tuple[str, Kind]], scaling: NumericScaling) -> Encoder:
        """Fit every column on `table`, which holds the training rows alone."""
        return cls(
            columns=tuple(
                NumericColumn.fit(table, name, scaling) if kind is Kind.NUMERIC else CategoricalColumn.fit(table, name)
                for name, kind in kinds
                if kind is not Kind.IGNORE
            )
        )

    @property
    def names(self) -> list[str]:
        """The columns that a table must have."""
        return [column.name for column in self.columns]

    @property
    def features(self) -> tuple[str, ...]:
        """What each column of X means."""
        return tuple(feature for column in self.columns for feature in column.features)

    @property
    def width(self) -> int:
        """Columns of X."""
        return sum(column.width for column in self.columns)

    @property
    def embedded(self) -> list[CategoricalColumn]:
        """The columns that become codes."""
        return [c for c in self.columns if isinstance(c, CategoricalColumn) and c.embedding_width]

    @property
    def of_format_1(self) -> Encoder:
        """This encoder without what models of format 1 do not hold."""
        return Encoder(
            columns=tuple(
                column.model_copy(update={"lowest": None, "highest": None})
                if isinstance(column, NumericColumn)
                else column.model_copy(update={"rare": None})
                for column in self.columns
            )
        )

    def empty(self, rows: int, dtype: str) -> tuple[Matrix, Codes]:
        """X of `dtype` and codes for so many rows, to be filled."""
        return np.empty((rows, self.width), dtype), np.empty((rows, len(self.embedded)), np.int64)

    def encode(self, table: Table, dtype: str) -> Encoded:
        """X of `dtype`, codes, and the strangers among the rows.

        Raises:
            DataError: a column is missing, or a cell of a numeric column is not a number, or far too large a one.
        """
        X, codes = self.empty(len(table), dtype)
        return Encoded(X, codes, self.encode_into(table, X, codes))

    def encode_into(self, table: Table, X: Matrix, codes: Codes) -> Strangers:
        """Fill X and codes, and count the strangers; raises what `encode` does."""
        table.require(self.names)
        strangers = Strangers()
        for start in range(0, len(table), BLOCK):
            rows = slice(start, start + BLOCK)
            strangers += self._encode(table.part(rows.start, rows.stop), X[rows], codes[rows])
        return strangers

    def _encode(self, table: Table, X: Matrix, codes: Codes) -> Strangers:
        met: list[tuple[str, Strange]] = []
        start = 0
        for column in self.columns:
            if column.width:
                met.append((column.name, column.encode(table, X[:, start : start + column.width])))
            start += column.width
        for j, embedded in enumerate(self.embedded):
            codes[:, j], strange = embedded.codes(table)
            met.append((embedded.name, strange))
        return Strangers.among(met)

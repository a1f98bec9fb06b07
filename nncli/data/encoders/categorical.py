"""A column of categories: 0/1 columns for few, one of ±1 for two, codes for a learned embedding for many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import model_validator

from nncli.data.arrays import Codes, Floats, Matrix
from nncli.data.columns.parsing import read_text
from nncli.data.columns.raw_column import RawColumn
from nncli.data.encoders.anomalies import ColumnAnomalies
from nncli.data.encoders.base import ColumnEncoder
from nncli.data.encoders.options import DEFAULT_OPTIONS, Clip, EncodingOptions
from nncli.data.encoders.scaling import QUARTILES, clip_smoothly, robust_scale
from nncli.data.table import Table
from nncli.spec import FiniteFloat, NonNegativeFloat, PositiveInt, StrictBool, StrictStr
from nncli.text import join_quoted, yaml_quote

MIN_COUNT = 2
"""A category seen fewer times than this in training shares the slot of the unseen: its one row says little of it."""
MAX_RARE_TEXT = 1 << 14
"""Characters of rare categories that a column remembers. Beyond, as of ids, none is remembered."""
MISSING, OTHER, FIRST_CATEGORY = 0, 1, 2
"""The slots of a missing cell, of a rare or unseen category, and of the first known one."""
UNSEEN = -1
"""Stands for an unseen category until it is counted."""


class CategoricalColumn(ColumnEncoder):
    """One of `categories`, in order of spelling.

    One-hot: a 0/1 column for each, and, where the training rows had such cells, one for the rare or unseen (`other`)
    and one for the missing; a cell whose slot has no column is all zeros. With `signs`, one column of -1 for the first
    category, 1 for the second and 0 for any other cell. With `embedding_width`, codes instead.
    `rare` are the rare categories of the training rows, to tell them from the unseen; None where they are too many to
    be remembered. With `centers` and `scales`, a number for each column, the columns are
    scaled, and clipped as `clip` says.
    """

    lists_values: ClassVar[bool] = True
    needs_repeats: ClassVar[bool] = True

    type: Literal["categorical"] = "categorical"
    name: StrictStr
    categories: tuple[StrictStr, ...]
    has_other: StrictBool
    has_missing: StrictBool
    embedding_width: PositiveInt | None = None
    rare_categories: tuple[StrictStr, ...] | None = None
    binary_sign: StrictBool = False
    centers: tuple[FiniteFloat, ...] | None = None
    scales: tuple[NonNegativeFloat, ...] | None = None
    clip: Clip = "none"

    @model_validator(mode="after")
    def _parts_fit(self) -> CategoricalColumn:
        if self.binary_sign and (len(self.categories) != 2 or self.embedding_width):
            raise ValueError("signs are for two categories that are not embedded")
        fitted = (self.centers, self.scales)
        if fitted != (None, None) and [len(part or ()) for part in fitted] != [self.width] * 2:
            raise ValueError("not one center and scale for each column")
        return self

    @classmethod
    def matches(cls, column: RawColumn) -> bool:
        """True: every column can be categories, so this kind is asked last."""
        return True

    @classmethod
    def fit(cls, table: Table, name: str, options: EncodingOptions = DEFAULT_OPTIONS) -> CategoricalColumn:
        """Fit on `table`, the training rows."""
        choices = options.categories
        cells = read_text(table, name)
        counts = cells.drop_nulls().alias("category").value_counts(name="rows")
        common = dict(counts.filter(pl.col("rows") >= MIN_COUNT).iter_rows())
        rare = counts.filter(pl.col("rows") < MIN_COUNT)["category"]
        c, categories = len(common), tuple(sorted(common))
        column = cls(
            name=name,
            categories=categories,
            has_other=len(rare) > 0,
            has_missing=cells.has_nulls(),
            embedding_width=choices.width_for(c),
            rare_categories=tuple(sorted(rare.to_list())) if rare.str.len_chars().sum() <= MAX_RARE_TEXT else None,
            binary_sign=choices.signs_for(c),
        )
        if choices.scaling == "none" or not column.width or not len(cells):
            return column
        rows = [cells.null_count(), len(rare), *(common[category] for category in categories)]
        fitted = [_weighted_robust_scale(values, rows) for values in column.code_table.T]
        update = {"centers": tuple(c for c, _ in fitted), "scales": tuple(s for _, s in fitted), "clip": options.clip}
        return column.model_copy(update=update)

    @property
    def n_codes(self) -> int:
        """Codes that occur: the categories and the two slots before them."""
        return FIRST_CATEGORY + len(self.categories)

    @property
    def width(self) -> int:
        """Columns of the matrix; none when the column is embedded."""
        if self.embedding_width:
            return 0
        return 1 if self.binary_sign else len(self.categories) + self.has_other + self.has_missing

    @property
    def spellings(self) -> tuple[str, ...]:
        """The categories, which may be different spellings of the same thing."""
        return self.categories

    @property
    def is_uninformative(self) -> bool:
        """Whether no category occurs in several training rows."""
        return not self.categories

    @classmethod
    def uninformative_note(cls, names: tuple[str, ...]) -> str:
        """A note about columns in which no value occurs twice."""
        return (
            f"{join_quoted(names)} has a different value in every row and carries no information; consider "
            f"data.drop, or `columns: {{{yaml_quote(names[0])}: text}}` under data if its words matter"
        )

    @property
    def features(self) -> tuple[str, ...]:
        """What each column of the matrix means."""
        if self.embedding_width:
            return ()
        known = [f"{self.name} = {category}" for category in self.categories]
        if self.binary_sign:
            return (f"{known[1]}, not {self.categories[0]}",)
        return (
            *known,
            *[f"{self.name} is rare"] * self.has_other,
            *[f"{self.name} is missing"] * self.has_missing,
        )

    @property
    def code_table(self) -> Floats:
        """What each slot becomes (slots, width)."""
        c = len(self.categories)
        rows = np.zeros((self.n_codes, self.width))
        if self.binary_sign:
            rows[FIRST_CATEGORY:, 0] = -1.0, 1.0
            return self._scaled(rows)
        rows[FIRST_CATEGORY:, :c] = np.eye(c)
        if self.has_other:
            rows[OTHER, c] = 1.0
        if self.has_missing:
            rows[MISSING, c + self.has_other] = 1.0
        return self._scaled(rows)

    def _scaled(self, rows: Floats) -> Floats:
        if self.centers is None or self.scales is None:
            return rows
        scales = np.array(self.scales)
        z: Floats = np.divide(rows - np.array(self.centers), scales, out=np.zeros_like(rows), where=scales > 0.0)
        if self.clip == "smooth":
            clip_smoothly(z)
        return z

    def codes(self, table: Table) -> tuple[Codes, ColumnAnomalies]:
        """Each row's slot (rows,), and what is strange of them."""
        cells = read_text(table, self.name)
        known = [*self.categories, *(self.rare_categories or ())]
        slots = np.array([*range(FIRST_CATEGORY, self.n_codes), *[OTHER] * (len(known) - len(self.categories)), UNSEEN])
        place = cells.cast(pl.Enum(known), strict=False).to_physical()
        codes: Codes = slots[place.cast(pl.UInt32).fill_null(len(known)).to_numpy()]
        if cells.has_nulls():
            codes[cells.is_null().to_numpy()] = MISSING
        unseen = codes == UNSEEN
        count = int(np.count_nonzero(unseen))
        if count:
            codes[unseen] = OTHER
        missing = 0 if self.has_missing else cells.null_count()
        if self.rare_categories is None and self.has_other:  # training had rare ones, and nobody knows which
            return codes, ColumnAnomalies(rare=count, missing=missing)
        return codes, ColumnAnomalies(unseen=count, missing=missing)

    def encode(self, table: Table, out: Matrix) -> ColumnAnomalies:
        """Fill `out` (rows, width) with what each cell's slot becomes, and count what is strange."""
        codes, strange = self.codes(table)
        out[...] = np.take(self.code_table.astype(out.dtype), codes, axis=0)
        return strange


def _weighted_robust_scale(values: Floats, rows: Sequence[int]) -> tuple[float, float]:
    """Center and scale of a column of which so many `rows` hold each of the `values`; see scaling.robust."""
    order = np.argsort(values)
    ends = np.cumsum(np.array(rows)[order])
    at = np.array(QUARTILES) * (ends[-1] - 1)
    lower, upper = (values[order][np.searchsorted(ends, place(at), "right")] for place in (np.floor, np.ceil))
    lowest, q25, median, q75, highest = (lower + (upper - lower) * (at - np.floor(at))).tolist()
    return robust_scale(lowest, q25, median, q75, highest)

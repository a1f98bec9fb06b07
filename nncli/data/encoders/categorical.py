"""Encoder of categorical columns: 0/1 columns, one column of ±1, or codes for a learned embedding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise, product
from typing import ClassVar, Literal, Self

import numpy as np
import polars as pl
from pydantic import model_validator

from nncli.base.errors import Advice
from nncli.base.spec import DistinctTexts, FiniteFloat, NonNegativeFloat, PositiveInt, StrictBool, StrictStr
from nncli.base.text import free_name, quote
from nncli.data.columns.parsing import kind_is, read_text
from nncli.data.columns.raw_column import RawColumn
from nncli.data.columns.spellings import alternative_categories, category_keys, folds_case
from nncli.data.encoders.anomalies import ColumnAnomalies
from nncli.data.encoders.column_encoder import ColumnEncoder
from nncli.data.encoders.encoding_options import DEFAULT_OPTIONS, Clip, EncodingOptions
from nncli.data.encoders.scaling import QUARTILES, clip_smoothly, robust_scale
from nncli.data.table import Table
from nncli.nn.arrays import Codes, Floats, Mask, Matrix
from nncli.nn.program.inputs import MISSING_CODE, OTHER_CODE, CategoryInput, ProgramInput
from nncli.nn.program.values import Value

MIN_COUNT = 2
"""Training rows that a category needs for a code of its own. Rarer ones share the code of unseen categories."""
MAX_RARE_TEXT = 1 << 14
"""Characters of rare categories that a column keeps, to tell rare from unseen; if there are more, it keeps none."""
FIRST_CATEGORY = 2
"""The code of the first known category. Those of a missing cell, and of a rare or unseen category, precede it."""
REMOVED = "\0removed "
"""The beginning of a text that stands for a category whose name was removed. No cell equals it: letters follow."""
UNSEEN = -1
"""A temporary code of unseen categories, until they are counted."""


class CategoricalColumn(ColumnEncoder):
    """A categorical column. `categories` are sorted alphabetically.

    One-hot: a 0/1 column for each category, one for rare and unseen categories if training had rare ones (`has_other`),
    and one for missing cells if training had any (`has_missing`). A cell without a column is all zeros. With
    `binary_sign`, one column: -1 for the first category, 1 for the second, 0 for any other cell. With
    `embedding_width`, codes instead of columns. `rare_categories` are those of the training rows; None if they are
    too many to keep. With `centers` and `scales`, one for each column, the columns are scaled, and clipped by `clip`.
    """

    lists_values: ClassVar[bool] = True
    profiles_at_once: ClassVar[bool] = True
    needs_repeats: ClassVar[bool] = True

    type: Literal["categorical"] = "categorical"
    name: StrictStr
    categories: DistinctTexts
    has_other: StrictBool
    has_missing: StrictBool
    embedding_width: PositiveInt | None = None
    rare_categories: DistinctTexts | None = None
    binary_sign: StrictBool = False
    centers: tuple[FiniteFloat, ...] | None = None
    scales: tuple[NonNegativeFloat, ...] | None = None
    clip: Clip = "none"

    @model_validator(mode="after")
    def _parts_fit(self) -> CategoricalColumn:
        if self.binary_sign and (len(self.categories) != 2 or self.embedding_width):
            raise ValueError("binary_sign needs two categories and no embedding")
        fitted = (self.centers, self.scales)
        if fitted != (None, None) and [len(part or ()) for part in fitted] != [self.width] * 2:
            raise ValueError("there must be one center and one scale for each column")
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
        """Number of codes: one for each category, and two for missing and for other cells."""
        return FIRST_CATEGORY + len(self.categories)

    @property
    def width(self) -> int:
        """Number of columns of the matrix; 0 if the column is embedded."""
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
    def uninformative_note(cls, name: str) -> tuple[str, str]:
        """A note about a column in which no value occurs twice."""
        return (
            f"{quote(name)} has a different value in every row and carries no information",
            Advice("If its words matter: ", kind_is(name, "text"), "."),
        )

    @property
    def features(self) -> tuple[str, ...]:
        """The name of each column of the matrix."""
        if self.embedding_width:
            return ()
        features = [f"{self.name} = {category}" for category in self.categories]
        if self.binary_sign:
            return (f"{features[1]}, not {self.categories[0]}",)
        return (
            *features,
            *[f"{self.name} is rare"] * self.has_other,
            *[f"{self.name} is missing"] * self.has_missing,
        )

    @property
    def code_table(self) -> Floats:
        """The row of the matrix for each code (n_codes, width)."""
        c = len(self.categories)
        rows = np.zeros((self.n_codes, self.width))
        if self.binary_sign:
            rows[FIRST_CATEGORY:, 0] = -1.0, 1.0
            return self._scaled(rows)
        rows[FIRST_CATEGORY:, :c] = np.eye(c)
        if self.has_other:
            rows[OTHER_CODE, c] = 1.0
        if self.has_missing:
            rows[MISSING_CODE, c + self.has_other] = 1.0
        return self._scaled(rows)

    def _scaled(self, rows: Floats) -> Floats:
        if self.centers is None or self.scales is None:
            return rows
        scales = np.array(self.scales)
        z: Floats = np.divide(rows - np.array(self.centers), scales, out=np.zeros_like(rows), where=scales > 0.0)
        if self.clip == "smooth":
            clip_smoothly(z)
        return z

    @property
    def seen_texts(self) -> list[str]:
        """The categories, then the rare ones."""
        return [*self.categories, *(self.rare_categories or ())]

    @classmethod
    def program_input(cls, columns: Sequence[Self]) -> CategoryInput:
        """The input whose codes tell apart whatever a member tells apart."""
        words = list(
            dict.fromkeys(text for column in columns for text in column.seen_texts if not text.startswith(REMOVED))
        )
        texts = sorted({text for column in columns for text in column.categories} & {*words})
        folding = [text for column in columns if folds_case(column.seen_texts) for text in column.seen_texts]
        keys, folded_keys = _distinct_keys(words, folds=False), _distinct_keys(folding, folds=True)
        unseen = free_name(UNSEEN_TEXT, words, " ")
        spellings = {key: free_name(f" {key}", words, " ") for key in keys}
        variants = {
            key: f" {free_name(variant, words, ' ')}" for key in folded_keys if (variant := _other_case(key, keys))
        }
        cells = [None, unseen, *texts, *spellings.values(), *variants.values()]
        codes_of_members = np.stack([column.codes_of(pl.Series("cells", cells, dtype=pl.String)) for column in columns])
        codes, representatives = _merge_equal(codes_of_members, cells)
        ends = np.cumsum([2, len(texts), len(spellings), len(variants)])
        of_text, of_key, of_folded = (codes[start:stop].tolist() for start, stop in pairwise(ends))
        return CategoryInput(
            columns[0].name,
            tuple(texts),
            tuple(zip(texts, of_text, strict=True)),
            _known_keys(spellings, of_key),
            _known_keys(variants, of_folded),
            len(representatives),
            tuple(representatives),
            is_optional=any(column.has_missing for column in columns),
        )

    def lower(self, x: Value, column: ProgramInput) -> Value:
        return x.look_up(self.code_table[self.input_codes(column)])

    def input_codes(self, column: ProgramInput) -> Codes:
        """The own code of each code of the input (codes,)."""
        assert isinstance(column, CategoryInput)
        return self.codes_of(pl.Series(self.name, column.representatives, dtype=pl.String))

    def codes_of(self, cells: pl.Series) -> Codes:
        """The code of each cell of text (rows,)."""
        return self._codes(cells)[0]

    def codes(self, table: Table) -> tuple[Codes, ColumnAnomalies]:
        """The code of each row (rows,), which must not be changed, and the anomalies among the cells.

        Most members of an ensemble know the same categories, so a table with a cache is read once for all.
        """
        key = (
            type(self),
            self.name,
            *self.seen_texts,
            len(self.categories),
            self.rare_categories is None,
            self.has_missing,
        )
        return table.once((*key, self.has_other), lambda: self._codes(read_text(table, self.name)))

    def _codes(self, cells: pl.Series) -> tuple[Codes, ColumnAnomalies]:
        codes = self._codes_with_unseen(cells)
        unseen = codes == UNSEEN
        count = int(np.count_nonzero(unseen))
        if count:
            codes[unseen] = OTHER_CODE
        return codes, self.anomalies(count, cells.null_count())

    def _codes_with_unseen(self, cells: pl.Series) -> Codes:
        texts = self.seen_texts
        n_rare = len(texts) - len(self.categories)
        code_of = np.array([*range(FIRST_CATEGORY, self.n_codes), *[OTHER_CODE] * n_rare, UNSEEN])
        index = self._with_alternatives(cells, texts).to_physical()
        codes: Codes = code_of[index.cast(pl.UInt32).fill_null(len(texts)).to_numpy()]
        if cells.has_nulls():
            codes[cells.is_null().to_numpy()] = MISSING_CODE
        return codes

    def unusual_cells(self, table: Table) -> Mask:
        codes = self._codes_with_unseen(read_text(table, self.name))
        is_unseen: Mask = codes == UNSEEN
        return is_unseen if self.has_missing else is_unseen | (codes == MISSING_CODE)

    def anomalies(self, unseen: int, missing: int) -> ColumnAnomalies:
        """The anomalies among cells of which so many have no code of their own, or are missing."""
        missing = 0 if self.has_missing else missing
        if self.rare_categories is None and self.has_other:  # the cells may hold rare or unseen categories
            return ColumnAnomalies(rare=unseen, missing=missing)
        return ColumnAnomalies(unseen=unseen, missing=missing)

    @staticmethod
    def _with_alternatives(cells: pl.Series, texts: list[str]) -> pl.Series:
        """The cells as an Enum of the known categories, null for others; other spellings are read, see spellings.py."""
        kinds = pl.Enum(texts)
        index = cells.cast(kinds, strict=False)
        if index.null_count() == cells.null_count():
            return index
        unseen = index.is_null() & cells.is_not_null()
        alternatives = alternative_categories(cells.filter(unseen), texts)
        return (
            index.cast(pl.String).scatter(unseen.arg_true(), alternatives).cast(kinds)
            if alternatives.count()
            else index
        )

    def encode(self, table: Table, out: Matrix) -> ColumnAnomalies:
        """Fill `out` (rows, width), and count the anomalies among the cells."""
        codes, anomalies = self.codes(table)
        out[...] = np.take(self.code_table.astype(out.dtype), codes, axis=0)
        return anomalies


def _weighted_robust_scale(values: Floats, rows: Sequence[int]) -> tuple[float, float]:
    """Center and scale of a column in which each of the `values` occurs in as many rows as `rows` says.

    The same as robust_scale of the quartiles of the repeated values.
    """
    order = np.argsort(values)
    ends = np.cumsum(np.array(rows)[order])
    at = np.array(QUARTILES) * (ends[-1] - 1)
    lower, upper = (values[order][np.searchsorted(ends, place(at), "right")] for place in (np.floor, np.ceil))
    lowest, q25, median, q75, highest = (lower + (upper - lower) * (at - np.floor(at))).tolist()
    return robust_scale(lowest, q25, median, q75, highest)


# The codes of the categories of a column for all members of a model, which may know different ones. A member finds its
# own code of every input code by encoding a cell of that code: the `representatives`. So a program reads spellings
# exactly as the members do, see nncli/data/columns/spellings.py.

UNSEEN_TEXT = "\0unseen"


def _distinct_keys(texts: Sequence[str], *, folds: bool) -> list[str]:
    """The distinct keys of texts, in order."""
    return list(dict.fromkeys(category_keys(pl.Series("known", texts, dtype=pl.String), folds_case=folds)))


def _other_case(key: str, keys: Iterable[str]) -> str | None:
    """The key in a mixture of upper and lower case that is not among the keys; None if there is none."""
    variants = ("".join(letters) for letters in product(*((c.upper(), c) for c in key)))
    return next((variant for variant in variants if variant not in keys), None)


def _merge_equal(codes_of_members: Codes, cells: Sequence[str | None]) -> tuple[Codes, list[str | None]]:
    """A code of each cell, the same for cells that no member tells apart, and a cell of each code.

    `codes_of_members` is (members, cells). The first two cells are a missing and an unknown one.
    """
    codes, of_column = np.empty(len(cells), np.int64), dict[tuple[int, ...], int]()
    representatives: list[str | None] = []
    for i, column in enumerate(map(tuple, codes_of_members.T.tolist())):
        if column not in of_column:
            of_column[column] = len(representatives)
            representatives.append(cells[i])
        codes[i] = of_column[column]
    return codes, representatives


def _known_keys(keys: Iterable[str], codes: Iterable[int]) -> tuple[tuple[str, int], ...]:
    """The keys with their codes, without those that mean no category."""
    return tuple((key, code) for key, code in zip(keys, codes, strict=True) if code != OTHER_CODE)

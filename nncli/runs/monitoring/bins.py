"""The bins of a column of the reference: intervals between quantiles, or categories.

A column is compared by the numbers of rows in its bins. Bin 0 always holds missing cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.data.columns.spellings import alternative_categories
from nncli.nn.arrays import Codes, Floats

Counts: TypeAlias = npt.NDArray[np.int64]
Measure: TypeAlias = Literal["number", "date", "length", "prediction", "probability"]
"""What the numbers of bins are: numbers, days since 1970, characters of a text, or predictions."""

PSI_BINS = 10
"""Groups of bins for which the population stability index is computed, as usual for deciles."""
MAX_GROUPS = 20
"""Groups of categories that are compared at most; the last one has all other categories."""
MIN_EXPECTED = 5.0
"""Rows of either sample that a group of categories expects at least."""


@dataclass(frozen=True)
class NumberBins:
    """Intervals of numbers (-∞, e₀], (e₀, e₁], …, (eₖ, ∞) with ascending edges e.

    `counts` (1 + bins,) are the rows of the reference in bin 0, of missing cells, and in the intervals.
    """

    name: str
    measure: Measure
    edges: Floats
    counts: Counts

    @classmethod
    def fit(cls, name: str, measure: Measure, x: Floats, n_quantiles: int) -> NumberBins:
        """The bins between quantiles of x (rows,), NaN for missing; a value that is several quantiles is one edge.

        The first interval is below the smallest number, so that no row of the reference is in it.
        """
        present = np.sort(x[~np.isnan(x)])
        edges = np.empty(0)
        if len(present):
            at = np.linspace(0, len(present) - 1, n_quantiles).round().astype(np.int64)
            edges = np.unique([np.nextafter(present[0], -np.inf), *present[at]])
        ends = np.searchsorted(present, edges, side="right")
        counts = np.diff(ends, prepend=0, append=len(present))
        return cls(name, measure, edges, np.array([len(x) - len(present), *counts], np.int64))

    @property
    def n_bins(self) -> int:
        """The number of bins, with that of missing cells."""
        return len(self.edges) + 2

    def bin_codes(self, x: Floats) -> Codes:
        """The bin of each number (rows,)."""
        codes = np.searchsorted(self.edges, x, side="left") + 1
        codes[np.isnan(x)] = 0
        return codes

    @cached_property
    def groups(self) -> Codes:
        """The group (bins - 1,) of each interval: at most PSI_BINS adjacent ones with about equal counts."""
        counts = self.counts[1:]
        before = np.cumsum(counts) - counts / 2.0  # so that an interval with many rows is a group of its own
        group = np.floor(PSI_BINS * before / max(1, counts.sum())).clip(0, PSI_BINS - 1)
        return np.unique(group, return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True)
class CategoryBins:
    """Categories, the most frequent first, and a last bin for all others.

    `counts` (1 + bins,) are the rows of the reference in bin 0, of missing cells, of each category, and of the others.
    If `n_others` is 0, all categories of the reference are listed, so that another one is unseen. `singles` is the
    number of categories that occur in one row only.
    """

    name: str
    categories: tuple[str, ...]
    counts: Counts
    n_others: int
    singles: int

    @classmethod
    def fit(cls, name: str, cells: pl.Series, max_categories: int, max_characters: int) -> CategoryBins:
        """The bins of cells of text (rows,), null for missing; limits bound the number and the length of categories."""
        rows = cells.drop_nulls().alias("category").value_counts(name="rows")
        rows = rows.sort(["rows", "category"], descending=[True, False])
        lengths = rows["category"].str.len_bytes().cum_sum()
        n = min(max_categories, int((lengths <= max_characters).sum()))
        counts = rows["rows"].cast(pl.Int64).to_numpy()
        return cls(
            name,
            tuple(rows["category"][:n].to_list()),
            np.array([cells.null_count(), *counts[:n], counts[n:].sum()], np.int64),
            len(rows) - n,
            int((counts == 1).sum()),
        )

    @classmethod
    def of_classes(cls, name: str, labels: tuple[str, ...], codes: Codes) -> CategoryBins:
        """The bins of predicted classes (rows,)."""
        return cls(name, labels, np.array([0, *np.bincount(codes, minlength=len(labels)), 0], np.int64), 0, 0)

    @property
    def n_bins(self) -> int:
        """The number of bins, with that of missing cells."""
        return len(self.categories) + 2

    @property
    def is_complete(self) -> bool:
        """Whether all categories of the reference are listed."""
        return self.n_others == 0

    def bin_codes(self, cells: pl.Series) -> Codes:
        """The bin of each cell of text (rows,); other spellings of a category are read as the model reads them."""
        known = list(self.categories)
        kinds = pl.Enum(known)
        index = cells.cast(kinds, strict=False)
        unknown = index.is_null() & cells.is_not_null()
        if unknown.any():
            found = alternative_categories(cells.filter(unknown), known)
            if found.count():
                index = index.cast(pl.String).scatter(unknown.arg_true(), found).cast(kinds)
        codes: Codes = index.to_physical().cast(pl.Int64).fill_null(len(known)).to_numpy() + 1
        codes[cells.is_null().to_numpy()] = 0
        return codes

    def groups(self, rows: int) -> Codes:
        """The group (bins - 1,) of each category and of the others, for a comparison with a number of new rows.

        A group expects MIN_EXPECTED rows of either sample; the last one has the categories that are too rare, and the
        most frequent ones are groups of their own. The groups depend on the reference alone.
        """
        counts = self.counts[1:]
        least = MIN_EXPECTED * max(1.0, float(counts.sum()) / max(1, rows))
        n = min(MAX_GROUPS - 1, int((counts[:-1] >= least).sum()))
        group = np.minimum(np.arange(len(counts)), n)
        if n and counts[n:].sum() < least:  # the rest is too rare for a group of its own
            group = np.minimum(group, n - 1)
        return group


Bins: TypeAlias = NumberBins | CategoryBins

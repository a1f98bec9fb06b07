"""The reference profile of a run, kept in reference.safetensors: the bins of each column and of its predictions.

The bins of a column are intervals between quantiles, or categories. A column is compared by the numbers of rows in its
bins. Bin 0 always holds missing cells.

The file has at most some 100 kB for ordinary tables: a column of numbers has 201 quantiles if there are up to 30 such
columns, and fewer of more columns, but at least 11; a column of categories has at most 200 of them, with a bounded
number of characters. So a column of a wide table adds at most about 0.5 kB.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
import safetensors
import safetensors.numpy

from nncli.base.logs import log_duration
from nncli.data.columns.spellings import alternative_categories
from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.encoders.column_types import Column
from nncli.data.encoders.date import DateColumn
from nncli.data.encoders.text import TextColumn
from nncli.data.store.column_store import ColumnStore
from nncli.models.ensemble import AnyModel, Ensemble
from nncli.models.held_out_rows import RowCategories
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Codes, Counts, Floats
from nncli.targets.monitoring import Tracked, TrackedClasses
from nncli.targets.target import Target

MeasureName: TypeAlias = Literal["number", "date", "length", "prediction", "probability"]
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
    measure: MeasureName
    edges: Floats
    counts: Counts

    @classmethod
    def fit(cls, name: str, measure: MeasureName, x: Floats, n_quantiles: int) -> NumberBins:
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
        counts = np.bincount(codes.clip(0), minlength=len(labels))
        return cls(name, labels, np.array([0, *counts, 0], np.int64), 0, 0)

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
        categories = list(self.categories)
        kinds = pl.Enum(categories)
        index = cells.cast(kinds, strict=False)
        unknown = index.is_null() & cells.is_not_null()
        if unknown.any():
            alternatives = alternative_categories(cells.filter(unknown), categories)
            if alternatives.count():
                index = index.cast(pl.String).scatter(unknown.arg_true(), alternatives).cast(kinds)
        codes: Codes = index.to_physical().cast(pl.Int64).fill_null(len(categories)).to_numpy() + 1
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


N_QUANTILES, MIN_QUANTILES = 201, 11
"""Quantiles of a column of numbers, and the least of a wide table."""
NUMBER_BYTES, BYTES_PER_QUANTILE = 72_000, 12
"""Bytes for the quantiles of all columns of numbers together, and for one: an edge and a count."""
MAX_CATEGORIES, MIN_CATEGORIES = 200, 20
CATEGORY_BYTES, BYTES_PER_CATEGORY = 20_000, 20
"""Bytes for the categories of all columns together, and for one of usual length."""
MAX_ROWS = 200_000
"""Of more training rows a random sample is profiled."""
LARGEST_FILE = 1 << 28
"""Bytes of the file that are read at most."""


def n_quantiles(columns: int) -> int:
    """The number of quantiles of each of some columns of numbers."""
    return max(MIN_QUANTILES, min(N_QUANTILES, NUMBER_BYTES // (BYTES_PER_QUANTILE * max(1, columns))))


def n_categories(columns: int) -> int:
    """The largest number of categories of each of some columns of categories."""
    return max(MIN_CATEGORIES, min(MAX_CATEGORIES, CATEGORY_BYTES // (BYTES_PER_CATEGORY * max(1, columns))))


@dataclass(frozen=True)
class Reference:
    """The bins of the features in `rows` training rows, and of the predictions for rows that were held out.

    `predictions` are the bins of each target's predictions; of a classification those of the predicted class, then
    those of the positive class's probability, or of the largest probability of three or more classes. They are empty
    for a run without held-out rows. The rows are a random sample of `total` rows where there are too many.
    Each held-out row was predicted by one member that did not train on it; `members` are the rows of each.
    """

    rows: int
    total: int
    columns: tuple[Bins, ...]
    predictions: tuple[Bins, ...]
    members: tuple[int, ...] = ()

    @property
    def held_out(self) -> int:
        """The number of rows that were held out."""
        return sum(self.members)

    @property
    def bins(self) -> tuple[Bins, ...]:
        """The bins of all columns, then those of the predictions."""
        return (*self.columns, *self.predictions)

    @property
    def numbers(self) -> tuple[NumberBins, ...]:
        """The bins of predicted numbers or probabilities."""
        return tuple(bins for bins in self.predictions if isinstance(bins, NumberBins))

    @property
    def probability(self) -> NumberBins | None:
        """The bins of a class's probability, by which scores are estimated; None without one."""
        return next((bins for bins in self.numbers if bins.measure == "probability"), None)

    @cached_property
    def checksum(self) -> str:
        """The SHA-256 of the file, by which a profile names its reference."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """The content of reference.safetensors."""
        numbers = [bins for bins in self.bins if isinstance(bins, NumberBins)]
        document = {
            "rows": self.rows,
            "total": self.total,
            "members": self.members,
            "columns": [*map(_describe, self.columns)],
            "predictions": [*map(_describe, self.predictions)],
        }
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        arrays = {
            "edges": np.concatenate([np.empty(0), *(bins.edges for bins in numbers)]),
            "counts": np.concatenate([np.empty(0, np.int64), *(bins.counts for bins in self.bins)]).astype(np.uint32),
            "bins": np.frombuffer(text, np.uint8),
        }
        return safetensors.numpy.save(arrays)

    @classmethod
    def from_bytes(cls, content: bytes) -> Reference:
        """Read the content of reference.safetensors.

        Raises:
            ValueError: it is no reference profile.
        """
        try:
            arrays = safetensors.numpy.load(content)
            document = json.loads(arrays["bins"].tobytes())
            described = [*document["columns"], *document["predictions"]]
            bins = _bins(described, arrays["edges"], arrays["counts"])
            n, members = len(document["columns"]), tuple(map(int, document["members"]))
            reference = cls(int(document["rows"]), int(document["total"]), bins[:n], bins[n:], members)
        except (safetensors.SafetensorError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("not a reference profile") from error
        rows = [reference.rows] * n + [reference.held_out] * (len(bins) - n)
        if [int(column_bins.counts.sum()) for column_bins in bins] != rows or min(members, default=0) < 0:
            raise ValueError("the counts do not add up")
        return reference


def _describe(bins: Bins) -> dict[str, Any]:
    if isinstance(bins, NumberBins):
        return {"name": bins.name, "measure": bins.measure, "edges": len(bins.edges)}
    categories = list(bins.categories)
    return {"name": bins.name, "categories": categories, "others": bins.n_others, "singles": bins.singles}


def _bins(
    described: Sequence[Mapping[str, Any]], edges: npt.NDArray[np.float64], counts: npt.NDArray[np.uint32]
) -> tuple[Bins, ...]:
    """The bins that `_describe` described, from their edges and counts one after the other; ValueError if damaged."""
    n_edges = [int(column["edges"]) if "measure" in column else 0 for column in described]
    sizes = [
        n + 2 if "measure" in column else len(column["categories"]) + 2
        for n, column in zip(n_edges, described, strict=True)
    ]
    if min(n_edges, default=0) < 0 or (sum(n_edges), sum(sizes)) != (len(edges), len(counts)):
        raise ValueError("edges or counts are missing")
    if edges.dtype != np.float64 or counts.dtype != np.uint32:
        raise ValueError("edges or counts of another type")
    bins, edge, count = list[Bins](), 0, 0
    for column, n, size in zip(described, n_edges, sizes, strict=True):
        column_edges, own_counts = edges[edge : edge + n], counts[count : count + size].astype(np.int64)
        edge, count = edge + n, count + size
        if (np.diff(column_edges) <= 0.0).any():
            raise ValueError("the edges are not in order")
        if "measure" in column:
            bins.append(NumberBins(column["name"], column["measure"], column_edges, own_counts))
        else:
            categories = tuple(map(str, column["categories"]))
            bins.append(
                CategoryBins(column["name"], categories, own_counts, int(column["others"]), int(column["singles"]))
            )
    return tuple(bins)


def columns_of(model: AnyModel) -> tuple[Column, ...]:
    """The columns of a model, of an ensemble those of the first member that has them."""
    members = model.members if isinstance(model, Ensemble) else (model,)
    by_name: dict[str, Column] = {}
    for member in members:
        for column in member.spec.encoder.columns:
            by_name.setdefault(column.name, column)
    return tuple(by_name.values())


def categories_of(table: ColumnStore, columns: Sequence[Column], target: Target) -> tuple[RowCategories, ...]:
    """The categories of rows, by which the coverage of intervals is compared; none for a target without them."""
    names = target.compared_columns([column.name for column in columns if isinstance(column, CategoricalColumn)])
    return RowCategories.of(table.columns(names)) if names else ()


def fit_columns(store: ColumnStore, columns: Sequence[Column], seed: int) -> tuple[Bins, ...]:
    """The bins of the columns, from the training rows, or a random sample of them."""
    n = len(store)
    if n > MAX_ROWS:
        store = store.take(np.sort(np.random.default_rng([seed, 4]).choice(n, MAX_ROWS, replace=False)))
    n_numbers = sum(not isinstance(column, CategoricalColumn) for column in columns)
    quantiles, categories = n_quantiles(n_numbers), n_categories(len(columns) - n_numbers)
    with log_duration("profiling the training rows") as stage:
        fitted = tuple(_fit(store, column, quantiles, categories) for column in columns)
        stage.details.append(f"{len(store):,} rows, {len(columns):,} columns")
    return fitted


def _fit(store: ColumnStore, column: Column, quantiles: int, categories: int) -> Bins:
    cells = column.comparable_cells(store.columns([column.name]))
    if isinstance(cells, pl.Series):
        return CategoryBins.fit(column.name, cells, categories, 20 * categories)
    return NumberBins.fit(column.name, measure_of(column), cells, quantiles)


def measure_of(column: Column) -> MeasureName:
    """What the numbers of a column are."""
    if isinstance(column, DateColumn):
        return "date"
    return "length" if isinstance(column, TextColumn) else "number"


def _fit_tracked(tracked: Tracked) -> Bins:
    """The bins of what is tracked of predictions for rows that were held out."""
    if isinstance(tracked, TrackedClasses):
        return CategoryBins.of_classes(*tracked)
    return NumberBins.fit(*tracked, N_QUANTILES)


def tracked_codes(bins: Bins, tracked: Tracked) -> Codes:
    """The bin (rows,) of each tracked prediction."""
    if isinstance(tracked, TrackedClasses):
        return tracked.codes + 1
    assert isinstance(bins, NumberBins)
    return bins.bin_codes(tracked.values)


def reference_of(
    bins: tuple[Bins, ...], total: int, held_out: Predictions | None, members: tuple[int, ...] = ()
) -> Reference:
    """The reference of a run from the bins of its `total` training rows, and of predictions for rows held out, if any.

    `members` are the numbers of rows that each member predicted, see `HeldOutRows.one_member_a_row`.
    """
    tracked = () if held_out is None else held_out.target.monitoring().tracked(held_out)
    return Reference(min(total, MAX_ROWS), total, bins, tuple(map(_fit_tracked, tracked)), members)

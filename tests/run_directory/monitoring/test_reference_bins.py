"""Bins of a column: every cell has one, and the counts are those of the reference."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.run_directory.monitoring.reference import PSI_BINS, CategoryBins, NumberBins

NUMBERS = st.lists(st.one_of(st.just(float("nan")), st.floats(-1e300, 1e300)), min_size=0, max_size=60)


@given(NUMBERS, st.integers(2, 30))
def test_the_counts_are_those_of_the_numbers_in_them(x: list[float], n_quantiles: int) -> None:
    cells = np.array(x, np.float64)
    bins = NumberBins.fit("x", "number", cells, n_quantiles)
    np.testing.assert_array_equal(np.bincount(bins.bin_codes(cells), minlength=bins.n_bins), bins.counts)
    assert len(bins.counts) == bins.n_bins
    assert len(bins.edges) <= n_quantiles + 1
    assert len(bins.groups) == bins.n_bins - 1


def test_a_number_equal_to_an_edge_lies_below_it() -> None:
    bins = NumberBins.fit("x", "number", np.array([0.0, 1.0, 1.0, 2.0]), 201)
    assert bins.edges[1:].tolist() == [0.0, 1.0, 2.0]
    assert bins.counts.tolist() == [0, 0, 1, 2, 1, 0]
    codes = bins.bin_codes(np.array([-5.0, 0.0, 0.5, 1.0, 2.0, 2.5, np.nan]))
    assert codes.tolist() == [1, 2, 3, 3, 4, 5, 0]


def test_groups_have_about_equal_counts() -> None:
    bins = NumberBins.fit("x", "number", np.random.default_rng(0).normal(size=2_000), 201)
    sizes = np.bincount(bins.groups, bins.counts[1:])
    assert len(sizes) == PSI_BINS
    assert sizes.min() > 180
    assert sizes.max() < 220


def test_a_frequent_number_is_a_group_of_its_own() -> None:
    x = np.concatenate([np.zeros(900), np.arange(1.0, 101.0)])
    bins = NumberBins.fit("x", "number", x, 201)
    sizes = np.bincount(bins.groups, bins.counts[1:]).tolist()
    assert sizes == [0, 900, 100]  # the first interval is below the smallest number


def test_categories_are_listed_by_their_frequency() -> None:
    cells = pl.Series(["b", "a", None, "c", "a", "d"])
    bins = CategoryBins.fit("c", cells, max_categories=2, max_characters=100)
    assert bins.categories == ("a", "b")
    assert bins.counts.tolist() == [1, 2, 1, 2]
    assert (bins.n_others, bins.singles, bins.is_complete) == (2, 3, False)
    assert bins.bin_codes(pl.Series(["a", "b", "z", None])).tolist() == [1, 2, 3, 0]


def test_long_categories_are_left_out() -> None:
    bins = CategoryBins.fit("c", pl.Series(["x" * 60, "y" * 60]), max_categories=9, max_characters=100)
    assert len(bins.categories) == 1
    assert bins.n_others == 1


def test_other_spellings_are_the_same_category() -> None:
    bins = CategoryBins.fit("c", pl.Series(["Yes", "No", "No"]), 9, 100)
    assert bins.bin_codes(pl.Series(["yes ", "NO", "maybe"])).tolist() == [2, 1, 3]


@pytest.mark.parametrize("cells", [pl.Series([], dtype=pl.String), pl.Series([None, None], dtype=pl.String)])
def test_a_column_without_values_has_bins(cells: pl.Series) -> None:
    bins = CategoryBins.fit("c", cells, 9, 100)
    assert bins.counts.tolist() == [len(cells), 0]
    assert bins.bin_codes(pl.Series(["a", None])).tolist() == [1, 0]
    assert len(bins.groups(10)) == 1


def test_rare_categories_are_compared_together() -> None:
    cells = pl.Series(["a"] * 500 + ["b"] * 400 + ["c"] * 80 + ["d"] * 15 + ["e"] * 5)
    bins = CategoryBins.fit("c", cells, 9, 100)
    assert bins.groups(1_000).tolist() == [0, 1, 2, 3, 4, 4]
    assert bins.groups(100).tolist() == [0, 1, 2, 2, 2, 2]
    assert bins.groups(8).tolist() == [0] * 6

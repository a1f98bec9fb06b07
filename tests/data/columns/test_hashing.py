"""Hashes of cells and rows: stable, by value, and independent of the order of the columns."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.data.columns.hashing import (
    MISSING,
    combine_columns,
    hash_exact_numbers,
    hash_numbers,
    hash_texts,
    sum_of_numbers,
)

TEXTS = st.lists(st.none() | st.text(max_size=4), max_size=10)


def test_the_hashes_are_those_that_stored_runs_hold() -> None:
    assert hash_numbers(np.array([0.0, 1.5])).tolist() == [0xE220A8397B1DCDAF, 0xD6DAB18E1392608A]
    assert hash_texts(pl.Series(["", "a"])).tolist() == [13020603013274838756, 3405396810240292928]


def test_negative_zero_is_zero_and_all_missing_numbers_are_the_same() -> None:
    other_nan = np.array([0x7FF8000000000001], np.uint64).view(np.float64)
    for hash_them in (hash_numbers, hash_exact_numbers):
        assert len(set(hash_them(np.array([0.0, -0.0])).tolist())) == 1
        assert len(set(hash_them(np.array([np.nan, -np.nan, other_nan[0]])).tolist())) == 1


def test_numbers_of_single_and_double_precision_have_the_same_hashes_and_exact_ones_do_not() -> None:
    x = np.array([0.1, 1e300, -1 / 3])
    with np.errstate(over="ignore"):
        single = x.astype(np.float32).astype(np.float64)
    assert (hash_numbers(x) == hash_numbers(single)).all()
    assert (hash_exact_numbers(x) != hash_exact_numbers(single)).all()


@given(TEXTS)
def test_texts_have_equal_hashes_where_they_are_equal(texts: list[str | None]) -> None:
    hashes = hash_texts(pl.Series(texts, dtype=pl.String)).tolist()
    assert len(set(hashes)) == len(set(texts))
    assert [code == int(MISSING) for code in hashes] == [text is None for text in texts]
    assert hashes == [code for text in texts for code in hash_texts(pl.Series([text], dtype=pl.String)).tolist()]


@given(st.permutations(["a", "b", "c"]))
def test_the_order_of_the_columns_does_not_matter_and_their_names_do(order: list[str]) -> None:
    columns = {name: hash_numbers(np.arange(3.0) * j) for j, name in enumerate("abc")}
    expected = combine_columns(list(columns), list(columns.values())).tolist()
    assert combine_columns(order, [columns[name] for name in order]).tolist() == expected
    assert (combine_columns(order, list(columns.values())).tolist() == expected) == (order == ["a", "b", "c"])
    assert len(set(expected)) == 3


def test_the_hashes_of_many_rows_do_not_depend_on_the_pieces_they_are_computed_in() -> None:
    x = np.random.default_rng(0).normal(size=40_000)
    whole = hash_exact_numbers(x)
    assert (whole[20_000:] == hash_exact_numbers(x[20_000:])).all()
    assert len(np.unique(whole)) == len(x)


@pytest.mark.parametrize("shape", [(3, 5), (1, 40_000), (400, 100), (2, 0)])
def test_numeric_columns_at_once_add_what_they_add_one_by_one(shape: tuple[int, int]) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    names = [f"x{j}" for j in range(len(x))]
    word, *numbers = [hash_texts(pl.Series(["w"] * shape[1])), *map(hash_numbers, x)]
    expected = combine_columns(["word", *names], [word, *numbers])
    assert (combine_columns(["word"], [word], [sum_of_numbers(names, x)]) == expected).all()
    halves = [sum_of_numbers(names[:1], x[:1]), sum_of_numbers(names[1:], x[1:])]
    assert (combine_columns(["word"], [word], halves) == expected).all()

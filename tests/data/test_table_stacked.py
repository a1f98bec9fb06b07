"""Columns of text one below the other."""

from __future__ import annotations

import polars as pl

from nncli.data.table import any_in_column, names_of_columns_with, stacked

COLUMNS = [pl.Series("a", ["x", None]), pl.Series("^.*$", ["NA", "y"]), pl.Series("", ["", "NAN"])]


def test_columns_are_stacked_in_order() -> None:
    assert stacked(COLUMNS).to_list() == ["x", None, "NA", "y", "", "NAN"]


def test_stacked_columns_are_one_piece_so_that_slicing_all_of_them_takes_linear_time() -> None:
    assert stacked(COLUMNS).n_chunks() == 1


def test_a_mask_is_looked_up_in_each_column() -> None:
    mask = pl.Series([None, False, False, True, None, None])
    assert any_in_column(mask, 3).tolist() == [False, True, False]


def test_columns_with_a_word_are_named() -> None:
    assert names_of_columns_with(COLUMNS, ["NA", "?"]) == {"^.*$"}
    assert names_of_columns_with(COLUMNS, [""]) == {""}
    assert names_of_columns_with(COLUMNS, []) == names_of_columns_with([], ["NA"]) == set()

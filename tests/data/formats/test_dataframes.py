"""Frames of pandas as frames of Polars."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from nncli.base.errors import DataError
from nncli.data.formats.dataframes import as_polars, from_array


def test_a_frame_of_polars_stays_what_it_is() -> None:
    frame = pl.DataFrame({"a": [1]})
    assert as_polars(frame) is frame


def test_every_kind_of_column_keeps_its_type_and_its_missing_cells() -> None:
    frame = pd.DataFrame(
        {
            "whole": [1, 2],
            "fraction": [0.5, np.nan],
            "half": np.array([0.5, np.nan], np.float16),
            "nullable": pd.array([1, None], "Int64"),
            "truth": [True, False],
            "perhaps": pd.array([True, None], "boolean"),
            "text": ["x", None],
            "object": pd.Series(["x", np.nan], dtype=object),
            "category": pd.Categorical(["x", None]),
            "anything": pd.Series([1, "x"], dtype=object),
            "nothing": pd.Series([None, None], dtype=object),
            7: [1.0, 2.0],
        }
    ).set_axis([3, 1])
    assert as_polars(frame).equals(
        pl.DataFrame(
            {
                "whole": [1, 2],
                "fraction": [0.5, None],
                "half": [0.5, None],
                "nullable": [1, None],
                "truth": [True, False],
                "perhaps": [True, None],
                "text": ["x", None],
                "object": ["x", None],
                "category": ["x", None],
                "anything": ["1", "x"],
                "nothing": [None, None],
                "7": [1.0, 2.0],
            }
        )
    )
    assert as_polars(frame[["whole", "nullable"]]).dtypes == [pl.Int64, pl.Int64]


def test_what_is_no_frame_is_told() -> None:
    with pytest.raises(DataError, match="found list"):
        as_polars([[1.0]])
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(DataError, match="more than one column 'a'"):
        as_polars(twice)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble, np.int8, np.uint64, np.bool_])
def test_an_array_keeps_its_numbers(dtype: type[np.generic]) -> None:
    X = np.array([[0, 1], [1, 0], [1, 1]], dtype)
    frame = from_array(np.asfortranarray(X), ["a", "b"])
    assert frame.columns == ["a", "b"]
    assert np.array_equal(frame.to_numpy().astype(float), X.astype(float))


def test_a_column_of_objects_is_of_numbers_if_all_are() -> None:
    X = np.array([[1, "1", 1, None], [2.5, "b", "c", None], [np.nan, None, pd.NA, pd.NaT]], dtype=object)
    wanted = {"a": [1.0, 2.5, None], "b": ["1", "b", None], "c": ["1", "c", None], "d": [None] * 3}
    assert from_array(X, list("abcd")).equals(pl.DataFrame(wanted))
    assert from_array(np.array([["x"], ["y"]]), ["a"]).equals(pl.DataFrame({"a": ["x", "y"]}))


def test_a_name_that_looks_like_a_pattern_is_a_name() -> None:
    assert as_polars(pd.DataFrame({"^a.*$": [1.0, np.nan]})).to_dict(as_series=False) == {"^a.*$": [1.0, None]}

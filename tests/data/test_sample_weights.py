from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import ConfigError, DataError
from nncli.data.sample_weights import class_weights, combine, read_weights, row_counts
from nncli.data.table import Table

WEIGHTS = st.lists(st.floats(0.0, 1.7e308), min_size=1, max_size=20).map(np.array)


def weights(*cells: str | float | None) -> Table:
    return Table(pl.DataFrame({"w": pl.Series(cells, strict=False)}), "t.csv")


def test_weights_are_read_from_text_and_numbers() -> None:
    assert read_weights(weights("0", " 2.5", "1e3"), "w").tolist() == [0.0, 2.5, 1000.0]
    assert read_weights(weights(1, 0, 2), "w").tolist() == [1.0, 0.0, 2.0]
    assert read_weights(Table(pl.DataFrame({"w": [True, False]}), "t"), "w").tolist() == [1.0, 0.0]


@pytest.mark.parametrize("cell", [None, "nan", "-1", "-1e-300"])
def test_a_weight_that_is_missing_or_negative_is_refused_with_its_row(cell: str | None) -> None:
    table = weights("1", "0", cell, "-5").take(np.array([1, 2, 3]))
    with pytest.raises(DataError, match="0 or more") as caught:
        read_weights(table, "w")
    assert caught.value.location is not None
    assert (caught.value.location.row, caught.value.location.column) == (3, "w")


@pytest.mark.parametrize("cell", ["inf", "1e400", "heavy"])
def test_a_weight_that_is_no_finite_number_is_refused_with_its_row(cell: str) -> None:
    with pytest.raises(DataError, match=r"is not a|is too large") as caught:
        read_weights(weights("1", cell), "w")
    assert caught.value.location is not None
    assert caught.value.location.row == 2


def test_weights_that_are_all_zero_are_refused() -> None:
    with pytest.raises(DataError, match="every weight is 0"):
        read_weights(weights("0", "-0", "0.0"), "w")
    assert read_weights(weights(), "w").tolist() == []


def test_balanced_classes_weigh_the_same_in_all() -> None:
    codes = np.array([0, 0, 0, 1, 2, 2])
    per_class = class_weights("balanced", ["a", "b", "c"], codes)
    assert per_class.tolist() == [6 / 9, 2.0, 1.0]
    sums = np.bincount(codes, per_class[codes])
    assert sums == pytest.approx(2.0)


def test_a_class_without_rows_does_not_divide_by_zero() -> None:
    assert np.isfinite(class_weights("balanced", ["a", "b"], np.array([0, 0]))).all()


def test_a_class_that_is_not_named_weighs_one() -> None:
    assert class_weights({"yes": 3.0}, ["no", "yes"], np.array([0, 1])).tolist() == [1.0, 3.0]


def test_a_weight_for_an_unknown_class_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'Yes' is not a class") as caught:
        class_weights({"Yes": 3.0}, ["no", "yes"], np.array([0, 1]))
    assert caught.value.hint == "Did you mean 'yes'?"
    with pytest.raises(ConfigError) as caught:
        class_weights({"0": 3.0}, ["no", "yes"], np.array([0, 1]))
    assert caught.value.hint == "The classes are 'no' and 'yes'."


def test_no_weights_stay_none() -> None:
    assert combine(None, None) is None


@given(WEIGHTS)
def test_weights_have_mean_one_and_keep_their_ratios(w: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    scaled = combine(w, None)
    assert scaled is not None
    if not w.any():
        assert not scaled.any()
        return
    assert scaled.mean() == pytest.approx(1.0)
    assert scaled / scaled.max() == pytest.approx(w / w.max(), rel=1e-12, abs=1e-300)


def test_equal_weights_are_exactly_one() -> None:
    for w in (0.1, 3.0, 1e308, 5e-324):
        assert combine(np.full(7, w), None) == pytest.approx(np.ones(7), rel=1e-15)


def test_rows_and_classes_multiply() -> None:
    w = combine(np.array([1.0, 1.0, 2.0]), np.array([3.0, 1.0, 1.0]))
    assert w == pytest.approx(np.array([3.0, 1.0, 2.0]) / 2.0)


def test_products_beyond_all_numbers_do_not_turn_into_zeros() -> None:
    assert combine(np.array([1e308, 1e308]), np.array([1e308, 1e308])) == pytest.approx(np.ones(2))
    assert combine(np.array([1e-300, 1e-300]), np.array([1e-300, 3e-300])) == pytest.approx(np.array([0.5, 1.5]))


def test_weights_whose_product_is_zero_everywhere_stay_zero() -> None:
    w = combine(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    assert w is not None
    assert w.tolist() == [0.0, 0.0]
    empty = combine(np.empty(0), None)
    assert empty is not None
    assert len(empty) == 0


@pytest.mark.parametrize("cell", ["1e300", "1.1e30"])
def test_a_weight_that_is_too_large_is_refused_with_its_row(cell: str) -> None:
    with pytest.raises(DataError) as caught:
        read_weights(weights("1", "0", cell), "w")
    assert caught.value.location is not None
    assert (caught.value.location.row, caught.value.location.column) == (3, "w")


def test_weights_may_be_tiny_beside_others_and_not_all_of_them() -> None:
    assert read_weights(weights("1", "1e-300"), "w").tolist() == [1.0, 1e-300]
    with pytest.raises(DataError) as caught:
        read_weights(weights("1e-310", "1e-300"), "w")
    assert caught.value.location is not None
    assert caught.value.location.row == 2


def test_whole_weights_are_numbers_of_rows_and_others_are_relative() -> None:
    assert row_counts(np.array([0.0, 2.0, 3.0])).tolist() == [0.0, 2.0, 3.0]
    assert row_counts(np.array([0.5, 1.5, 4.0])).tolist() == [0.25, 0.75, 2.0]
    assert row_counts(np.zeros(2)).tolist() == [0.0, 0.0]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4)), min_size=1, max_size=20))
def test_a_weight_counts_as_so_many_rows_in_balanced_class_weights(rows: list[tuple[int, int]]) -> None:
    codes, w = np.array(rows).T
    repeated = class_weights("balanced", ("a", "b", "c"), np.repeat(codes, w))
    weighted = class_weights("balanced", ("a", "b", "c"), codes, w.astype(np.float64))
    present = np.unique(codes)
    np.testing.assert_allclose(weighted[present], repeated[present])

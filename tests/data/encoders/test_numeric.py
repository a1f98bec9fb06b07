from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nncli.base.errors import DataError
from nncli.data.encoders import encoder as encoding
from nncli.data.encoders.column_types import ColumnType
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.encoding_options import Clip, EncodingOptions, NumericScaling
from nncli.data.encoders.numeric import NumericColumn
from nncli.data.table import Table
from tests.data.encoders.support import CLIPS, SCALINGS, bits, encoded, numeric, one


def test_numbers_are_centered_and_scaled_by_the_standard_deviation() -> None:
    X, *_ = numeric([1.0, 2.0, 3.0, 6.0]).encode(one([3.0, 5.0]), "float64")
    assert X[:, 0] == pytest.approx((np.array([3.0, 5.0]) - 3.0) / math.sqrt(14 / 4))


def test_min_max_maps_the_training_rows_onto_zero_to_one() -> None:
    assert encoded(numeric([-1.0, 3.0, None], "min_max"), [-1.0, 3.0, 1.0, 5.0, None]) == [
        [0.0, 0.0],
        [1.0, 0.0],
        [0.5, 0.0],
        [1.5, 0.0],
        [0.5, 1.0],
    ]


def test_none_leaves_numbers_as_they_are() -> None:
    assert encoded(numeric([10.0, 20.0], "none"), ["7", "-0.5"]) == [[7.0], [-0.5]]


def test_a_missing_number_becomes_the_median_and_says_so() -> None:
    encoder = numeric([1.0, None, 2.0, 9.0], "none")
    assert encoder.columns[0].features == ("x", "x is missing")
    assert encoded(encoder, [None, 5.0, math.nan]) == [[2.0, 1.0], [5.0, 0.0], [2.0, 1.0]]


def test_a_missing_number_where_training_had_none_becomes_the_median() -> None:
    encoder = numeric([1.0, 2.0, 9.0], "none")
    assert encoder.columns[0].features == ("x",)
    assert encoded(encoder, [None, "nan"]) == [[2.0], [2.0]]


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("value", [0.1, -7.0, 0.0, 1e150, 5e-324, 123456.789])
def test_a_constant_column_has_scale_one_or_none(value: float, scaling: NumericScaling) -> None:
    column = numeric([value] * 999, scaling).columns[0]
    assert isinstance(column, NumericColumn)
    assert column.scale == (0.0 if scaling == "robust" else 1.0)
    if scaling != "none":
        assert encoded(numeric([value] * 999, scaling), [value]) == pytest.approx(
            np.zeros((1, 1)), abs=abs(value) / 1e12
        )


def test_a_column_without_a_value_in_training_counts_as_zeros() -> None:
    encoder = numeric(pl.Series([None, None], dtype=pl.String))
    assert encoded(encoder, [None, "3"]) == [[0.0, 1.0], [3.0, 0.0]]


@pytest.mark.parametrize("rows", [0, 1])
def test_only_a_cell_that_is_missing_calls_for_an_indicator(rows: int) -> None:
    assert numeric(pl.Series([None] * rows, dtype=pl.Float64)).width == 1 + rows


@pytest.mark.parametrize(
    ("cells", "scaling"),
    [
        ([1.0, 1e200, 2.0], "standard"),
        ([1e308, 1.7e308], "standard"),
        ([-1.7e308, 1.7e308], "min_max"),
        ([1.7e308, 1.7e308], "none"),
        ([-1.7e308, 1.7e308], "robust"),
        ([-1.7e308, 1.7e308], "quantile"),
        ([1.7e308, -1.7e308] * 16, "standard"),  # whose sum is infinity less infinity
    ],
)
def test_values_too_large_to_be_scaled_are_refused_with_their_row(cells: list[float], scaling: NumericScaling) -> None:
    table = Table(pl.DataFrame({"x": [None, *cells]}), "t.csv", first_row=100)
    with pytest.raises(DataError, match="too large") as caught:
        Encoder.fit(table, [("x", ColumnType.NUMERIC)], EncodingOptions(numeric=scaling))
    assert caught.value.location == table.location(row=1 + int(np.argmax(np.abs(cells))), column="x")
    assert caught.value.hint == "Correct the cell, or write the column in a larger unit."


@pytest.mark.parametrize(("dtype", "cell"), [("float32", 1e39), ("float32", -1e300), ("float64", 1.7e308)])
def test_a_cell_that_the_matrix_cannot_hold_is_refused_with_its_row(dtype: str, cell: float) -> None:
    encoder = numeric([0.0, 0.1])
    table = one([0.0, None, cell, 0.1])
    with pytest.raises(DataError, match="too far from the training values") as caught:
        encoder.encode(table, dtype)
    assert caught.value.location == table.location(row=2, column="x")
    assert caught.value.hint == "Correct the cell, or leave it empty."


def test_a_cell_that_is_no_number_is_refused_with_its_row_in_the_file() -> None:
    table = Table(pl.DataFrame({"x": ["1", "2", "3", "4", "oops"]}), "t.csv", first_row=11)
    with pytest.raises(DataError, match="'oops' is not a number") as caught:
        numeric([1, 2]).encode(table.take(np.array([0, 3, 4])), "float32")
    assert caught.value.location is not None
    assert (caught.value.location.row, caught.value.location.column) == (15, "x")


def test_a_bad_cell_in_a_later_block_is_refused_with_its_row() -> None:
    n = 2 * encoding.BLOCK + 5
    table = one(["1"] * (n - 1) + ["1,5"])
    for place in (table, table.take(np.arange(n))):
        with pytest.raises(DataError) as caught:
            numeric([1, 2]).encode(place, "float32")
        assert caught.value.location is not None
        assert caught.value.location.row == n


def test_integers_text_floats_and_decimals_of_the_same_value_give_the_same_bits() -> None:
    encoder = numeric([1, 2, 4])
    forms = [
        pl.Series("x", [1, 3, None], dtype=pl.Int8),
        pl.Series("x", [1, 3, None], dtype=pl.UInt64),
        pl.Series("x", [1, 3, None], dtype=pl.Int128),
        pl.Series("x", [1.0, 3.0, math.nan]),
        pl.Series("x", [1.0, 3.0, None], dtype=pl.Float32),
        pl.Series("x", ["1", " 3.0", None]),
        pl.Series("x", ["1", "3e0", None], dtype=pl.Categorical),
        pl.Series("x", [1, 3, None]).cast(pl.Decimal(20, 2)),
    ]
    assert len({bits(encoder, one(cells)) for cells in forms}) == 1


def test_a_robust_column_is_measured_by_its_quartiles() -> None:
    encoder = numeric([0.0, 1.0, 2.0, 3.0, 400.0], "robust")
    assert encoded(encoder, [2.0, 4.0, -2.0]) == [[0.0], [1.0], [-2.0]]


def test_a_robust_column_whose_quartiles_coincide_is_measured_by_half_of_its_range() -> None:
    encoder = numeric([0.0] * 9 + [1.0], "robust", "smooth")
    assert encoded(encoder, [0.0, 1.0]) == [[0.0], [pytest.approx(1.664, abs=1e-3)]]


@pytest.mark.parametrize("scaling", ["robust", "quantile"])
@pytest.mark.parametrize("clip", CLIPS)
def test_of_a_robust_or_ranked_column_that_was_constant_nothing_is_left(scaling: NumericScaling, clip: Clip) -> None:
    encoder = numeric([7.0] * 5, scaling, clip)
    assert encoded(encoder, [7.0, 8.0, -1e300]) == [[0.0], [0.0], [0.0]]


# no two so far apart that the one cannot be told in the scale of the other, which is refused
measured = st.floats(-1e30, 1e30).map(lambda x: x if abs(x) > 1e-30 else 0.0)


@given(st.lists(measured, min_size=2, max_size=60), st.sampled_from(SCALINGS), st.sampled_from(CLIPS))
def test_a_greater_number_is_never_encoded_as_a_smaller(
    cells: list[float], scaling: NumericScaling, clip: Clip
) -> None:
    z = np.array(encoded(numeric(cells[::2], scaling, clip), sorted(cells)))[:, 0]
    assert (np.diff(z) >= -1e-12 * np.abs(z[1:])).all()


@pytest.mark.parametrize("scaling", SCALINGS)
def test_what_is_clipped_smoothly_is_never_too_far(scaling: NumericScaling) -> None:
    encoder = numeric([1.0, 2.0, 3.0, 5.0], scaling, "smooth")
    z = np.array(encoded(encoder, [-1.7e308, 1.7e308, 2.0]))
    assert (np.abs(z) <= 3.0).all()


@pytest.mark.parametrize("scaling", SCALINGS)
def test_the_column_that_says_what_is_missing_is_not_scaled(scaling: NumericScaling) -> None:
    encoder = numeric([1.0, None, 2.0, 9.0], scaling, "smooth")
    assert [row[1] for row in encoded(encoder, [None, 5.0])] == [1.0, 0.0]


@pytest.mark.parametrize("edges", [(), (2.0, 1.0)])
def test_edges_that_cannot_be_are_refused(edges: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError):
        NumericColumn(name="x", center=0.0, scale=1.0, fill_value=0.0, missing_indicator=False, quantiles=edges)


@pytest.mark.parametrize("scaling", ["standard", "min_max", "robust", "quantile", "none"])
def test_a_clipped_range_takes_values_outside_as_its_ends(scaling: NumericScaling) -> None:
    training = Table(pl.DataFrame({"x": [1.0, 2.0, 4.0]}), "t.csv")
    column = NumericColumn.fit(training, "x", EncodingOptions(numeric=scaling)).model_copy(update={"clip_range": True})
    X = np.empty((4, 1))
    result = column.encode(Table(pl.DataFrame({"x": [-9.0, 1.0, 4.0, 99.0]}), "t.csv"), X)
    assert X[0] == X[1] < X[2] == X[3]
    assert (result.out_of_range, result.lowest, result.highest) == (2, -9.0, 99.0)
    assert not column.is_linear


def test_true_and_false_are_numbers_in_a_column_from_0_to_1_only() -> None:
    words = Table(pl.DataFrame({"x": ["True", "false", "1"]}), "t.csv")
    flags = NumericColumn.fit(Table(pl.DataFrame({"x": ["0", "1", "1"]}), "t.csv"), "x")
    assert flags.cell_errors(words, "float32") == []
    out = np.empty((3, flags.width))
    flags.encode(words, out)
    assert out[0] == out[2] != out[1]
    counts = NumericColumn.fit(Table(pl.DataFrame({"x": ["0", "1", "2"]}), "t.csv"), "x")
    (errors,) = counts.cell_errors(words, "float32")
    assert errors.rows.tolist() == [0, 1]


@given(st.lists(st.none() | st.sampled_from((-1.0, 0.0, 0.5, 7.0)), max_size=6))
def test_a_column_is_binary_if_it_has_two_values(cells: list[float | None]) -> None:
    column = NumericColumn.fit(Table(pl.DataFrame({"x": cells}, {"x": pl.Float64}), "t"), "x")
    assert column.is_binary is (len({*cells} - {None}) == 2)


def test_a_column_of_an_older_version_is_not_binary() -> None:
    data = NumericColumn.fit(Table(pl.DataFrame({"x": [0, 1]}), "t"), "x").model_dump()
    del data["is_binary"]
    assert not NumericColumn(**data).is_binary


def test_a_name_that_looks_like_a_pattern_is_a_name() -> None:
    table = Table(pl.DataFrame({"^a.*$": [1.0, math.nan]}), "t.csv")
    assert NumericColumn.read_cells(table, "^a.*$").gather([1, 0]).to_list() == [None, 1.0]

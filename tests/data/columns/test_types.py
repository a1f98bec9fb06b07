"""The outcome of each type of a column, as a feature, as a target, as a group and as a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import DataError
from nncli.data.columns.parsing import read_numbers, read_text
from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.encoders.column_types import ColumnType, infer_kind
from nncli.data.encoders.date import DateColumn
from nncli.data.splitting.holdout import group_numbers, read_groups, read_times
from nncli.data.table import Table
from nncli.targets.classes import ClassificationTarget
from nncli.targets.target_base import rows_with_target

LARGE = 2**53


def table(cells: list[Any], dtype: Any = None) -> Table:
    return Table(pl.DataFrame({"c": pl.Series(cells, dtype=dtype)}), "t.parquet")


DAY = dt.date(2024, 5, 31)
NOON = dt.datetime(2024, 5, 31, 12)
REFUSED: dict[str, tuple[list[Any], Any]] = {
    "time": ([dt.time(1), dt.time(2)], pl.Time),
    "duration": ([dt.timedelta(1), dt.timedelta(2)], pl.Duration("us")),
    "list": ([[1], [2]], pl.List(pl.Int64)),
    "array": ([[1, 2], [2, 3]], pl.Array(pl.Int64, 2)),
    "struct": ([{"a": 1}, {"a": 2}], pl.Struct({"a": pl.Int64})),
    "binary": ([b"a", b"\xff"], pl.Binary),
}


@pytest.mark.parametrize(
    ("cells", "dtype", "kind"),
    [
        ([1, 2], pl.Int8, ColumnType.NUMERIC),
        ([1, 2], pl.UInt64, ColumnType.NUMERIC),
        ([LARGE - 1, 1 - LARGE], pl.Int128, ColumnType.NUMERIC),
        ([0.5, None], pl.Float32, ColumnType.NUMERIC),
        ([Decimal("0.5"), None], pl.Decimal(20, 2), ColumnType.NUMERIC),
        ([True, False], pl.Boolean, ColumnType.CATEGORICAL),
        (["1", "2"], pl.Categorical, ColumnType.CATEGORICAL),
        (["1", "2"], pl.Enum(["1", "2"]), ColumnType.CATEGORICAL),
        ([DAY, None], pl.Date, ColumnType.DATE),
        ([NOON, None], pl.Datetime("ns"), ColumnType.DATE),
        ([NOON, None], pl.Datetime("ms", "Europe/Berlin"), ColumnType.DATE),
        ([None, None], pl.Null, ColumnType.EMPTY),
        ([float("nan"), None], pl.Float64, ColumnType.EMPTY),
    ],
)
def test_the_kind_follows_from_the_type(cells: list[Any], dtype: Any, kind: ColumnType) -> None:
    assert infer_kind(table(cells, dtype), "c") is kind


@pytest.mark.parametrize(("cells", "dtype"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize(
    "read", [read_numbers, read_text, DateColumn.fit, CategoricalColumn.fit, lambda t, _: rows_with_target(t, ("c",))]
)
def test_what_is_no_cell_is_refused_by_its_column(
    cells: list[Any], dtype: Any, read: Callable[[Table, str], object]
) -> None:
    with pytest.raises(DataError) as caught:
        read(table(cells, dtype), "c")
    assert caught.value.location is not None
    assert caught.value.location.column == "c"
    assert caught.value.hint


@pytest.mark.parametrize("dtype", [pl.Int64, pl.UInt64, pl.Int128, pl.Decimal(38, 0), pl.Decimal(38, 3)])
def test_integers_that_float64_cannot_hold_are_refused_as_numbers_and_kept_as_categories(dtype: Any) -> None:
    cells = [LARGE + 1, LARGE, LARGE + 1, LARGE]
    large = table([Decimal(cell) for cell in cells] if dtype.is_decimal() else cells, dtype)
    with pytest.raises(DataError) as caught:
        infer_kind(large, "c")
    assert caught.value.location is not None
    assert (caught.value.location.row, caught.value.location.column) == (1, "c")
    assert read_text(large, "c").to_list() == [str(cell) for cell in cells]
    target = ClassificationTarget.fit(large, ("c",))
    assert target.labels == (str(LARGE), str(LARGE + 1))
    codes = target.read(large)
    assert codes.tolist() == [1, 0, 1, 0]
    assert [int(label) for label in target.class_labels.column(codes, "c")] == cells


@given(st.lists(st.decimals(-(10**9), 10**9, places=4, allow_nan=False), min_size=1, max_size=20))
def test_a_decimal_is_the_float_and_the_text_that_a_column_of_floats_has(numbers: list[Decimal]) -> None:
    decimals = table(numbers, pl.Decimal(20, 6))
    assert read_numbers(decimals, "c").tolist() == [float(number) for number in numbers]
    for number, text in zip(numbers, read_text(decimals, "c"), strict=True):
        assert Decimal(text) == number
        assert "." not in text or not text.endswith("0")
        assert not text.endswith(".")


def test_a_missing_cell_is_null_or_nan_alike() -> None:
    columns: list[tuple[list[Any], Any]] = [
        ([1.5, None], pl.Float64),
        ([1.5, float("nan")], pl.Float64),
        ([Decimal(1), None], None),
    ]
    for cells, dtype in columns:
        assert np.isnan(read_numbers(table(cells, dtype), "c")).tolist() == [False, True]
        assert read_text(table(cells, dtype), "c").is_null().to_list() == [False, True]
        assert rows_with_target(table(cells, dtype), ("c",)).tolist() == [0]


def test_timestamps_of_several_zones_are_compared_in_utc() -> None:
    utc = pl.Series([NOON, NOON + dt.timedelta(hours=1)], dtype=pl.Datetime("us", "UTC"))
    berlin = utc.dt.convert_time_zone("Europe/Berlin")
    first, other = (Table(pl.DataFrame({"c": cells}), "t") for cells in (utc, berlin))
    column = DateColumn.fit(first, "c")
    out = np.zeros((2, 2, len(column.features)))
    column.encode(first, out[0])
    column.encode(other, out[1])
    assert (out[0] == out[1]).all()


def test_the_predictions_of_a_boolean_target_are_booleans() -> None:
    cells = table([True, False, None, True], pl.Boolean)
    rows = cells.take(rows_with_target(cells, ("c",)))
    target = ClassificationTarget.fit(rows, ("c",))
    assert target.class_labels.column(target.read(rows), "c").to_list() == [True, False, True]


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        ([LARGE, LARGE + 1, LARGE], pl.Int64),
        ([2**64 - 2, 2**64 - 1, 2**64 - 2], pl.UInt64),
        ([2**100, 2**100 + 1, 2**100], pl.Int128),
        ([Decimal(LARGE), Decimal(LARGE + 1), Decimal(LARGE)], pl.Decimal(38, 0)),
        ([DAY, DAY + dt.timedelta(1), DAY], pl.Date),
        ([dt.timedelta(1), dt.timedelta(2), dt.timedelta(1)], pl.Duration("us")),
        ([dt.time(1), dt.time(2), dt.time(1)], pl.Time),
    ],
)
def test_groups_and_times_are_told_apart_exactly(cells: list[Any], dtype: Any) -> None:
    assert read_times(table(cells, dtype), "c").tolist() == [0, 1, 0]
    for codes in (read_groups(table(cells, dtype), "c"), group_numbers(table(cells, dtype), "c")):
        assert codes is not None
        assert codes[0] == codes[2] != codes[1]


@pytest.mark.parametrize("name", ["list", "array", "struct", "binary"])
@pytest.mark.parametrize("read", [read_groups, read_times, group_numbers])
def test_lists_objects_and_bytes_are_neither_groups_nor_times(name: str, read: Callable[[Table, str], object]) -> None:
    with pytest.raises(DataError) as caught:
        read(table(*REFUSED[name]), "c")
    assert caught.value.location is not None
    assert caught.value.location.column == "c"

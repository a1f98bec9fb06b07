from __future__ import annotations

from datetime import date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import DataError, Location
from nncli.data.columns.datetimes import parse_dates
from nncli.data.dialect import CsvDialect
from nncli.data.splitting.holdout import read_groups, read_times
from nncli.data.table import Table


def table(*cells: object, dtype: pl.DataType | None = None) -> Table:
    return Table(pl.DataFrame({"t": pl.Series(cells, dtype=dtype)}), "t.csv")


@pytest.mark.parametrize(
    ("cells", "ranks"),
    [
        (("10", "9", "10", "-1.5"), [2, 1, 2, 0]),
        ((3, 1, 2), [2, 0, 1]),
        ((0.5, 0.25), [1, 0]),
        (("2024-05-31", "2024-02-29", "1969-12-31"), [2, 1, 0]),
        (("2024-05-31T10:00", "2024-05-31", "2024-05-31 09:59:59.5", " 2024-05-31 10:00:00 "), [2, 0, 1, 2]),
        (("2024-05-31T10:00:00Z", "2024-05-31T10:00:00+02:00", "2024-05-31T09:00+00:00"), [2, 0, 1]),
        (("31.05.2024", "1.6.2024", "31.12.2023 23:59"), [1, 2, 0]),
        (("2024-05-31", "1.6.2024", "31/12/2023", "01/12/2023"), [2, 3, 1, 0]),
        ((date(2024, 5, 31), date(2023, 1, 1)), [1, 0]),
        ((datetime(2024, 5, 31, 1), datetime(2024, 5, 31)), [1, 0]),
    ],
)
def test_numbers_and_dates_are_ranked(cells: tuple[object, ...], ranks: list[int]) -> None:
    assert read_times(table(*cells), "t").tolist() == ranks


def test_numbers_are_read_in_the_dialect_of_the_table() -> None:
    spelled = Table(pl.DataFrame({"t": ["1,5", "1,25"]}), "t.csv", dialect=CsvDialect(decimal=","))
    assert read_times(spelled, "t").tolist() == [1, 0]


@pytest.mark.slow
@given(st.lists(st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)), min_size=1, max_size=20))
def test_iso_dates_are_ranked_in_order(moments: list[datetime]) -> None:
    later = sorted(set(moments))
    assert read_times(table(*(m.isoformat() for m in moments)), "t").tolist() == [later.index(m) for m in moments]


@pytest.mark.parametrize(
    ("cells", "row", "words"),
    [
        (("2024-05-31", "yesterday"), 2, "'yesterday'"),
        (("2024-02-30", "2024-05-31"), 1, "'2024-02-30'"),
        (("2024-05-31", "01/05/2024"), 2, "'01/05/2024'"),
        (("1", "2", "x"), 3, "'x'"),
        (("1", "nan"), 2, "'nan'"),
        (("1", None), 2, "missing"),
        ((1.0, float("nan")), 2, "missing"),
    ],
)
def test_an_invalid_time_raises_with_row_and_cell(cells: tuple[object, ...], row: int, words: str) -> None:
    some = table(*cells)
    with pytest.raises(DataError) as caught:
        read_times(some, "t")
    assert words in caught.value.message
    assert caught.value.location == Location(source="t.csv", row=row, column="t")


def test_text_that_is_not_a_date_is_null() -> None:
    assert parse_dates(pl.Series(["x", None, "2024-13-01", "20240531", "2024-5-1"])).null_count() == 5


@pytest.mark.parametrize("cells", [("b", "a", "b"), (2, 1, 2), (0.5, 0.0, 0.5), (True, False, True)])
def test_rows_of_one_group_share_a_code(cells: tuple[object, ...]) -> None:
    first, other, again = read_groups(table(*cells), "t").tolist()
    assert first == again != other


def test_missing_groups_and_nested_types_raise() -> None:
    with pytest.raises(DataError) as caught:
        read_groups(table("a", None), "t")
    assert caught.value.location is not None
    assert caught.value.location.row == 2
    with pytest.raises(DataError, match="List"):
        read_groups(table([1], [2]), "t")

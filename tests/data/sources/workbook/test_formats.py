"""The same workbook in the formats of openpyxl and LibreOffice, and with dates since 1900 and 1904."""

from __future__ import annotations

import datetime
from pathlib import Path

import polars as pl
import pytest

from nncli.base.errors import DataError
from tests.data.sources.workbook.support import read
from tests.data.sources.workbook.xlsb import write_xlsb

FOLDER = Path("tests/data/workbooks")
COMPUTED = [FOLDER / f"libreoffice-since-{year}.{suffix}" for year in (1900, 1904) for suffix in ("xlsx", "xls", "ods")]
ALL = [*COMPUTED, FOLDER / "openpyxl-since-1900.xlsx", FOLDER / "openpyxl-since-1904.xlsx"]

computed = pytest.mark.parametrize("path", COMPUTED, ids=lambda path: path.name)
every = pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)


def moment(*parts: int) -> datetime.datetime:
    return datetime.datetime(*parts)  # type: ignore[arg-type]


@computed
def test_a_table_is_the_same_in_all_formats(path: Path) -> None:
    table = read(path, sheet="Sales")
    assert table.frame.to_dict(as_series=False) == {
        "city": ["Oslo", "Rome", "Lima", "Rome"],
        "opened": [datetime.date(*day) for day in [(2024, 5, 31), (2024, 6, 1), (1999, 12, 31), (2024, 6, 3)]],
        "sold at": [
            moment(2024, 5, 31, 14, 30),
            moment(2024, 6, 1, 9, 15, 30),
            moment(2000, 1, 1),
            moment(2024, 6, 3, 23, 59, 59),
        ],
        "price": [12.5, 7.0, None, 3.25],
        "share": [0.12, 0.5, 1.0, 0.25],
        "double": [25, 14, 0, None],  # the last is #N/A
        "open": [True, False, True, False],
    }
    assert len(table.notes) == 2


@computed
def test_errors_are_refused_in_all_formats(path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(path, sheet="Errors")
    assert caught.value.location is not None
    assert (caught.value.location.row, caught.value.location.column) == (2, "b")
    assert "B3 has the error #DIV/0!; 1 more" in caught.value.message
    assert read(path, sheet="Errors", cells="C1:C5").frame["c"].to_list() == ["x", "y", None, None]


@every
def test_a_cell_merged_over_rows_stands_in_each_of_them(path: Path) -> None:
    table = read(path, sheet="Merged")
    assert table.frame["region"].to_list() == ["north", "north", "south", "south"]
    assert len(table.notes) == 1


@every
def test_a_cell_merged_over_columns_is_refused(path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(path, sheet="Wide")
    assert "A2:B2" in caught.value.message


@pytest.mark.parametrize("path", [path for path in ALL if path.suffix != ".ods"], ids=lambda path: path.name)
def test_times_and_durations(path: Path) -> None:
    frame = read(path, sheet="Times").frame
    assert frame.dtypes == [pl.Time, pl.Duration("us")]
    assert frame["at"].to_list() == [datetime.time(14, 30), datetime.time(0, 0, 1)]
    assert frame["lasted"].to_list() == [datetime.timedelta(hours=30), datetime.timedelta(minutes=1)]


@pytest.mark.parametrize("path", [path for path in ALL if path.suffix == ".ods"], ids=lambda path: path.name)
def test_long_durations_in_ods_are_durations_too(path: Path) -> None:
    assert read(path, sheet="Times").frame["lasted"].to_list() == [
        datetime.timedelta(hours=30),
        datetime.timedelta(minutes=1),
    ]


@every
def test_a_hidden_sheet_is_read_if_it_is_named(path: Path) -> None:
    assert read(path, sheet="Hidden").frame.to_dict(as_series=False) == {"a": [1], "b": [2]}


def test_formulas_that_were_never_computed_are_refused() -> None:
    for sheet in ("Sales", "Errors"):
        with pytest.raises(DataError, match="never computed"):
            read(FOLDER / "openpyxl-since-1900.xlsx", sheet=sheet)


def test_a_password_is_told() -> None:
    with pytest.raises(DataError, match="password"):
        read(FOLDER / "password.xlsx")


def test_a_binary_workbook_is_read(tmp_path: Path) -> None:
    path = write_xlsb(tmp_path / "t.xlsb", [["city", "n"], ["Oslo", 1], ["Rome", (0x2A,)], ["Lima", 3.5]])
    assert read(path).frame.to_dict(as_series=False) == {"city": ["Oslo", "Rome", "Lima"], "n": [1.0, None, 3.5]}
    write_xlsb(path, [["city", "n"], ["Oslo", 1], ["Rome", (0x07,)], ["Lima", (0x17,)]])
    with pytest.raises(DataError) as caught:
        read(path)
    assert "B3 has the error #DIV/0!; 1 more" in caught.value.message


def test_merged_cells_of_a_binary_workbook(tmp_path: Path) -> None:
    rows: list[list[object]] = [["city", "n"], ["Oslo", 1], [None, 2], ["Lima", 3.5]]
    path = write_xlsb(tmp_path / "t.xlsb", rows, ((1, 2, 0, 0),))
    assert read(path).frame["city"].to_list() == ["Oslo", "Oslo", "Lima"]
    write_xlsb(path, rows, ((1, 1, 0, 1),))
    with pytest.raises(DataError, match="A2:B2"):
        read(path)

from __future__ import annotations

import datetime
import hashlib
import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nncli.base.errors import DataError, UsageError
from nncli.data.columns.parsing import read_numbers
from nncli.data.dialect import CsvDialect
from nncli.data.formats.read_options import ReadOptions
from nncli.data.sources.open import open_reader
from nncli.data.sources.table_source import TableSource
from tests.data.sources.workbook.support import ROWS, read, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sales.xlsx"


def test_the_only_sheet_with_a_table_is_read_with_the_types_of_its_cells(path: Path) -> None:
    write(path, {"About": [["Written by hand"]], "May": ROWS, "Empty": []})
    table = read(path)
    assert table.source == f"{path}, sheet May"
    assert table.frame.to_dict(as_series=False) == {"city": ["Oslo", "Rome", "Lima"], "rooms": [2.0, 3.5, None]}
    assert ("sheet", "May") in table.details


def test_several_tables_ask_for_a_sheet(path: Path) -> None:
    write(path, {"May": ROWS, "June": ROWS[:3]})
    with pytest.raises(UsageError) as caught:
        read(path)
    assert "'May' (4 rows), 'June' (3 rows)" in caught.value.message
    assert "--sheet May" in str(caught.value.hint)
    choice = open_reader(TableSource(path=str(path))).choice()
    assert choice is not None
    assert choice == ("sheet", ("May", "June"))
    assert open_reader(TableSource(path=str(path), sheet="June")).choice() is None


@pytest.mark.parametrize(("sheet", "rows"), [("June", 2), ("june", 2), (2, 2), ("2", 1), ("3", 1), (3, 1)])
def test_a_sheet_is_named_by_its_name_or_else_its_number(path: Path, sheet: str | int, rows: int) -> None:
    write(path, {"May": ROWS, "June": ROWS[:3], "2": ROWS[:2]})
    assert len(read(path, sheet=sheet)) == rows


def test_the_nearest_name_of_a_sheet_is_proposed(path: Path) -> None:
    write(path, {"May": ROWS, "June": ROWS})
    with pytest.raises(UsageError) as caught:
        read(path, sheet="Jun")
    assert caught.value.hint == "Did you mean 'June'?"
    with pytest.raises(UsageError):
        read(path, sheet=3)


def test_the_checksum_is_that_of_the_bytes(path: Path) -> None:
    write(path, ROWS)
    reader = open_reader(TableSource(path=str(path)))
    assert reader.checksum().sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_header_below_titles_and_notes_below_the_table_are_found(path: Path) -> None:
    rows = [
        ["", "Sales"],
        [],
        ["", "city", "", "rooms"],
        ["", "Oslo", "", 2],
        [],
        ["", "Rome", "", 3],
        ["", "Lima", "", 4],
    ]
    write(path, [*rows, [], ["", "Source: the office"]])
    table = read(path)
    assert table.frame.to_dict(as_series=False) == {"city": ["Oslo", "Rome", "Lima"], "rooms": [2, 3, 4]}
    assert len(table.notes) == 3  # title, empty row, note below


def test_the_range_of_a_table_begins_with_its_header(path: Path) -> None:
    write(path, [["x", "note"], [1, 2, 3], ["a", "b", "c"], [4, "p", 6], [7, "q", 9], ["total", "", ""]])
    assert read(path, cells="A3:B5").frame.to_dict(as_series=False) == {"a": [4, 7], "b": ["p", "q"]}
    assert read(path, cells="3:5").names == ["a", "b", "c"]
    assert read(path, cells="b3:c5").frame.to_dict(as_series=False) == {"b": ["p", "q"], "c": [6, 9]}


def test_whole_columns_limit_where_the_table_is_found(path: Path) -> None:
    write(path, [["k", "v", "", "city", "rooms"], [1, 2, "", "Oslo", 2], [3, 4, "", "Rome", 3]])
    assert read(path, cells="D:E").names == ["city", "rooms"]
    assert read(path, cells="A:B").names == ["k", "v"]


def test_a_configured_header_row_is_that_of_the_sheet(path: Path) -> None:
    write(path, [["a", "b"], [1, 2], [], ["c", "d"], [3, 4]])
    assert read(path, dialect=CsvDialect(header_row=4)).frame.to_dict(as_series=False) == {"c": [3], "d": [4]}
    with pytest.raises(DataError):
        read(path, dialect=CsvDialect(header_row=3))


def test_an_error_is_refused_with_its_address_and_na_is_missing(path: Path) -> None:
    write(path, [["city", "rooms"], ["Oslo", "#N/A"], ["Rome", "#DIV/0!"], ["Lima", "#REF!"]])
    with pytest.raises(DataError) as caught:
        read(path)
    place = caught.value.location
    assert place is not None
    assert (place.source, place.row, place.column) == (f"{path}, sheet Data", 2, "rooms")
    assert "B3" in caught.value.message
    assert "#DIV/0!" in caught.value.message
    write(path, [["city", "rooms"], ["Oslo", "#N/A"], ["Rome", 2]])
    assert read(path).frame["rooms"].to_list() == [None, 2]


def test_a_formula_without_a_value_is_refused(path: Path) -> None:
    write(path, [["a", "b"], [1, 2], [3, "=A3*2"]])
    with pytest.raises(DataError) as caught:
        read(path)
    assert "B3" in caught.value.message


def test_text_among_numbers_makes_a_column_of_text_with_the_shortest_numbers(path: Path) -> None:
    write(path, [["x"], [1.0], ["007"], [1e-10], [0.1], [True]])
    assert read(path, missing=()).frame["x"].to_list() == ["1", "007", "1e-10", "0.1", "true"]
    decimal = CsvDialect(decimal=",")
    assert read(path, dialect=decimal).frame["x"].to_list() == ["1", "007", "1e-10", "0,1", "true"]


@pytest.mark.parametrize("number", [9_100_000_000_000_000, 10**16, -(10**16), 2**60, 10**21])
def test_a_whole_number_among_text_is_spelled_as_in_a_csv(path: Path, number: int) -> None:
    write(path, [["id"], ["a7"], [number]])
    assert read(path).frame["id"].to_list() == ["a7", str(number)]


def test_missing_values_are_left_out_before_the_type_is_inferred(path: Path) -> None:
    write(path, [["x", "y"], [1, 2], ["NA", 999], [3, 4]])
    table = read(path, missing=("NA", "999"))
    assert table.frame.to_dict(as_series=False) == {"x": [1, None, 3], "y": [2, None, 4]}


def test_dates_times_and_durations_have_their_types(path: Path) -> None:
    day, hour, long = datetime.date(2024, 5, 31), datetime.time(14, 30), datetime.timedelta(hours=30)
    moment = datetime.datetime(2024, 5, 31, 14, 30)
    write(
        path,
        [["day", "moment", "hour", "long", "flag"], [day, moment, hour, long, True], [day, day, hour, long, False]],
    )
    frame = read(path).frame
    assert frame.dtypes == [pl.Date, pl.Datetime("us"), pl.Time, pl.Duration("us"), pl.Boolean]
    assert frame.row(0) == (day, moment, hour, long, True)


def test_a_time_among_dates_is_refused_with_both_cells(path: Path) -> None:
    day = datetime.date(2024, 5, 31)
    write(path, [["day", "x"], [day, 1], [day, 2], [datetime.time(14), 3]])
    with pytest.raises(DataError) as caught:
        read(path)
    assert "A4" in caught.value.message
    assert "A2" in caught.value.message
    assert caught.value.location is not None
    assert caught.value.location.row == 3


@pytest.mark.parametrize("cells", ["B4", "B4:", "4:B", "B0:C2", "C2:B1", "May!A1:B2", "A1:XFE2", ""])
def test_an_invalid_range_is_refused(path: Path, cells: str) -> None:
    write(path, ROWS)
    with pytest.raises(UsageError):
        read(path, cells=cells)


@pytest.mark.parametrize(
    "source",
    [
        TableSource(path="t.csv", sheet="May"),
        TableSource(path="t.csv", range="A1:B2"),
        TableSource(path="-", sheet=1),
        TableSource(path="t.xlsx", table="sales"),
        TableSource(path="t.parquet", query="SELECT 1"),
    ],
)
def test_what_selects_a_table_is_refused_where_there_is_only_one(source: TableSource) -> None:
    with pytest.raises(UsageError):
        open_reader(source)


def test_whole_numbers_with_lost_digits_are_noted(path: Path) -> None:
    write(path, [["id", "x"], [2**53 + 1, 1e300], [5, 2.5]])
    (note,) = read(path).notes
    assert "'id'" in note
    write(path, [["id", "x"], [str(2**53 + 1), 2**53 - 1], ["5", 2]])
    table = read(path)
    assert table.notes == ()
    assert table.frame.to_dict(as_series=False) == {"id": [str(2**53 + 1), "5"], "x": [2**53 - 1, 2]}


letters = st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="=#\ufffe\uffff")
cells = st.one_of(
    st.none(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(-1e15, 1e15, allow_subnormal=False).map(lambda x: float(f"{x:.15g}")),
    st.booleans(),
    st.text(
        st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="=#\ufffe\uffff"), min_size=1
    ),
)


@pytest.mark.slow
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(rows=st.lists(st.tuples(cells, cells, st.integers(0, 9)), min_size=1, max_size=8))
def test_every_cell_is_read_with_its_value(path: Path, rows: list[tuple[object, ...]]) -> None:
    write(path, [["a", "b", "c"], *rows])
    frame = read(path, cells=f"A1:C{len(rows) + 1}", missing=()).frame
    for j, name in enumerate(("a", "b", "c")):
        column = [row[j] for row in rows]
        kinds = {
            bool if isinstance(cell, bool) else str if isinstance(cell, str) else float
            for cell in column
            if cell is not None
        }
        result = frame[name].to_list()
        if len(kinds) <= 1:
            assert result == column
            continue
        for cell, text in zip(column, result, strict=True):
            if isinstance(cell, bool):
                assert text == str(cell).lower()
            elif isinstance(cell, int | float):
                assert float(text) == cell
            else:
                assert text == cell


def test_without_the_library_the_extra_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, ROWS)
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(UsageError) as caught:
        read(path)
    assert "nncli-train[excel]" in str(caught.value.hint)


def test_a_folder_of_workbooks_has_sheets_and_one_of_other_files_has_none(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        write(tmp_path / "in" / f"{name}.xlsx", {"May": ROWS, "June": ROWS[:2]})
    tables = list(open_reader(TableSource(path=str(tmp_path / "in"), sheet="June")).read(ReadOptions()))
    assert sum(map(len, tables)) == 2
    (tmp_path / "out").mkdir()
    for name in ("a", "b"):
        (tmp_path / "out" / f"{name}.csv").write_text("a\n1\n")
    with pytest.raises(UsageError, match="for workbooks"):
        list(open_reader(TableSource(path=str(tmp_path / "out"), sheet="June")).read(ReadOptions()))


def test_numbers_among_texts_with_a_decimal_comma_have_one_too(path: Path) -> None:
    write(path, [["area", "lat"], ["1,5", 1.25], [2.25, 2.5], ["3,75", 3.5]])
    table = read(path)
    assert table.column("area").to_list() == ["1,5", "2,25", "3,75"]
    assert table.dialect.decimals == (("area", ","),)
    assert read_numbers(read(path, trained=table.dialect), "area").tolist() == [1.5, 2.25, 3.75]
    assert read(path, trained=CsvDialect(decimal=".")).column("area").to_list() == ["1,5", "2.25", "3,75"]

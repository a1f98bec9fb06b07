from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from nncli.base.errors import DataError
from nncli.data.dialect import CsvDialect
from nncli.data.formats.csv.decoding import DecodedStream
from nncli.data.formats.csv.layout import Layout, find_layout
from nncli.data.sources.read_table import read_table
from tests.assertions import raises

ROWS = "ann,oslo,31\nbob,rome,42\ncid,bonn,53\ndan,paris,64\n"


def layout(text: str, trained: CsvDialect | None = None, **settings: Any) -> Layout:
    dialect = CsvDialect(separator=",", **settings)
    return find_layout(DecodedStream(io.BytesIO(text.encode()), "t.csv"), "t.csv", dialect, trained)


@pytest.mark.parametrize(
    ("above", "line"),
    [
        ("", 2),
        ("\n\n", 4),
        ("People of 2024\n", 3),
        ("People of 2024\n\n", 4),
        ("People\nSource: the office, on request\n\n\n", 6),
        ("People,,\n", 3),
        (",,\nPeople of 2024,,\n,,\n", 5),
        ('"People, and where they live"\n', 3),
        ("\ufeffPeople\n", 3),
    ],
)
def test_the_header_is_found_below_titles(above: str, line: int) -> None:
    result = layout(f"{above}name,city,age\n{ROWS}")
    assert (result.names, result.width, result.line) == (("name", "city", "age"), 3, line)
    assert result.shape.begins_with_values is False
    assert bool(result.notes) == bool(above.strip())


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2,3\n4,5,6\n",  # rows that are longer than the header
        "a,b\nr1,x,y\nr2,z,w\n",  # a column of row names without a name
        "mpg,cyl\nMazda,NA,NA\nFiat,21,4\nAudi,20,6\nSaab,20,6\n",
        "my text\nhello, world\nfoo, bar\nbaz, qux\n",  # one column of text
        "value\nann,5\nbob,6\n",
        "city\nann,oslo\nbob,rome\n",
    ],
)
def test_the_first_line_is_the_header_without_evidence_of_titles(text: str) -> None:
    assert list(layout(text).names) == text.splitlines()[0].split(",")


@pytest.mark.parametrize("text", ["Report,,\nname,city,land\nann,oslo,no\nbob,rome,it\n"])
def test_a_line_that_may_be_title_or_header_is_refused_with_a_hint_that_helps(text: str) -> None:
    with raises(DataError, file="t.csv", line=1, mentions="data.header_row=2"):
        layout(text)
    assert layout(text, header_row=2).names == ("name", "city", "land")
    assert layout(text, header_row=1).names == ("Report", "column_2", "column_3")


def test_a_second_line_of_names_is_refused() -> None:
    rows = "".join(f"x{i},{i},{i}.5\n" for i in range(20))
    with raises(DataError, line=2, mentions="data.header_row=2"):
        layout(f"name,height,weight\n,cm,kg\n{rows}")
    with raises(DataError, line=2):
        layout(f",Men,Women\nname,count,share\n{rows}")
    assert layout(f"name,height,weight\nx,NA,unknown\n{rows}").line == 2
    assert layout(f",Men,Women\nname,count,share\n{rows}", header_row=2).names == ("name", "count", "share")


@pytest.mark.parametrize("row", [2, 9])
def test_a_line_that_holds_no_header_is_refused(row: int) -> None:
    with raises(DataError, file="t.csv", line=row):
        layout(f"title\n\nname,city,age\n{ROWS}", header_row=row)


@pytest.mark.parametrize(
    ("header", "row", "names", "width"),
    [
        ("a,b,", "1,2,", ("a", "b"), 3),
        ("a,b,,", "1,2,,", ("a", "b"), 4),
        ("a,b", "1,2,", ("a", "b"), 3),
        ("a,b,", "1,2", ("a", "b"), 2),
        ("a,b,", "1,2,3", ("a", "b", "column_3"), 3),
        ("a,,", "1,2,", ("a", "column_2"), 3),
        (",a", "1,2", ("column_1", "a"), 2),
        ("a,a", "1,2", ("a", "a_2"), 2),
    ],
)
def test_separators_at_the_end_make_no_column_unless_there_is_a_cell(
    header: str, row: str, names: tuple[str, ...], width: int
) -> None:
    result = layout(f"{header}\n" + f"{row}\n" * 5)
    assert (result.names, result.width) == (names, width)


def test_a_table_without_a_header_has_numbered_columns() -> None:
    result = layout("1,2,x\n3,4,y\n", header=False)
    assert (result.names, result.start, result.line) == (("column_1", "column_2", "column_3"), 0, 1)
    result = layout("A title above\n\n1,2,x,\n3,4,y,\n", header=False)
    assert (result.names, result.line) == (("column_1", "column_2", "column_3"), 3)
    assert layout("1,2\n", CsvDialect(header=False)).names == ("column_1", "column_2")


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        ("244.77,3\n1,4\n2,5\n", True),
        ("5.1,setosa\n4.9,setosa\n6.3,virginica\n", True),
        ("a,b\n1,2\n", False),
        ("2019,2020\n1,2\n", False),
        ("region,2019\nx,2\n", False),
    ],
)
def test_names_that_look_like_a_row_are_noted(text: str, noted: bool) -> None:
    assert bool(layout(text).notes) == noted


def test_the_header_of_the_training_table_is_found_by_its_names() -> None:
    trained = CsvDialect(header_cells=("", "price", "price", "y"), header_row=3)
    result = layout("Report,all,of,it,here\nx,y,z\n,price,price,y\n1,2,3,4\n", trained)
    assert (result.names, result.line) == (("column_1", "price", "price_2", "y"), 4)
    result = layout(",price,price\n1,2,3\n", trained)
    assert result.names == ("column_1", "price", "price_2")


def test_the_last_column_of_the_training_table_is_kept_though_it_is_empty() -> None:
    trained = CsvDialect(header_cells=("a", "b", ""))
    assert layout("a,b,\n1,2,\n", trained).names == ("a", "b", "column_3")


def test_what_is_needed_to_read_alike_is_remembered() -> None:
    assert layout("a,b\n1,2\n").header_cells == ()
    assert layout("a,\n1,2\n").header_cells == ("a", "")
    assert layout(f"A title\n\nname,city,age\n{ROWS}").header_cells == ("name", "city", "age")


def test_a_later_record_of_the_sample_that_is_not_utf8_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfa,b\n1,2\n4,\xfb\n")
    with raises(DataError, file="t.csv", line=3):
        read_table(path)


@pytest.mark.parametrize(
    ("header", "row", "line"),
    [
        ("id,namecity,age", "1,Ann,Oslo,", 1),
        ("id,namecity,age,", "1,Ann,Oslo,31", 1),
        ("id,namecity,age,", "1,Ann,Oslo,31,", 1),
        ("id,nameage,city", "1,Ann,31,", 1),
        ("id,nameage,home city", "1,Ann,31,", 1),
        ("id,namecity,birthDate", "1,Ann,Oslo,,", 1),
        ("People of 2024\n\nid,namecity,weight_kg", "1,Ann,Oslo,", 3),
    ],
)
def test_a_header_that_seems_to_lack_a_separator_is_refused_with_a_hint_that_helps(
    header: str, row: str, line: int
) -> None:
    text = f"{header}\n" + f"{row}\n" * 5
    with raises(DataError, line=line, mentions="separator"):
        layout(text)
    complete = header.replace("name", "name,", 1)
    assert "name" in layout(text.replace(header, complete)).names
    names = header.splitlines()[-1].removesuffix(",").split(",")
    right = names if len(names) == len(row.strip(",").split(",")) else [*names, "x"]
    kept = header.replace(header.splitlines()[-1], ",".join(right)) + "," * (row.count(",") + 1 - len(right))
    assert list(layout(text.replace(header, kept)).names) == right


@pytest.mark.parametrize(
    ("header", "row", "noted"),
    [
        ("id,name,age", "1,Ann,31,", True),
        ("id,name,age", "1,Ann,31,,", True),
        ("id,name,note", "1,Ann,fine,", True),
        ("id,name,age group", "1,Ann,young,", True),
        ("id,name,date", "1,Ann,May 3,", True),
        ("id,name,age", "1,Ann,NA,", True),
        ("id,name,age,", "1,Ann,31,", False),
        ("id,name,age", "1,Ann,31", False),
        ("id,name,age,", "1,Ann,31", False),
        ("id,name,age", "1,Ann,old", False),
    ],
)
def test_rows_that_end_with_a_separator_that_the_header_lacks_are_noted(header: str, row: str, noted: bool) -> None:
    text = f"{header}\n" + f"{row}\n" * 5
    result = layout(text)
    assert list(result.names) == header.rstrip(",").split(",")
    assert [note for note in result.notes if "end with a separator" in note] == list(result.notes)
    assert bool(result.notes) == noted
    assert bool(layout(text, CsvDialect(separator=",")).notes) == noted


def test_a_repeated_name_does_not_show_that_a_separator_is_missing() -> None:
    assert layout("date,date,city\n" + "2024-01-02,sun,Oslo,\n" * 5).names == ("date", "date_2", "city")

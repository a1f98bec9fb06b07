from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import DataError
from nncli.data.dialect import CsvDialect
from nncli.data.formats.csv.reader import read_delimited
from nncli.data.formats.read_options import NumericColumns, ReadOptions
from nncli.data.table import Table
from tests.assertions import raises

SIZES = [1, 20, 1 << 20]


def tables(text: str, size: int = 1 << 20, numbers: bool = False, **settings: Any) -> list[Table]:
    options = ReadOptions(CsvDialect(separator=",", **settings), block_bytes=size, missing_values=("",))
    if numbers:
        options = ReadOptions(options.dialect, None, ("",), NumericColumns.any_except(()), block_bytes=size)
    return list(read_delimited(io.BytesIO(text.encode()), "t.csv", options))


def rows(text: str, size: int = 1 << 20, **settings: Any) -> list[tuple[Any, ...]]:
    return [row for table in tables(text, size, **settings) for row in table.frame.rows()]


def notes(text: str, size: int = 1 << 20, **settings: Any) -> list[str]:
    return [note for table in tables(text, size, **settings) for note in table.notes]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("numbers", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2,\n3,4,\n",
        "a,b,\n1,2,\n3,4,\n",
        "a,b,\n1,2\n3,4\n",
        "a,b\n1,2,\n3,4\n",
        "a,b,,,\n1,2\n3,4,,\n",
        "a,b\n1,2, ,\t\n3,4",
        'a,b\n"1","2",\n3,4\n',
        "a,b\n1,2,\n\n3,4\n",
    ],
)
def test_separators_at_the_ends_of_lines_are_forgiven(text: str, size: int, numbers: bool) -> None:
    assert [tuple(map(float, row)) for row in rows(text, size, numbers=numbers)] == [(1, 2), (3, 4)]


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_a_cell_behind_the_columns_is_refused(size: int) -> None:
    with raises(DataError, file="t.csv", row=1200):
        rows("a,b,\n" + "1,2,\n" * 1199 + "1,2,3\n", size)
    with raises(DataError, file="t.csv", line=4, row=3):
        rows("a,b\n1,2,\n1,2,\n1,2,3\n", size)


@pytest.mark.parametrize("size", SIZES)
def test_ragged_rows_are_refused_padded_or_skipped(size: int) -> None:
    text = "a,b,c\n1,2,3\n4,5\n\n7\n8,9,10\n"
    with raises(DataError, file="t.csv", line=3, row=2, mentions="data.ragged"):
        rows(text, size)
    assert rows(text, size, ragged="pad") == [("1", "2", "3"), ("4", "5", None), ("7", None, None), ("8", "9", "10")]
    assert rows(text, size, ragged="skip") == [("1", "2", "3"), ("8", "9", "10")]
    for how, word in (("pad", "padded 2 rows"), ("skip", "skipped 2 rows")):
        (blank, note) = notes(text, size, ragged=how)
        assert "1 blank line" in blank
        assert word in note
        assert "line 3" in note


@pytest.mark.parametrize("size", SIZES)
def test_long_rows_can_be_skipped_only(size: int) -> None:
    text = "a,b\n1\n1,2,3\n4,5\n"
    with raises(DataError, line=3):
        rows(text, size, ragged="pad")
    assert rows(text, size, ragged="skip") == [("4", "5")]


def test_the_number_of_ragged_rows_is_said() -> None:
    with raises(DataError, line=2, mentions="2 of the rows below"):
        rows("a,b\n1\n2\n5\n3,4\n")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_line_ends_may_be_mixed(end: str, size: int) -> None:
    text = f"a,b{end}1,2\n3,4{end}5,6\r\n7,8\r9,10{end}" + '11,"x\ry"\n'
    assert rows(text, size) == [("1", "2"), ("3", "4"), ("5", "6"), ("7", "8"), ("9", "10"), ("11", "x\ry")]


@pytest.mark.parametrize("size", SIZES)
def test_a_return_within_a_cell_is_no_line_end(size: int) -> None:
    with raises(DataError, row=2):
        rows("a,b\n1,x\ry\n2,z\n", size)
    with raises(DataError, line=2):
        rows("a\n1\r2\n", size)


@pytest.mark.slow
@given(st.lists(st.sampled_from(["1,2,3", "4,5", "6", "", "7,8,9,", "7,8,9,,"]), max_size=12), st.integers(1, 40))
def test_blocks_of_any_size_are_repaired_alike(lines: list[str], size: int) -> None:
    text = "\n".join(["a,b,c", *lines]) + "\n"
    kept = [line.split(",")[:3] for line in lines if line]
    padded = [tuple((cell or None) for cell in [*cells, "", ""][:3]) for cells in kept]
    assert rows(text, size, ragged="pad") == padded
    assert rows(text, size, ragged="skip") == [row for row, cells in zip(padded, kept, strict=True) if len(cells) == 3]

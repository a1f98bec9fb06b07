from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import DataError
from nncli.data.dialect import CsvDialect
from nncli.data.formats.csv.reader import read_delimited
from nncli.data.formats.csv.records import QUOTE, QuoteRepair, positions_of
from nncli.data.formats.read_options import ReadOptions
from tests.assertions import raises

SIZES = [1, 7, 30, 1 << 20]
CELLS = st.text(alphabet='ab ,"\n', max_size=5)


def rows(text: str, size: int = 1 << 20) -> list[tuple[str, ...]]:
    options = ReadOptions(CsvDialect(separator=","), block_bytes=size)
    tables = read_delimited(io.BytesIO(text.encode()), "t.csv", options)
    return [row for table in tables for row in table.frame.rows()]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ('24" screen,5', ('24" screen', "5")),
        ('5" pipe,6" pipe', ('5" pipe', '6" pipe')),
        ('3" x 4",5', ('3" x 4"', "5")),
        ('big "red" one,5', ('big "red" one', "5")),
        ('"the "red" one",5', ('the "red" one', "5")),
        ('"the "red", or so",5', ('the "red", or so', "5")),
        ('"the ""red"" one", "5"', ('the "red" one', "5")),
        ('"a, b" ,5', ("a, b", "5")),
        ('x,"the "red" one"', ("x", 'the "red" one')),
    ],
)
def test_misplaced_quotes_are_read_if_there_is_one_way(line: str, cells: tuple[str, str], size: int) -> None:
    around = [("1", "2"), ("x\ny", "3"), ("p, q", "4")]
    plain = '1,2\n"x\ny",3\n"p, q",4\n'
    assert rows(f"a,b\n{line}\n{plain}", size) == [cells, *around]
    assert rows(f"a,b\r\n{plain}{line}", size) == [*around, cells]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "line",
    [
        '"Big" Mac,5',  # the quotes may belong to the cell or not
        '"5" pipe,6',
        '"x" and "y,z',
        '"a"b","c"d"',  # one cell or two, by the width; with three cells in the header in two ways
    ],
)
def test_quotes_that_can_be_read_in_several_ways_are_refused(line: str, size: int) -> None:
    header = "a,b,c" if line.startswith('"a"b') else "a,b"
    filler = "1,2,3" if header == "a,b,c" else "1,2"
    with raises(DataError, file="t.csv"):
        rows(f"{header}\n{filler}\n{line}\n{filler}\n", size)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=6), st.integers(1, 30))
def test_records_that_follow_the_rules_are_not_changed(table: list[tuple[str, str]], size: int) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("n0", "n1"), *table])
    data = text.getvalue().encode()
    assert not QuoteRepair(",", 2).is_needed(data, positions_of(data, QUOTE))
    repaired, consumed, _ = QuoteRepair(",", 2).repair(data, is_end=True)
    assert consumed == len(data)
    assert [*csv.reader(io.StringIO(repaired.decode(), newline=""))] == [["n0", "n1"], *map(list, table)]


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(st.text(alphabet='ab "', max_size=6), st.sampled_from(["1", "x y", '"q"', '"a,b"'])), max_size=5
    ),
    st.integers(1, 40),
)
def test_blocks_of_any_size_are_repaired_alike(table: list[tuple[str, str]], size: int) -> None:
    text = "n0,n1\n" + "".join(f"{item},{two}\n" for item, two in table)
    try:
        whole = rows(text)
    except DataError:
        with pytest.raises(DataError):
            rows(text, size)
        return
    assert rows(text, size) == whole
    for (item, _), row in zip(table, whole, strict=True) if len(table) == len(whole) else ():
        if not item.strip().startswith('"'):
            assert row[0] == item


def test_an_empty_cell_in_quotes_that_is_a_line_does_not_become_blank() -> None:
    text = QuoteRepair(",").repair(b'""\n,a"\n', is_end=True).data
    assert text == b'""\n,"a"""\n'

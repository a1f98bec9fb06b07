from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nncli.base.errors import DataError
from nncli.data.dialect import CsvDialect
from nncli.data.formats.csv.reader import read_delimited
from nncli.data.formats.read_options import ReadOptions

Rows = list[list[str]]


def options(trained: CsvDialect | None = None, **settings: Any) -> ReadOptions:
    return ReadOptions(CsvDialect(**{"separator": ",", **settings}), trained)


def read(text: str, read_as: ReadOptions | None = None) -> Rows:
    tables = read_delimited(io.BytesIO(text.encode()), "t.csv", read_as or options())
    return [[*row] for table in tables for row in table.frame.rows()]


def refused(text: str, read_as: ReadOptions | None = None) -> DataError:
    with pytest.raises(DataError) as caught:
        read(text, read_as)
    return caught.value


def lines_of(names: list[str], rows: Rows) -> str:
    return "".join(",".join(cells) + "\n" for cells in [names, *rows])


def with_stray_quotes(rows: Rows, opened: tuple[int, int], closed: tuple[int, int]) -> Rows:
    """The rows with a quote that opens one cell, and one that closes a later one."""
    rows = [[*cells] for cells in rows]
    rows[opened[0]][opened[1]] = '"' + rows[opened[0]][opened[1]]
    rows[closed[0]][closed[1]] += '"'
    return rows


KINDS = ("inch", "cm", "mm")
ROWS = [[str(i), KINDS[i % 3], "yes" if i % 2 else "no"] for i in range(60)]
STRAY = lines_of(["size", "kind", "sold"], with_stray_quotes(ROWS, (20, 1), (40, 1)))


def test_rows_between_two_stray_quotes_are_refused_with_both_lines_and_remedies() -> None:
    error = refused(STRAY)
    assert error.location is not None
    assert error.location.line == 22
    assert "42" in error.message
    assert "--set data.quote=none" in (error.hint or "")
    assert "--set data.quote=double" in (error.hint or "")


def test_the_remedies_do_what_they_say() -> None:
    assert len(read(STRAY, options(quote="none"))) == 60
    assert read(STRAY, options(quote="none"))[20] == ["20", '"mm', "no"]
    assert len(read(STRAY, options(quote="double"))) == 40


def test_a_model_reads_quotes_as_its_training_table_had_them_unless_it_is_told_otherwise() -> None:
    for trained, quote, rows in [("none", "auto", 60), ("double", "auto", 40), ("none", "double", 40)]:
        assert len(read(STRAY, options(CsvDialect(separator=",", decimal=".", quote=trained), quote=quote))) == rows
    assert "--quote none" in (refused(STRAY, options(CsvDialect(separator=",", decimal="."))).hint or "")


@pytest.mark.parametrize("ragged", ["pad", "skip"])
def test_rows_are_refused_also_where_the_quotes_are_in_different_columns(ragged: str) -> None:
    text = lines_of(["size", "kind", "sold"], with_stray_quotes(ROWS, (20, 1), (40, 2)))
    error = refused(text, options(ragged=ragged))
    assert error.location is not None
    assert error.location.line == 22


def test_a_header_that_has_swallowed_rows_is_refused() -> None:
    text = 'size,"kind,sold\n' + lines_of(ROWS[0], [*ROWS[1:5], ["5", 'mm"', "no"], *ROWS[6:]])
    error = refused(text)
    assert error.location is not None
    assert error.location.line == 1


def test_a_quoted_cell_with_separators_before_the_stray_quote_does_not_hide_it() -> None:
    text = 'a,b,c\n1,2,3\n"1,5","x,y\n2,z",3\n4,5,6\n'
    error = refused(text)
    assert error.location is not None
    assert error.location.line == 3


word = st.text(alphabet="ab0é.-", max_size=4)


@st.composite
def stray(draw: st.DrawFn, cells: st.SearchStrategy[str], size: int) -> tuple[Rows, Rows]:
    """Rows, and the same with a stray quote that opens a cell, and one that closes a cell of a later row."""
    width = draw(st.integers(2, 4))
    columns = [cells] * width
    if size > 9:
        columns = draw(st.lists(st.sampled_from([number, label, words]), min_size=width, max_size=width))
    rows = [[*row] for row in draw(st.lists(st.tuples(*columns), min_size=2, max_size=size))]
    first, last = sorted(draw(st.lists(st.integers(0, len(rows) - 1), min_size=2, max_size=2, unique=True)))
    ends = [(row, draw(st.integers(0, width - 1))) for row in (first, last)]
    return rows, with_stray_quotes(rows, ends[0], ends[1])


number = st.one_of(st.integers(0, 99999).map(str), st.sampled_from(["", "n/a", "1.5"]))
label = st.sampled_from(["yes", "no", "maybe"])
words = st.lists(st.text(alphabet="abcde", min_size=1, max_size=6), min_size=1, max_size=3).map(" ".join)


@pytest.mark.slow
@given(stray(word, 9), st.sampled_from(["refuse", "pad", "skip"]), st.sampled_from([1, 30, 1 << 20]))
def test_no_row_of_any_small_table_vanishes_between_stray_quotes(
    tables: tuple[Rows, Rows], ragged: str, size: int
) -> None:
    check_that_no_row_vanishes(tables, ragged, size)


@pytest.mark.slow
@given(stray(word, 40), st.sampled_from(["refuse", "pad", "skip"]))
def test_no_row_of_a_table_of_numbers_and_words_vanishes_between_stray_quotes(
    tables: tuple[Rows, Rows], ragged: str
) -> None:
    check_that_no_row_vanishes(tables, ragged, 1 << 20)


def check_that_no_row_vanishes(tables: tuple[Rows, Rows], ragged: str, size: int) -> None:
    rows, changed = tables
    names = [f"name{i}" for i in range(len(rows[0]))]
    assume(not any(cells == [""] for cells in rows))
    read_as = options(ragged=ragged)
    try:
        tables_read = [*read_delimited(io.BytesIO(lines_of(names, changed).encode()), "t.csv", read_as)]
    except DataError:
        return
    assert sum(map(len, tables_read)) == len(rows)


PROSE = [
    '1,"Great, really\nbut slow, as ever",yes',
    '1,"12 Main St,\nSpringfield, IL",yes',
    '1,"One line\n\nand, after a blank one, two",no',
    '1,"def f(a, b):\n    return a, b",no',
    '1,"all of it\nin lines\nwithout any",no',
]


@pytest.mark.parametrize("record", PROSE)
def test_prose_of_several_lines_is_a_cell(record: str) -> None:
    plain = [[str(i), "a text", "yes"] for i in range(12)]
    rows = read(lines_of(["id", "review", "label"], plain) + record + "\n")
    assert len(rows) == 13
    assert "\n" in rows[-1][1]


def test_prose_in_a_table_of_a_single_row_is_a_cell() -> None:
    assert len(read('text,label\n"Great, really\nbut slow",yes\n')) == 1


def test_lines_that_do_not_fit_the_other_columns_are_a_cell() -> None:
    plain = [[str(i), "a longer text of many words", "yes"] for i in range(12)]
    text = lines_of(["id", "review", "label"], plain)
    assert len(read(text + '99,"no spaces,whatever comes next\nand another line,of sloppy text",no\n')) == 13
    rows = '99,"no spaces,yes\n100,of sloppy text",no\n'  # the same with a number and a label
    assert refused(text + rows).location is not None


def test_a_table_of_one_column_may_have_lines_in_cells() -> None:
    assert read('text\n"a\nb"\n"c"\n') == [["a\nb"], ["c"]]


def test_separators_with_spaces_behind_them_in_the_whole_table_are_no_prose() -> None:
    text = 'a,b, c\n1, x, 2\n3, "y, 4\n5, z", 6\n'.replace(' "', '"')
    assert refused(text).location is not None


@pytest.mark.slow
@given(
    st.lists(st.lists(st.text(alphabet='ab" \t;é', max_size=5), min_size=2, max_size=3), min_size=1, max_size=6),
    st.sampled_from([",", "|"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([7, 1 << 20]),
    st.booleans(),
)
def test_with_none_every_quote_is_a_character_and_every_line_a_record(
    rows: Rows, separator: str, end: str, size: int, cut: bool
) -> None:
    width = len(rows[0])
    rows = [(cells + ["x"] * width)[:width] for cells in rows]
    names = [f"n{i}" for i in range(width)]
    text = "".join(separator.join(cells) + end for cells in [names, *rows])
    read_as = ReadOptions(CsvDialect(separator=separator, quote="none", footer_rows=0), block_bytes=size)
    tables = read_delimited(io.BytesIO((text.removesuffix(end) if cut else text).encode()), "t.csv", read_as)
    assert [[*row] for table in tables for row in table.frame.rows()] == rows


def test_with_none_the_separator_and_the_header_are_found_too() -> None:
    text = 'size";kind\n1;"a\n2;b"\n3,5;"c\n'
    tables = [*read_delimited(io.BytesIO(text.encode()), "t.csv", options(separator="auto", quote="none"))]
    assert tables[0].names == ['size"', "kind"]
    assert tables[0].dialect.quote == "none"
    assert tables[0].dialect.decimal == ","
    assert sum(map(len, tables)) == 3

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nncli.base.errors import DataError, Location
from nncli.data.dialect import CsvDialect
from nncli.data.formats.csv import decoding
from nncli.data.formats.csv.reader import read_delimited
from nncli.data.formats.read_options import NumericColumns, ReadOptions
from nncli.data.table import Table

Rows = list[tuple[str, ...]]

cells = st.text(alphabet=st.sampled_from('ab0 ,;\t"\n\ré😀'), max_size=6)


def tables_of(
    text: bytes, *, separator: str | None = ",", size: int = 1 << 20, usual: str | None = None, **settings: Any
) -> list[Table]:
    dialect = CsvDialect(separator=separator or "auto", **settings)
    return list(
        read_delimited(io.BytesIO(text), "x.csv", ReadOptions(dialect, block_bytes=size), default_separator=usual)
    )


def read(text: bytes, *, separator: str | None = ",", size: int = 1 << 20, **settings: Any) -> tuple[list[str], Rows]:
    names: list[str] = []
    rows: Rows = []
    for table in tables_of(text, separator=separator, size=size, **settings):
        assert table.first_row == len(rows) + 1
        names = table.names
        rows += table.frame.rows()
    return names, rows


def refused(text: bytes, *, size: int = 1 << 20, **settings: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        read(text, size=size, **settings)
    return caught.value


@st.composite
def tables(draw: st.DrawFn) -> Rows:
    width = draw(st.integers(1, 4))
    return draw(st.lists(st.tuples(*[cells] * width), max_size=8))


def written(rows: Iterable[Iterable[str]], *, separator: str, end: str, quote_all: bool) -> str:
    def spelled(cell: str) -> str:
        return f'"{cell.replace(chr(34), chr(34) * 2)}"' if quote_all or set(cell) & set('"\n\r' + separator) else cell

    return "".join(separator.join(map(spelled, row)) + end for row in rows)


@pytest.mark.slow
@given(
    rows=tables(),
    separator=st.sampled_from(",\t"),
    end=st.sampled_from(["\n", "\r\n"]),
    quote_all=st.booleans(),
    size=st.integers(1, 40),
    cut=st.booleans(),
)
@example(rows=[("",), ("",)], separator=",", end="\n", quote_all=False, size=1, cut=True)
@example(rows=[("1", ""), ("a,b", "")], separator=",", end="\n", quote_all=False, size=3, cut=False)
def test_cells_come_back_as_written_at_any_block_size(
    rows: Rows, separator: str, end: str, quote_all: bool, size: int, cut: bool
) -> None:
    names = [f"n{number}\n," for number in range(len(rows[0]) if rows else 2)]
    text = written([names, *rows], separator=separator, end=end, quote_all=quote_all)
    # A file may lack its last line end, unless that is all there is of the last record.
    data = (text.removesuffix(end) if cut and rows and any(rows[-1]) else text).encode()
    assert read(data, separator=separator, quote="double") == (names, rows)
    assert read(data, separator=separator, size=size, quote="double") == (names, rows)


@given(st.text(alphabet='ab,"\n\r', max_size=25), st.integers(1, 12))
@example(',,"\r"', 1)
def test_any_text_is_read_as_the_csv_module_reads_it_or_refused_at_any_block_size(text: str, size: int) -> None:
    data = b"h,i\n" + text.encode()
    try:
        whole = read(data)
    except DataError:
        # Of several mistakes, the one that is named is in the first block that has any.
        refused(data, size=size)
        return
    assert read(data, size=size) == whole
    expected = csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
    try:
        rows = [tuple(row) for row in expected if row][1:]
    except csv.Error:  # misplaced quotes that can be read in one way only, which the csv module refuses
        return
    assert [*whole[1]] == [row[:2] for row in rows]
    assert not any(cell.strip() for row in rows for cell in row[2:])  # blank cells behind the last column are left out


def test_spelling_survives() -> None:
    spelled = ("007", "9007199254740993", "1.0", " padded  ", "😀", "NaN", "true", "1e5", "#x", "\u2028")
    names = [f"c{number}" for number in range(len(spelled))]
    text = ",".join(names) + "\n" + ",".join(spelled) + "\n"
    assert read(text.encode()) == (names, [spelled])


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    ("text", "row", "line", "counts"),
    [
        (b"a,b\n1,2\n3\n4,5\n", 2, 3, "1 cell, the header has 2"),
        (b"a,b\n1,2\n3,\n4,5,6\n", 3, 4, "3 cells, the header has 2"),
        (b"a,b\n1,2,3\n4,5\n", 1, 2, "3 cells"),
        (b"a,b,c\n1,2,\n1,2\n", 2, 3, "2 cells"),
        (b"a\n1\n2,3\n", 2, 3, "2 cells, the header has 1"),
        (b'a,b\n"x,y",\n"1\n2",3\n4\n', 3, 5, "1 cell"),
        (b'a,b\n"x,y"\n', 1, 2, "1 cell"),
        (b'a,b\n1,2\n""\n', 2, 3, "1 cell"),
        (b"a,b\n1,2\n \n", 2, 3, "1 cell"),
        (b"a,b\n\n1,2\n\n\n4,5,6\n", 2, 6, "3 cells"),
        (b"a,b\r\n1,2\r\n3\r\n", 2, 3, "1 cell"),
        (b"a,b\n1,2\n3", 2, 3, "1 cell"),
    ],
)
def test_a_row_with_too_few_or_too_many_cells_is_refused(
    text: bytes, row: int, line: int, counts: str, size: int
) -> None:
    error = refused(text, size=size)
    assert error.location == Location(source="x.csv", line=line, row=row)
    assert counts in error.message


def test_one_short_row_is_not_made_up_for_by_a_quoted_separator() -> None:
    assert refused(b'a,b\n"1,2",\n3\n').location == Location(source="x.csv", line=3, row=2)


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_blank_lines_are_skipped_when_there_is_more_than_one_column(size: int) -> None:
    text = b'\n\r\na,b\n\n1,2\n\r\n,\n"x\n\ny",\n\n\n'
    assert read(text, size=size) == (["a", "b"], [("1", "2"), ("", ""), ("x\n\ny", "")])


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_blank_lines_are_empty_cells_of_the_only_column(size: int) -> None:
    assert read(b"a\n\n1\n\r\n\n", size=size) == (["a"], [("",), ("1",), ("",), ("",)])


@pytest.mark.parametrize("text", [b"a,b", b"a,b\n", b"a,b\r\n", b"\xef\xbb\xbfa,b\n", b"a,b\n\n\n"])
def test_a_header_alone_is_a_table_of_no_rows(text: bytes) -> None:
    assert read(text) == (["a", "b"], [])
    assert read(text, size=1) == (["a", "b"], [])


@pytest.mark.parametrize("size", [1, 4, 1000])
@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        (b'a,b\n1,2\n"x"y,2\n', "after its closing quote", 3),
        (b'a,b\n1,"2\n3,4\n', "never closed", 2),
        (b'a,b\n"x\ny",1\n3,"4\r\n', "never closed", 4),
        (b"a,b\n1,2\n\x00,3\n", "NUL byte", 3),
        (b"a,b\n1,2\n\x81,3\n", "0x81", 3),
        (b'a,b\n1,2\n"\xc3(",3\n', "0xc3", 3),
        (b"\x8f,b\n1,2\n", "0x8f", 1),
        (b"a\n1\r\r\n", "carriage return", 2),
        (b"a\n1x\ry\n", "carriage return", 2),
        (b"a\n1\n3\r", "carriage return", 3),
        (b"\n\na;b\n1;2\n", "semicolons", 3),
        (b"a\tb\n1\t2\n", "tabs", 1),
    ],
)
def test_text_with_more_than_one_meaning_is_refused(text: bytes, message: str, line: int, size: int) -> None:
    error = refused(text, size=size)
    assert message in error.message
    assert error.location is not None
    assert error.location.line == line
    assert error.hint


@pytest.mark.parametrize("text", [b"", b"\n\n", b"\xef\xbb\xbf", b"\r\n"])
def test_nothing_at_all_is_refused(text: bytes) -> None:
    assert "empty" in refused(text).message


def test_a_name_in_quotes_may_hold_what_separates_elsewhere() -> None:
    assert read(b'"a;b"\n1\n') == (["a;b"], [("1",)])


def test_the_mark_of_utf8_is_not_part_of_the_first_name() -> None:
    assert read(b"\xef\xbb\xbfa,b\n1,2\n", size=1) == (["a", "b"], [("1", "2")])


def test_the_header_says_the_separator_when_nothing_else_does() -> None:
    assert read(b"a\tb\n1,5\t2\n", separator=None) == (["a", "b"], [("1,5", "2")])
    assert read(b"a,b\n1\t,2\n", separator=None) == (["a", "b"], [("1\t", "2")])
    assert read(b'"a\tb",c\n1,2\n', separator=None) == (["a\tb", "c"], [("1", "2")])


def test_an_endless_name_is_refused() -> None:
    assert "header cannot be read" in refused(b"a" * 200_000 + b",b\n1,2\n").message


@pytest.mark.slow
def test_an_endless_list_of_equal_names_is_numbered_at_once() -> None:
    names, _ = read(b"c,d," * 20_000 + b"e\n")
    assert (names[-2], len({*names})) == ("d_20000", 40_001)


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_lines_of_old_macs_are_lines(size: int) -> None:
    assert read(b'a,"b\rc"\r1,"2\r3"\r\r4,\r', size=size) == (["a", "b\rc"], [("1", "2\r3"), ("4", "")])
    assert read(b"a,b\r", size=size) == (["a", "b"], [])
    tables = tables_of(b"a,b\r1,2\r\r3,4", size=size)
    assert [note for table in tables for note in table.notes] == [
        "x.csv: read with lines that end in a carriage return",
        "x.csv: skipped 1 blank line",
    ]


@pytest.mark.parametrize("size", [1, 6, 1000])
@pytest.mark.parametrize(
    ("text", "skipped"),
    [
        (b"a,b\n1,2\n\n3,4\n", "1 blank line"),
        (b"a,b\n\n1,2\n\n\r\n\n3,4\n\n\n", "4 blank lines"),
        (b"\na,b\n1,2\n\n\n", ""),
        (b"a,b\n\n\n", ""),
        (b'a,b\n"\n\n",2\n', ""),
        (b"a\n\n1\n", ""),
    ],
)
def test_blank_lines_between_rows_are_counted(text: bytes, skipped: str, size: int) -> None:
    notes = [note for table in tables_of(text, size=size) for note in table.notes]
    assert notes == ([f"x.csv: skipped {skipped}"] if skipped else [])


def test_a_cell_of_ten_mebibytes_is_a_cell() -> None:
    for cell in ("x" * (10 << 20), "x,\n" * (10 << 18)):
        text = f'a,b\n1,"{cell}"\n2,3\n'.encode()
        assert read(text, quote="double")[1] == [("1", cell), ("2", "3")]


def test_twenty_thousand_columns_are_columns() -> None:
    names = [f"c{number}" for number in range(20_000)]
    row = tuple(map(str, range(20_000)))
    text = f"{','.join(names)}\n{','.join(row)}\n".encode()
    assert read(text, separator=None) == (names, [row])


@pytest.mark.slow
@given(
    rows=tables(),
    separator=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quote_all=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252"]),
    told=st.booleans(),
    sample=st.sampled_from([1, 16, 1 << 20]),
    size=st.integers(1, 40),
)
def test_a_table_in_any_dialect_reads_back_as_the_same_cells_or_is_refused(
    rows: Rows, separator: str, end: str, quote_all: bool, encoding: str, told: bool, sample: int, size: int
) -> None:
    names = [f"n{number}" for number in range(len(rows[0]) if rows else 2)]
    rows = [tuple(cell.replace("\n", "\r") if end == "\r" else cell for cell in row) for row in rows]
    data = written([names, *rows], separator=separator, end=end, quote_all=quote_all).encode(encoding, "replace")
    expected = [tuple(cell.encode(encoding, "replace").decode(encoding) for cell in row) for row in rows]
    settings = {"separator": separator, "decimal": ".", "encoding": encoding} if told else {"separator": None}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "SAMPLE_BYTES", sample)
        try:
            back = read(data, size=size, **settings)
        except DataError:
            # The options are enough, except for a lone \r that may or may not end a line.
            assert not told or "\r" in "".join(map("".join, rows)) or end == "\r"
            return
    if not told and len(names) == 1 and separator not in ",":
        return  # nothing says that there was a separator
    assert back == (names, expected)


def test_a_column_called_star_is_one_column() -> None:
    options = ReadOptions(numeric_columns=NumericColumns.any_except(()))
    (table,) = read_delimited(io.BytesIO(b"a,0,*\n1.5,2,3\n2.5,3,x\n"), "x.csv", options)
    assert table.frame.to_dict(as_series=False) == {"a": [1.5, 2.5], "0": [2.0, 3.0], "*": ["3", "x"]}


@pytest.mark.parametrize("plain", [0, 300_000])
def test_an_inferred_encoding_is_noted_once(plain: int) -> None:
    data = b"a;b\n" + b"1;2\n" * plain + b"1;K\xf6ln\n"
    tables = list(read_delimited(io.BytesIO(data), "t.csv", ReadOptions()))
    assert len([note for table in tables for note in table.notes if "cp1252" in note]) == 1
    assert next(table for table in reversed(tables) if len(table)).frame["b"][-1] == "Köln"

from __future__ import annotations

import io
import re
from collections.abc import Iterable

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nncli.base.errors import DataError
from nncli.data.columns.parsing import exact_numbers, read_numbers, read_text
from nncli.data.dialect import CsvDialect
from nncli.data.formats.csv import numeric_columns as direct
from nncli.data.formats.csv.numeric_columns import MAX_FAILED_BLOCKS, ambiguous_starts
from nncli.data.formats.csv.reader import read_delimited
from nncli.data.formats.csv.records import QUOTE, RecordBlock, positions_of
from nncli.data.formats.read_options import NumericColumns, ReadOptions
from nncli.data.table import MANY_COLUMNS, Table

SPELLINGS = [
    *("1", "+1", "-1", "1e5", "1E+5", "1e-5", ".5", "5.", "-.5", "+.5e1", "007", "-007", "0", "-0", "-0.0", "00"),
    *("inf", "-inf", "+inf", "Infinity", "iNf", "nan", "NaN", "-nan", "NAN", "infinit", "na", "NA", "n/a", "null"),
    *("", " ", "\t", "  ", " 1", "1 ", " 1 ", "\t2", "2\t", " NA", "NA ", " nan", "\xa01", "1\xa0", "\u30001", "\x0b1"),
    *(
        "0x10",
        "1_000",
        "1,5",
        "1,234",
        "1 000",
        "1.5.2",
        "--1",
        "+-1",
        "1-",
        "1+",
        "e5",
        "1e",
        "1e+",
        ".",
        "+",
        "-",
        "e",
    ),
    *("1e400", "-1e400", "1e-400", "5e-324", "2.5e-324", "1.7976931348623157e308", "1.7976931348623159e308"),
    *("1234567890123456789012345", "0.1234567890123456789012345", "9007199254740993", "0.1", "123456789.123456789"),
    *("１", "１２", "٣", "1f", "1d", "1L", "1%", "$1", "true", "false", '"', '1"', "1\n", "\n", "\n1", "-999", "0.10"),
]
MISSING = [
    ("", "NA"),
    ("",),
    ("", "-999", "n/a"),
    ("NA",),
    (),
    ("", " "),
    ("", "a,b"),
    ("", 'q"'),
    ("", "1"),
    ("", "0.10"),
]
cell = st.one_of(
    st.sampled_from(SPELLINGS),
    st.floats().map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.text(alphabet='0123456789+-.eEinfaNA "\t\n_,\xa0', max_size=7),
)


def written(rows: Iterable[Iterable[str]], *, separator: str, end: str, quote_all: bool) -> bytes:
    def spelled(text: str) -> str:
        return f'"{text.replace(chr(34), chr(34) * 2)}"' if quote_all or set(text) & set('"\n' + separator) else text

    return "".join(separator.join(map(spelled, row)) + end for row in rows).encode()


def tables_of(
    data: bytes,
    missing: tuple[str, ...],
    numbers: Iterable[str] | None,
    separator: str,
    size: int,
    workers: int = 0,
) -> list[Table]:
    dialect = CsvDialect(separator=separator, decimal=".", encoding="utf-8")
    wanted = NumericColumns.any_except(()) if numbers is None else NumericColumns.only(numbers)
    options = ReadOptions(dialect, missing_values=missing, numeric_columns=wanted, block_bytes=size)
    return list(read_delimited(io.BytesIO(data), "x", options, workers=workers))


def outcome(tables: Iterable[Table]) -> tuple[list[bytes], list[object], str]:
    """The bits of the numbers, the texts beside them, and how it ended."""
    bits, texts = [], []
    try:
        for table in tables:
            for name in ("x", "y"):
                numbers = read_numbers(table, name)
                bits += [b"nan" if np.isnan(number) else number.tobytes() for number in numbers]
            texts += read_text(table, "t").to_list()
    except DataError as error:
        return [], [], f"{error.location} {error.message} {error.hint}"
    return bits, texts, "read"


@pytest.mark.slow
@given(
    rows=st.lists(
        st.tuples(cell, cell, st.sampled_from(["a", "", "NA", "b c", " ", "q,", '"'])), min_size=1, max_size=6
    ),
    missing=st.sampled_from(MISSING),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    end=st.sampled_from(["\n", "\r\n"]),
    quote_all=st.booleans(),
    size=st.sampled_from([1, 30, 1 << 20]),
)
@example([("1", "", "a"), (" ", "2", "b")], ("", "NA"), ",", "\n", False, 1 << 20)
@example([("1", "", "a"), ("2", "\t", "b")], ("", "NA"), ",", "\n", True, 1 << 20)
@example([("1", "NA", "NA"), ("2", "nan", "b")], ("", "NA"), ",", "\r\n", True, 1)
@example([("1", "inf", "a")], ("", "NA"), ",", "\n", False, 1 << 20)
@example([("nan", "2", "a"), ("inf", "3", "b")], ("", "NA"), ",", "\n", False, 1 << 20)
@example([("1", "\t", "a")], ("", "NA"), "\t", "\n", False, 1 << 20)
def test_numbers_parsed_with_the_cells_are_those_of_their_text(
    rows: list[tuple[str, str, str]],
    missing: tuple[str, ...],
    separator: str,
    end: str,
    quote_all: bool,
    size: int,
) -> None:
    data = written([("x", "y", "t"), *rows], separator=separator, end=end, quote_all=quote_all)
    told = outcome(tables_of(data, missing, "", separator, size))
    assert outcome(tables_of(data, missing, "xy", separator, size)) == told
    assert outcome(tables_of(data, missing, "xy", separator, size, workers=2)) == told


@pytest.mark.slow
@pytest.mark.parametrize("text", SPELLINGS)
@pytest.mark.parametrize("quote_all", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_spelling_is_read_as_its_text_is(text: str, quote_all: bool, end: str) -> None:
    for column in (0, 1):
        row = ["1.5", "2.5", "a"]
        row[column] = text
        data = written([("x", "y", "t"), row, ("3", "4", "b")], separator=",", end=end, quote_all=quote_all)
        tables = [tables_of(data, ("", "NA"), numbers, ",", 1 << 20) for numbers in ("xy", "")]
        assert outcome(tables[0]) == outcome(tables[1])


RARELY_ODD = [*["1", "2.5", "-3", "", "NA", "12e3"] * 12, *SPELLINGS]


@pytest.mark.slow
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(RARELY_ODD), st.sampled_from(RARELY_ODD), st.sampled_from(["a", "", "01", " 02", "q,"])
        ),
        min_size=2,
        max_size=12,
    ),
    separator=st.sampled_from([",", ";", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
    quote_all=st.booleans(),
    size=st.sampled_from([1, 20, 50]),
)
@example([("1", "2", "a"), ("007", "3", "b")], ",", "\n", False, 1)
@example([("1", "2", "a"), ("-07", "3", "b")], ",", "\n", True, 1)
@example([("1", "2", "a"), ("9007199254740993", "3", "b")], ",", "\n", False, 1)
@example([("1", "2", "a"), ("3", "nan", "b")], ",", "\n", False, 1)
def test_what_is_found_to_be_numbers_is_what_its_text_is_kept_as(
    rows: list[tuple[str, str, str]], separator: str, end: str, quote_all: bool, size: int
) -> None:
    data = written([("x", "y", "t"), *rows], separator=separator, end=end, quote_all=quote_all)
    spelled = tables_of(data, ("", "NA"), (), separator, size)
    result = tables_of(data, ("", "NA"), None, separator, size)
    assert [len(table) for table in result] == [len(table) for table in spelled]
    for ours, theirs in zip(result, spelled, strict=True):
        for name in ours.names:
            cells, text = ours.column(name), theirs.column(name)
            if cells.dtype == pl.String:
                assert cells.to_list() == text.to_list()
                continue
            kept = exact_numbers(text.to_frame(), theirs.dialect)
            assert cells.to_list() == kept[""].to_list()


def dtypes(data: bytes, size: int = 1 << 20) -> list[str]:
    return [str(table.frame["x"].dtype) for table in tables_of(data, ("", "NA"), "x", ",", size)]


def test_plain_numbers_are_parsed_with_the_cells() -> None:
    assert dtypes(b"x,y\n1,a\nNA,b\n,c\n nan,d\n") == ["String"]  # an empty cell, and one that begins with a space
    assert dtypes(b"x,y\n1,a\nNA,b\n,c\nnan,d\n") == ["Float64"]
    assert dtypes(b'"x","y"\n"1","a"\n"","b"\n') == ["Float64"]


def test_a_file_that_keeps_failing_is_read_as_text_without_trying() -> None:
    odd, plain = b"1 ,a\n", b"1,a\n"
    assert dtypes(b"x,y\n" + odd * (MAX_FAILED_BLOCKS - 1) + plain * 2, size=4)[-2:] == ["Float64"] * 2
    assert dtypes(b"x,y\n" + odd * MAX_FAILED_BLOCKS + plain * 2, size=4)[-2:] == ["String"] * 2


def test_a_leading_zero_in_a_column_of_text_is_no_matter() -> None:
    data = b'x,y\n1,01\n2,-02\n3, 03\n4,"04,05"\n'
    tables = tables_of(data, ("", "NA"), None, ",", 7)
    assert [str(table.frame["x"].dtype) for table in tables] == ["Float64"] * 4
    assert [table.frame["y"][0] for table in tables] == ["01", "-02", " 03", "04,05"]


@given(
    text=st.text(alphabet='00017.+- ,;"\n', max_size=40).map(str.encode),
    separator=st.sampled_from([",", ";"]),
    zeros=st.booleans(),
    piece=st.integers(1, 9),
)
@example(b"00", ",", True, 1)
@example(b"-01,+02", ",", True, 2)
def test_odd_beginnings_are_found_wherever_the_text_is_cut(
    text: bytes, separator: str, zeros: bool, piece: int
) -> None:
    quotes = positions_of(text, QUOTE)
    before = f"(?:^|[{separator}\n{chr(34) * bool(quotes.size)}])".encode()
    odd = rb"(?= |[+-]?0[0-9])" if zeros else rb"(?= )"
    expected = [result.end() for result in re.finditer(before + odd, text)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(direct, "PIECE", piece)
        assert sorted(ambiguous_starts(RecordBlock(text, quotes, 1), separator, zeros=zeros)) == expected


@pytest.mark.parametrize("start", ["\n", "\r\n", "\ufeff"])
def test_what_polars_would_skip_at_the_beginning_of_a_block_is_not_skipped(start: str) -> None:
    data = f"x,y\n1,2\n{start}3,4\n".encode()
    tables = [tables_of(data, ("", "NA"), numbers, ",", 4) for numbers in ("xy", "")]
    names = [table.frame["x"].cast(pl.String).to_list() for table in tables[1]]
    assert sum(map(len, tables[0])) == sum(map(len, tables[1])) == 2
    assert tables[0][-1].notes == tables[1][-1].notes
    assert any(start.strip() + "3" in cells for cells in names)


def test_a_column_that_turns_out_to_be_text_does_not_spoil_the_others() -> None:
    data = b"x,y\n" + b"1,2\n" * 3 + b"3,word\n" * (MAX_FAILED_BLOCKS + 3)
    tables = tables_of(data, ("", "NA"), None, ",", 4)
    kinds = [(str(table.frame["x"].dtype), str(table.frame["y"].dtype)) for table in tables]
    assert kinds[1] == ("Float64", "Float64")
    assert kinds[3:] == [("Float64", "String")] * (MAX_FAILED_BLOCKS + 3)


@pytest.mark.parametrize("cell", ["inf", "nan", "9007199254740993", "-1e400", "007", " 1", "", "2.5"])
def test_cells_of_many_columns_are_read_as_those_of_few(cell: str) -> None:
    """Special values of many columns are searched at once."""
    row = ["1.5"] * (MANY_COLUMNS + 1)
    names = [f"c{j}" for j in range(len(row))]
    rows = [row, row, [*row[:40], cell, *row[41:]]]
    text = "\n".join(",".join(cells) for cells in [names, *rows]).encode()
    options = ReadOptions(numeric_columns=NumericColumns(inverted=True), block_bytes=len(text) // 3)
    (few, many) = (
        pl.concat(
            [table.frame for table in read_delimited(io.BytesIO(piece), "t.csv", options)], how="vertical_relaxed"
        )
        for piece in ("\n".join(["c40", "1.5", "1.5", cell or '""']).encode(), text)
    )
    assert many["c40"].cast(pl.String).to_list() == few["c40"].cast(pl.String).to_list()

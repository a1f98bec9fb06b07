from __future__ import annotations

import io
from typing import Any

import pytest

from nncli.base.errors import DataError
from nncli.data.dialect import CsvDialect
from nncli.data.formats.csv import decoding
from nncli.data.formats.csv.decoding import DecodedStream
from nncli.data.formats.csv.reader import read_delimited
from nncli.data.formats.csv.sniffer import sniff_dialect
from nncli.data.formats.read_options import ReadOptions
from tests.assertions import raises


def found(
    data: str, usual: str | None = ",", trained: CsvDialect | None = None, **settings: Any
) -> tuple[str, str, str | None, tuple[str, ...]]:
    text = DecodedStream(io.BytesIO(data.encode()), "t.csv")
    dialect, notes = sniff_dialect(
        text, "t.csv", CsvDialect(**settings), default_separator=usual, training_dialect=trained
    )
    return dialect.separator, dialect.decimal, dialect.thousands, notes


@pytest.mark.parametrize(
    ("data", "usual", "separator", "note"),
    [
        ("a,b\n1,2\n", ",", ",", None),
        ("a;b\n1;2\n", ",", ";", "t.csv: read with separator ';'"),
        ("a|b\n1|2\n", ",", "|", "t.csv: read with separator '|'"),
        ("a\tb\n1\t2\n", ",", "\t", "t.csv: read with tabs as separators"),
        ("a\tb\n1\t2\n", "\t", "\t", None),
        ("a,b\n1,2\n", "\t", ",", "t.csv: read with separator ','"),
        ("a\n1\n", ",", ",", None),
        ("", ",", ",", None),
        ("\n\n", None, ",", None),
        ("\r\n\na;b\n\n1;2\n\n", ",", ";", "t.csv: read with separator ';'"),
        ('"a,b";c\n"1,2";3\n', ",", ";", "t.csv: read with separator ';'"),
        ('"a;b",c\n1;2,3\n', ",", ",", None),
        ("name;note\nx;a,b\ny;c\n", ",", ";", "t.csv: read with separator ';'"),
        ("a,b;c\n1,2\n", ",", ",", None),
        ("a,b\n1,2\n3\n", ",", ",", None),
        ("a;b\n1;2\n3\n", ",", ";", "t.csv: read with separator ';'"),
        ("a,b\tc,d\n1,2\t3,4\n", "\t", "\t", None),
    ],
)
def test_the_separator_is_the_one_that_header_and_records_agree_on(
    data: str, usual: str | None, separator: str, note: str | None
) -> None:
    assert found(data, usual, decimal=".") == (separator, ".", None, (note,) if note else ())


@pytest.mark.parametrize("data", ["a,b;c\n1,2;3\n", "a,b;c\n", "a;b\tc\nx;y\tz\n"])
def test_two_separators_that_fit_are_refused_with_both(data: str) -> None:
    with pytest.raises(DataError, match="separator is ambiguous:") as caught:
        found("\n" + data)
    assert "--set 'data.separator=;'" in str(caught.value.hint)
    assert caught.value.location is not None
    assert caught.value.location.line == 2
    assert found(data, separator=";")[0] == ";"


def test_two_separators_fit_a_header_that_by_a_third_is_a_quotation_without_an_end() -> None:
    with pytest.raises(DataError, match="separator is ambiguous: ") as caught:
        found(', ";|')
    assert caught.value.location is not None
    assert caught.value.location.line == 1


def test_what_a_model_was_trained_with_settles_which_separator_fits() -> None:
    for separator in ",;":
        assert found("a,b;c\n1,2;3\n", trained=CsvDialect(separator=separator, decimal="."))[0] == separator
    assert found("a\tb\n1\t2\n", trained=CsvDialect(separator=";", decimal="."))[0] == "\t"


@pytest.mark.parametrize(
    ("cells", "decimal"),
    [
        ("1;2", "."),
        ("1,5;2", ","),
        ("x;0,125", ","),
        ("1.234,5;1.234", ","),
        ("1,234.5;1,234", "."),
        ("1,234,567;x", "."),
        ("1.5;2", "."),
        ("1.5;1,234", "."),
        ("1,5;1.234", ","),
        ("-1,5e3;x", ","),
        ("a,b;24.12.2024", "."),
        ('" 1,5 ";2', ","),
    ],
)
def test_the_decimal_mark_is_that_of_cells_that_leave_no_choice(cells: str, decimal: str) -> None:
    note = "t.csv: read with separator ';' and decimal comma" if decimal == "," else "t.csv: read with separator ';'"
    assert found(f"a;b\n{cells}\n") == (";", decimal, None, (note,))
    assert found(f"a;b\n{cells}\n", separator=";")[1] == decimal


@pytest.mark.parametrize("cells", ["1,234;x", "1.234;5"])
def test_a_decimal_mark_that_is_not_clear_is_refused_with_both_readings(cells: str) -> None:
    with pytest.raises(DataError) as caught:
        found(f"a;b\n{cells}\n")
    assert "data.decimal" in str(caught.value.hint)
    assert found(f"a;b\n{cells}\n", decimal=",")[1] == ","
    for mark in ",.":
        assert found(f"a;b\n{cells}\n", trained=CsvDialect(decimal=mark))[1] == mark


def test_a_file_with_both_marks_has_points_or_the_mark_of_the_training_table() -> None:
    assert found("a;b\n1,5;1.5\n")[1] == "."
    for mark in ",.":
        assert found("a;b\n1,5;1.5\n", trained=CsvDialect(decimal=mark))[1] == mark
    trained = CsvDialect(decimal=".", decimals=(("a", ","),))
    assert found("a;b\n1,5;2\n", trained=trained)[1] == "."


def test_a_comma_between_commas_is_no_decimal_mark() -> None:
    assert found('a,b\n"1,5",2\n') == (",", ".", None, ())
    assert found("a\tb\n1.234\t2\n", "\t") == ("\t", ".", None, ())


def test_a_model_with_decimal_commas_reads_points_where_these_are_clear() -> None:
    trained = CsvDialect(separator=";", decimal=",")
    assert found("a,b\n1.5,2\n", trained=trained)[:2] == (",", ".")
    assert found('a,b\n"1,5",2\n', trained=trained)[:2] == (",", ",")
    assert found("a,b\n1,2\n", trained=trained)[:2] == (",", ",")


def test_the_thousands_of_a_model_are_those_of_every_table_it_reads() -> None:
    trained = CsvDialect(separator=";", decimal=",", thousands=".")
    assert found("a;b\n1.5;2\n", trained=trained)[1:3] == (",", ".")


def test_thousands_that_are_told_are_no_decimal_marks() -> None:
    assert found("a;b\n1 234,5;2\n", thousands=" ")[1] == ","
    assert found("a;b\n1.234;2\n", thousands=".")[1] == ","
    assert found("a;b\n1,234;2\n", thousands=",")[1] == "."


def test_a_record_that_is_cut_off_by_the_end_of_the_sample_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "SAMPLE_BYTES", 10)
    assert found("a;b\n1;2\n33333333333333333333;4\n")[0] == ";"
    assert found("a;b;ccccccccccccccccccccccc\n1;2;3\n")[0] == ";"


def test_an_encoding_that_the_mark_says_is_said() -> None:
    text = DecodedStream(io.BytesIO("a;b\n1,5;2\n".encode("utf-16")), "t.csv")
    dialect, notes = sniff_dialect(text, "t.csv", CsvDialect(), default_separator=",", training_dialect=None)
    assert notes == ("t.csv: read with encoding utf-16, separator ';' and decimal comma",)
    # The next file need not be written like that: its own mark will say so.
    assert dialect.encoding == "auto"


def test_header_that_is_no_csv_is_left_to_the_reader() -> None:
    assert found("a;b\n" + "x" * 200_000 + ";1\n")[0] == ";"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (b'[{"x": 1, "y": 2},\n {"x": 3, "y": 4}]\n', "Convert the list with `jq -c '.[]'`"),
        (b'{"x": 1, "y": 2}\n{"x": 3, "y": 4}\n', "If it is in this form, rename the file to .jsonl."),
    ],
)
def test_json_under_another_name_is_called_json(text: bytes, hint: str) -> None:
    with pytest.raises(DataError, match="the file holds JSON, not CSV") as caught:
        next(iter(read_delimited(io.BytesIO(text), "t.csv", ReadOptions())))
    assert hint in (caught.value.hint or "")


def test_bytes_of_no_text_are_not_taken_for_an_encoding() -> None:
    for text, words in ((b"x,y\n\x84\x01\x02", "not a text table"), (b"x,y\n1,\x8d\n", "latin-1")):
        with pytest.raises(DataError) as caught:
            list(read_delimited(io.BytesIO(text), "t.csv", ReadOptions()))
        assert words in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["A title\na;b\nx;y\n", "Title\n\na;b;\n\n1;2;3\n4;5;6\n", "a\n1;2\n3;4\n"])
def test_a_table_of_one_column_that_may_be_of_several_is_refused(text: str) -> None:
    if "1;2;3" not in text:
        with raises(DataError, file="t.csv", mentions="data.separator"):
            found(text)
    trained = CsvDialect(separator=",")
    sample = DecodedStream(io.BytesIO(text.encode()), "t.csv")
    assert (
        sniff_dialect(sample, "t.csv", CsvDialect(), default_separator=",", training_dialect=trained)[0].separator
        in ",;"
    )


def test_the_training_table_decides_on_the_decimal_mark_of_files_with_its_separator_alone() -> None:
    of_semicolons, of_commas = CsvDialect(separator=";", decimal="."), CsvDialect(separator=",", decimal=".")
    assert found("a;b\n19.331;2\n", trained=of_semicolons)[1] == "."
    assert found("a;b\n19.331;0.5\n", trained=of_commas)[1] == "."  # 0.5 is clear
    with raises(DataError, file="t.csv", mentions="19.331"):
        found("a;b\n19.331;2\n", trained=of_commas)

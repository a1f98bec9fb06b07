from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.data.formats.csv.csv_format import csv_header
from nncli.integrations.python.standalone import script
from nncli.integrations.python.standalone.predictions import Predictor
from nncli.integrations.python.standalone.script import header_line, lines, main, predict_csv
from nncli.nn.program.inputs import NumberInput
from tests.runtimes.hostile import category_input, program_of, words

PREDICTOR = Predictor(program_of([NumberInput("age"), category_input("the city", ["Oslo", "Rome"])], ["no", "yes"]))
ONE = Predictor(program_of([NumberInput("age")]))


def predicted(text: str, predictor: Predictor = PREDICTOR) -> list[str]:
    out = io.StringIO(newline="")
    predict_csv(predictor, io.StringIO(text, newline=""), out)
    return out.getvalue().splitlines()


WANTED = predicted("age,the city\n41,Oslo\n,Rome\n")


def test_predictions_have_a_header_and_a_line_for_each_row() -> None:
    assert WANTED[0] == "prediction,proba_no,proba_yes"
    answers = PREDICTOR.predict([{"age": 41, "the city": "Oslo"}, {"age": None, "the city": "Rome"}])
    assert [line.split(",") for line in WANTED[1:]] == [[str(cell) for cell in answer.values()] for answer in answers]


@pytest.mark.parametrize(
    "text",
    [
        "age,the city\r\n41,Oslo\r\n,Rome\r\n",
        "age,the city\r41,Oslo\r,Rome",
        "\ufeffage,the city\n41,Oslo\n,Rome".removeprefix("\ufeff"),
        "id;age;the city\n1;41;Oslo\n2;;Rome\n",
        'the city\tage\n"Oslo"\t"41"\nRome\tNA\n',
        'note|the city|age\n"a\n|""b"""| Oslo |41.0\n|Rome|\n\n',
    ],
)
def test_separators_line_ends_quotes_and_other_columns_make_no_difference(text: str) -> None:
    assert predicted(text) == WANTED


def test_an_empty_line_is_an_empty_cell_of_a_single_column() -> None:
    assert len(predicted("age\n1\n\n3\n", ONE)) == 4


def test_a_table_without_rows_has_a_header_alone() -> None:
    assert predicted("age,the city\n") == WANTED[:1]


def test_tables_of_many_blocks_have_a_line_for_each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "age\n" + "".join(f"{age}\n" for age in range(20))
    whole = predicted(text, ONE)
    for rows in (1, 5, 20, 7):
        monkeypatch.setattr(script, "BLOCK_ROWS", rows)
        result = predicted(text, ONE)
        assert [float(line) for line in result[1:]] == pytest.approx([float(line) for line in whole[1:]], rel=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 'age' is missing; the columns are none"),
        ("Age,the city\n1,Oslo\n", "column 'age' is missing; the columns are 'Age', 'the city'"),
        ("age,the city,age\n1,Oslo,2\n", "column 'age' is there more than once"),
        ("age,the city\n1,Oslo\n2\n", "row 2 has 1 cells; expected 2"),
        ("age,the city\n1,Oslo\n\nx,Oslo\n", "row 2, column 'age': 'x' is not a number"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        predicted(text)


@given(
    st.lists(st.one_of(words, st.sampled_from(("", " a ", "#", "a'b"))), min_size=1),
    st.lists(st.floats(allow_infinity=False)),
    st.lists(words, min_size=1, unique=True),
)
def test_lines_are_those_of_predict(labels: list[str], numbers: list[float], names: list[str]) -> None:
    height = min(len(labels), len(numbers))
    x = np.array(numbers[:height], np.float64)
    with np.errstate(over="ignore"):
        columns = {
            "a": np.array(labels[:height], object),
            "b": x,
            "c": x.astype(np.float32),
            "d": x > 0.0,
            "e": (x > 0.0).astype(object),
        }
    frame = pl.DataFrame(
        [pl.Series("a", labels[:height], dtype=pl.String), pl.Series("b", x), pl.Series("c", columns["c"])]
    ).with_columns(d=pl.Series(x > 0.0), e=pl.Series(x > 0.0))
    assert "".join(lines(columns)) == frame.write_csv(include_header=False)
    assert header_line(names).encode() == csv_header(names, ",")


def run_main(monkeypatch: pytest.MonkeyPatch, arguments: list[str], stdin: bytes = b"") -> tuple[int, bytes]:
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out))
    code = main(PREDICTOR, arguments, "what it is")
    sys.stdout.flush()
    return code, out.getvalue()


def test_a_file_or_the_standard_input_is_predicted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = b"\xef\xbb\xbfage,the city\n41,Oslo\n,Rome\n"
    (tmp_path / "new.csv").write_bytes(table)
    wanted = 0, "".join(f"{line}\n" for line in WANTED).encode()
    assert run_main(monkeypatch, [str(tmp_path / "new.csv")]) == wanted
    assert run_main(monkeypatch, ["-"], table) == wanted


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"age,the city\n1,Oslo\nx,Rome\n", "row 2, column 'age': 'x' is not a number"),
        (b"age,the city\n1,\xff\n", "the table is not encoded as UTF-8"),
        (b'age,the city\n1,"Os\n', "unexpected end of data"),
    ],
)
def test_a_table_that_cannot_be_read_ends_with_code_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], table: bytes, message: str
) -> None:
    assert run_main(monkeypatch, ["-"], table)[0] == 4
    assert message in capsys.readouterr().err


def test_a_file_that_is_not_there_ends_with_code_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, ["nowhere.csv"])[0] == 4
    assert "nowhere.csv" in capsys.readouterr().err


def test_the_usage_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(monkeypatch, [])[0] == 2
    assert "TABLE.csv" in capsys.readouterr().err
    code, text = run_main(monkeypatch, ["--help"])
    assert code == 0
    assert b"what it is" in text

"""CSV files that an exported page predicts, in a real Chromium."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from playwright.sync_api import Browser, expect

from nncli.nn.program.inputs import NumberInput
from tests.runtimes.hostile import program_of
from tests.runtimes.pages import NUMBERS, TYPICAL, opened, predicted


def test_a_csv_file_is_answered_by_a_csv_file(browser: Browser, tmp_path: Path) -> None:
    rows = [
        TYPICAL | {"mass": 2700.0 + 30.0 * i, "comment": f'not good, "{i}"\nbad', "island": None} for i in range(150)
    ]
    frame = pl.DataFrame(rows).with_columns(discount=pl.lit("12 %"), id=pl.Series([f"r{i}" for i in range(150)]))
    frame.write_csv(tmp_path / "rows.csv")
    with opened(browser, NUMBERS, tmp_path) as page:
        page.set_input_files("#file", tmp_path / "rows.csv")
        expect(page.locator("#progress")).to_have_text("150 rows are predicted.")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the predictions").click()
        assert download.value.suggested_filename == "rows-predictions.csv"
        download.value.save_as(tmp_path / "answer.csv")
    answer = pl.read_csv(tmp_path / "answer.csv")
    assert answer.columns == [*frame.columns, "prediction", "lower_90", "upper_90"]
    assert answer.select(frame.columns).equals(pl.read_csv(tmp_path / "rows.csv"))
    wanted = [predicted(NUMBERS, row)["weight"] for row in rows]
    assert np.allclose(answer["prediction"].to_numpy(), wanted, rtol=1e-12)


def test_a_csv_file_with_decimal_commas_is_answered_in_the_same_way(browser: Browser, tmp_path: Path) -> None:
    program = replace(program_of([NumberInput("x"), NumberInput("y", "€")], (), ["z"]), decimal=",", thousands=".")
    with opened(browser, program, tmp_path) as page:
        content = 'x;y;"a ""b"" c"\r\n-1,5;1.234,56 €;\r\n\r\n;"";"d;e"'
        page.set_input_files("#file", {"name": "t.csv", "mimeType": "text/csv", "buffer": content.encode("utf-16")})
        expect(page.locator("#progress")).to_have_text("2 rows are predicted.")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the predictions").click()
        download.value.save_as(tmp_path / "answer.csv")
    lines = (tmp_path / "answer.csv").read_bytes().decode("utf-8-sig").split("\r\n")
    assert [line.rpartition(";")[0] for line in lines[:3]] == [*('x;y;"a ""b"" c"', "-1,5;1.234,56 €;", ';"";"d;e"')]
    rows: list[dict[str, object]] = [{"x": -1.5, "y": 1234.56}, {"x": None, "y": None}]
    for line, row in zip(lines[1:], rows, strict=False):
        assert float(line.rpartition(";")[2].replace(",", ".")) == pytest.approx(
            predicted(program, row)["z"], rel=1e-12
        )


def test_an_empty_line_is_a_row_of_a_table_of_one_column(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, program_of([NumberInput("a")], (), ["z"]), tmp_path) as page:
        page.set_input_files("#file", {"name": "t.csv", "mimeType": "text/csv", "buffer": b"a\n1\n\n3"})
        expect(page.locator("#progress")).to_have_text("3 rows are predicted.")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x;y\n1;2\n", 'row 2, column “y”: "four" is not'),
        ("x\n1\n", "lacks the column “y”"),
        ("", "has no rows"),
        ("x,y\n", "has no rows"),
        ("x,y\n1,2,3\n", "row 1 has 3 cells"),
        ("x,y,x\n1,2,3\n", "“x” occurs twice"),
        ('x,y\n1,"2\n', "does not end"),
        (b"x,y\n\xff,1\n", "not in UTF-8"),
    ],
)
def test_a_csv_file_that_cannot_be_predicted_says_why(
    browser: Browser, tmp_path: Path, text: str | bytes, said: str
) -> None:
    program = program_of([NumberInput("x"), NumberInput("y")], (), ["z"])
    content = text.encode() if isinstance(text, str) else text
    content = content.replace(b"1;2\n", b"1;2\n3;four\n")
    with opened(browser, program, tmp_path) as page:
        page.set_input_files("#file", {"name": "t.csv", "mimeType": "text/csv", "buffer": content})
        expect(page.locator("#progress")).to_contain_text("cannot")
        assert said in page.inner_text("#progress")
        assert not page.locator("#download").is_visible()

from __future__ import annotations

import re
from pathlib import Path

import polars
import pytest
from hypothesis import example, given, settings

from nncli.base.errors import UsageError
from nncli.data.dialect import COMMA, CsvDialect
from nncli.data.formats.csv.csv_format import PLAIN_NUMBER, escape_formulas, separator_of
from nncli.data.formats.registry import FileOptions
from nncli.data.formats.writers import open_sink
from nncli.data.sources.read_table import read_table
from nncli.data.sources.table_source import TableSource
from tests.data.formats.support import NAMES, texts

BEGINNINGS = ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"]
PLAIN = ["-3", "+3", "-.5", "-1.", "-1e-5", "+1.5E+300", "-1,5", "-1,234.5", "3", "0", "", "a=b", "x-y", " =1", "'=1"]


def formulas_escaped(path: Path, *frames: polars.DataFrame) -> polars.DataFrame:
    with open_sink(path, FileOptions(escape_formulas=True)) as sink:
        for frame in frames:
            sink.write(frame)
    # A column of nothing but `;` would be ambiguous otherwise.
    return read_table(
        TableSource(path=str(path), quote="double"), dialect=CsvDialect(separator=separator_of(path) or COMMA)
    ).frame


@pytest.mark.parametrize(("name", "text"), [("a.csv", "x;s\n1,5;1.5\n;a,b\n"), ("a.tsv", "x\ts\n1,5\t1.5\n\ta,b\n")])
def test_numbers_have_a_comma_if_asked_for_and_text_stays(tmp_path: Path, name: str, text: str) -> None:
    frame = polars.DataFrame({"x": [1.5, None], "s": ["1.5", "a,b"]})
    with open_sink(tmp_path / name, FileOptions(decimal=",")) as sink:
        sink.write(frame)
    assert (tmp_path / name).read_text() == text
    with (
        pytest.raises(UsageError, match="is for CSV and TSV only"),
        open_sink(tmp_path / "a.parquet", FileOptions(decimal=",")),
    ):
        pass


@pytest.mark.parametrize("name", NAMES[:4])
def test_what_begins_like_a_formula_gets_an_apostrophe(tmp_path: Path, name: str) -> None:
    dangerous = [
        *(f"{beginning}{rest}" for beginning in BEGINNINGS for rest in ("", "1+1", "cmd|' /C calc'!A0", "SUM(A1)")),
        *("-3-3", "-3 3", "--3", "+-3", "-0x1", "-3e", "-e3", "-3\n", "-,", "+A1", "-٣", "＝1"),
    ]
    safe = formulas_escaped(tmp_path / name, polars.DataFrame({"s": dangerous, "n": -1.5}))
    assert safe["s"].to_list() == [f"'{cell}" for cell in dangerous]
    assert set(safe["n"]) == {"-1.5"}


def test_a_nul_at_the_beginning_is_no_way_around_the_apostrophe() -> None:
    assert escape_formulas(polars.Series(["\0=1+1"])).to_list() == ["'\0=1+1"]


def test_plain_numbers_and_other_texts_are_not_escaped(tmp_path: Path) -> None:
    assert formulas_escaped(tmp_path / "a.csv", polars.DataFrame({"s": PLAIN, "n": 1}))["s"].to_list() == PLAIN


def test_names_and_every_kind_of_text_are_escaped_and_numbers_are_not(tmp_path: Path) -> None:
    frame = polars.DataFrame(
        {
            "=1+1": ["=a", None],
            "-3": polars.Series([-3, None]),
            "@c": polars.Series(["@b", "b"], dtype=polars.Categorical),
            "^x$": polars.Series(["-x", "-x"], dtype=polars.Enum(["-x"])),
            "b": [True, None],
        }
    )
    safe = formulas_escaped(tmp_path / "a.csv", frame, frame)
    assert safe.columns == ["'=1+1", "-3", "'@c", "^x$", "b"]
    assert safe.rows() == [("'=a", "-3", "'@b", "'-x", "true"), ("", "", "b", "'-x", "")] * 2


@pytest.mark.slow
@settings(deadline=None)
@given(frame=texts())
@example(frame=polars.DataFrame({"a": [";", ";"]}))
def test_no_cell_of_an_escaped_table_is_a_formula(
    tmp_path_factory: pytest.TempPathFactory, frame: polars.DataFrame
) -> None:
    frame = frame.with_columns(polars.all().fill_null("").str.replace_all("a", "=").str.replace_all("b", "-"))
    safe = formulas_escaped(tmp_path_factory.mktemp("table") / "a.csv", frame)
    for before, after in zip(frame.iter_columns(), safe.iter_columns(), strict=True):
        texts_alone = [cell for cell in after if not re.search(PLAIN_NUMBER, cell)]  # -0 is no formula
        assert not any(cell.startswith(tuple(BEGINNINGS)) for cell in texts_alone)
        assert [cell.removeprefix("'") for cell in after] == before.to_list()

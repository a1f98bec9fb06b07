"""Numbers in text are read as by nncli/data/columns/parsing.py, which uses Polars."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nncli.data.columns.parsing import numbers_and_errors
from nncli.data.dialect import CsvDialect
from nncli.data.table import Table
from nncli.integrations.python.standalone.cells import NumberFormat

MARKS: list[tuple[Any, str | None]] = [
    (".", None),
    (",", None),
    (",", "."),
    (".", ","),
    (".", " "),
    (".", "'"),
    (",", "_"),
]
UNITS = (None, "$", "€", "%", "‰", "US$", "EUR", "()")
PIECES = (
    *(
        "1",
        "12",
        "234",
        "000",
        "0",
        "5",
        "1234567",
        "007",
        ".",
        ",",
        "'",
        "’",
        "_",
        " ",
        "\xa0",
        "\u202f",
        "-",
        "+",
        "−",
        "–",
    ),
    *("e5", "E-3", "e", "$", "€", "%", "US$", "EUR", "(", ")", "nan", "inf", "Infinity", "true", "FALSE", " True "),
    *("\t", "\n", "\u3000", "\x1c", "٣", "x", "1e999", "ı"),
)


@st.composite
def cells(draw: st.DrawFn) -> str:
    """Numbers with marks, separators and units, some of them with errors, and pieces of numbers."""
    if draw(st.booleans()):
        return "".join(draw(st.lists(st.sampled_from(PIECES), max_size=7)))
    x = draw(st.one_of(st.integers(-10_000_000, 10_000_000), st.floats(allow_nan=False, allow_infinity=False)))
    decimal, group = draw(st.sampled_from(MARKS))
    text = f"{x:,}" if draw(st.booleans()) else str(x)
    text = text.translate({ord(","): group or "", ord("."): decimal})
    before, after = draw(
        st.sampled_from((*((unit or "", "") for unit in UNITS), ("", " €"), ("", "%"), ("(", ")"), (" ", " ")))
    )
    return f"{before}{text}{after}"


@pytest.mark.slow
@given(st.lists(cells(), min_size=1, max_size=40), st.sampled_from(MARKS), st.sampled_from(UNITS), st.booleans())
@example(["1,234", "1,234.5", "1.234,5", "n,an"], (".", ","), None, False)
@example(["(1.5)", "$ (1.5)", "-1", "- 1", "($1)"], (".", None), "$", True)
def test_a_number_is_read_as_by_polars(
    texts: list[str], marks: tuple[Any, str | None], unit: str | None, reads_booleans: bool
) -> None:
    dialect = CsvDialect(decimal=marks[0], thousands=marks[1])
    table = Table(pl.DataFrame({"x": pl.Series(texts, dtype=pl.String)}), "t", dialect=dialect)
    x, errors = numbers_and_errors(table, "x", unit, alternatives=True, booleans=reads_booleans)
    refused = {row for error in errors for row in error.rows.tolist()}
    wanted = [None if row in refused else value for row, value in enumerate(x.tolist())]
    number_format = NumberFormat(*marks, unit, reads_booleans)
    result = [number_format.read(text) for text in texts]
    finite = [None if value is not None and value in (float("inf"), -float("inf")) else value for value in result]
    assert [str(value) for value in finite] == [str(value) for value in wanted]

from __future__ import annotations

import polars as pl
import pytest

from nncli.data.columns.parsing import date_hint, guess_meaning, number_hint, plain_number_hint, unit_hint
from nncli.data.dialect import CsvDialect

POINT = CsvDialect(decimal=".")


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("1,5", ["data.decimal=,", "1.5"]),
        ("1.234,5", ["data.decimal=,", "data.thousands=.", "1234.5"]),
        ("1 234", ['data.thousands=" "', "1234"]),
        ("2024-05-31", ["date"]),
        ("abc", []),
    ],
)
def test_the_settings_that_would_read_a_number_are_named(text: str, settings: list[str]) -> None:
    meaning = guess_meaning(text, POINT, "x")
    assert all(setting in meaning for setting in settings)
    assert bool(meaning) is bool(settings)


def test_the_wording_of_a_hint() -> None:
    assert number_hint("n/a", "x", POINT, pl.Series(["1", "n/a", "n/a"])) == (
        "Correct the cell, or empty it. If it means a missing value: --set 'data.missing_values=[\"n/a\"]'. "
        "To treat the column as categories: --set data.columns.x=categorical."
    )
    assert "--on-error missing" in number_hint("n/a", "x", POINT, pl.Series(["1", "2", "n/a"]))
    assert date_hint("x").startswith("Correct the cell. If it means a missing value")
    assert date_hint("x").endswith("To treat all such cells as missing: --on-error missing.")
    assert unit_hint("$", POINT) == (
        "The model reads numbers with '$', or without a unit, such as 1234.5. Write the cell like these, or empty it."
    )
    assert "0.12 for 12 %" in unit_hint("%", POINT)
    assert "1234,5" in plain_number_hint(CsvDialect(decimal=","))


@pytest.mark.parametrize(
    ("decimal", "decimals", "cell", "key"),
    [
        (".", (), "1,5", "data.decimal=,"),
        (".", (("y", ","),), "1,5", 'data.decimals={"x": ","}'),
        (",", (), "1.5", 'data.decimals={"x": "."}'),
    ],
)
def test_the_decimal_mark_of_a_column_is_named_where_other_columns_have_another_one(
    decimal: str, decimals: tuple[tuple[str, str], ...], cell: str, key: str
) -> None:
    dialect = CsvDialect.model_validate({"decimal": decimal, "decimals": decimals})
    assert key in number_hint(cell, "x", dialect, pl.Series(["1", cell]))


def test_no_decimal_mark_is_named_for_a_column_with_both() -> None:
    for decimal, cell in ((".", "2,5"), (",", "1.5")):
        hint = number_hint(cell, "x", CsvDialect.model_validate({"decimal": decimal}), pl.Series(["1.5", "2,5"]))
        assert "data.decimal" not in hint
        assert "the other decimal mark" in hint


@pytest.mark.parametrize(("cell", "number"), [("$1,986.39", "1986.39"), ("$1,986", "1986")])
def test_separators_of_thousands_are_no_other_decimal_mark(cell: str, number: str) -> None:
    hint = number_hint(cell, "x", POINT, pl.Series(["$986.39", cell, "n/a"]))
    assert f"With --set data.thousands=, it is {number}." in hint
    assert "decimal" not in hint
    assert "missing_values" not in hint  # the cell is good

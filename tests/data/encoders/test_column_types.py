"""The registry of kinds: every kind of column has one class, and every column one kind."""

from __future__ import annotations

from typing import get_args

import polars as pl
import pytest

from nncli.data.encoders.column_types import ENCODERS, ColumnType, Feature, infer_kind
from nncli.data.table import Table


def test_every_kind_but_empty_has_one_class() -> None:
    assert set(ENCODERS) == set(ColumnType) - {ColumnType.EMPTY}
    assert set(ENCODERS.values()) == set(get_args(Feature))


@pytest.mark.parametrize("kind", ENCODERS)
def test_cells_are_floats_or_text_as_the_kind_says(kind: ColumnType) -> None:
    table = Table(pl.DataFrame({"x": ["2024-05-31", None] if kind is ColumnType.DATE else ["1", None]}), "t.csv")
    cells = kind.encoder.read_cells(table, "x")
    assert cells.dtype == (pl.Float64 if kind.is_numeric else pl.String)
    assert cells.null_count() == 1
    assert kind.needs_text is not kind.is_numeric


def test_a_column_without_values_is_empty_and_has_no_encoder() -> None:
    assert infer_kind(Table(pl.DataFrame({"x": [None, None]}), "t.csv"), "x") is ColumnType.EMPTY
    assert not ColumnType.EMPTY.is_numeric
    assert not ColumnType.EMPTY.needs_text


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2.5"], ColumnType.NUMERIC),
        (["12 %", "3 %"], ColumnType.NUMERIC),
        (["007", "42"], ColumnType.CATEGORICAL),
        (["2024-05-31", "2024-06-01"], ColumnType.DATE),
        (["red", "blue"], ColumnType.CATEGORICAL),
        ([f"the quick brown fox {n}" for n in range(40)], ColumnType.TEXT),
        ([True, False], ColumnType.CATEGORICAL),
    ],
)
def test_the_first_class_that_matches_gives_the_kind(cells: list[str], kind: ColumnType) -> None:
    assert infer_kind(Table(pl.DataFrame({"x": cells}), "t.csv"), "x") is kind

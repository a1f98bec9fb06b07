"""The registry of kinds: every kind of column has one class, and every column one kind."""

from __future__ import annotations

from typing import get_args

import polars as pl
import pytest

from nncli.data.encoders.kinds import ENCODERS, Feature, Kind, infer_kind
from nncli.data.table import Table


def test_every_kind_but_empty_has_one_class() -> None:
    assert set(ENCODERS) == set(Kind) - {Kind.EMPTY}
    assert set(ENCODERS.values()) == set(get_args(Feature))


@pytest.mark.parametrize("kind", ENCODERS)
def test_cells_are_floats_or_text_as_the_kind_says(kind: Kind) -> None:
    table = Table(pl.DataFrame({"x": ["2024-05-31", None] if kind is Kind.DATE else ["1", None]}), "t.csv")
    cells = kind.encoder.read_cells(table, "x")
    assert cells.dtype == (pl.Float64 if kind.is_numeric else pl.String)
    assert cells.null_count() == 1
    assert kind.needs_text is not kind.is_numeric


def test_a_column_without_values_is_empty_and_has_no_encoder() -> None:
    assert infer_kind(Table(pl.DataFrame({"x": [None, None]}), "t.csv"), "x") is Kind.EMPTY
    assert not Kind.EMPTY.is_numeric
    assert not Kind.EMPTY.needs_text


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2.5"], Kind.NUMERIC),
        (["12 %", "3 %"], Kind.NUMERIC),
        (["007", "42"], Kind.CATEGORICAL),
        (["2024-05-31", "2024-06-01"], Kind.DATE),
        (["red", "blue"], Kind.CATEGORICAL),
        ([f"the quick brown fox {n}" for n in range(40)], Kind.TEXT),
        ([True, False], Kind.CATEGORICAL),
    ],
)
def test_the_first_class_that_matches_gives_the_kind(cells: list[str], kind: Kind) -> None:
    assert infer_kind(Table(pl.DataFrame({"x": cells}), "t.csv"), "x") is kind

"""What training never saw is counted: exactly, whatever the chunks, and told in one line that is true."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.base.text import escape_unprintable
from nncli.data.encoders import categorical
from nncli.data.encoders import encoder as encoding
from nncli.data.encoders.anomalies import Anomalies, ColumnAnomalies
from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.encoders.column_types import ColumnType
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.encoding_options import Clip, EncodingOptions, NumericScaling
from nncli.data.table import Table
from tests.data.encoders.support import CLIPS, RECIPE, SCALINGS

NUMBERS = st.none() | st.sampled_from([-3.0, -0.0, 0.0, 1.0, 2.5, 131.0])
WORDS = st.none() | st.sampled_from(["a", "b", "c", "d", ""])
KINDS = [("x", ColumnType.NUMERIC), ("w", ColumnType.CATEGORICAL)]


@st.composite
def tables(draw: st.DrawFn) -> Table:
    n = draw(st.integers(1, 12))
    x, w = (draw(st.lists(cells, min_size=n, max_size=n)) for cells in (NUMBERS, WORDS))
    return Table(pl.DataFrame({"x": x, "w": w}, schema={"x": pl.Float64, "w": pl.String}), "t.csv")


def one(cells: Sequence[Any], name: str = "x") -> Table:
    return Table(pl.DataFrame({name: cells}, strict=False), "t.csv")


def met(seen: Sequence[Any], cells: Sequence[Any], kind: ColumnType = ColumnType.NUMERIC) -> ColumnAnomalies:
    """What is strange of `cells` to whom has `seen` others."""
    encoder = Encoder.fit(one(seen), [("x", kind)])
    again = Encoder.model_validate_json(encoder.model_dump_json())
    return again.encode(one(cells), "float32").anomalies.columns.get("x", ColumnAnomalies())


# Counting


def plainly(seen: Table, table: Table) -> Anomalies:
    """The count as one would make it by hand, cell by cell."""
    x, w = seen.frame["x"].to_list(), seen.frame["w"].to_list()
    values, words = [v for v in x if v is not None], set(w)
    new = table.frame["x"].to_list()
    beyond = [v for v in new if v is not None and values and not min(values) <= v <= max(values)]
    numbers = ColumnAnomalies(
        out_of_range=len(beyond),
        missing=0 if None in x else new.count(None),
        lowest=min((v for v in beyond if v < min(values)), default=math.inf),
        highest=max((v for v in beyond if v > max(values)), default=-math.inf),
    )
    cells = table.frame["w"].to_list()
    unseen = sum(cell is not None and cell not in words for cell in cells)
    return Anomalies.from_columns(
        [("x", numbers), ("w", ColumnAnomalies(unseen=unseen, missing=0 if None in words else cells.count(None)))]
    )


@pytest.mark.slow
@settings(deadline=None)
@given(seen=tables(), table=tables())
def test_the_count_is_the_one_made_by_hand(seen: Table, table: Table) -> None:
    assert Encoder.fit(seen, KINDS).encode(table, "float32").anomalies == plainly(seen, table)


@pytest.mark.slow
@settings(deadline=None)
@given(seen=tables(), table=tables(), scaling=st.sampled_from(SCALINGS), clip=st.sampled_from(CLIPS))
def test_how_columns_are_encoded_changes_nothing_of_the_count(
    seen: Table, table: Table, scaling: NumericScaling, clip: Clip
) -> None:
    encoder = Encoder.fit(seen, KINDS, EncodingOptions(numeric=scaling, clip=clip, categories=RECIPE))
    assert encoder.encode(table, "float32").anomalies == plainly(seen, table)


@settings(deadline=None)
@given(table=tables())
def test_the_training_rows_hold_nothing_strange(table: Table) -> None:
    assert (
        Encoder.fit(table, KINDS, EncodingOptions(numeric="min_max")).encode(table, "float32").anomalies == Anomalies()
    )


@pytest.mark.slow
@settings(deadline=None)
@given(seen=tables(), table=tables(), cuts=st.lists(st.integers(0, 12), max_size=4))
def test_the_counts_of_chunks_add_up_to_the_whole(seen: Table, table: Table, cuts: list[int]) -> None:
    encoder = Encoder.fit(seen, KINDS)
    added = Anomalies()
    for start, stop in pairwise([0, *sorted(cuts), 12]):
        added += encoder.encode(table.part(start, stop), "float32").anomalies
    whole = encoder.encode(table, "float32").anomalies
    assert added == whole
    assert added.note == whole.note


def test_blocks_add_up_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.DataFrame({"x": np.arange(100.0), "w": [f"{n % 45}" for n in range(100)]})
    encoder = Encoder.fit(Table(frame[:80], "t"), KINDS)
    assert encoder.embedded
    whole = encoder.encode(Table(frame, "t"), "float32").anomalies
    assert whole.columns["x"] == ColumnAnomalies(out_of_range=20, highest=99.0)
    monkeypatch.setattr(encoding, "BLOCK", 7)
    assert encoder.encode(Table(frame, "t"), "float32").anomalies == whole


def test_the_two_zeros_are_told_as_one() -> None:
    assert (
        ColumnAnomalies(out_of_range=1, highest=-0.0).extent
        == ColumnAnomalies(out_of_range=1, highest=0.0).extent
        == " (new maximum 0)"
    )


def test_the_ends_of_the_range_belong_to_it() -> None:
    assert met([-1.0, 5.0], [-1.0, 5.0, 2.0]) == ColumnAnomalies()
    below, above = np.nextafter(-1.0, -2.0), np.nextafter(5.0, 6.0)
    assert met([-1.0, 5.0], [below, above]) == ColumnAnomalies(out_of_range=2, lowest=below, highest=above)


def test_a_category_that_was_rare_in_training_was_seen() -> None:
    assert met(["a", "a", "rare"], ["rare", "a", "new", "new"], ColumnType.CATEGORICAL) == ColumnAnomalies(unseen=2)


@pytest.mark.parametrize("c", [2, 40])
def test_rare_categories_too_many_to_remember_are_not_called_unseen(monkeypatch: pytest.MonkeyPatch, c: int) -> None:
    monkeypatch.setattr(categorical, "MAX_RARE_TEXT", 9)
    seen = [f"{n}" for n in range(c)] * 2
    assert met([*seen, "rare", "r"], ["r", "new"], ColumnType.CATEGORICAL) == ColumnAnomalies(unseen=1)
    assert met([*seen, "rare", "rare 2"], ["rare", "new", "0"], ColumnType.CATEGORICAL) == ColumnAnomalies(rare=2)


def test_the_encoder_does_not_grow_with_a_column_of_ids() -> None:
    column = CategoricalColumn.fit(one([f"id {n}" for n in range(100_000)]), "x")
    assert (column.rare_categories, column.has_other) == (None, True)


@pytest.mark.parametrize("kind", list(ColumnType)[:2])
def test_missing_cells_are_strange_only_where_training_had_none(kind: ColumnType) -> None:
    assert met(["1", "1", "2"], [None, "1", None], kind) == ColumnAnomalies(missing=2)
    assert met(["1", "1", None], [None, "1", None], kind) == ColumnAnomalies()


def test_a_missing_number_is_not_taken_for_its_filling() -> None:
    assert met([1.0, 2.0], [None, 3.0]) == ColumnAnomalies(missing=1, out_of_range=1, highest=3.0)


def test_a_column_without_a_value_in_training_has_no_range_to_be_outside_of() -> None:
    assert met([None, None], ["3", None]) == ColumnAnomalies()


# Telling


def test_nothing_strange_is_not_worth_a_line() -> None:
    assert Anomalies().note is None
    assert (Anomalies.from_columns([("x", ColumnAnomalies())]) + Anomalies()).note is None


def test_every_kind_is_told_in_one_line() -> None:
    anomalies = Anomalies(
        {
            "city": ColumnAnomalies(unseen=10, missing=4),
            "colour": ColumnAnomalies(unseen=2, missing=1),
            "age": ColumnAnomalies(out_of_range=28, lowest=-3.0, highest=131.0),
            "x": ColumnAnomalies(out_of_range=1_002, highest=0.25),
            "id": ColumnAnomalies(rare=1),
        }
    )
    assert anomalies.note == (
        "12 cells hold a category that training never saw ('city': 10, 'colour': 2); "
        "1 cell holds a category that training saw rarely or never ('id': 1); "
        "1,030 values lie outside the training range ('x': 1,002 (new maximum 0.25), "
        "'age': 28 (new minimum -3, new maximum 131)); "
        "5 cells are missing where training had every cell ('city': 4, 'colour': 1)"
    )


def test_only_the_worst_of_many_columns_are_named() -> None:
    anomalies = Anomalies({f"c{n}": ColumnAnomalies(unseen=n % 5 + 1) for n in range(9)})
    assert anomalies.note == (
        "25 cells hold a category that training never saw ('c4': 5, 'c3': 4, 'c8': 4 and 6 more columns)"
    )


def test_a_name_cannot_disturb_the_terminal() -> None:
    note = Anomalies({"\x1b[2J\n" + "x" * 999: ColumnAnomalies(unseen=1)}).note
    assert note is not None
    assert len(note) < 200
    assert escape_unprintable(note, keep="") == note

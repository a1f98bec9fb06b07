"""A stored table is the table: whatever the blocks, and whether a column was kept as numbers or as text."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.base.errors import DataError
from nncli.base.scratch import Scratch
from nncli.data.columns.parsing import read_numbers, read_text
from nncli.data.encoders.column_types import ColumnType, infer_kind
from nncli.data.table import Table
from tests.data.store.support import stored

NUMBERS = ["1", "2.50", "-0", "1e3", " 7", "+3", "0.5", "-0.25"]
ODD = ["007", " -01", "inf", "nan", "1e400", "9007199254740993", "9007199254740992", "word", "", "1,5", None]
CELLS = st.sampled_from(NUMBERS) | st.sampled_from(NUMBERS) | st.sampled_from(ODD)
COLUMN = st.lists(st.sampled_from([*NUMBERS, None]), min_size=12, max_size=12) | st.lists(
    CELLS, min_size=12, max_size=12
)


def outcome(table: Table, name: str) -> tuple[object, ...]:
    """All that a training makes of a column: its kind and its values, or the refusal."""
    try:
        kind = infer_kind(table, name)
        values = read_numbers(table, name).tobytes() if kind is ColumnType.NUMERIC else tuple(read_text(table, name))
    except DataError as error:
        return (str(error),)
    return kind, values if kind is not ColumnType.EMPTY else None


@pytest.mark.slow
@given(cells=COLUMN, rows=st.integers(1, 13), chosen=st.sets(st.integers(0, 11), min_size=1))
def test_a_column_means_the_same_whatever_the_blocks_and_the_rows_chosen(
    cells: list[str | None], rows: int, chosen: set[int]
) -> None:
    frame = pl.DataFrame({"a": cells, "b": cells[::-1]}, schema={"a": pl.String, "b": pl.String})
    positions = np.array(sorted(chosen))
    with Scratch() as scratch:
        table, whole = stored(frame, scratch, rows), Table(frame, "t.csv")
        for name in ("a", "b"):
            assert outcome(table.columns([name]), name) == outcome(whole, name)
            assert outcome(table.take(positions).columns([name]), name) == outcome(whole.take(positions), name)


@pytest.mark.slow
@given(cells=COLUMN, rows=st.integers(1, 13), chosen=st.sets(st.integers(0, 11)))
@settings(max_examples=50, deadline=None)
def test_texts_come_back_as_they_are_spelled_each_with_its_number(
    cells: list[str | None], rows: int, chosen: set[int]
) -> None:
    frame = pl.DataFrame({"a": cells}, schema={"a": pl.String})
    positions = np.array(sorted(chosen), np.int64)
    with Scratch() as scratch:
        some = stored(frame, scratch, rows, texts=None).take(positions)
        assert len(some) == len(positions)
        assert some.columns(["a"]).frame.equals(frame[positions])
        result = [(t.location(row=i).row, cell) for t in some.blocks(["a"]) for i, cell in enumerate(t.frame["a"])]
        assert result == [(position + 1, cells[position]) for position in positions.tolist()]


def test_rows_taken_of_rows_taken_keep_their_numbers() -> None:
    with Scratch() as scratch:
        table = stored(pl.DataFrame({"a": [f"w{i}" for i in range(10)]}), scratch)
        some = table.take(np.arange(1, 10, 2)).take(np.array([0, 2, 4]))
        assert some.columns(["a"]).frame["a"].to_list() == ["w1", "w5", "w9"]
        assert some.row_numbers is not None
        assert some.row_numbers.tolist() == [2, 6, 10]
        assert some.height == 10


@pytest.mark.slow
@given(cells=COLUMN, rows=st.integers(1, 13), chosen=st.sets(st.integers(0, 11), min_size=1))
def test_a_copy_of_some_rows_has_their_cells_in_one_block(cells: list[str | None], rows: int, chosen: set[int]) -> None:
    frame = pl.DataFrame({"a": cells, "b": cells[::-1]}, schema={"a": pl.String, "b": pl.String})
    with Scratch() as scratch:
        taken = stored(frame, scratch, rows).take(np.array(sorted(chosen)))
        copy = taken.copy()
        assert copy.columns(["a", "b"]).frame.equals(taken.columns(["a", "b"]).frame)
        assert (len(copy.row_groups), len(copy), copy.first) == (1, len(chosen), 1)


def test_types_of_other_formats_stay() -> None:
    frame = pl.DataFrame({"i": [1, 2, None], "b": [True, False, None], "f": [1.0, float("nan"), None]})
    with Scratch() as scratch:
        assert stored(frame, scratch, 2).columns(frame.columns).frame.equals(frame)


def test_a_column_of_numbers_that_are_missing_in_one_block_and_nan_in_another_keeps_both() -> None:
    frame = pl.DataFrame({"f": [1.0, None, float("nan"), 2.0, None, None]})
    with Scratch() as scratch:
        table = stored(frame, scratch, 2)
        assert table.columns(["f"]).frame.equals(frame)
        assert pl.concat(block.frame for block in table.blocks(["f"])).equals(frame)


@pytest.mark.slow
@given(rows=st.integers(1, 12), chosen=st.none() | st.sets(st.integers(0, 11)))
@settings(max_examples=60, deadline=None)
def test_the_halves_together_are_the_table(rows: int, chosen: set[int] | None) -> None:
    frame = pl.DataFrame({"n": [str(i) for i in range(12)], "t": [f"w{i}" for i in range(12)]})
    with Scratch() as scratch:
        table = stored(frame, scratch, rows)
        table = table if chosen is None else table.take(np.array(sorted(chosen), np.int64))
        halves = table.split_in_two()
        assert sum(map(len, halves)) == len(table)
        for names in (["n"], ["t"]):
            blocks = [block for half in halves for block in half.blocks(names)]
            result = [
                (block.location(row=i).row, cell) for block in blocks for i, cell in enumerate(block.frame[names[0]])
            ]
            whole = table.columns(names)
            assert result == [(whole.location(row=i).row, cell) for i, cell in enumerate(whole.frame[names[0]])]
            for half in halves:
                some = half.columns(names)
                assert [some.location(row=i).row for i in range(len(half))] == [
                    block.location(row=i).row for block in half.blocks(names) for i in range(len(block))
                ]


def test_a_table_of_no_rows_is_a_table() -> None:
    with Scratch() as scratch:
        table = stored(pl.DataFrame({"a": []}, schema={"a": pl.String}), scratch)
        assert len(table) == len(table.columns(["a"])) == 0
        assert not list(table.blocks(["a"]))


def test_rows_that_are_taken_twice_stand_twice_also_where_a_whole_block_seems_to_be_taken() -> None:
    frame = pl.DataFrame({"a": [str(i) for i in range(6)]})
    with Scratch() as scratch:
        some = stored(frame, scratch).take(np.array([0, 0, 2, 3, 4, 5]))
        assert some.columns(["a"]).frame["a"].cast(pl.Int64).to_list() == [0, 0, 2, 3, 4, 5]
        assert [block.location(row=1).row for block in some.blocks(["a"])] == [1, 5]


def test_a_column_without_a_name_keeps_having_none() -> None:
    frame = pl.DataFrame({"": [1.0, 2.0], "column_0": ["x", "y"]})
    with Scratch() as scratch:
        table = stored(frame, scratch, 2, texts=("column_0",))
        assert table.columns(["", "column_0"]).frame.equals(frame)
        assert next(table.blocks(["", "column_0"])).frame.equals(frame)


@pytest.mark.slow
@given(cells=COLUMN, rows=st.integers(1, 13), chosen=st.none() | st.sets(st.integers(0, 11), min_size=1))
def test_plain_numbers_come_apart_from_the_rest_and_are_those_of_the_block(
    cells: list[str | None], rows: int, chosen: set[int] | None
) -> None:
    names = ["a", "b", "c", "d"]
    frame = pl.DataFrame({"a": cells, "b": ["1"] * 12, "c": cells[::-1], "d": [f"{i}" for i in range(12)]})
    with Scratch() as scratch:
        table = stored(frame, scratch, rows, texts=("d",))
        table = table if chosen is None else table.take(np.array(sorted(chosen)))
        whole = table.dense(["d", "b"])
        assert whole.names == ["b"]
        assert whole.x.tolist() == [[1.0] * len(table)]
        pairs = list(zip(table.blocks(names), table.iter_dense(names, {"a", "b", "d"}), strict=True))
        for block, (rest, plain) in pairs:
            assert {"b"} <= {*plain.names} <= {"a", "b"}
            assert not np.isnan(plain.x).any()
            assert plain.add_to(rest).frame.select(names).equals(block.frame)
            assert rest.first_row == block.first_row
            assert np.array_equal(rest.selected_rows, block.selected_rows)  # type: ignore[arg-type]
        plains = [plain.x[0] for _, plain in table.iter_dense(["b"], {"b"})]  # nothing is left for the table
        assert np.concatenate(plains).tolist() == whole.x[0].tolist()


def test_reading_one_column_does_not_list_the_names_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[str] = []

    def names(table: Table) -> list[str]:
        listed.append(table.source)
        return table.frame.columns

    monkeypatch.setattr(Table, "names", property(names))
    frame = pl.DataFrame({f"x{i}": ["1", "2"] for i in range(20)})
    with Scratch() as scratch:
        table = stored(frame, scratch, 2)
        listed.clear()
        for name in frame.columns:
            assert table.columns([name]).frame.equals(frame.select(pl.col(name).cast(table.types[name])))
        assert listed == []
        with pytest.raises(DataError, match="x20"):
            table.columns(["x0", "x20"])

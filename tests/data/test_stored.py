"""A stored table is the table: whatever the blocks, and whether a column was kept as numbers or as text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.data.columns import Kind, infer_kind, plain_numbers, read_numbers, read_text
from nncli.data.dialect import PLAIN
from nncli.data.scratch import Scratch
from nncli.data.stored import StoredTable, store
from nncli.data.table import Table
from nncli.errors import DataError

NUMBERS = ["1", "2.50", "-0", "1e3", " 7", "+3", "0.5", "-0.25"]
ODD = ["007", " -01", "inf", "nan", "1e400", "9007199254740993", "9007199254740992", "word", "", "1,5", None]
CELLS = st.sampled_from(NUMBERS) | st.sampled_from(NUMBERS) | st.sampled_from(ODD)
COLUMN = st.lists(st.sampled_from([*NUMBERS, None]), min_size=12, max_size=12) | st.lists(
    CELLS, min_size=12, max_size=12
)


def blocks(frame: pl.DataFrame, rows: int) -> Iterator[Table]:
    for start in range(0, max(len(frame), 1), rows):
        yield Table(frame[start : start + rows], "t.csv", start + 1, notes=(f"block {start}",))


def stored(frame: pl.DataFrame, scratch: Scratch, rows: int = 3, texts: tuple[str, ...] | None = ()) -> StoredTable:
    return store(lambda: blocks(frame, rows), lambda table: table.names, scratch, texts=texts)


def outcome(table: Table, name: str) -> tuple[object, ...]:
    """All that a training makes of a column: its kind and its values, or the refusal."""
    try:
        kind = infer_kind(table, name)
        values = read_numbers(table, name).tobytes() if kind is Kind.NUMERIC else tuple(read_text(table, name))
    except DataError as error:
        return (str(error),)
    return kind, values if kind is not Kind.IGNORE else None


@given(cells=COLUMN, rows=st.integers(1, 13), chosen=st.sets(st.integers(0, 11), min_size=1))
@settings(max_examples=150, deadline=None)
def test_a_column_means_the_same_whatever_the_blocks_and_the_rows_chosen(
    cells: list[str | None], rows: int, chosen: set[int]
) -> None:
    frame = pl.DataFrame({"a": cells, "b": cells[::-1]}, schema={"a": pl.String, "b": pl.String})
    positions = np.array(sorted(chosen))
    with Scratch() as scratch:
        table, whole = stored(frame, scratch, rows), Table(frame, "t.csv")
        for name in ("a", "b"):
            assert outcome(table.only([name]), name) == outcome(whole, name)
            assert outcome(table.take(positions).only([name]), name) == outcome(whole.take(positions), name)


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
        assert some.only(["a"]).frame.equals(frame[positions])
        found = [(t.place(row=i).row, cell) for t in some.blocks(["a"]) for i, cell in enumerate(t.frame["a"])]
        assert found == [(position + 1, cells[position]) for position in positions.tolist()]


def test_rows_taken_of_rows_taken_keep_their_numbers() -> None:
    with Scratch() as scratch:
        table = stored(pl.DataFrame({"a": [f"w{i}" for i in range(10)]}), scratch)
        some = table.take(np.arange(1, 10, 2)).take(np.array([0, 2, 4]))
        assert some.only(["a"]).frame["a"].to_list() == ["w1", "w5", "w9"]
        assert some.numbers is not None
        assert some.numbers.tolist() == [2, 6, 10]
        assert some.height == 10


def test_columns_that_are_numbers_are_kept_as_such_and_the_notes_gathered() -> None:
    frame = pl.DataFrame({"n": ["1", "2", None, "4"], "late": ["1", "2", "3", "x"], "t": ["a", "b", "c", "d"]})
    with Scratch() as scratch:
        table = stored(frame, scratch, 2)
        assert table.only(["n", "late", "t"]).frame.dtypes == [pl.Float64, pl.String, pl.String]
        assert table.only(["late"]).frame.equals(frame.select("late"))
        assert table.outline.notes == ("block 0", "block 2")


def test_types_of_other_formats_stay() -> None:
    frame = pl.DataFrame({"i": [1, 2, None], "b": [True, False, None], "f": [1.0, float("nan"), None]})
    with Scratch() as scratch:
        assert stored(frame, scratch, 2).only(frame.columns).frame.equals(frame)


def test_a_column_of_numbers_that_are_missing_in_one_block_and_nan_in_another_keeps_both() -> None:
    frame = pl.DataFrame({"f": [1.0, None, float("nan"), 2.0, None, None]})
    with Scratch() as scratch:
        table = stored(frame, scratch, 2)
        assert table.only(["f"]).frame.equals(frame)
        assert pl.concat(block.frame for block in table.blocks(["f"])).equals(frame)


@given(rows=st.integers(1, 12), chosen=st.none() | st.sets(st.integers(0, 11)))
@settings(max_examples=60, deadline=None)
def test_the_halves_together_are_the_table(rows: int, chosen: set[int] | None) -> None:
    frame = pl.DataFrame({"n": [str(i) for i in range(12)], "t": [f"w{i}" for i in range(12)]})
    with Scratch() as scratch:
        table = stored(frame, scratch, rows)
        table = table if chosen is None else table.take(np.array(sorted(chosen), np.int64))
        halves = table.halves()
        assert sum(map(len, halves)) == len(table)
        for names in (["n"], ["t"]):
            blocks = [block for half in halves for block in half.blocks(names)]
            found = [(block.place(row=i).row, cell) for block in blocks for i, cell in enumerate(block.frame[names[0]])]
            whole = table.only(names)
            assert found == [(whole.place(row=i).row, cell) for i, cell in enumerate(whole.frame[names[0]])]
            for half in halves:
                some = half.only(names)
                assert [some.place(row=i).row for i in range(len(half))] == [
                    block.place(row=i).row for block in half.blocks(names) for i in range(len(block))
                ]


def test_only_what_is_kept_is_there_and_a_missing_column_is_named() -> None:
    with Scratch() as scratch:
        frame = pl.DataFrame({"a": ["1"], "b": ["2"]})
        table = store(lambda: blocks(frame, 1), lambda table: {"a"}, scratch, texts=())
        assert table.outline.names == ["a", "b"]
        with pytest.raises(DataError, match="no column 'c'"):
            table.only(["c"])


def test_a_table_of_no_rows_is_a_table() -> None:
    with Scratch() as scratch:
        table = stored(pl.DataFrame({"a": []}, schema={"a": pl.String}), scratch)
        assert len(table) == len(table.only(["a"])) == 0
        assert not list(table.blocks(["a"]))


def test_a_table_that_changes_between_two_readings_is_refused() -> None:
    frames = iter([pl.DataFrame({"a": ["1", "2", "x"]}), pl.DataFrame({"a": ["1"]})])
    with Scratch() as scratch, pytest.raises(DataError, match="changed while it was read"):
        store(lambda: blocks(next(frames), 1), lambda table: table.names, scratch, texts=())


def test_what_does_not_fit_in_memory_goes_to_a_file_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.data.scratch.IN_MEMORY", 1)
    frame = pl.DataFrame({"a": ["1", "2", "3", "x"]})
    with Scratch(tmp_path) as scratch:
        assert stored(frame, scratch, 2).only(["a"]).frame.equals(frame)
        assert not list(tmp_path.iterdir())  # it has no name


@pytest.mark.parametrize("cell", [cell for cell in ODD if cell is not None])
def test_cells_of_which_more_than_the_number_may_matter(cell: str) -> None:
    texts = pl.DataFrame({"odd": ["1", cell], "plain": ["2", None], "nothing": [None, None]}).cast(pl.String)
    found = plain_numbers(texts, PLAIN)
    assert {name: numbers.to_list() for name, numbers in found.items()} == {
        "plain": [2.0, None],
        "nothing": [None, None],
    }
    assert plain_numbers(pl.DataFrame({"n": NUMBERS}), PLAIN)


def test_rows_that_are_taken_twice_stand_twice_also_where_a_whole_block_seems_to_be_taken() -> None:
    frame = pl.DataFrame({"a": [str(i) for i in range(6)]})
    with Scratch() as scratch:
        some = stored(frame, scratch).take(np.array([0, 0, 2, 3, 4, 5]))
        assert some.only(["a"]).frame["a"].cast(pl.Int64).to_list() == [0, 0, 2, 3, 4, 5]
        assert [block.place(row=1).row for block in some.blocks(["a"])] == [1, 5]


def test_a_column_without_a_name_keeps_having_none() -> None:
    frame = pl.DataFrame({"": [1.0, 2.0], "column_0": ["x", "y"]})
    with Scratch() as scratch:
        table = stored(frame, scratch, 2, texts=("column_0",))
        assert table.only(["", "column_0"]).frame.equals(frame)
        assert next(table.blocks(["", "column_0"])).frame.equals(frame)


@given(cells=COLUMN, rows=st.integers(1, 13), chosen=st.none() | st.sets(st.integers(0, 11), min_size=1))
@settings(max_examples=100, deadline=None)
def test_plain_numbers_come_apart_from_the_rest_and_are_those_of_the_block(
    cells: list[str | None], rows: int, chosen: set[int] | None
) -> None:
    names = ["a", "b", "c", "d"]
    frame = pl.DataFrame({"a": cells, "b": ["1"] * 12, "c": cells[::-1], "d": [f"{i}" for i in range(12)]})
    with Scratch() as scratch:
        table = stored(frame, scratch, rows, texts=("d",))
        table = table if chosen is None else table.take(np.array(sorted(chosen)))
        whole = table.plain("b")
        assert whole is not None
        assert whole.tolist() == [1.0] * len(table)
        assert table.plain("d") is None
        pairs = list(zip(table.blocks(names), table.portions(names, {"a", "b", "d"}), strict=True))
        for block, (rest, plain) in pairs:
            assert {"b"} <= {*plain.names} <= {"a", "b"}
            assert not np.isnan(plain.values).any()
            assert plain.beside(rest).frame.select(names).equals(block.frame)
            assert rest.first_row == block.first_row
            assert np.array_equal(rest.numbers, block.numbers)  # type: ignore[arg-type]
        plains = [plain.values[0] for _, plain in table.portions(["b"], {"b"})]  # nothing is left for the table
        assert np.concatenate(plains).tolist() == whole.tolist()


def test_what_may_be_codes_of_classes_stays_as_it_is_spelled() -> None:
    frame = pl.DataFrame({"codes": ["1", "2", "1.50"], "number": ["1", "2.50", "1"], "late": ["2.50", "1", "x"]})
    with Scratch() as scratch:
        table = store(lambda: blocks(frame, 2), lambda t: t.names, scratch, texts=(), codes=frame.columns)
        assert table.only(frame.columns).frame.dtypes == [pl.String, pl.Float64, pl.String]
        assert table.only(["late"]).frame.equals(frame.select("late"))


@pytest.mark.parametrize("at_once", [1, 40, 1 << 20])
def test_numbers_come_back_however_many_columns_are_written_at_a_time(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.data.stored.AT_ONCE", at_once)
    frame = pl.DataFrame({f"x{j}": [float(i * j) for i in range(5)] for j in range(5)})
    frame = frame.with_columns(
        x1=pl.Series([1.0, None, float("nan"), 4.0, 5.0]), x3=pl.Series([None, 1.0, 2.0, 3.0, 4.0])
    )
    with Scratch() as scratch:
        table = stored(frame, scratch, 2)
        assert table.only(frame.columns).frame.equals(frame)
        assert pl.concat(block.frame for block in table.blocks(frame.columns)).equals(frame)

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nncli.base.errors import DataError
from nncli.base.scratch import Scratch
from nncli.data.store.column_store import write_store
from tests.data.store.support import blocks, stored


def test_numeric_text_is_stored_as_float_and_notes_are_collected() -> None:
    frame = pl.DataFrame({"n": ["1", "2", None, "4"], "late": ["1", "2", "3", "x"], "t": ["a", "b", "c", "d"]})
    with Scratch() as scratch:
        table = stored(frame, scratch, 2)
        assert table.columns(["n", "late", "t"]).frame.dtypes == [pl.Float64, pl.String, pl.String]
        assert table.columns(["late"]).frame.equals(frame.select("late"))
        assert table.header.notes == ("block 0", "block 2")


def test_only_selected_columns_are_stored() -> None:
    with Scratch() as scratch:
        frame = pl.DataFrame({"a": ["1"], "b": ["2"]})
        table = write_store(lambda: blocks(frame, 1), lambda table: {"a"}, scratch, text_columns=())
        assert table.header.names == ["a", "b"]
        with pytest.raises(DataError, match="'c'"):
            table.columns(["c"])


class _Names(list[str]):
    """The names of columns, which count how often one of them is searched."""

    searches = 0

    def __contains__(self, name: object) -> bool:
        self.searches += 1
        return super().__contains__(name)


def test_columns_are_not_searched_in_a_list_of_all_names() -> None:
    names = _Names(["a", "b"])
    with Scratch() as scratch:
        frame = pl.DataFrame({"a": ["1"], "b": ["2"]})
        write_store(lambda: blocks(frame, 1), lambda table: names, scratch, text_columns=())
    assert names.searches == 0


def test_a_table_that_changes_between_two_reads_raises() -> None:
    frames = iter([pl.DataFrame({"a": ["1", "2", "x"]}), pl.DataFrame({"a": ["1"]})])
    with Scratch() as scratch, pytest.raises(DataError, match="changed"):
        write_store(lambda: blocks(next(frames), 1), lambda table: table.names, scratch, text_columns=())


def test_large_tables_are_written_to_an_unnamed_file_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.base.scratch.MAX_IN_MEMORY", 1)
    frame = pl.DataFrame({"a": ["1", "2", "3", "x"]})
    with Scratch(tmp_path) as scratch:
        assert stored(frame, scratch, 2).columns(["a"]).frame.equals(frame)
        assert not list(tmp_path.iterdir())  # it has no name


def test_columns_of_possible_class_ids_stay_text() -> None:
    frame = pl.DataFrame({"codes": ["1", "2", "1.50"], "number": ["1", "2.50", "1"], "late": ["2.50", "1", "x"]})
    with Scratch() as scratch:
        table = write_store(
            lambda: blocks(frame, 2), lambda t: t.names, scratch, text_columns=(), class_ids=frame.columns
        )
        assert table.columns(frame.columns).frame.dtypes == [pl.String, pl.Float64, pl.String]
        assert table.columns(["late"]).frame.equals(frame.select("late"))


@pytest.mark.parametrize("write_bytes", [1, 40, 1 << 20])
def test_numbers_are_unchanged_for_any_number_of_columns_per_write(
    write_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.data.store.column_store.WRITE_BYTES", write_bytes)
    frame = pl.DataFrame({f"x{j}": [float(i * j) for i in range(5)] for j in range(5)})
    frame = frame.with_columns(
        x1=pl.Series([1.0, None, float("nan"), 4.0, 5.0]), x3=pl.Series([None, 1.0, 2.0, 3.0, 4.0])
    )
    with Scratch() as scratch:
        table = stored(frame, scratch, 2)
        assert table.columns(frame.columns).frame.equals(frame)
        assert pl.concat(block.frame for block in table.blocks(frame.columns)).equals(frame)

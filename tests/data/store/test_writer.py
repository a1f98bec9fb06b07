"""What of a table is written down as it is read, and how."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nncli.data.store.scratch import Scratch
from nncli.data.store.writer import write_store
from nncli.errors import DataError
from tests.data.store.support import blocks, stored


def test_columns_that_are_numbers_are_kept_as_such_and_the_notes_gathered() -> None:
    frame = pl.DataFrame({"n": ["1", "2", None, "4"], "late": ["1", "2", "3", "x"], "t": ["a", "b", "c", "d"]})
    with Scratch() as scratch:
        table = stored(frame, scratch, 2)
        assert table.columns(["n", "late", "t"]).frame.dtypes == [pl.Float64, pl.String, pl.String]
        assert table.columns(["late"]).frame.equals(frame.select("late"))
        assert table.header.notes == ("block 0", "block 2")


def test_only_what_is_kept_is_there_and_a_missing_column_is_named() -> None:
    with Scratch() as scratch:
        frame = pl.DataFrame({"a": ["1"], "b": ["2"]})
        table = write_store(lambda: blocks(frame, 1), lambda table: {"a"}, scratch, text_columns=())
        assert table.header.names == ["a", "b"]
        with pytest.raises(DataError, match="no column 'c'"):
            table.columns(["c"])


def test_a_table_that_changes_between_two_readings_is_refused() -> None:
    frames = iter([pl.DataFrame({"a": ["1", "2", "x"]}), pl.DataFrame({"a": ["1"]})])
    with Scratch() as scratch, pytest.raises(DataError, match="changed while it was read"):
        write_store(lambda: blocks(next(frames), 1), lambda table: table.names, scratch, text_columns=())


def test_what_does_not_fit_in_memory_goes_to_a_file_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.data.store.scratch.MAX_IN_MEMORY", 1)
    frame = pl.DataFrame({"a": ["1", "2", "3", "x"]})
    with Scratch(tmp_path) as scratch:
        assert stored(frame, scratch, 2).columns(["a"]).frame.equals(frame)
        assert not list(tmp_path.iterdir())  # it has no name


def test_what_may_be_codes_of_classes_stays_as_it_is_spelled() -> None:
    frame = pl.DataFrame({"codes": ["1", "2", "1.50"], "number": ["1", "2.50", "1"], "late": ["2.50", "1", "x"]})
    with Scratch() as scratch:
        table = write_store(
            lambda: blocks(frame, 2), lambda t: t.names, scratch, text_columns=(), class_ids=frame.columns
        )
        assert table.columns(frame.columns).frame.dtypes == [pl.String, pl.Float64, pl.String]
        assert table.columns(["late"]).frame.equals(frame.select("late"))


@pytest.mark.parametrize("at_once", [1, 40, 1 << 20])
def test_numbers_come_back_however_many_columns_are_written_at_a_time(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.data.store.writer.WRITE_BYTES", at_once)
    frame = pl.DataFrame({f"x{j}": [float(i * j) for i in range(5)] for j in range(5)})
    frame = frame.with_columns(
        x1=pl.Series([1.0, None, float("nan"), 4.0, 5.0]), x3=pl.Series([None, 1.0, 2.0, 3.0, 4.0])
    )
    with Scratch() as scratch:
        table = stored(frame, scratch, 2)
        assert table.columns(frame.columns).frame.equals(frame)
        assert pl.concat(block.frame for block in table.blocks(frame.columns)).equals(frame)

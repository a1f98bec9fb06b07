from __future__ import annotations

import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import DataError
from nncli.data.formats.read_options import ReadOptions
from nncli.data.sources.database.column_types import blocks_of
from nncli.data.sources.database.reader import digest_of, write_rows

ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(-9, 9),
        st.none() | st.floats(allow_nan=True),
        st.none() | st.sampled_from(["", "a", "longer than twelve bytes"]),
        st.none() | st.booleans(),
        st.none() | st.lists(st.none() | st.integers(0, 3), max_size=2),
        st.none() | st.binary(max_size=3),
        st.none() | st.fixed_dictionaries({"k": st.none() | st.integers(0, 3), "t": st.none() | st.text(max_size=2)}),
        st.none() | st.dates(),
        st.lists(st.integers(0, 3), min_size=2, max_size=2),
    ),
    max_size=20,
)
SCHEMA: dict[str, Any] = {"i": pl.Int64, "x": pl.Float64, "s": pl.String, "b": pl.Boolean, "l": pl.List(pl.Int64)}
SCHEMA |= {"y": pl.Binary, "r": pl.Struct({"k": pl.Int64, "t": pl.String}), "d": pl.Date, "f": pl.Array(pl.Int64, 2)}


def parts(frame: pl.DataFrame, cuts: list[int]) -> list[pl.DataFrame]:
    """The rows in parts, as a driver might return them."""
    bounds = [0, *sorted(min(cut, frame.height) for cut in cuts), frame.height]
    return [frame[start:stop].clone() for start, stop in pairwise(bounds)]


@pytest.mark.slow
@given(ROWS, st.lists(st.integers(0, 20), max_size=5), st.lists(st.integers(0, 20), max_size=5), st.integers(1, 25))
def test_the_digest_depends_on_the_rows_and_not_on_their_batches(
    rows: list[tuple[object, ...]], cuts: list[int], other_cuts: list[int], block: int
) -> None:
    frame = pl.DataFrame(rows, SCHEMA, orient="row")
    with patch("nncli.data.sources.database.column_types.BLOCK_ROWS", block):
        blocks = list(blocks_of(parts(frame, cuts)))
        assert pl.concat(blocks).equals(frame, null_equal=True)
        assert all(part.height == block for part in blocks[:-1])
        # Each batch as if it came from the driver by itself.
        other = [pl.DataFrame(part.rows(), SCHEMA, orient="row") for part in parts(frame, other_cuts)]
        assert digest_of(parts(frame, cuts)) == digest_of(other)


def test_other_rows_order_names_and_types_have_another_digest() -> None:
    frame = pl.DataFrame({"a": [1, 2, None], "b": ["x", "", None]})
    others = [
        frame.reverse(),
        frame[:2],
        frame.rename({"a": "c"}),
        frame.cast({"a": pl.Float64}),
        frame.fill_null(0),
        frame.with_columns(b=pl.Series(["x", None, ""])),
    ]
    digests = {digest_of([other]) for other in (frame, *others)}
    assert len(digests) == 1 + len(others)


def test_a_copy_can_be_sent_to_another_process_and_read_twice(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": range(10), "b": ["NA", "x"] * 5})
    with (
        patch("nncli.data.sources.database.reader.BLOCK_ROWS", 4),
        patch("nncli.data.sources.database.column_types.BLOCK_ROWS", 4),
    ):
        reader = pickle.loads(pickle.dumps(write_rows([frame], tmp_path, "shop (sales)")))
        for _ in range(2):
            tables = list(reader.read(ReadOptions(missing_values=("NA",))))
            assert [table.first_row for table in tables] == [1, 5, 9]
            assert {table.source for table in tables} == {"shop (sales)"}
            assert pl.concat([table.frame for table in tables])["b"].to_list() == [None, "x"] * 5


def test_a_second_copy_leaves_no_files_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.data.sources.database.column_types.BLOCK_ROWS", 4)
    for rows in (20, 6):
        reader = write_rows([pl.DataFrame({"a": range(rows)})], tmp_path, "shop (sales)")
    assert {path.name for path in tmp_path.iterdir()} == {"0.arrow", "1.arrow"}
    assert sum(len(table) for table in reader.read(ReadOptions())) == 6


def test_a_copy_that_is_gone_is_a_data_error(tmp_path: Path) -> None:
    reader = write_rows([pl.DataFrame({"a": [1]})], tmp_path, "shop (sales)")
    (tmp_path / "0.arrow").unlink()
    with pytest.raises(DataError, match="no such file"):
        list(reader.read(ReadOptions()))

"""Many columns at once have the profiles of one after the other, in a bounded time for each."""

from __future__ import annotations

import time
from dataclasses import asdict

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.scratch import Scratch
from nncli.data.profile import ColumnProfile, histogram_of, profile, profile_column, profile_numbers
from nncli.data.store.column_store import DenseColumns, write_store
from nncli.data.table import Table

VALUES = st.sampled_from([0.0, -0.0, 1.0, 2.0, 3.0, 0.5, -7.25, 99.0, 1e-300, 2.0**53, 1e12]) | st.floats(-1e9, 1e9)


def check_profiles(frame: pl.DataFrame) -> None:
    """The profiles of all columns are those of single ones, up to the rounding of sums."""
    with Scratch() as scratch:
        table = write_store(lambda: iter([Table(frame, "t")]), lambda t: t.names, scratch, text_columns=())
        for result in profile(table):
            expected = profile_column(table.columns([result.name]), result.name)
            assert statistics(result) == statistics(expected)
            if expected.mean is not None:
                assert result.mean == pytest.approx(expected.mean, rel=1e-12, abs=1e-6)
                assert result.median == pytest.approx(expected.median)


def statistics(column: ColumnProfile) -> dict[str, object]:
    values = {key: value for key, value in asdict(column).items() if key not in ("mean", "median")}
    return {key: value + 0.0 if isinstance(value, float) else str(value) for key, value in values.items()}  # no -0


@pytest.mark.slow
@given(
    st.integers(1, 30).flatmap(lambda n: st.lists(st.lists(VALUES, min_size=n, max_size=n), min_size=2, max_size=5)),
    st.permutations(["id", "a", "b", "time", "^.*$"]),
)
def test_stored_columns_have_the_profiles_of_single_ones(columns: list[list[float]], names: list[str]) -> None:
    check_profiles(pl.DataFrame(dict(zip(names, columns, strict=False))))


@pytest.mark.parametrize("rows", [2, 19, 20, 21, 300])
def test_typical_columns_have_the_profiles_of_single_ones(rows: int) -> None:
    rng = np.random.default_rng(rows)
    columns = {
        "normal": rng.normal(size=rows),
        "money": np.exp(rng.normal(size=rows) * 4.0),
        "digit": rng.integers(0, 10, rows).astype(float),
        "flag": rng.integers(0, 2, rows).astype(float),
        "row": np.arange(rows).astype(float),
        "id": rng.permutation(rows).astype(float) + 100.0,
        "constant": np.full(rows, 3.0),
        "missing": [None, *np.arange(rows - 1).astype(float)],
        "word": ["a"] * rows,
    }
    check_profiles(pl.DataFrame(columns))


def test_bars_count_every_number() -> None:
    assert histogram_of(np.array([])) == ()
    assert histogram_of(np.array([0.0, 2.0, 2.0])) == (1, 0, 2)
    assert sum(histogram_of(np.random.default_rng(0).normal(size=500))) == 500


@pytest.mark.slow
def test_a_column_takes_less_than_a_tenth_of_a_millisecond_to_profile() -> None:
    x = np.random.default_rng(0).normal(size=(4000, 10))
    dense = DenseColumns([f"x{j}" for j in range(len(x))], x)

    def seconds() -> float:
        start = time.process_time()
        profile_numbers(dense)
        return time.process_time() - start

    assert min(seconds() for _ in range(3)) < len(x) * 1e-4

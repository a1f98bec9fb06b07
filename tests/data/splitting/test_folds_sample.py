from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from nncli.data.splitting.folds import RowSample, Sample

TARGETS = st.lists(st.integers(0, 5), min_size=1, max_size=80).map(lambda values: pl.Series(values, dtype=pl.Int64))


@given(TARGETS, st.integers(1, 90), st.integers(0, 9))
def test_a_sample_has_its_number_of_rows_in_order_and_repeats_with_its_seed(
    target: pl.Series, rows: int, seed: int
) -> None:
    drawn = Sample(rows=rows, seed=seed).draw(target)
    assert len(drawn) == min(rows, len(target))
    assert (np.diff(drawn) > 0).all()
    assert drawn.tolist() == Sample(rows=rows, seed=seed).draw(target).tolist()


def test_another_seed_draws_other_rows() -> None:
    target = pl.Series(np.linspace(0.0, 1.0, 5_000))
    assert Sample(rows=50).draw(target).tolist() != Sample(rows=50, seed=1).draw(target).tolist()


def test_every_class_keeps_its_share_and_a_rare_one_at_least_a_row() -> None:
    target = pl.Series(["a"] * 600 + ["b"] * 399 + ["c"])
    counts = dict(target[Sample(rows=100).draw(target).tolist()].value_counts().iter_rows())
    assert counts == {"a": 60, "b": 39, "c": 1}


def test_a_number_stands_for_a_sample_of_that_many_rows() -> None:
    assert TypeAdapter(RowSample).validate_python(7) == Sample(rows=7)
    with pytest.raises(ValidationError):
        TypeAdapter(RowSample).validate_python(True)

"""Many numeric columns at once: the bits of one after the other, and a bounded time for each."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from nncli.base.errors import DataError
from nncli.base.median import MIN_SAMPLED_SIZE
from nncli.data.encoders import numeric as numeric_blocks
from nncli.data.encoders.column_types import Column
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.encoding_options import Clip, NumericScaling
from nncli.data.encoders.numeric import NumericColumn, columns_at_once, fit_dense
from nncli.data.store.column_store import DenseColumns
from nncli.data.table import Table
from nncli.models.model import hash_rows
from nncli.nn.arrays import Floats
from nncli.targets.number import RegressionTarget
from nncli.targets.target_base import FitOptions
from tests.data.encoders.support import CLIPS, SCALINGS

VALUES = st.floats(-1e30, 1e30) | st.sampled_from([0.0, -0.0, 1.0, 2.0, 1e-300, 1.5e308, -1.5e308])


@given(
    x=arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=VALUES),
    scaling=st.sampled_from(SCALINGS),
    clip=st.sampled_from(CLIPS),
    limit=st.sampled_from([4, MIN_SAMPLED_SIZE]),
)
def test_columns_fitted_at_once_equal_those_fitted_one_by_one(
    x: Floats, scaling: NumericScaling, clip: Clip, limit: int
) -> None:
    dense = DenseColumns([f"x{j}" for j in range(len(x))], x)
    table = Table(pl.DataFrame(dict(zip(dense.names, x, strict=True))), "t.csv")

    def outcome(fit: Callable[[], list[NumericColumn]]) -> list[NumericColumn] | str:
        try:
            return fit()
        except DataError as error:
            return str(error)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numeric_blocks, "MIN_SAMPLED_SIZE", limit)
        at_once = outcome(lambda: fit_dense(table, dense, scaling, clip))
    assert at_once == outcome(
        lambda: [NumericColumn.fit_values(table, n, v, scaling, clip) for n, v in zip(dense.names, x, strict=True)]
    )


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("rows", [1, 7, 400, 5000])
def test_columns_of_many_rows_have_the_same_bits_too(scaling: NumericScaling, rows: int) -> None:
    x = np.random.default_rng(rows).normal(size=(5, rows)).round(2) * 1e3
    names = list("abcde")
    table = Table(pl.DataFrame(dict(zip(names, x, strict=True))), "t.csv")
    expected = [NumericColumn.fit_values(table, n, v, scaling, "none") for n, v in zip(names, x, strict=True)]
    assert fit_dense(table, DenseColumns(names, x), scaling, "none") == expected


def test_few_columns_of_many_rows_are_fitted_at_once() -> None:
    assert columns_at_once(10) > 1000
    assert columns_at_once(400) > 100
    assert columns_at_once(MIN_SAMPLED_SIZE) > 1
    assert columns_at_once(MIN_SAMPLED_SIZE + 1) == 1


@pytest.mark.slow
def test_a_column_takes_less_than_a_tenth_of_a_millisecond_to_fit_encode_and_recognize() -> None:
    n_columns = 4000
    x = np.random.default_rng(0).normal(size=(n_columns, 10))
    names = [f"x{j}" for j in range(n_columns)]
    table = Table(pl.DataFrame({**dict(zip(names, x, strict=True)), "y": x[0]}), "t.csv")
    target = RegressionTarget.fit(table, ("y",), FitOptions("none"))

    def seconds() -> npt.NDArray[np.float64]:
        times = [time.process_time()]
        columns: list[Column] = [*fit_dense(table, DenseColumns(names, x), "robust", "smooth")]
        encoder = Encoder(columns=tuple(columns))
        times.append(time.process_time())
        encoder.encode(table, "float32")
        times.append(time.process_time())
        hash_rows(encoder, target, table)
        return np.diff([*times, time.process_time()])

    least = np.min([seconds() for _ in range(3)], axis=0)
    assert (least < n_columns * 1e-4).all()

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.data.encoders.date import (
    CYCLES,
    DAYS_PER_YEAR,
    Cycle,
    DateColumn,
    lower_calendar,
    lower_cycle,
    lower_shift_into_range,
)
from nncli.data.encoders.encoding_options import EncodingOptions
from nncli.data.encoders.numeric import NumericColumn
from nncli.data.number_and_date_forms import FIRST_DAY, LAST_DAY, MICROSECONDS_PER_DAY
from nncli.data.table import Table
from tests.nn.program.support import compute

DAYS = st.lists(st.floats(FIRST_DAY, LAST_DAY), min_size=1, max_size=40)


@given(DAYS)
@settings(deadline=None)
def test_the_calendar_is_that_of_numpy(days: list[float]) -> None:
    x = np.array(days)
    dates = np.floor(x).astype(np.int64).astype("datetime64[D]")
    years, months = (dates.astype(f"datetime64[{unit}]").astype(np.int64) for unit in ("Y", "M"))
    assert compute(lambda v: lower_calendar(v).year, x[:, None])[:, 0].tolist() == (years + 1970).tolist()
    assert compute(lambda v: lower_calendar(v).month, x[:, None])[:, 0].tolist() == (months % 12 + 1).tolist()


def test_the_first_and_the_last_day_and_leap_days_are_right() -> None:
    days = np.array([[FIRST_DAY], [LAST_DAY], [11_016.0], [11_016.999], [11_017.0], [-1.0]])  # 2000-02-29, 1969-12-31
    assert compute(lambda v: lower_calendar(v).year, days)[:, 0].tolist() == [1, 9999, 2000, 2000, 2000, 1969]
    assert compute(lambda v: lower_calendar(v).month, days)[:, 0].tolist() == [1, 12, 2, 2, 3, 12]


@pytest.mark.parametrize("cycle", CYCLES)
@given(days=DAYS)
@settings(deadline=None)
def test_the_positions_in_the_cycles_have_the_same_bits(cycle: Cycle, days: list[float]) -> None:
    x = np.array(days)
    assert compute(lambda v: lower_cycle(cycle, v), x[:, None])[:, 0].tolist() == CYCLES[cycle](x).tolist()


@given(DAYS, st.integers(0, 800))
@settings(deadline=None)
def test_dates_outside_of_the_range_are_shifted_as_the_encoder_does(days: list[float], length: int) -> None:
    span = NumericColumn(
        name="d", center=0.0, scale=1.0, fill_value=0.0, missing_indicator=False, lowest=0.0, highest=float(length)
    )
    column = DateColumn(name="d", date_format="iso", origin=10_000.0, days=span, year=None, cycles=())
    x = np.array([*days, 10_000.0, 10_000.0 + length, 10_000.0 + length + 73_048.5, 10_000.0 - 73_048.0])
    lowered = compute(lambda v: lower_shift_into_range(v, 10_000.0, 10_000.0 + length, DAYS_PER_YEAR), x[:, None])
    assert lowered[:, 0].tolist() == column._shift_into_range(x).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("out_of_range", ["extrapolate", "nearest_year"])
@pytest.mark.parametrize("scaling", ["robust", "standard"])
@given(days=st.lists(st.floats(FIRST_DAY, LAST_DAY), min_size=2, max_size=40), step=st.sampled_from([1e-5, 1.0, 366.0]))
@settings(deadline=None)
def test_in_order_no_column_falls_from_a_date_to_a_later_one(
    days: list[float], step: float, scaling: Any, out_of_range: Any
) -> None:
    dates = [datetime(1970, 1, 1) + timedelta(day) for day in (-200.5, 15_000.0, 15_300.25, 19_000.0)]
    options = EncodingOptions(numeric=scaling, clip="smooth", out_of_range_dates=out_of_range)
    plain = DateColumn.fit(Table(pl.DataFrame({"d": dates}), "t"), "d", options)
    column = plain.in_order()
    assert plain.cycles
    assert column.features == ("d: days", "d: year")
    x = np.minimum(np.sort([*days, *np.add(days, step)]), LAST_DAY + 0.5)
    stamps = pl.Series((x * MICROSECONDS_PER_DAY).astype(np.int64)).cast(pl.Datetime("us"))
    out = np.empty((len(x), column.width))
    column.encode(Table(pl.DataFrame({"d": stamps}), "t"), out)
    lowered = compute(lambda v: column.lower(v, DateColumn.program_input([column])), x[:, None])
    for columns in (out, lowered):
        assert (np.diff(columns, axis=0) >= 0.0).all()
    assert (np.abs(out) <= 3.0).all()

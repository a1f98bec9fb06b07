from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nncli.base.errors import CellError, DataError
from nncli.data.dialect import CsvDialect
from nncli.data.encoders.column_types import ColumnType
from nncli.data.encoders.date import DateColumn, read_days
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.encoding_options import EncodingOptions
from nncli.data.number_and_date_forms import ISO, LAST_DAY, MONTH_FORMATS
from nncli.data.table import Table
from tests.assertions import raises


def table(cells: Sequence[Any] | pl.Series, date_format: str = "auto") -> Table:
    return Table(pl.DataFrame({"when": cells}), "t.csv", dialect=CsvDialect(date_format=date_format))


def fitted(cells: Sequence[Any] | pl.Series) -> DateColumn:
    return DateColumn.fit(table(cells), "when")


def encoded(column: DateColumn, cells: Sequence[Any] | pl.Series) -> list[list[float]]:
    out = np.full((len(cells), column.width), np.nan)
    column.encode(table(cells), out)
    return [[round(x, 4) for x in row] for row in out.tolist()]


def test_a_date_becomes_its_days_its_year_and_its_cycles() -> None:
    column = DateColumn.fit(table(["2023-10-01 06:00", "2024-01-01 12:00"]), "when", EncodingOptions(numeric="none"))
    assert column.features == (
        "when: days",
        "when: year",
        *("when: month, sine", "when: month, cosine"),
        *("when: weekday, sine", "when: weekday, cosine"),
        *("when: hour, sine", "when: hour, cosine"),
    )
    sunday, monday = encoded(column, ["2023-10-01 06:00", "2024-01-01 12:00"])
    assert sunday == [
        0.25,
        2023.0,
        -1.0,
        0.0,
        round(np.sin(12 * np.pi / 7), 4),
        round(np.cos(12 * np.pi / 7), 4),
        1.0,
        0.0,
    ]
    assert monday == [92.5, 2024.0, 0.0, 1.0, 0.0, 1.0, 0.0, -1.0]


def test_what_training_rows_do_not_differ_in_has_no_part() -> None:
    assert fitted(["2024-03-04", "2024-03-11"]).features == ("when: days",)
    assert fitted(["2024-03-04", "2024-04-01"]).features == ("when: days", "when: month, sine", "when: month, cosine")
    assert fitted(["2023-05-01 10:00", "2023-05-01 11:00"]).cycles == ("hour",)
    assert fitted(["2024-03-04", "2024-03-04"]).features == ("when: days",)


def test_days_and_years_are_numbers_that_may_be_embedded_and_nothing_else_is() -> None:
    frame = pl.DataFrame({"when": ["2023-05-01", "2024-06-01", None], "x": [1.0, 2.0, 3.0]})
    encoder = Encoder.fit(Table(frame, "t"), [("when", ColumnType.DATE), ("x", ColumnType.NUMERIC)])
    assert [encoder.features[j] for j in encoder.embeddable_positions] == ["when: days", "when: year", "x"]
    assert len(encoder.features) == encoder.width == sum(column.width for column in encoder.columns)


def test_a_missing_date_becomes_the_median_and_is_told() -> None:
    column = fitted(["2024-01-01", "2024-01-02", "2024-01-03", None])
    assert column.features[-1] == "when is missing"
    *_, second, _, missing = encoded(column, ["2024-01-01", "2024-01-02", "2024-01-03", None])
    assert second[:-1] == missing[:-1]
    assert (second[-1], missing[-1]) == (0.0, 1.0)


def test_a_column_without_a_date_is_zeros() -> None:
    column = fitted(pl.Series([None, None], dtype=pl.String))
    assert column.features == ("when: days", "when is missing")
    assert encoded(column, pl.Series([None, "2024-01-01"])) == [[0.0, 1.0], [19723.0, 0.0]]


def test_dates_outside_the_training_range_and_missing_ones_are_counted() -> None:
    encoder = Encoder.fit(table(["2024-01-01", "2024-12-31"]), [("when", ColumnType.DATE)])
    X, _, anomalies = encoder.encode(table(["2023-12-31", "2024-06-01", "2025-02-28", None]), "float32")
    assert np.isfinite(X).all()
    assert anomalies.note == (
        "2 values lie outside the training range ('when': 2 (new minimum 2023-12-31, new maximum 2025-02-28)); "
        "1 cell is missing where training had every cell ('when': 1)"
    )


def test_dates_outside_the_training_range_are_told_from_one_end_too() -> None:
    encoder = Encoder.fit(table(["2024-01-01", "2024-12-31"]), [("when", ColumnType.DATE)])
    for cell, said in (("9999-12-31", "new maximum 9999-12-31"), ("0001-01-01 10:00", "new minimum 0001-01-01")):
        anomalies = encoder.encode(table([cell]), "float32").anomalies
        assert anomalies.note == f"1 value lies outside the training range ('when': 1 ({said}))"
        assert (anomalies + anomalies).note == f"2 values lie outside the training range ('when': 2 ({said}))"
        assert (anomalies & anomalies).note == anomalies.note


@pytest.mark.slow
@given(st.lists(st.datetimes(), min_size=1, max_size=12), st.sampled_from(["ms", "us", "ns"]))
def test_typed_moments_and_their_spelling_are_the_same(moments: list[datetime], unit: Any) -> None:
    moments = [m.replace(microsecond=m.microsecond // 1000 * 1000) for m in moments]
    if unit == "ns":
        moments = [m.replace(year=1700 + m.year % 500, day=min(m.day, 28)) for m in moments]
    typed = read_days(table(pl.Series(moments, dtype=pl.Datetime(unit))), "when", ISO)
    text = read_days(table([m.isoformat() for m in moments]), "when", ISO)
    assert typed.tolist() == text.tolist()


@given(st.lists(st.dates(), min_size=1, max_size=12))
def test_every_day_from_year_1_to_9999_has_its_parts(days: list[date]) -> None:
    column = DateColumn.fit(table(days), "when", EncodingOptions(numeric="none"))
    out = np.empty((len(days), column.width))
    column.encode(table(days), out)
    assert (out[:, 0] + column.origin).tolist() == [d.toordinal() - 719_163 for d in days]
    if column.year is not None:
        assert out[:, 1].tolist() == [d.year for d in days]
    at = dict(zip(column.features, out.T, strict=True))
    for cycle, n, of in (("month", 12, [d.month - 1 for d in days]), ("weekday", 7, [d.weekday() for d in days])):
        if cycle in column.cycles:
            angle = np.arctan2(at[f"when: {cycle}, sine"], at[f"when: {cycle}, cosine"])
            assert (np.rint(angle * n / (2 * np.pi)).astype(int) % n).tolist() == of


def test_zones_are_utc_and_a_clock_that_goes_back_makes_no_moment_twice() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first = datetime(2024, 10, 27, 2, 30, tzinfo=berlin)
    hours = [first.astimezone(UTC) + timedelta(hours=h) for h in range(2)]  # 2:30 twice in Berlin
    typed = pl.Series([h.astimezone(berlin) for h in hours], dtype=pl.Datetime("us", "Europe/Berlin"))
    text = [h.astimezone(berlin).isoformat() for h in hours]
    assert text == ["2024-10-27T02:30:00+02:00", "2024-10-27T02:30:00+01:00"]
    assert read_days(table(typed), "when", ISO).tolist() == read_days(table(text), "when", ISO).tolist()
    assert np.diff(read_days(table(typed), "when", ISO))[0] == pytest.approx(1 / 24)


@pytest.mark.parametrize(
    ("cells", "row", "odd"),
    [
        (["2024-01-01", "soon"], 2, "'soon' is not a date in ISO 8601"),
        (["2024-02-30"], 1, "'2024-02-30'"),
        ([1.5], 1, "'1.5'"),
        ([True], 1, "'True'"),
        (pl.Series([None, 3_000_000], dtype=pl.Int32).cast(pl.Date), 2, "not within the years 1 to 9999"),
        (pl.Series([2**62], dtype=pl.Int64).cast(pl.Datetime("ms")), 1, "not within the years 1 to 9999"),
    ],
)
def test_a_cell_that_is_no_date_is_named(cells: Any, row: int, odd: str) -> None:
    some = table(cells)
    with pytest.raises(DataError) as caught:
        read_days(some, "when", [ISO])
    assert odd in caught.value.message
    assert caught.value.location == some.location(row=row - 1, column="when")
    assert ("date_format" in (caught.value.hint or "")) == ("'" in odd)


def test_which_is_the_day_can_be_said_and_is_asked_for() -> None:
    cells = ["03/04/2024", "05/06/2024"]
    with pytest.raises(DataError, match="the date '03/04/2024' is ambiguous") as caught:
        fitted(cells)
    hinted = re.findall("--set data.date_format=([^ ,]+)", caught.value.hint or "")
    assert hinted == ["%d/%m/%Y", "%m/%d/%Y"]
    april, march = (read_days(table(cells), "when", [form])[0] for form in hinted)
    assert (april, march) == (19816.0, 19786.0)


def test_the_form_of_training_holds_for_other_rows() -> None:
    column = fitted(["31.12.2024", "01.01.2024"])
    assert column.date_format == "%d.%m.%Y"
    assert encoded(column, ["1.2.2024"]) == encoded(column, [date(2024, 2, 1)])
    assert encoded(column, ["2024-02-01"]) == encoded(column, [date(2024, 2, 1)])
    assert encoded(column, ["13/02/2024 12:00"]) == encoded(column, [datetime(2024, 2, 13, 12)])
    with raises(CellError, file="t.csv", row=2, column="when", mentions="%d.%m.%Y"):
        column.encode(table(["31/01/2024", "01/02/2024"]), np.empty((2, column.width)))


@pytest.mark.slow
@pytest.mark.parametrize("form", MONTH_FORMATS)
def test_a_model_of_months_reads_them_in_any_format(form: str) -> None:
    months = [date(2014 + i // 12, 1 + i % 12, 1) for i in range(40)]
    column = fitted([month.strftime(form.replace("%B", "%b")) for month in months])
    assert column.formats[0] == column.date_format == form
    spellings = ["2017-06", "2017/06", "06/2017", "6/2017", "06-2017", "06.2017", "Jun 2017", "June 2017", "Jun-2017"]
    assert encoded(column, spellings) == encoded(column, ["2017-06-01"] * len(spellings))
    for cell in ("13.2017", "2017/18", "201706"):
        with pytest.raises(CellError):
            encoded(column, [cell])


def test_a_model_of_days_reads_no_months_of_digits() -> None:
    with pytest.raises(CellError):
        encoded(fitted(["2017-06-01", "2018-07-02"]), ["06/2017"])


def test_a_column_of_several_formats_keeps_all_of_them() -> None:
    cells = ["2024-02-01", "2024-02-02", "31/01/2024", "Jan 1, 2024", None]
    column = fitted(cells)
    assert (column.date_format, column.other_formats) == ("iso", ("%d/%m/%Y", "%B %d, %Y"))
    days = [date(2024, 2, 1), date(2024, 2, 2), date(2024, 1, 31), date(2024, 1, 1), None]
    assert encoded(column, cells) == encoded(column, days)
    assert encoded(column, ["01/02/2024"]) == encoded(column, [date(2024, 2, 1)])
    assert DateColumn.model_validate_json(column.model_dump_json()) == column
    older = column.model_dump()
    del older["other_formats"]
    assert DateColumn.model_validate(older).formats == ("iso",)


def test_whole_numbers_are_dates_where_a_form_says_so() -> None:
    said = table([20240229, 20240301], "%Y%m%d")
    assert DateColumn.fit(said, "when").date_format == "%Y%m%d"


def test_a_column_whose_parts_do_not_fit_is_damaged() -> None:
    column = fitted(["2024-01-01", "2024-02-02"])
    assert DateColumn.model_validate_json(column.model_dump_json()) == column
    with pytest.raises(ValidationError, match="more than once"):
        DateColumn.model_validate(column.model_dump() | {"cycles": ("month", "month")})
    with pytest.raises(ValidationError, match="not within the years"):
        DateColumn.model_validate(column.model_dump() | {"origin": 1e300})
    with pytest.raises(ValidationError, match="a date format has"):
        DateColumn.model_validate(column.model_dump() | {"date_format": "%Q"})


def numbers_of(column: DateColumn, cells: Sequence[Any]) -> list[list[float]]:
    """The scaled days and year of each date."""
    out = np.empty((len(cells), column.width))
    column.encode(table(cells), out)
    return [[float(x) for x in row] for row in out[:, : column.n_numeric]]


def test_dates_out_of_range_have_the_days_and_year_of_the_nearest_year_and_are_still_counted() -> None:
    training = table([f"{2019 + i // 12}-{1 + i % 12:02}-15" for i in range(36)])
    column = DateColumn.fit(training, "when", EncodingOptions(out_of_range_dates="nearest_year"))
    odd, near = ["2022-06-15", "2030-03-15", "2018-12-15", "1990-06-15"], ["2021-06-15", "2021-03-15", "2019-12-15"]
    assert numbers_of(column, odd) == numbers_of(column, [*near, "2019-06-15"])
    inside = ["2019-01-15", "2020-02-29", "2021-12-15"]
    unshifted = DateColumn.fit(training, "when")
    assert numbers_of(column, inside) == numbers_of(unshifted, inside)
    assert numbers_of(column, odd) != numbers_of(unshifted, odd)
    out = np.empty((2, column.width))
    result = column.encode(table(["2030-06-02", "2030-12-02"]), out)
    assert (out[0, column.n_numeric :] != out[1, column.n_numeric :]).any()
    assert result.out_of_range == 2


def test_dates_outside_a_range_of_less_than_a_year_become_its_nearest_end() -> None:
    options = EncodingOptions(out_of_range_dates="nearest_year")
    column = DateColumn.fit(table(["2020-03-01", "2020-04-07", "2020-06-30"]), "when", options)
    assert numbers_of(column, ["2021-01-01", "1999-01-01"]) == numbers_of(column, ["2020-06-30", "2020-03-01"])
    assert numbers_of(column, ["2021-05-01"]) == numbers_of(column, ["2020-05-01"])


@given(st.lists(st.dates(), min_size=1, max_size=9), st.lists(st.dates(), min_size=1, max_size=9))
def test_dates_out_of_range_are_shifted_into_it(training: list[date], others: list[date]) -> None:
    options = EncodingOptions(numeric="none", out_of_range_dates="nearest_year")
    column = DateColumn.fit(table(training), "when", options)
    lowest, highest = column.days.range
    assert all(lowest <= numbers[0] <= highest for numbers in numbers_of(column, others))


def test_the_last_moment_of_year_9999_is_of_that_year() -> None:
    column = fitted(["2023-05-01", "9999-12-31"])
    last = table(["9999-12-31 23:59:59.999999"])
    assert np.floor(read_days(last, "when", column.formats)).tolist() == [LAST_DAY]
    assert column.encode(last, np.empty((1, column.width))).out_of_range == 1
    assert encoded(column, ["9999-12-31 23:59:59.999999"])[0][1] == encoded(column, ["9999-12-31"])[0][1]


def test_the_typical_date_of_an_export_is_a_whole_day_if_no_date_has_a_time() -> None:
    input_of = DateColumn.program_input
    assert input_of([fitted(["2023-05-01", "2023-05-02"])]).typical == 19_478.0
    assert input_of([fitted(["2023-05-01 06:00", "2023-05-01 18:00"])]).typical == 19_478.5

"""Few rows have the bits, the anomalies and the errors of many, for all kinds of columns."""

from __future__ import annotations

import tracemalloc
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.base.errors import NncliError
from nncli.data.dialect import CsvDialect
from nncli.data.encoders.column_types import ColumnType
from nncli.data.encoders.encoder import Encoded, Encoder
from nncli.data.encoders.encoding_options import CategoricalOptions, EncodingOptions
from nncli.data.encoders.small_batch_encoder import SmallBatchEncoder
from nncli.data.encoders.text import TextColumn
from nncli.data.table import Table
from tests.data.encoders.support import CLIPS, RECIPE, SCALINGS

N = 120
rng = np.random.default_rng(0)
CITIES = [None if i % 17 == 0 else ["Rome", "Oslo", "Bern", "3", "4.50"][i % 5] for i in range(N)]
TRAINING = pl.DataFrame(
    {
        "whole": pl.Series(rng.normal(5.0, 2.0, N)),
        "gaps": pl.Series([None if i % 7 == 0 else float(i % 23) for i in range(N)], dtype=pl.Float64),
        "constant": pl.Series([2.5] * N),
        "flag": pl.Series([float(i % 2) for i in range(N)]),
        "price": pl.Series([f"${i % 9}.50" for i in range(N)]),
        "percent": pl.Series([f"{i % 30} %" for i in range(N)]),
        "late": pl.Series([float(i) for i in range(N)]),
        "empty": pl.Series([None] * N, dtype=pl.Float64),
        "city": pl.Series(CITIES, dtype=pl.String),
        "answer": pl.Series(["yes", "no"] * (N // 2)),
        "code": pl.Series([f"c{i % 40}" for i in range(N - 1)] + ["only once"]),
        "moment": pl.Series([f"20{10 + i % 9}-03-{1 + i % 28:02}T{i % 24:02}:{i % 60:02}:00" for i in range(N)]),
        "day": pl.Series([f"2024-{1 + i % 12:02}-{1 + i % 28:02} 12:30" if i % 11 else None for i in range(N)]),
        "full_text": pl.Series([f"Ünder the {'new' if i % 2 else 'old'} bridge {i}" for i in range(N)]),
        "words": pl.Series(
            [f"good day {'not bad at all' if i % 3 else 'a b'} w{i}" if i % 13 else None for i in range(N)]
        ),
    }
)
KINDS = [
    *(
        (name, ColumnType.NUMERIC)
        for name in ("whole", "gaps", "constant", "flag", "price", "percent", "late", "empty")
    ),
    *((name, ColumnType.CATEGORICAL) for name in ("city", "answer", "code")),
    *((name, ColumnType.DATE) for name in ("day", "moment")),
    *((name, ColumnType.TEXT) for name in ("words", "full_text")),
]
GERMAN = CsvDialect(decimal=",", thousands=".")
NUMBERS = st.none() | st.just(float("nan")) | st.sampled_from([0.0, -0.0, 1.0, 1e300, 1e39]) | st.floats(-50.0, 200.0)
CELLS: dict[str, st.SearchStrategy[Any]] = {
    "whole": NUMBERS,
    "gaps": NUMBERS,
    "constant": NUMBERS,
    "flag": NUMBERS,
    "price": st.sampled_from([None, "$1.50", "2", " $3.5 ", "$1,200.50", "$9999", "$-4"]),
    "percent": st.sampled_from([None, "3 %", "3%", " 12.5 % ", "-4 %"]),
    "late": NUMBERS,
    "empty": NUMBERS,
    "city": st.sampled_from([None, "Rome", " Rome", "rome", "3", "3.0", "4.50", "4.500", "Paris", ""]),
    "answer": st.sampled_from([None, "yes", "no", "YES", "No ", "maybe"]),
    "code": st.sampled_from([None, "c1", "c39", "c40", "only once", " only once", "c1 "]),
    "day": st.sampled_from([None, "2024-02-29 12:30", "2031-05-01", "1999-12-31 23:59:59", "31/12/2023"]),
    "moment": st.sampled_from([None, "2011-02-28T00:00:00", "2018-03-01 23:59:59", "2012-06-30", "1850-01-01"]),
    "full_text": st.sampled_from([None, "", "ÜNDER THE new", "the old\tbridge, the old", "bridge-the under new new"]),
    "words": st.sampled_from(
        [None, "", "good day", "Not bad, not GOOD", "bad bad bad at all day", "day\ngood a b a b"]
    ),
}
SPELLED_NUMBERS = st.sampled_from([None, "1", "0", "-0", "1,234.5", "1 234", "1e3", " 7", "−3", ".5"])
BOOLEANS = st.sampled_from([None, "true", "FALSE", " True", "1", "0.0"])
ODD = {"whole": "x", "gaps": float("inf"), "price": "EUR 3", "day": "tomorrow"}


def encoders(options: EncodingOptions) -> Encoder:
    encoder = Encoder.fit(Table(TRAINING, "t.csv"), KINDS, options)
    clipped = tuple(c.model_copy(update={"clip_range": True}) if c.name == "late" else c for c in encoder.columns)
    return encoder.model_copy(update={"columns": clipped})


ENCODERS = [
    encoders(EncodingOptions(numeric=scaling, clip=clip, categories=choices, out_of_range_dates="nearest_year"))
    for scaling in SCALINGS
    for clip, choices in zip(CLIPS, (CategoricalOptions(), RECIPE), strict=True)
]


def result(encode: Any) -> tuple[Any, ...]:
    """The bits and the anomalies, or the error with its location."""
    try:
        result: Encoded = encode()
    except NncliError as error:
        return (type(error), str(error), error.location)
    return (result.X.dtype, result.X.tobytes(), result.codes.tobytes(), dict(result.anomalies.columns))


def assert_equal(encoder: Encoder, table: Table, dtype: str = "float32") -> None:
    few = SmallBatchEncoder(encoder, dtype)
    expected = result(lambda: encoder.encode(table, dtype))
    assert result(lambda: few.encode(table)) == expected
    cached = table.with_cache()
    assert result(lambda: few.encode(cached)) == expected
    assert result(lambda: few.encode(cached)) == expected  # nothing in the cache was changed


@pytest.mark.slow
@given(st.data(), st.sampled_from(ENCODERS), st.sampled_from(["float32", "float64"]))
@settings(max_examples=150)
def test_any_rows_have_the_bits_and_the_anomalies_of_the_encoder(
    data: st.DataObject, encoder: Encoder, dtype: str
) -> None:
    rows = data.draw(st.integers(0, 6))
    cells = {name: data.draw(st.lists(some, min_size=rows, max_size=rows)) for name, some in CELLS.items()}
    schema = dict(TRAINING.schema)
    for name in data.draw(st.sets(st.sampled_from(["whole", "gaps", "flag", "late"]))):  # read from text
        some = BOOLEANS if name == "flag" else SPELLED_NUMBERS
        cells[name] = data.draw(st.lists(some, min_size=rows, max_size=rows))
        schema[name] = pl.String()
    assert_equal(encoder, Table(pl.DataFrame(cells, schema=schema), "new.csv"), dtype)


@pytest.mark.parametrize("encoder", ENCODERS[:2])
@pytest.mark.parametrize("rows", [1, 8, 57, 192])
def test_rows_of_training_have_the_bits_of_the_encoder(encoder: Encoder, rows: int) -> None:
    frame = pl.concat([TRAINING, TRAINING]).sample(rows, seed=rows)
    assert_equal(encoder, Table(frame, "new.csv"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "dtype", [pl.Int64, pl.Int8, pl.UInt64, pl.Float32, pl.Boolean, pl.String, pl.Null, pl.Decimal(9, 2)]
)
@pytest.mark.parametrize("cells", [[0, 1, 1], [1, None, 0]])
def test_numbers_of_any_type_are_read(cells: list[int | None], dtype: Any) -> None:
    numbers = [name for name, kind in KINDS if kind is ColumnType.NUMERIC and name not in ("price", "percent")]
    if dtype == pl.Null:
        cells = [None] * 3
    column = pl.Series(cells).cast(dtype)
    frame = TRAINING[:3].with_columns(column.alias(name) for name in [*numbers, "city", "answer"])
    for encoder in ENCODERS[:4]:
        assert_equal(encoder, Table(frame, "new.csv"))


@pytest.mark.slow
@pytest.mark.parametrize("names", [[name] for name in ODD] + [["day", "whole"], ["gaps", "price"]])
def test_a_cell_that_cannot_be_read_is_the_same_error(names: list[str]) -> None:
    changed = TRAINING[:4]
    for name in names:
        changed = changed.with_columns(pl.Series(name, [*TRAINING[name][:3], ODD[name]], strict=False))
    for encoder in ENCODERS[:3]:
        table = Table(changed, "new.csv", first_row=11)
        with pytest.raises(NncliError):
            encoder.encode(table, "float32")
        assert_equal(encoder, table)


def test_a_scaled_value_that_overflows_is_the_same_error() -> None:
    table = Table(TRAINING[:3].with_columns(whole=pl.Series([1.0, 1e300, 2.0])), "new.csv")
    for encoder in ENCODERS:
        assert_equal(encoder, table)


@pytest.mark.parametrize("frame", [TRAINING[:3].drop("city"), TRAINING[:3].with_columns(city=pl.lit(date(2024, 1, 1)))])
def test_a_column_that_is_missing_or_of_another_type_is_the_same_error(frame: pl.DataFrame) -> None:
    assert_equal(ENCODERS[0], Table(frame, "new.csv"))


def test_numbers_of_a_dialect_and_dates_of_a_type_are_read() -> None:
    frame = TRAINING[:3].with_columns(
        whole=pl.Series(["1,5", "1.000,25", None]), day=pl.Series([datetime(2024, 5, 1, 3), None, datetime(2050, 1, 1)])
    )
    assert_equal(ENCODERS[0], Table(frame, "new.csv", dialect=GERMAN))


def test_the_words_of_long_texts_are_not_objects_of_python() -> None:
    """Each would take fifty bytes: 192 cells of 100,000 characters half a gigabyte."""
    encoder = Encoder(columns=(TextColumn(name="words", vocabulary=("good day", "day"), has_missing=False),))
    text = " ".join(f"w{i}" for i in range(50_000))
    table = Table(pl.DataFrame({"words": [text, "a good day", text, f"day {text}"]}), "new.csv")
    few = SmallBatchEncoder(encoder, "float32")
    few.encode(table)
    tracemalloc.start()
    few.encode(table)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 << 20
    assert_equal(encoder, table)


def test_an_encoder_without_columns_encodes_rows_of_nothing() -> None:
    assert_equal(Encoder(columns=()), Table(TRAINING[:3], "new.csv"))

"""Columns of text that are profiled together have the profiles of single ones, and take little time each."""

from __future__ import annotations

import time

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.scratch import Scratch
from nncli.data.dialect import CsvDialect
from nncli.data.profile import ColumnProfile, profile, profile_column, profile_texts
from nncli.data.store.column_store import write_store
from nncli.data.table import Table

POOLS = (
    ("red", "green", "blue", "", "é"),
    ("yes", "no", "Yes", "NO "),
    ("nan", "inf", "none", "unknown", "a"),
    ("2024-05-31", "2020-02-29", "0001-01-01", "9999-12-31"),
    ("2024-05-31", "2021-02-29", "0000-01-01", " 2024-05-31", "2024-05-31 12:00", "2024-05-31T12:00Z", "red"),
    ("03/04/2024", "13/04/2024", "3.4.2024", "4 May 2024", "May 4, 2024", "20240531", "12:30"),
    ("2021-01", "2021-12", "2009-10", "2021-13", "Jan 2021", "01/2021", "red"),
    ("A12", "B7", "c-3", "1e5", "E5", "x1.5"),
    ("007", "12", "1.5", "-3", "9007199254740993", "1_000"),
    ("1,234", "1.234", "1 234", "1'234,567", "12,5", "1,2", "1,234."),
    ("5 kg", "1.5 kg", "12 %", "3%", "€ 5", "USD 5", "(5)", "$x5", "10 \u20ac"),
    ("192.168.0.1", "+34 683 623 954", "12345-6789", "12345", "5+", "<5"),
    ("one two three", "four five six", "a  b c", "the 3 cats", "1 2 3", "e 1,5 e"),
    ("١٢", "３", "−5", "½", "a\nb", "1\na", "  "),
)
CELLS = st.sampled_from([*sorted({cell for pool in POOLS for cell in pool}), None])
NAMES = ("id", "a", "b", "order no", "^.*$", "time", "*")


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    rows, columns = draw(st.integers(1, 45)), draw(st.integers(2, len(NAMES)))
    pools = st.sampled_from([*POOLS, POOLS[0] + POOLS[3], POOLS[7] + POOLS[12]])
    cells = [
        draw(
            st.lists(
                st.one_of(st.sampled_from(draw(pools)), st.none() if draw(st.booleans()) else CELLS)
                if draw(st.booleans())
                else st.sampled_from(draw(pools)),
                min_size=rows,
                max_size=rows,
            )
        )
        for _ in range(columns)
    ]
    return pl.DataFrame({name: pl.Series(c, dtype=pl.String) for name, c in zip(NAMES, cells, strict=False)})


def facts(column: ColumnProfile) -> dict[str, str]:
    return {key: str(value) for key, value in vars(column).items()}


def check_profiles(frame: pl.DataFrame, dialect: CsvDialect) -> None:
    with Scratch() as scratch:
        table = write_store(
            lambda: iter([Table(frame, "t", dialect=dialect)]), lambda t: t.names, scratch, text_columns=frame.columns
        )
        for result in profile(table):
            assert facts(result) == facts(profile_column(table.columns([result.name]), result.name))


@pytest.mark.slow
@given(
    frames(),
    st.sampled_from(
        [
            CsvDialect(decimal="."),
            CsvDialect(decimal=",", thousands="."),
            CsvDialect(decimal=".", thousands=" "),
            CsvDialect(decimal=".", date_format="%d/%m/%Y"),
        ]
    ),
)
def test_columns_profiled_together_have_the_profiles_of_single_ones(frame: pl.DataFrame, dialect: CsvDialect) -> None:
    check_profiles(frame, dialect)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 2, 19, 20, 40, 200])
def test_typical_columns_have_the_profiles_of_single_ones(rows: int) -> None:
    n = range(rows)
    columns = {
        "color": [f"{'rgb'[i % 3]}" for i in n],
        "flag": [("yes", "no")[i % 2] for i in n],
        "name": [f"person {'abcdefghij'[i % 10]}{'klmnopqrst'[i // 10 % 10]}" for i in n],
        "code": [f"A{i * 37 % 1000:03}" for i in n],
        "user id": [f"u{i}" for i in n],
        "note": [f"this is note {chr(97 + i % 26)}{chr(97 + i // 26)} of many" for i in n],
        "day": [f"2024-{1 + i % 12:02}-{1 + i % 28:02}" for i in n],
        "weight": [f"{i}.5 kg" for i in n],
        "constant": ["a"] * rows,
        "empty": [None] * rows,
    }
    check_profiles(pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)), CsvDialect(decimal="."))


def test_words_and_days_are_profiled_together_and_what_may_be_numbers_is_not() -> None:
    plain: dict[str, tuple[list[str | None], str]] = {
        "word": (["a", None], "categorical"),
        "code": (["A12", "b"], "categorical"),
        "size": (["1.5 kg", "small"], "categorical"),
        "day": (["2024-05-31", None], "date"),
        "month first": (["1/2/2024", "1/13/2024"], "date"),
        "named": (["5 May 2024", "6 June 2024 12:30"], "date"),
    }
    odd: dict[str, list[str | None]] = {
        "nan": ["nan", "a"],
        "money": ["5 €", "a"],
        "weight": ["1.5 kg", "2 kg"],
        "thousands": ["1,234", "1,2"],
        "ambiguous": ["5/6/2024", "7/6/2024"],
        "no day": ["2024-05-31", "2023-02-29"],
        "empty": [None, None],
    }
    columns = {name: cells for name, (cells, _) in plain.items()} | odd
    series = [pl.Series(name, cells, dtype=pl.String) for name, cells in columns.items()]
    kinds = {
        name: profile_text.kind.value for name, profile_text in profile_texts(series, CsvDialect(decimal=".")).items()
    }
    assert kinds == {name: kind for name, (_, kind) in plain.items()}


@pytest.mark.slow
def test_a_column_of_words_or_days_takes_less_than_a_quarter_of_a_millisecond() -> None:
    words = [pl.Series(f"w{j}", ["red", "green", f"c{j}"]) for j in range(4000)]
    days = [pl.Series(f"d{j}", ["2024-05-31", "2024-06-01", f"2024-07-{1 + j % 31:02}"]) for j in range(4000)]

    def seconds() -> float:
        start = time.process_time()
        assert len(profile_texts([*words, *days], CsvDialect(decimal="."))) == 8000
        return time.process_time() - start

    assert min(seconds() for _ in range(3)) < 2.0

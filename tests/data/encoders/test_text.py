from __future__ import annotations

from collections import Counter
from itertools import pairwise
from math import log2

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nncli.data.encoders import text as words
from nncli.data.encoders.column_types import ColumnType, infer_kind
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.encoding_options import EncodingOptions
from nncli.data.encoders.text import MIN_ROWS, TextColumn, pieces, unigrams
from nncli.data.table import Table

TEXTS = st.lists(st.none() | st.text(st.sampled_from("aAbB é1'-\n"), max_size=20), max_size=12)


def table(*cells: str | None) -> Table:
    return Table(pl.DataFrame({"said": pl.Series(cells, dtype=pl.String)}), "t.csv")


def fitted(*cells: str | None, most: int = 100) -> TextColumn:
    return TextColumn.fit(table(*cells), "said", EncodingOptions(max_text_features=most))


def encoded(column: TextColumn, *cells: str | None) -> list[list[float]]:
    out = np.full((len(cells), column.width), np.nan)
    column.encode(table(*cells), out)
    rows: list[list[float]] = out.tolist()
    return rows


def plainly(cell: str | None) -> Counter[str]:
    """The words and pairs of a cell, found by a loop."""
    lower = "".join(c if c.isalnum() else " " for c in (cell or "").lower()).split()
    return Counter([*lower, *(f"{a} {b}" for a, b in pairwise(lower))])


def test_words_and_pairs_that_are_common_become_numbers_the_more_common_first() -> None:
    column = fitted(*["Red wine, red!"] * MIN_ROWS, *["white wine"] * 10, *["a red"] * 5, *["tea"] * MIN_ROWS)
    assert column.vocabulary == ("wine", "red", "red wine", "tea", "wine red")
    assert column.features == tuple(f"said: {term}" for term in column.vocabulary)
    assert encoded(column, "RED red-wine", "tea", "") == [
        [1.0, log2(3.0), 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.0, 0.0],
        [0.0] * 5,
    ]


def test_a_word_that_one_row_too_few_has_is_left_out_however_often_it_has_it() -> None:
    assert fitted(*["rare rare rare"] * (MIN_ROWS - 1), *["often"] * MIN_ROWS, *["x"] * MIN_ROWS).vocabulary == (
        "often",
        "x",
    )


def test_a_word_that_nearly_every_row_has_is_left_out() -> None:
    assert fitted(*["the one"] * 50, *["the other"] * 50).vocabulary == ("one", "other")
    assert fitted(*["a"] * 50, *["-"] * (MIN_ROWS - 1)).vocabulary == ()
    assert fitted(*["a"] * 50, *["-"] * MIN_ROWS).vocabulary == ("a",)


def test_a_pair_that_stands_wherever_one_of_its_words_does_is_left_out() -> None:
    assert fitted(*["new york"] * 30, *["new"] * 30, *[None] * 40, *["."] * 30).vocabulary == ("new", "york")


def test_no_more_terms_than_are_wanted_and_equals_by_spelling() -> None:
    assert fitted(*["b, a"] * MIN_ROWS, *["a b c"] * MIN_ROWS, *["."] * MIN_ROWS, most=2).vocabulary == ("a", "b")


def test_pairs_do_not_reach_from_one_cell_into_the_next() -> None:
    assert fitted(*["a x", "b y"] * 2 * MIN_ROWS).vocabulary == ("a", "b", "x", "y")


def test_a_missing_cell_is_zeros_and_told() -> None:
    column = fitted(*["a", "."] * MIN_ROWS, None)
    assert column.features == ("said: a", "said is missing")
    assert encoded(column, "a", None, "...") == [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]


def test_missing_cells_are_counted_where_training_had_none() -> None:
    encoder = Encoder.fit(table(*["a", "."] * MIN_ROWS), [("said", ColumnType.TEXT)])
    assert encoder.encode(table("a", None, None), "float32").anomalies.note == (
        "2 cells are missing where training had every cell ('said': 2)"
    )
    assert encoder.embeddable_positions == ()


@pytest.mark.slow
@given(TEXTS)
def test_terms_and_counts_are_those_of_a_loop(cells: list[str | None]) -> None:
    cells = [*cells * MIN_ROWS, *["."] * MIN_ROWS]
    column = fitted(*cells, most=1000)
    rows = Counter(term for cell in cells for term in plainly(cell))
    assert {*column.vocabulary} == {t for t, n in rows.items() if n not in [rows[w] for w in t.split()] or " " not in t}
    assert [rows[term] for term in column.vocabulary] == sorted(
        (rows[term] for term in column.vocabulary), reverse=True
    )
    out = encoded(column, *cells)
    assert [row[: len(column.vocabulary)] for row in out] == [
        [log2(1 + plainly(cell)[term]) for term in column.vocabulary] for cell in cells
    ]


@pytest.mark.slow
@given(TEXTS, st.integers(1, 30))
def test_a_row_is_the_same_in_any_company(cells: list[str | None], piece: int) -> None:
    column = fitted(*["a b", "b a", "1 é", "."] * MIN_ROWS, None)
    whole = encoded(column, *cells)
    assert whole == [row for cell in cells for row in encoded(column, cell)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "PIECE_BYTES", piece)
        assert encoded(column, *cells) == whole
        assert [cell for some in pieces(pl.Series(cells, dtype=pl.String), 2) for cell in some] == cells


def test_words_of_any_script_are_words() -> None:
    result = unigrams(pl.Series(["Straße ΑΘΗΝΑ", "cafe\u0301, naïve", "3.5 kg"]))
    assert result["term"].to_list() == ["straße", "αθηνα", "cafe\u0301", "naïve", "3", "5", "kg"]
    assert result["row"].to_list() == [0, 0, 1, 1, 2, 2, 2]


def test_only_the_beginning_of_an_endless_cell_counts() -> None:
    assert encoded(fitted(*["a", "."] * MIN_ROWS), "a " * 10**6) == [[log2(1 + words.MAX_CHARACTERS // 2)]]


@pytest.mark.parametrize("terms", [("a", "a"), ("a b c",)])
def test_a_column_of_other_terms_is_damaged(terms: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="words and pairs of words"):
        TextColumn(name="x", vocabulary=terms, has_missing=False)


def test_many_words_that_hardly_come_twice_are_text() -> None:
    sentences = [f"number {i} of them" for i in range(100)]
    assert infer_kind(table(*sentences), "said") is ColumnType.TEXT
    assert infer_kind(table(*sentences, *[None] * 200), "said") is ColumnType.TEXT
    assert infer_kind(table(*sentences, *["one and the same"] * 98), "said") is ColumnType.TEXT


@pytest.mark.parametrize(
    "cells",
    [
        [f"a name{i}" for i in range(100)],
        [f"id-{i}-of-them" for i in range(100)],
        [f"number {i} of them" for i in range(32)],
        [f"number {i % 40} of them" for i in range(100)],
    ],
    ids=["two words", "ids", "few", "often"],
)
def test_other_words_are_categories(cells: list[str]) -> None:
    assert infer_kind(table(*cells), "said") is ColumnType.CATEGORICAL

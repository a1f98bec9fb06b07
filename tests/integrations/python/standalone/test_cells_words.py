"""Words are found and counted as by nncli/data/encoders/text.py, which uses Polars."""

from __future__ import annotations

import sys
import unicodedata

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nncli.data.encoders import text as encoder
from nncli.data.encoders.text import TextColumn
from nncli.data.table import Table
from nncli.integrations.python.standalone.cells import MAX_CHARACTERS, term_counter, words_of
from tests.runtimes import hostile

WORDS = ("good", "not", "GOOD", "été", "e\u0301te\u0301", "日本", "İ", "ΑΣ", "ς", "½", "x_y", "don't", "٣", "I", "ǅ")
TERMS = ("good", "not", "not good", "été", "good good", "i", "ας", "日本", "x", "y", "x y", "not i")
phrases = st.lists(st.one_of(st.sampled_from(WORDS), hostile.words), max_size=12).map(
    lambda words: known(" ".join(words))
)


def known(text: str) -> str:
    """The text without characters that Python's version of Unicode does not have: they are no letters there."""
    return "".join(c for c in text if unicodedata.category(c) != "Cn")


@pytest.mark.slow
@given(st.lists(phrases, min_size=1))
@example(["a" * MAX_CHARACTERS + " b", "İ" * (MAX_CHARACTERS + 5)])
def test_words_are_those_of_polars(texts: list[str]) -> None:
    wanted = encoder.unigrams(pl.Series(texts))
    result = [(row, word) for row, text in enumerate(texts) for word in words_of(text)]
    assert result == list(wanted.iter_rows())


@pytest.mark.slow
@given(st.lists(st.one_of(phrases, st.sampled_from((*TERMS, "not good good good"))), min_size=1))
def test_counts_of_terms_are_those_of_the_encoder(texts: list[str]) -> None:
    column = TextColumn(name="x", vocabulary=TERMS, has_missing=False)
    X = np.empty((len(texts), column.width))
    column.encode(Table(pl.DataFrame({"x": texts}), "t"), X)
    count = term_counter(TERMS)
    assert [[float(np.log2(1.0 + n)) for n in count(text)] for text in texts] == X.tolist()


@pytest.mark.slow
def test_characters_that_this_version_of_unicode_has_are_classified_as_by_polars() -> None:
    characters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    assigned = [c for c in characters if known(c)]
    in_words = pl.Series(assigned).str.contains(encoder.WORD_PATTERN)
    assert [
        c for c, is_in in zip(assigned, in_words, strict=True) if is_in != (unicodedata.category(c)[0] in "LMN")
    ] == []
    lower = pl.Series(assigned).str.to_lowercase()
    assert [c for c, low in zip(assigned, lower, strict=True) if low != c.lower()] == []


def test_as_many_characters_are_read_as_by_the_encoder() -> None:
    assert MAX_CHARACTERS == encoder.MAX_CHARACTERS

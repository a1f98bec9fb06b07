from __future__ import annotations

import re
from itertools import pairwise

import pytest

from nncli.integrations.c.columns import all_characters, character_tables, ranges, vocabulary, words_of_terms
from nncli.nn.program.inputs import TextInput


@pytest.mark.slow
def test_characters_of_words_are_letters_marks_and_numbers() -> None:
    tables = character_tables([TextInput("notes", ("good",))])
    text = tables[tables.index(" word_characters[]") : tables.index("N_LOWER_CASE")]
    result = [(int(a, 16), int(b, 16)) for a, b in re.findall(r"\{(0x\w+), (0x\w+)\}", text)]
    assert result[:3] == [(0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)]
    assert all(b < c for (_, b), (c, _) in pairwise(result))


@pytest.mark.slow
def test_only_letters_of_the_terms_have_a_lower_case() -> None:
    tables = character_tables([TextInput("notes", ("ok",))])
    assert "#define N_LOWER_CASE 5\n" in tables  # K, O, k, o and the Kelvin sign
    assert "#define N_CASED 0\n" in tables


@pytest.mark.slow
def test_a_term_with_sigma_needs_the_letters_that_decide_its_form() -> None:
    tables = character_tables([TextInput("notes", ("όχις",))])
    assert re.search(r"#define N_CASED [1-9]", tables)
    assert re.search(r"#define N_IGNORABLE [1-9]", tables)


def test_adjacent_characters_are_one_range() -> None:
    assert "{0x62, 0x64}, {0x66, 0x66}" in ranges("some", all_characters().is_in(["b", "c", "d", "f"]))


def test_words_and_pairs_have_the_positions_of_their_terms() -> None:
    text = vocabulary("u1", TextInput("notes", ("good", "not good")), 1)
    assert words_of_terms(("good", "not good")) == ["good", "not"]
    assert "i1[2] = {0, -1};" in text
    assert "q1[] = {{1, 0, 1}};" in text

from __future__ import annotations

import re

import pytest

from nncli.integrations.c.identifiers import KEYWORDS, LONGEST, MACROS, Identifiers, words_of
from tests.runtimes.hostile import texts

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")


def test_hostile_texts_have_different_identifiers_that_are_no_words_of_the_language() -> None:
    identifiers = Identifiers(("row",))
    result = [identifiers.of(text) for text in texts(3000)]
    assert len(set(result)) == 3000
    assert all(IDENTIFIER.fullmatch(name) and len(name) <= LONGEST + 6 for name in result)
    assert not {*result} & {*KEYWORDS, *MACROS, "row"}


@pytest.mark.parametrize(
    ("text", "identifier"),
    [("Größe (m²)", "grosse_m2"), ("int", "int_"), ("2024", "x_2024"), ("size_t", "size_t_"), ("日本", "x")],
)
def test_an_identifier_resembles_its_text(text: str, identifier: str) -> None:
    assert Identifiers().of(text) == identifier


def test_words_are_the_identifiers_of_a_source() -> None:
    assert words_of("a_1 = b2->c + 3e5;") == {"a_1", "b2", "c", "e5"}

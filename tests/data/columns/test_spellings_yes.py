"""The word that means yes of two classes."""

from __future__ import annotations

import pytest

from nncli.data.columns.spellings import BOOLEAN_PAIRS, NO_YES, yes_of


@pytest.mark.parametrize(
    ("words", "yes"),
    [
        (("ja", "nein"), "ja"),
        (("nein", "ja"), "ja"),
        (("no", "yes"), "yes"),
        (("Yes", "no"), "Yes"),
        (("JA ", "Nein"), "JA "),
        (("oui", "non"), "oui"),
        (("no", "s\u00ed"), "s\u00ed"),
        (("\u0434\u0430", "\u043d\u0435\u0442"), "\u0434\u0430"),
        (("0", "1"), "1"),
        (("false", "true"), "true"),
        (("y", "n"), "y"),
        (("cat", "dog"), None),
        (("yes", "yes "), None),
        (("no", "yes", "maybe"), None),
        ((), None),
    ],
)
def test_the_word_for_yes_is_found_in_any_order_and_case(words: tuple[str, ...], yes: str | None) -> None:
    assert yes_of(words) == yes


def test_the_words_are_in_lower_case_and_contain_those_of_boolean_columns() -> None:
    assert all(pair == {word.strip().lower() for word in pair} and yes in pair for pair, yes in NO_YES.items())
    assert set(NO_YES) >= BOOLEAN_PAIRS

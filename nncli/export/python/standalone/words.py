"""Counts of words and pairs of words, as nncli/data/encoders/text.py counts them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

MAX_CHARACTERS = 100_000
"""Characters of a cell that are read; the rest is ignored."""


def words_of(text: str) -> list[str]:
    """The words in lower case, in order: letters, marks and numbers beside each other."""
    lower = text[:MAX_CHARACTERS].lower()
    return "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in lower).split()


def term_counter(terms: tuple[str, ...]) -> Callable[[str], list[int]]:
    """A function that returns how often each of the terms is in a text."""
    positions = {term: j for j, term in enumerate(terms)}
    known = {word for term in terms for word in term.split(" ")}

    def count(text: str) -> list[int]:
        counts, before = [0] * len(terms), ""
        for word in words_of(text):
            pair = f"{before} {word}" if before in known and word in known else ""
            for term in (word, pair):
                if term in positions:
                    counts[positions[term]] += 1
            before = word
        return counts

    return count

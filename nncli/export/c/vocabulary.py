"""The tables of text columns: characters of words, their lower case, and the terms of each column."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache

import numpy as np
import polars as pl

from nncli.data.encoders.text import WORD
from nncli.export.c.literals import string
from nncli.export.c.readers import entries
from nncli.export.c.statements import int_array
from nncli.nn.program.inputs import ProgramInput, TextInput

SIGMA, FINAL_SIGMA = "σ", "ς"


@cache
def all_characters() -> pl.Series:
    """All characters of Unicode."""
    return pl.Series([chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000])


@cache
def in_lower_case() -> pl.Series:
    """Each character in lower case, as Polars has it."""
    return all_characters().str.to_lowercase()


def ranges(name: str, which: pl.Series) -> str:
    """The definition of the ranges of characters, and of their number."""
    points = np.array([ord(c) for c in all_characters().filter(which)], np.int64)
    starts = np.flatnonzero(np.diff(points, prepend=-2) != 1)
    ends = np.append(starts[1:], len(points))[: len(starts)] - 1
    rows = [f"{{{points[a]:#x}, {points[b]:#x}}}" for a, b in zip(starts, ends, strict=True)] or ["{1, 0}"]
    lines = [", ".join(rows[start : start + 6]) for start in range(0, len(rows), 6)]
    body = ",\n    ".join(lines)
    return f"#define N_{name.upper()} {len(starts)}\nstatic const struct range {name}[] = {{\n    {body}\n}};\n"


def character_tables(inputs: Sequence[ProgramInput]) -> str:
    """The tables of characters, as far as the terms of these columns need them."""
    words = {word for column in inputs if isinstance(column, TextInput) for word in words_of_terms(column.terms)}
    letters = {c for word in words for c in word}
    longest = max((len(word.encode()) for word in words), default=0)
    lower = in_lower_case()
    known = pl.Series([set(text) <= letters for text in lower]) | lower.is_in([SIGMA] if FINAL_SIGMA in letters else [])
    small = lower.filter(known)
    texts = ",\n    ".join(", ".join(map(string, small[i : i + 12])) for i in range(0, len(small), 12))
    has_sigma = bool({SIGMA, FINAL_SIGMA} & letters)
    nothing = pl.Series([False]).new_from_index(0, len(lower))
    return "\n".join(
        [
            f"#define LONGEST_WORD {longest}\n#define SIGMA 0x3A3\n",
            "struct range {\n    uint32_t first, last;\n};\n",
            ranges("word_characters", lower.str.contains(f"^{WORD}$")),
            _single("lower_case", all_characters().filter(known)),
            f"static const char *const lower_case_texts[] = {{\n    {texts or 'NULL'}\n}};\n",
            ranges("cased", _cased() if has_sigma else nothing),
            ranges("ignorable", _ignorable() if has_sigma else nothing),
        ]
    )


def _single(name: str, characters: pl.Series) -> str:
    """The definition of ranges of one character each."""
    rows = [f"{{{ord(c):#x}, {ord(c):#x}}}" for c in characters] or ["{1, 0}"]
    body = ",\n    ".join(", ".join(rows[start : start + 6]) for start in range(0, len(rows), 6))
    return f"#define N_{name.upper()} {len(characters)}\nstatic const struct range {name}[] = {{\n    {body}\n}};\n"


def _is_not_final(before: str, after: str) -> pl.Series:
    """For each character: whether a capital sigma between `before` and it is not the end of a word."""
    return (before + all_characters() + after).str.to_lowercase().str.contains(SIGMA, literal=True)


def _cased() -> pl.Series:
    """Which characters have a case, and are not ignored beside a sigma."""
    return _is_not_final("aΣ", "") & ~_ignorable()


def _ignorable() -> pl.Series:
    """Which characters are ignored beside a sigma."""
    return _is_not_final("aΣ", "a") & ~_is_not_final("aΣ", "")


def words_of_terms(terms: Collection[str]) -> list[str]:
    """The different words of terms, in the order of their bytes."""
    return sorted({word for term in terms for word in term.split(" ")}, key=str.encode)


def vocabulary(name: str, column: TextInput, position: int) -> str:
    """The definition of the words and pairs of a column."""
    words = words_of_terms(column.terms)
    number = {word: i for i, word in enumerate(words)}
    term = {text: i for i, text in enumerate(column.terms)}
    pairs = sorted((*(number[word] for word in text.split(" ")), i) for text, i in term.items() if " " in text)
    rows = ", ".join(f"{{{first}, {second}, {i}}}" for first, second, i in pairs) or "{0, 0, 0}"
    return "\n".join(
        [
            entries(f"t{position}", list(number.items())),
            int_array(f"i{position}", tuple(term.get(word, -1) for word in words) or (0,)),
            f"static const struct pair q{position}[] = {{{rows}}};\n",
            f"static const struct vocabulary {name} = {{\n    t{position}, i{position}, q{position}, {len(words)}, "
            f"{len(pairs)}, {len(term)}\n}};\n",
        ]
    )

"""The texts that an ONNX model reads as categories, and as missing cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from nncli.export.onnx.names import free_name
from nncli.nn.program.inputs import MISSING_CODE, CategoryInput, TextInput

MISSING_WORD = "(missing)"
"""The only word of a text that is missing; others have no parentheses."""
MAX_MIXED = 5
"""Letters of `false`, the longest of the words of which any mixture of upper and lower case is read."""


def missing_spelling(column: CategoryInput, missing_values: Sequence[str]) -> str:
    """The text of a missing cell: the empty one, or else the first of the missing values."""
    if "" in missing_values:
        return ""
    return missing_values[0] if missing_values else free_name(MISSING_WORD, [text for text, _ in column.texts])


def missing_word(column: TextInput) -> str:
    """The only word of a missing cell."""
    return free_name(MISSING_WORD, column.terms)


def spelling_codes(column: CategoryInput, missing_values: Sequence[str]) -> dict[str, int]:
    """The code of each known text. The code of a rare category is OTHER_CODE.

    These are the missing values, the texts, their keys, and `3.0` for 3; of true and false all mixtures of upper and
    lower case. White space around a cell is not removed.
    """
    codes = dict.fromkeys((missing_spelling(column, missing_values), *missing_values), MISSING_CODE)
    spellings = (
        column.texts,
        ((text, code) for key, code in column.keys for text in _with_zeros(key)),
        ((text, code) for key, code in column.folded_keys for bare in _cases(key) for text in _with_zeros(bare)),
    )
    for pairs in spellings:
        codes = {**dict(pairs), **codes}
    return dict(sorted(codes.items()))


def _with_zeros(key: str) -> tuple[str, ...]:
    """A key, and that of a whole number as a number with a fraction."""
    digits = key[1:] if key[:1] in ("+", "-") else key
    is_whole = digits.isascii() and digits.isdecimal() and (digits == "0" or digits[0] != "0")
    return (key, f"{key}.0") if is_whole else (key,)


def _cases(key: str) -> Iterable[str]:
    """All mixtures of upper and lower case of a short word."""
    if len(key) > MAX_MIXED:
        return dict.fromkeys((key, key.upper(), key.capitalize()))
    return map("".join, product(*({letter: None, letter.upper(): None} for letter in key)))

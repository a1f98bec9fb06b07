"""The inputs of an ONNX model: one for each column, and the nodes that make numbers of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

from onnx import ValueInfoProto, helper

from nncli.export.onnx.graph import DOUBLE, FLOAT, INT64, ML, STRING, Graph, Tensor, free_name
from nncli.nn.program.inputs import MISSING_CODE, OTHER_CODE, CategoryInput, ProgramInput, TextInput

ANY = None
"""An axis of any length. It has no name: ONNX Runtime 1.16 and 1.17 share memory between tensors whose axes have the
same names, and compute wrong numbers from the second call on."""


def declare_input(name: str, column: ProgramInput) -> ValueInfoProto:
    """The declaration of an input: (rows, 1) of numbers or texts, (rows, words) for a column of text."""
    kind = STRING if isinstance(column, CategoryInput | TextInput) else DOUBLE
    return helper.make_tensor_value_info(name, kind, [ANY, ANY if isinstance(column, TextInput) else 1])


def write_input(graph: Graph, name: str, column: ProgramInput, missing_values: Sequence[str]) -> Tensor:
    """The value (rows, width) of an input."""
    if isinstance(column, CategoryInput):
        codes = spelling_codes(column, missing_values)
        code = graph.add(
            "LabelEncoder",
            name,
            domain=ML,
            keys_strings=[text.encode() for text in codes],
            values_int64s=list(codes.values()),
            default_int64=OTHER_CODE,
        )
        return Tensor(code, INT64)
    if isinstance(column, TextInput):
        counts = graph.add("TfIdfVectorizer", name, **_terms(column))
        return Tensor(graph.cast(Tensor(counts, FLOAT), DOUBLE), DOUBLE)
    return Tensor(name, DOUBLE)


def _terms(column: TextInput) -> dict[str, Any]:
    """The attributes of the node that counts the terms, and the word of a missing cell."""
    terms = (*column.terms, missing_word(column))
    words = [i for i, term in enumerate(terms) if " " not in term]
    pairs = [i for i, term in enumerate(terms) if " " in term]
    pool = [part.encode() for i in (*words, *pairs) for part in terms[i].split(" ")]
    return {
        "mode": "TF",
        "min_gram_length": 1,
        "max_gram_length": 2 if pairs else 1,
        "max_skip_count": 0,
        "ngram_counts": [0, len(words)] if pairs else [0],
        "ngram_indexes": [*words, *pairs],
        "pool_strings": pool,
    }


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

    These are the missing values, the texts, their keys, and `3.0` and `3.00` for 3; of true and false all mixtures of
    upper and lower case. White space around a cell is not removed.
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
    """A key, and that of a whole number with one and two decimals."""
    digits = key[1:] if key[:1] in ("+", "-") else key
    is_whole = digits.isascii() and digits.isdecimal() and (digits == "0" or digits[0] != "0")
    return (key, f"{key}.0", f"{key}.00") if is_whole else (key,)


def _cases(key: str) -> Iterable[str]:
    """All mixtures of upper and lower case of a short word."""
    if len(key) > MAX_MIXED:
        return dict.fromkeys((key, key.upper(), key.capitalize()))
    return map("".join, product(*({letter: None, letter.upper(): None} for letter in key)))

"""The inputs of an ONNX model: one for each column, and the nodes that make numbers of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onnx import ValueInfoProto, helper

from nncli.export.onnx.graph import DOUBLE, FLOAT, INT64, ML, STRING, Graph, Tensor
from nncli.export.onnx.spellings import missing_word, spelling_codes
from nncli.nn.program.inputs import OTHER_CODE, CategoryInput, ProgramInput, TextInput

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

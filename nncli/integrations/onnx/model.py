"""A program as an ONNX model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

from onnx import ValueInfoProto, helper

from nncli.extend import CategoryInput, DateInput, ModelInfo, NumberInput, Program, ProgramInput, TextInput
from nncli.extend.programs import MISSING_CODE, OTHER_CODE, WORD_PATTERN, OnnxMetadata, free_name, groups_of, targets_of
from nncli.integrations.onnx.graph import (
    ANY,
    DOUBLE,
    FLOAT,
    INT64,
    IR_VERSION,
    ML,
    ML_OPSET,
    OPSET,
    STRING,
    Graph,
    Tensor,
    input_names,
)
from nncli.integrations.onnx.program_nodes import Output, write_outputs, write_program


def to_onnx(program: Program, info: ModelInfo) -> bytes:
    """The file of an ONNX model that ONNX Runtime reads from 1.13 on; the same bytes for the same program.

    Raises:
        ModuleNotFoundError: the package onnx is not installed.
        UsageError: a class has a NUL character.
    """
    names = input_names(program.inputs)
    graph = Graph(reserved=names)
    inputs = [write_input(graph, n, c, program.missing_values) for n, c in zip(names, program.inputs, strict=True)]
    outputs = write_outputs(graph, program, write_program(graph, program, inputs), names)
    graph.remove_unused(output.declaration.name for output in outputs)
    declared = [declare_input(name, column) for name, column in zip(names, program.inputs, strict=True)]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes, "nncli", declared, [output.declaration for output in outputs], graph.initializers
        ),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)],
        ir_version=IR_VERSION,
        producer_name="nncli",
        producer_version=info.nncli_version,
    )
    helper.set_model_props(model, metadata(program, info, names, outputs))
    return bytes(model.SerializeToString(deterministic=True))


def metadata(program: Program, info: ModelInfo, names: Sequence[str], outputs: Sequence[Output]) -> dict[str, str]:
    """The metadata of a model whose inputs have these names."""
    return {
        OnnxMetadata.RUN: info.name,
        OnnxMetadata.CHECKSUM: info.checksum,
        OnnxMetadata.INPUTS: _json([_input(n, c, program) for n, c in zip(names, program.inputs, strict=True)]),
        OnnxMetadata.OUTPUTS: _json(_outputs(program, outputs)),
        OnnxMetadata.READING: _json(
            {
                "missing_values": program.missing_values,
                "decimal": program.decimal,
                "thousands": program.thousands,
            }
        ),
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _input(name: str, column: ProgramInput, program: Program) -> dict[str, Any]:
    """An input: how its tensor is made of the cells of the column."""
    metadata: dict[str, Any] = {"name": name, "column": column.name, "kind": column.kind}
    match column:
        case NumberInput():
            metadata |= {"unit": column.unit, "booleans": column.reads_booleans, "missing": "NaN"}
            metadata |= {} if column.decimal is None else {"decimal": column.decimal}
            metadata |= {"missing_words": column.missing_words} if column.missing_words else {}
            return metadata | {"lowest": column.lowest, "highest": column.highest, "typical": column.typical}
        case DateInput():
            metadata |= {"unit": "days since 1970-01-01", "formats": column.formats, "missing": "NaN"}
            metadata |= {"missing_words": column.missing_words} if column.missing_words else {}
            return metadata | {"lowest": column.lowest, "highest": column.highest, "typical": column.typical}
        case CategoryInput():
            missing = missing_spelling(column, program.missing_values)
            metadata |= {"missing": missing, "categories": column.categories}
            return metadata | {"typical": column.typical}
        case _:
            return metadata | {"word": WORD_PATTERN, "missing": missing_word(column), "terms": column.terms}


def _outputs(program: Program, outputs: Sequence[Output]) -> dict[str, Any]:
    """The outputs by the columns of `nncli predict`; of a classification also the labels, in order."""
    described = {
        "precision": program.precision,
        "tensors": [{"name": output.name, "columns": output.columns} for output in outputs],
    }
    targets, groups = targets_of(program.outputs), groups_of(program.outputs)
    if groups.labels:
        return described | {"target": targets[0], "labels": groups.labels, "label_type": groups.label_type}
    return described | {"targets": targets}


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

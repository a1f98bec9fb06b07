"""A program as one ES module of JavaScript, without dependencies, for Node and browsers.

The module is a fixed runtime (runtime/) and the program as data, so no name or label is ever code.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Sequence
from importlib.resources import files
from typing import Any, get_args

import numpy as np

from nncli.extend import CategoryInput, DateInput, ModelInfo, NumberInput, Program, ProgramInput, TextInput
from nncli.extend.programs import (
    ORDERS,
    OTHER_CODE,
    TIME_FORMATS,
    YEAR_FIRST_OR_NAMED,
    as_literal,
    classes_of,
    groups_of,
    input_data,
    other_forms,
    separator_pattern,
    targets_of,
    training_form,
)
from nncli.extend.programs import nodes as op

LABEL_TYPES = {"text": "string", "integer": "number", "float": "number", "boolean": "boolean"}
INPUT_TYPE = """{{
  name: string, kind: "number" | "category" | "date" | "text", unit?: string, decimal?: string,
  lowest?: number | string, highest?: number | string, typical?: number | string, categories?: string[],
  formats?: string[], missing?: string[]
}}"""


def to_javascript(program: Program, info: ModelInfo) -> str:
    """The module: it exports `predict`, `inputs` and `model`."""
    marks = {program.decimal: None if program.thousands == program.decimal else program.thousands}
    marks |= dict(program.marks_of(column) for column in program.inputs if isinstance(column, NumberInput))
    numbers = [
        [decimal, separator_pattern(thousands), training_form(decimal, thousands), other_forms(decimal, thousands)]
        for decimal, thousands in marks.items()
    ]
    parts = {
        "HEADER": _header(program, info),
        "INPUTS": "[\n" + "".join(f"  {as_literal(input_data(column))},\n" for column in program.inputs) + "]",
        "MODEL": as_literal(_model_data(program, info)),
        "PROGRAM": as_literal(_program_data(program) | {"nodes": node_data(program)}),
        "DATES": as_literal([YEAR_FIRST_OR_NAMED, [*ORDERS.values()], TIME_FORMATS]),
        "NUMBERS": as_literal(numbers),
        "FLOAT32": f'"{constant_data(program, np.float32)}"',
        "FLOAT64": f'"{constant_data(program, np.float64)}"',
    }
    source = runtime_source({column.kind for column in program.inputs})
    pieces = re.split(r"/\*([A-Z0-9]+)\*/", source)
    return "".join(parts[piece] if i % 2 else piece for i, piece in enumerate(pieces))


def _header(program: Program, info: ModelInfo) -> str:
    """The comment with the types of rows and predictions."""
    row = [(column.name, "Date | Cell" if column.kind == "date" else "Cell") for column in program.inputs]
    numbers, classes, probabilities = groups_of(program.outputs)
    prediction = [(column.title, LABEL_TYPES[column.label_type]) for column in classes]
    prediction += [(column.title, "number") for column in numbers]
    prediction += [("probabilities", "Object<string, number>")] * bool(probabilities)
    return (
        f"// The model {as_literal(info.name)}, exported by nncli {as_literal(info.nncli_version)[1:-1]}. "
        "For Node 18 and browsers of 2022 or newer.\n\n"
        "/** @typedef {number | string | boolean | null} Cell */\n"
        f"/** A row: a cell for each column, null if it is missing. Text is read as by nncli, a Date in UTC.\n"
        f" * @typedef {_object_type(row)} Row\n */\n"
        f"/** @typedef {_object_type(prediction)} Prediction */\n"
        f"/** @typedef {INPUT_TYPE} Input */"
    )


def _object_type(fields: list[tuple[str, str]]) -> str:
    """The type of an object, for a comment: no name can end the comment."""
    lines = "".join(f"\n * {as_literal(name)}: {kind}," for name, kind in fields)
    return "{{" + lines.replace("*/", "*\\/") + "\n * }}"


def _model_data(program: Program, info: ModelInfo) -> dict[str, Any]:
    targets, groups = targets_of(program.outputs), groups_of(program.outputs)
    data = {"name": info.name, "checksum": info.checksum, "nncli": info.nncli_version, "targets": targets}
    if not groups.labels:
        return data
    return data | {"labels": list(groups.labels), "labelType": groups.label_type, "classes": classes_of(groups)}


def _program_data(program: Program) -> dict[str, Any]:
    """What the runtime needs to read cells and to write predictions."""
    numbers, classes, probabilities = groups_of(program.outputs)
    return {
        "missing": list(program.missing_values),
        "decimal": program.decimal,
        "cells": [_cell_data(column) for column in program.inputs],
        "numbers": [(column.title, column.node, column.place) for column in numbers],
        "codes": classes[0].node if classes else None,
        "probabilities": probabilities[0].node if probabilities else None,
    }


def _cell_data(column: ProgramInput) -> Any:
    """What a reader of cells needs besides `input_data`."""
    match column:
        case NumberInput():
            return int(column.reads_booleans)
        case DateInput():
            return None
        case TextInput():
            return list(column.terms)
        case CategoryInput():
            texts, keys = dict(column.texts), dict(column.keys)
            if not column.folded_keys:
                texts = {text: code for text, code in texts.items() if code != OTHER_CODE or not _is_key(text)}
                keys = {key: code for key, code in keys.items() if code != OTHER_CODE}
            in_order = {category: 2 + i for i, category in enumerate(column.categories)}
            data: dict[str, Any] = {}
            if texts != in_order:
                data["texts"] = list(texts.items())
            if keys != texts:
                data["keys"] = list(keys.items())
            if column.folded_keys:
                data["folded"] = list(column.folded_keys)
            return data


def _is_key(text: str) -> bool:
    """Whether the key of a text is certainly the text itself: see nncli/data/columns/spellings.py."""
    return text == text.strip() and re.search(r"\.0+$", text) is None


OPERATIONS = (
    *("float32", "float64", "input"),
    *get_args(op.UnaryFunction),
    *get_args(op.BinaryFunction),
    *("select", "join", "columns", "product", "look_up", "count_up_to", "sum", "max", "sort", "arg_max"),
    "smallest_sum",
)
NUMBERS = {name: number for number, name in enumerate(OPERATIONS)}


def node_data(program: Program) -> list[list[int]]:
    """Each node as a list: the number of its operation, the distances to its operands, and further numbers.

    Numbers of operations are those of `step` and OPERATIONS in runtime/operations.js.
    """
    return [_numbers_of(at, node, program) for at, node in enumerate(program.nodes)]


def _numbers_of(at: int, node: op.Node, program: Program) -> list[int]:
    rest: Sequence[int] = ()
    match node:
        case op.InputNode():
            name, rest = "input", (node.position,)
        case op.ConstantNode():
            name, rest = node.values.dtype.name, (node.values.size,)
        case op.Unary() | op.Binary() | op.RowReduction():
            name = node.function
        case op.Select():
            name = "select"
        case op.Join():
            name = "join"
        case op.Gather():
            name, rest = "columns", as_runs(node.positions)
        case op.MatMul():
            name = "product"
        case op.GroupedMatMul():
            name, rest = "product", program.constant(node.weights).shape[:1]
        case op.LookUp():
            name, rest = "look_up", (program.widths[node.table],)
        case op.CountUpTo():
            name = "count_up_to"
        case op.Sort():
            name, rest = "sort", (node.size,)
        case op.ArgMax():
            name = "arg_max"
        case op.SmallestSum():
            scales = 0 if node.scales is None else at - node.scales
            return [NUMBERS["smallest_sum"], at - node.shifts, scales, at - node.scores, node.rank, *node.sizes]
    return [NUMBERS[name], *(at - operand for operand in op.operands(node)), *rest]


def as_runs(numbers: Sequence[int]) -> list[int]:
    """Numbers as runs [start, step, count, ...].

    >>> as_runs([0, 0, 0, 4, 5, 6, -1])
    [0, 0, 3, 4, 1, 3, -1, 0, 1]
    """
    runs, i = list[int](), 0
    while i < len(numbers):
        step = numbers[i + 1] - numbers[i] if i + 1 < len(numbers) else 0
        stop = i + 1
        while stop < len(numbers) and numbers[stop] - numbers[stop - 1] == step:
            stop += 1
        if stop == i + 2 and step not in (0, 1):  # two numbers by chance: the second may begin a longer run
            step, stop = 0, i + 1
        runs += [numbers[i], step if stop > i + 1 else 0, stop - i]
        i = stop
    return runs


def constant_data(program: Program, kind: type[np.floating[Any]]) -> str:
    """The numbers of the constants of a type in order, little-endian, in base64."""
    arrays = [node.values for _, node in program.constants if node.values.dtype == kind]
    parts = [array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays]
    return base64.b64encode(b"".join(parts)).decode("ascii")


FOLDER = "runtime"
KEPT = "|".join(
    (
        *(r'"(?:\\.|[^"\\])*"', r"`(?:\\.|[^`\\])*`", r"/\*[\s\S]*?\*/"),  # strings, templates, comments with types
        r"/(?![/ *])(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n\[])+/[a-z]*",  # regular expressions
    )
)
"""What stays as it is. The runtime has no template within a template, and a space after each division sign."""
SPACES = r" *([{}()\[\],;:?=<>&|+*%.!-]) *"


def runtime_source(kinds: Collection[str]) -> str:
    """The runtime for inputs of these kinds, with the places for its data as comments such as /*INPUTS*/."""
    names = ["module", *(["numbers"] * ("number" in kinds)), *(["dates"] * ("date" in kinds)), "operations"]
    folder = files("nncli.integrations.javascript") / FOLDER
    return "".join(compact((folder / f"{name}.js").read_text("utf-8")) for name in names)


def compact(source: str) -> str:
    r"""A source without comments of one line, indentation and spaces that mean nothing.

    >>> compact('// sum\nconst f = (a, b) => {\n  return a + b; // both\n};\n\n')
    'const f=(a,b)=>{\nreturn a+b;\n};\n'
    """
    pattern = rf"({KEPT})|//[^\n]*|{SPACES}|^ +| +(?=$|//)"
    short = re.sub(pattern, lambda match: match[1] or match[2] or "", source, flags=re.MULTILINE)
    return re.sub(r"\n{2,}", "\n", short).lstrip("\n")

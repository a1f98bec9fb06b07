"""A program as one ES module of JavaScript, without dependencies, for Node and browsers.

The module is a fixed runtime (javascript_runtime/) and the program as data, so no name or label is ever code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

from nncli.data.grammar import (
    ORDERS,
    TIME_FORMATS,
    YEAR_FIRST_OR_NAMED,
    other_forms,
    separator_pattern,
    training_form,
)
from nncli.export.javascript.program_data import ProgramData
from nncli.export.targets import ModelInfo
from nncli.nn.program.inputs import OTHER_CODE, CategoryInput, DateInput, NumberInput, ProgramInput, TextInput
from nncli.nn.program.program import ClassOutputs, NumberOutputs, Program, number_columns

MAX_SAFE_INTEGER = 2**53 - 1
"""Beyond it a number of JavaScript does not hold every integer."""
CELL_TYPES = {"number": "Cell", "category": "Cell", "date": "Date | Cell", "text": "Cell"}
LABEL_TYPES = {"text": "string", "integer": "number", "float": "number", "boolean": "boolean"}
INPUT_TYPE = """{{
  name: string, kind: "number" | "category" | "date" | "text", unit?: string, lowest?: number | string,
  highest?: number | string, typical?: number | string, categories?: string[], formats?: string[]
}}"""


def to_javascript(program: Program, info: ModelInfo) -> str:
    """The module: it exports `predict`, `inputs` and `model`."""
    data, decimal, thousands = ProgramData.of(program), program.decimal, program.thousands
    parts = {
        "HEADER": _header(program, info),
        "INPUTS": "[\n" + "".join(f"  {as_literal(input_data(column))},\n" for column in program.inputs) + "]",
        "MODEL": as_literal(_model_data(program, info)),
        "PROGRAM": as_literal(_program_data(program) | {"lists": data.lists, "nodes": data.nodes}),
        "DATES": as_literal([YEAR_FIRST_OR_NAMED, [*ORDERS.values()], TIME_FORMATS]),
        "NUMBERS": as_literal([separator_pattern(thousands), training_form(decimal, thousands), other_forms(decimal)]),
        "FLOAT32": f'"{data.float32}"',
        "FLOAT64": f'"{data.float64}"',
    }
    source = runtime_source({column.kind for column in program.inputs})
    pieces = re.split(r"/\*([A-Z0-9]+)\*/", source)
    return "".join(parts[piece] if i % 2 else piece for i, piece in enumerate(pieces))


def as_literal(value: object) -> str:
    """A value of JSON as an expression of JavaScript that may stand in a page: `<` and unprintable characters escaped.

    >>> print(as_literal(["</script>", "Zürich\\u2028"]))
    ["\\u003c/script>","Zürich\\u2028"]
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return re.sub(r"[^ -;=-~]", lambda found: found[0] if _is_harmless(found[0]) else _escape(found[0]), text)


def _is_harmless(character: str) -> bool:
    return character != "<" and character.isprintable()


def _escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def _header(program: Program, info: ModelInfo) -> str:
    """The comment with the types of rows and predictions."""
    row = [(column.name, CELL_TYPES[column.kind]) for column in program.inputs]
    if isinstance(program.outputs, NumberOutputs):
        prediction = [(column.title, "number") for column in number_columns(program.outputs)]
    else:
        label = ("prediction", LABEL_TYPES[program.outputs.label_type])
        prediction = [*[label] * (program.outputs.codes is not None)]
        prediction += [("probabilities", "Object<string, number>")] * (program.outputs.probabilities is not None)
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


def input_data(column: ProgramInput) -> dict[str, Any]:
    """What `inputs` tells of a column; what is not known is left out."""
    found: dict[str, Any] = {"name": column.name, "kind": column.kind}
    match column:
        case NumberInput():
            found |= {"unit": column.unit, "lowest": column.lowest, "highest": column.highest}
        case CategoryInput():
            found["categories"] = list(column.categories)
        case DateInput():
            found |= {"formats": list(column.formats), "lowest": _day(column.lowest), "highest": _day(column.highest)}
    if isinstance(column, DateInput):
        found["typical"] = _day(column.typical)
    elif not isinstance(column, TextInput):
        found["typical"] = column.typical
    return {key: value for key, value in found.items() if value is not None}


def _day(days: float | None) -> str | None:
    """A day since 1970 as the text of a cell."""
    if days is None:
        return None
    text = (datetime(1970, 1, 1) + timedelta(days=days)).isoformat(" ", "microseconds")
    return text.removesuffix(".000000").removesuffix(" 00:00:00")


def _model_data(program: Program, info: ModelInfo) -> dict[str, Any]:
    outputs = program.outputs
    found = {"name": info.name, "checksum": info.checksum, "nncli": info.nncli_version}
    if isinstance(outputs, NumberOutputs):
        return found | {"targets": list(outputs.names)}
    labels = {"labels": list(outputs.labels), "labelType": outputs.label_type, "classes": classes_of(outputs)}
    return found | {"targets": [outputs.name]} | labels


def classes_of(outputs: ClassOutputs) -> list[str | int | float | bool]:
    """The classes in the type of predictions; an integer too long for a number is text."""
    match outputs.label_type:
        case "text":
            return list(outputs.labels)
        case "boolean":
            return [label == "true" for label in outputs.labels]
        case "float":
            return [float(label) for label in outputs.labels]
        case "integer":
            return [int(label) if abs(int(label)) <= MAX_SAFE_INTEGER else label for label in outputs.labels]


def _program_data(program: Program) -> dict[str, Any]:
    """What the runtime needs to read cells and to write predictions."""
    outputs = program.outputs
    return {
        "missing": list(program.missing_values),
        "decimal": program.decimal,
        "thousands": program.thousands,
        "cells": [_cell_data(column) for column in program.inputs],
        "numbers": number_columns(outputs) if isinstance(outputs, NumberOutputs) else [],
        "codes": outputs.codes if isinstance(outputs, ClassOutputs) else None,
        "probabilities": outputs.probabilities if isinstance(outputs, ClassOutputs) else None,
    }


def _cell_data(column: ProgramInput) -> Any:
    """What a reader of cells needs besides `input_data`."""
    match column:
        case NumberInput():
            return column.reads_booleans
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
            found: dict[str, Any] = {}
            if texts != in_order:
                found["texts"] = list(texts.items())
            if keys != texts:
                found["keys"] = list(keys.items())
            if column.folded_keys:
                found["folded"] = list(column.folded_keys)
            return found


def _is_key(text: str) -> bool:
    """Whether the key of a text is certainly the text itself: see nncli/data/columns/spellings.py."""
    return text == text.strip() and re.search(r"\.0+$", text) is None


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
    folder = files("nncli.export.javascript") / FOLDER
    return "".join(compact((folder / f"{name}.js").read_text("utf-8")) for name in names)


def compact(source: str) -> str:
    r"""A source without comments of one line, indentation and spaces that mean nothing.

    >>> compact('// sum\nconst f = (a, b) => {\n  return a + b; // both\n};\n\n')
    'const f=(a,b)=>{\nreturn a+b;\n};\n'
    """
    pattern = rf"({KEPT})|//[^\n]*|{SPACES}|^ +| +(?=$|//)"
    short = re.sub(pattern, lambda found: found[1] or found[2] or "", source, flags=re.MULTILINE)
    return re.sub(r"\n{2,}", "\n", short).lstrip("\n")

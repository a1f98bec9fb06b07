"""What an ONNX model says about itself: its inputs and outputs, and the run that it is from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from nncli.data.encoders.text import WORD
from nncli.export.model_info import ModelInfo
from nncli.export.onnx.names import CHECKSUM, INPUTS, OUTPUTS, READING, RUN
from nncli.export.onnx.output_nodes import Output
from nncli.export.onnx.spellings import missing_spelling, missing_word
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput
from nncli.nn.program.program import ClassOutputs, Program


def metadata(program: Program, info: ModelInfo, names: Sequence[str], outputs: Sequence[Output]) -> dict[str, str]:
    """The metadata of a model whose inputs have these names."""
    return {
        RUN: info.name,
        CHECKSUM: info.checksum,
        INPUTS: _json([_input(n, c, program) for n, c in zip(names, program.inputs, strict=True)]),
        OUTPUTS: _json(_outputs(program, outputs)),
        READING: _json(
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
    own: dict[str, Any] = {"name": name, "column": column.name}
    match column:
        case NumberInput():
            own |= {"kind": "number", "unit": column.unit, "booleans": column.reads_booleans, "missing": "NaN"}
            return own | {"lowest": column.lowest, "highest": column.highest, "typical": column.typical}
        case DateInput():
            own |= {"kind": "date", "unit": "days since 1970-01-01", "formats": column.formats, "missing": "NaN"}
            return own | {"lowest": column.lowest, "highest": column.highest, "typical": column.typical}
        case CategoryInput():
            missing = missing_spelling(column, program.missing_values)
            own |= {"kind": "category", "missing": missing, "categories": column.categories}
            return own | {"typical": column.typical}
        case _:
            return own | {"kind": "text", "word": WORD, "missing": missing_word(column), "terms": column.terms}


def _outputs(program: Program, outputs: Sequence[Output]) -> dict[str, Any]:
    """The outputs by the columns of `nncli predict`; of a classification also the labels, in order."""
    found = {"precision": program.precision, "tensors": [{"name": one.name, "columns": one.columns} for one in outputs]}
    if isinstance(program.outputs, ClassOutputs):
        own = program.outputs
        return found | {"target": own.name, "labels": own.labels, "label_type": own.label_type}
    return found | {"targets": program.outputs.names}

"""A program as an ONNX model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from onnx import helper

from nncli.data.encoders.text import WORD
from nncli.export.onnx.graph import (
    CHECKSUM,
    INPUTS,
    IR_VERSION,
    ML,
    ML_OPSET,
    OPSET,
    OUTPUTS,
    READING,
    RUN,
    Graph,
    input_names,
)
from nncli.export.onnx.input_nodes import declare_input, missing_spelling, missing_word, write_input
from nncli.export.onnx.program_nodes import Output, write_outputs, write_program
from nncli.export.targets import ModelInfo
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput
from nncli.nn.program.program import ClassOutputs, Program


def model_bytes(program: Program, info: ModelInfo) -> bytes:
    """The file of the ONNX model of a program."""
    names = input_names(program.inputs)
    graph = Graph(reserved=names)
    inputs = [write_input(graph, n, c, program.missing_values) for n, c in zip(names, program.inputs, strict=True)]
    outputs = write_outputs(graph, program, write_program(graph, program, inputs), names)
    graph.remove_unused(one.declaration.name for one in outputs)
    declared = [declare_input(name, column) for name, column in zip(names, program.inputs, strict=True)]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "nncli", declared, [one.declaration for one in outputs], graph.initializers),
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

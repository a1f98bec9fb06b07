"""A program as an ONNX model."""

from __future__ import annotations

from onnx import helper

from nncli.export.model_info import ModelInfo
from nncli.export.onnx.graph import IR_VERSION, ML, ML_OPSET, OPSET, Graph
from nncli.export.onnx.input_nodes import declare_input, write_input
from nncli.export.onnx.metadata import metadata
from nncli.export.onnx.names import input_names
from nncli.export.onnx.output_nodes import write_outputs
from nncli.export.onnx.program_nodes import write_program
from nncli.nn.program.program import Program


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

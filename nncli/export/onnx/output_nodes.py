"""The outputs of an ONNX model: one for each column that `nncli predict` prints, and the probabilities together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import ValueInfoProto, helper

from nncli.base.errors import UsageError
from nncli.base.text import quote
from nncli.export.onnx.graph import DOUBLE, FLOAT, INT64, STRING, Graph, Tensor
from nncli.export.onnx.input_nodes import ANY
from nncli.export.onnx.names import PROBABILITIES, free_name
from nncli.nn.program.output_columns import number_columns, probability_columns
from nncli.nn.program.program import ClassOutputs, NumberOutputs, Program

NO_LABEL = -(2**63)
"""The label of a row with an infinite number, where labels are whole numbers."""


@dataclass(frozen=True)
class Output:
    """An output: its name, its declaration, and the columns of `nncli predict` that it holds."""

    name: str
    declaration: ValueInfoProto
    columns: tuple[str, ...]


def write_outputs(graph: Graph, program: Program, values: Mapping[int, Tensor], taken: Collection[str]) -> list[Output]:
    """The outputs, computed from the tensors of their nodes; their names differ from those `taken`."""
    outputs = program.outputs
    writer = _Writer(graph, list(taken))
    if isinstance(outputs, NumberOutputs):
        for title, node, place in number_columns(outputs):
            cells = _column_of(graph, graph.cast(values[node], DOUBLE), place, program.widths[node])
            writer.write(title, cells, DOUBLE, [ANY], (title,))
        return writer.outputs
    if outputs.codes is not None:
        label, kind = _labels(graph, outputs, values[outputs.codes])
        writer.write("prediction", label, kind, [ANY], ("prediction",))
    if outputs.probabilities is not None:
        kind = FLOAT if program.precision == "float32" else DOUBLE
        found = graph.cast(Tensor(graph.cast(values[outputs.probabilities], DOUBLE), DOUBLE), kind)
        columns = tuple(column.title for column in probability_columns(outputs))
        writer.write(PROBABILITIES, found, kind, [ANY, len(columns)], columns)
    return writer.outputs


class _Writer:
    def __init__(self, graph: Graph, taken: list[str]) -> None:
        self.graph, self.taken, self.outputs = graph, taken, list[Output]()

    def write(self, title: str, tensor: str, kind: int, shape: Sequence[int | None], columns: tuple[str, ...]) -> None:
        name = free_name(title.replace("\0", r"\0"), self.taken)
        self.taken.append(name)
        self.graph.name_output(tensor, name)
        self.outputs.append(Output(name, helper.make_tensor_value_info(name, kind, shape), columns))


def _column_of(graph: Graph, values: str, place: int, width: int) -> str:
    """A column (rows,) of values (rows, width)."""
    if width == 1:
        return graph.add("Squeeze", values, graph.integers((1,)))
    return graph.add("Gather", values, graph.integers(place), axis=1)


def _labels(graph: Graph, outputs: ClassOutputs, codes: Tensor) -> tuple[str, int]:
    """The labels (rows,) of codes (rows, 1) from -1, as texts or numbers; UsageError if one has a NUL character."""
    labels: Sequence[str] = outputs.labels
    for label in labels:
        if "\0" in label:
            raise UsageError(
                f"the class {quote(label)} has a NUL character, at which ONNX Runtime ends a text",
                hint="Add --proba (in Python proba=True) to leave out the classes, or use another target.",
            )
    places = graph.add("Add", graph.cast(codes, INT64), graph.integers((1,)))
    places = graph.add("Squeeze", places, graph.integers((1,)))
    if outputs.label_type == "integer" and all(NO_LABEL < int(label) < -NO_LABEL for label in labels):
        return graph.add("Gather", graph.integers([NO_LABEL, *map(int, labels)]), places, axis=0), INT64
    if outputs.label_type == "float":
        table = graph.constant(np.array([np.nan, *map(float, labels)]))
        return graph.add("Gather", table, places, axis=0), DOUBLE
    return graph.add("Gather", graph.strings(["", *labels]), places, axis=0), STRING

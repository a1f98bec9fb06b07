"""The graph of an ONNX model that is being written: nodes, constants and names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper, numpy_helper

from nncli.extend import ProgramInput
from nncli.extend.programs import free_name

OPSET, ML_OPSET, IR_VERSION = 17, 3, 8
"""The versions that ONNX Runtime reads from 1.13 on."""
ML = "ai.onnx.ml"
MIN_FLOAT32_SIZE = 32
"""Numbers from which a constant that is exact in float32 is kept so: a Cast has the bytes of as many."""
DOUBLE, FLOAT, INT64, BOOL, STRING = (
    *(TensorProto.DOUBLE, TensorProto.FLOAT, TensorProto.INT64),
    *(TensorProto.BOOL, TensorProto.STRING),
)


ANY = None
"""An axis of any length. It has no name: ONNX Runtime 1.16 and 1.17 share memory between tensors whose axes have the
same names, and compute wrong numbers from the second call on."""


class Tensor(NamedTuple):
    """A tensor of the graph: its name and the type of its elements."""

    name: str
    kind: int


class Graph:
    """Nodes and constants, each with a name that no name of `reserved` equals."""

    def __init__(self, reserved: Iterable[str]) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self._prefix = "t"
        while any(name.startswith(self._prefix) for name in reserved):
            self._prefix += "_"
        self._count = 0
        self._made: dict[tuple[object, ...], str] = {}

    def name(self) -> str:
        """A new name."""
        self._count += 1
        return f"{self._prefix}{self._count}"

    def add(self, operation: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> str:
        """The name of the first output of a node, which is its own name too. Equal nodes are one.

        ONNX Runtime 1.20 refuses graphs in which it has merged several nodes without names.
        """
        key = (operation, inputs, domain, repr(sorted(attributes.items())))
        if key not in self._made:
            names = [self.name() for _ in range(outputs)]
            self.nodes.append(helper.make_node(operation, inputs, names, names[0], domain=domain, **attributes))
            self._made[key] = names[0]
        return self._made[key]

    def cast(self, tensor: Tensor, kind: int) -> str:
        """The name of a tensor with elements of another type."""
        return tensor.name if tensor.kind == kind else self.add("Cast", tensor.name, to=kind)

    def constant(self, values: npt.NDArray[np.floating[Any]]) -> str:
        """The name of float64 numbers. They are kept in float32 if they are given so and that is shorter."""
        values = values if values.dtype == np.float32 and values.size >= MIN_FLOAT32_SIZE else values.astype(np.float64)
        kept = self._initializer(values)
        return self.cast(Tensor(kept, FLOAT), DOUBLE) if values.dtype == np.float32 else kept

    def integers(self, values: Sequence[int] | int) -> str:
        """The name of int64 numbers."""
        return self._initializer(np.array(values, np.int64))

    def booleans(self, values: Sequence[bool]) -> str:
        """The name of truth values."""
        return self._initializer(np.array(values, np.bool_))

    def strings(self, values: Sequence[str]) -> str:
        """The name of texts."""
        name = self.name()
        encoded = [text.encode() for text in values]
        self.initializers.append(helper.make_tensor(name, TensorProto.STRING, [len(encoded)], encoded))
        return name

    def _initializer(self, values: npt.NDArray[Any]) -> str:
        key = ("constant", values.dtype.str, values.shape, values.tobytes())
        if key not in self._made:
            self._made[key] = self.name()
            self.initializers.append(numpy_helper.from_array(values, self._made[key]))
        return self._made[key]

    def remove_unused(self, outputs: Iterable[str]) -> None:
        """Remove the nodes and constants that no output needs."""
        needed, kept = {*outputs}, list[NodeProto]()
        for node in reversed(self.nodes):  # each comes after its operands
            if not needed.isdisjoint(node.output):
                kept.append(node)
                needed.update(node.input)
        self.nodes = kept[::-1]
        self.initializers = [constant for constant in self.initializers if constant.name in needed]

    def name_output(self, old: str, new: str) -> None:
        """Give a tensor the name of an output of the graph, too."""
        self.nodes.append(helper.make_node("Identity", [old], [new], self.name()))


PROBABILITIES = "probabilities"


def input_names(inputs: Sequence[ProgramInput]) -> list[str]:
    """The names of the columns. An empty one is `column`, and U+0000, which ends a name of C, is written `\\0`."""
    names = list[str]()
    for column in inputs:
        names.append(free_name(column.name.replace("\0", r"\0") or "column", names))
    return names

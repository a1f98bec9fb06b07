"""The nodes of ONNX that compute a program, from the values of its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nncli.export.onnx.graph import DOUBLE, Graph, Tensor
from nncli.export.onnx.grouping import Members, are_constants
from nncli.export.onnx.operations import Operand, Size, transposed, write_node
from nncli.export.onnx.smallest_sum import write_smallest_sum
from nncli.export.onnx.steps import Step, steps_of
from nncli.nn.program.nodes import Constant, Input, Join, Node, SmallestSum
from nncli.nn.program.program import Program


def write_program(graph: Graph, program: Program, inputs: Sequence[Tensor]) -> dict[int, Tensor]:
    """The tensors (rows, width) of the outputs, by the positions of their nodes."""
    values: dict[Members, Operand] = {}
    for step in steps_of(program):
        values[step.members] = _write_step(graph, program, step, values, inputs)
    return {i: values[(i,)].tensor for i in program.outputs.nodes}


def _write_step(
    graph: Graph, program: Program, step: Step, values: Mapping[Members, Operand], inputs: Sequence[Tensor]
) -> Operand:
    node, members = program.nodes[step.members[0]], step.members
    operands = [values[one] for one in step.operands]
    if are_constants(program.nodes, members):
        return _constant(graph, program, members)
    if isinstance(node, Input) and len(members) == 1:
        return Operand(inputs[node.position])
    if len(members) == 1 and any(len(one) > 1 for one in step.operands):
        return _of_group(graph, node, step, operands[0], program.widths[members[0]])
    if step.is_stack:
        return _stack(graph, step, operands, program.widths[members[0]])
    if isinstance(node, SmallestSum):
        scores = program.nodes[node.scores]
        assert isinstance(scores, Constant)
        return Operand(write_smallest_sum(graph, node, scores.values.astype(np.float64), operands))
    size = Size(program.widths[members[0]], len(members) if len(members) > 1 else 0)
    return write_node(graph, node, size, operands)


def _constant(graph: Graph, program: Program, members: Members) -> Operand:
    """The constant, or the constants of the members along a first axis, before that of the rows."""
    nodes = [program.nodes[i] for i in members]
    values = [node.values for node in nodes if isinstance(node, Constant)]
    if len(values) == 1:
        return Operand(Tensor(graph.constant(values[0]), DOUBLE), shape=values[0].shape)
    stacked = np.stack([one[None] if one.ndim == 1 else one for one in values])
    return Operand(Tensor(graph.constant(stacked), DOUBLE), len(members), stacked.shape)


def _of_group(graph: Graph, node: Node, step: Step, group: Operand, width: int) -> Operand:
    """The sum or the join of all values of a group, or the value of one member."""
    name, kind = group.tensor
    if not step.is_whole:
        place = graph.integers(step.operands[0].index(step.members[0]))
        return Operand(Tensor(graph.add("Gather", name, place, axis=0), kind))
    if isinstance(node, Join):
        by_row = graph.add("Transpose", name, perm=[1, 0, 2])
        return Operand(Tensor(graph.add("Reshape", by_row, graph.integers((0, width))), kind))
    total = graph.add("ReduceSum", graph.cast(group.tensor, DOUBLE), graph.integers((0,)), keepdims=0)
    return Operand(Tensor(total, DOUBLE))


def _stack(graph: Graph, step: Step, operands: Sequence[Operand], width: int) -> Operand:
    """The values (members, rows, width) of groups, and of members that are computed one by one."""
    singles = [i for i, one in enumerate(operands) if not one.members]
    parts = [graph.cast(one.tensor, DOUBLE) for one in operands if one.members]
    order = [i for group in step.operands if len(group) > 1 for i in group]
    if singles:
        parts.append(_singles(graph, [graph.cast(operands[i].tensor, DOUBLE) for i in singles], width))
        order += [step.operands[i][0] for i in singles]
    whole = graph.add("Concat", *parts, axis=0) if len(parts) > 1 else parts[0]
    if order != list(step.members):
        whole = graph.add("Gather", whole, graph.integers([order.index(i) for i in step.members]), axis=0)
    return Operand(Tensor(whole, DOUBLE), len(step.members))


def _singles(graph: Graph, names: Sequence[str], width: int) -> str:
    """Values (rows, width) as one (values, rows, width)."""
    if len(names) == 1:
        return graph.add("Unsqueeze", names[0], graph.integers((0,)))
    joined = graph.add("Concat", *names, axis=1)
    split = graph.add("Reshape", joined, graph.integers((0, len(names), width)))
    return transposed(graph, split, [1, 0, 2], (len(names), 0, width))

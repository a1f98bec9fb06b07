"""The operations of a program in an order in which ONNX can compute them, those of groups of members together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from nncli.export.onnx.grouping import Grouping, Members, are_constants, computed_operands
from nncli.nn.program.nodes import Node
from nncli.nn.program.program import Program


@dataclass(frozen=True)
class Step:
    """Operations that are computed together, as one node.

    With `is_whole`, it is the sum or the join of all values of a group; with `is_stack`, values beside each other.
    """

    members: Members
    operands: tuple[Members, ...]
    is_whole: bool = False
    is_stack: bool = False


def steps_of(program: Program) -> list[Step]:
    """The operations that the outputs need, in an order in which each follows its operands."""
    try:
        return _ordered(program, Grouping(program))
    except CycleError:  # a member that needs the value of another one
        return _ordered(program, None)


def _ordered(program: Program, grouping: Grouping | None) -> list[Step]:
    steps: dict[Members, Step] = {}
    waiting: list[Members] = [(i,) for i in program.outputs.nodes]
    graph: TopologicalSorter[Members] = TopologicalSorter()
    while waiting:
        members = waiting.pop()
        if members in steps:
            continue
        steps[members] = step = _step(program.nodes, grouping, members)
        graph.add(members, *step.operands)
        waiting.extend(step.operands)
    return [steps[members] for members in graph.static_order()]


def _step(nodes: Sequence[Node], grouping: Grouping | None, members: Members) -> Step:
    """The step of members: an operation, or their values beside each other where they are in no group."""
    if grouping is None:
        return Step(members, tuple((i,) for i in computed_operands(nodes[members[0]])))
    group = grouping.group_of.get(members[0])
    if len(members) == 1 and members[0] in grouping.whole:
        return Step(members, (grouping.whole[members[0]],), is_whole=True)
    if len(members) == 1 and group is not None:
        return Step(members, (group,))
    if len(members) > 1 and group != members:
        is_stack = not are_constants(nodes, members)
        return Step(members, grouping.parts(members) if is_stack else (), is_stack=is_stack)
    return Step(members, grouping.operands(members))

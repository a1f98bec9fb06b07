"""Which operations of a program are the same for all members of an ensemble, so that one node computes them all.

ONNX Runtime needs about a microsecond for each node, and a default ensemble has eight times the operations of a member.
Where values of members are added or joined, their operations are followed back as long as they are alike: see Larsen
and Amarasinghe, "Exploiting superword level parallelism with multimedia instruction sets", 2000.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from graphlib import CycleError, TopologicalSorter
from typing import TypeAlias

from nncli.program.nodes import Binary, Constant, Input, Join, LookUp, Node, SmallestSum, operands
from nncli.program.program import Program

Members: TypeAlias = tuple[int, ...]
"""Positions of nodes: one, or those of the members."""
NODES_OF_PARTS, NODES_OF_STACK = 2, 3
"""Nodes that separate the values of a group, and nodes that put values beside each other."""
MAX_MEMBERS = 256
"""Parts up to which sums are followed."""
NOT_GROUPED = (Input, Constant, SmallestSum)
OPERANDS = frozenset(("x", "y", "condition", "parts", "weights", "table", "edges"))


@dataclass(frozen=True)
class Step:
    """Operations that are computed together; with `is_whole`, the sum or the join of all values of a group."""

    members: Members
    operands: tuple[Members, ...]
    is_whole: bool = False


class Grouping:
    """The members' operations that are alike, and the sums and joins of all values of a group."""

    def __init__(self, program: Program) -> None:
        self.nodes, self.widths = program.nodes, program.widths
        self.group_of: dict[int, Members] = {}
        self.whole: dict[int, Members] = {}
        for root, parts in sorted(_sums_and_joins(program), key=lambda found: (-len(found[1]), -found[0])):
            if root not in self.whole and self._group(parts):
                self.whole[root] = parts

    def _group(self, members: Members) -> bool:
        """Whether the nodes are a group, after making them one, and their operands, where that needs fewer nodes."""
        if self.group_of.get(members[0]) == members:
            return True
        before, waiting, saved = dict(self.group_of), [members], -NODES_OF_PARTS
        while waiting:
            found = waiting.pop()
            if self.group_of.get(found[0]) == found or are_constants(self.nodes, found) or len(found) == 1:
                continue
            if self._are_alike(found):
                self.group_of |= dict.fromkeys(found, found)
                waiting.extend(self.operands(found))
                saved += len(found) - 1
            else:
                saved -= NODES_OF_STACK
        if saved <= 0:
            self.group_of = before
        return saved > 0

    def operands(self, members: Members) -> tuple[Members, ...]:
        """The operands of a node, or of a group: one that all share, or those of the members."""
        found = tuple(zip(*(computed_operands(self.nodes[i]) for i in members), strict=True))
        return tuple(one[:1] if len(set(one)) == 1 else one for one in found)

    def _are_alike(self, members: Members) -> bool:
        """Whether the nodes are different ones, in no group, of the same operation on values of the same shapes."""
        first = self.nodes[members[0]]
        if len(members) < 2 or len(set(members)) < len(members) or isinstance(first, NOT_GROUPED):
            return False
        if any(i in self.group_of or not self._is_like(i, members[0]) for i in members):
            return False
        by_operand = self.operands(members)
        if isinstance(first, LookUp) and len(by_operand[0]) > 1:
            return False
        return any(len(one) > 1 for one in by_operand)

    def _is_like(self, i: int, j: int) -> bool:
        a, b = self.nodes[i], self.nodes[j]
        if type(a) is not type(b) or self.widths[i] != self.widths[j] or _attributes(a) != _attributes(b):
            return False
        pairs = list(zip(operands(a), operands(b), strict=False))
        return len(operands(a)) == len(operands(b)) and all(self._shape(k) == self._shape(m) for k, m in pairs)

    def _shape(self, i: int) -> tuple[int, ...]:
        """The shape of a constant, or the width of a value after -1."""
        node = self.nodes[i]
        return node.values.shape if isinstance(node, Constant) else (-1, self.widths[i])


def computed_operands(node: Node) -> tuple[int, ...]:
    """The operands of a node that the graph needs as they are: scores are selected first."""
    return tuple(i for i in operands(node) if not isinstance(node, SmallestSum) or i != node.scores)


def are_constants(nodes: Sequence[Node], members: Members) -> bool:
    """Whether all members are constants."""
    return all(isinstance(nodes[i], Constant) for i in members)


def _attributes(node: Node) -> list[object]:
    return [getattr(node, field.name) for field in fields(node) if field.name not in OPERANDS]


def _sums_and_joins(program: Program) -> Iterator[tuple[int, Members]]:
    """The joins and the sums of a program with their parts; the first part of a sum may be a sum itself."""
    for i, node in enumerate(program.nodes):
        if isinstance(node, Join):
            yield i, node.parts
        first, parts = i, list[int]()
        while len(parts) < MAX_MEMBERS and (pair := _added(program, first)):
            first = pair[0]
            parts.append(pair[1])
            yield i, (first, *reversed(parts))


def _added(program: Program, i: int) -> tuple[int, int] | None:
    """The operands of a sum of values of the same width, None for another node."""
    node = program.nodes[i]
    if not isinstance(node, Binary) or node.function != "add" or program.widths[node.x] != program.widths[node.y]:
        return None
    return node.x, node.y


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
        return Step(members, () if are_constants(nodes, members) else tuple((i,) for i in members))
    return Step(members, grouping.operands(members))

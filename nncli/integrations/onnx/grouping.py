"""Which operations of a program are the same for several members of an ensemble, so that one node computes them all.

ONNX Runtime needs about a microsecond for each node, and a default ensemble has eight times the operations of a member.
Where values of members are added or joined, their operations are followed back as long as they are alike; where only
some are, these are groups of their own. See Larsen and Amarasinghe, "Exploiting superword level parallelism with
multimedia instruction sets", 2000.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import TypeAlias

from nncli.extend import Program
from nncli.extend.programs import nodes as op

GroupMembers: TypeAlias = tuple[int, ...]
"""Positions of nodes: one, or those of the members."""
NODES_OF_PARTS, NODES_OF_STACK = 2, 4
"""Nodes that separate the values of a group, and nodes that put values beside each other."""
MAX_MEMBERS = 256
"""Parts up to which sums are followed."""
NOT_GROUPED = (op.InputNode, op.ConstantNode, op.SmallestSum)
OPERANDS = frozenset(("x", "y", "condition", "parts", "weights", "table", "edges"))


class Grouping:
    """The members' operations that are alike, and the sums and joins of all values of a group."""

    def __init__(self, program: Program) -> None:
        self.nodes, self.widths = program.nodes, program.widths
        self.group_of: dict[int, GroupMembers] = {}
        self.whole: dict[int, GroupMembers] = {}
        for root, parts in sorted(
            _sums_and_joins(program), key=lambda root_and_parts: (-len(root_and_parts[1]), -root_and_parts[0])
        ):
            if root not in self.whole and (self.group_of.get(parts[0]) == parts or self._group(parts)):
                self.whole[root] = parts

    def operands(self, members: GroupMembers) -> tuple[GroupMembers, ...]:
        """The operands of a node, or of a group: one that all share, or those of the members."""
        columns = tuple(zip(*(computed_operands(self.nodes[i]) for i in members), strict=True))
        return tuple(column[:1] if len(set(column)) == 1 else column for column in columns)

    def parts(self, members: GroupMembers) -> tuple[GroupMembers, ...]:
        """The groups and single nodes that the members consist of."""
        groups = dict[GroupMembers, None]()
        for i in members:
            group = self.group_of.get(i, (i,))
            groups[group if set(group) <= set(members) else (i,)] = None
        return tuple(groups)

    def _group(self, members: GroupMembers) -> int:
        """The number of nodes that are saved by making the members and their operands groups; 0 if they stay single."""
        if not self._are_alike(members):
            return 0
        before, waiting, saved = dict(self.group_of), [members], -NODES_OF_PARTS
        while waiting:
            group = waiting.pop()
            if len(group) == 1 or self.group_of.get(group[0]) == group or are_constants(self.nodes, group):
                continue
            if self._are_alike(group):
                self.group_of |= dict.fromkeys(group, group)
                waiting.extend(self.operands(group))
                saved += len(group) - 1
            else:
                saved += sum(map(self._group, self._alike_parts(group))) - NODES_OF_STACK
        if saved <= 0:
            self.group_of = before
        return max(saved, 0)

    def _are_alike(self, members: GroupMembers) -> bool:
        """Whether the nodes are different ones, in no group, of the same operation on values of the same shapes."""
        if len(members) < 2 or len(set(members)) < len(members) or not all(map(self._is_single, members)):
            return False
        first = self._signature(members[0])
        if any(self._signature(i) != first for i in members):
            return False
        return any(len(operand) > 1 for operand in self.operands(members))

    def _alike_parts(self, members: GroupMembers) -> list[GroupMembers]:
        """The single nodes by their signatures."""
        alike = defaultdict[object, list[int]](list)
        for i in filter(self._is_single, dict.fromkeys(members)):
            alike[self._signature(i)].append(i)
        return [tuple(part) for part in alike.values()]

    def _is_single(self, i: int) -> bool:
        return i not in self.group_of and not isinstance(self.nodes[i], NOT_GROUPED)

    def _signature(self, i: int) -> object:
        """What is the same for alike nodes: the operation, its width and the shapes of its operands."""
        node = self.nodes[i]
        attributes = tuple(getattr(node, field.name) for field in fields(node) if field.name not in OPERANDS)
        codes = node.x if isinstance(node, op.LookUp) else None  # a Gather has the same places for all members
        return type(node), attributes, self.widths[i], tuple(map(self._shape, op.operands(node))), codes

    def _shape(self, i: int) -> tuple[int, ...]:
        """The shape of a constant, or the width of a value after -1."""
        node = self.nodes[i]
        return node.values.shape if isinstance(node, op.ConstantNode) else (-1, self.widths[i])


def computed_operands(node: op.Node) -> tuple[int, ...]:
    """The operands of a node that the graph needs as they are: scores are selected first."""
    return tuple(i for i in op.operands(node) if not isinstance(node, op.SmallestSum) or i != node.scores)


def are_constants(nodes: Sequence[op.Node], members: GroupMembers) -> bool:
    """Whether all members are constants."""
    return all(isinstance(nodes[i], op.ConstantNode) for i in members)


def _sums_and_joins(program: Program) -> Iterator[tuple[int, GroupMembers]]:
    """The joins and the sums of a program with their parts; the first part of a sum may be a sum itself."""
    for i, node in enumerate(program.nodes):
        if isinstance(node, op.Join):
            yield i, node.parts
        first, parts = i, list[int]()
        while len(parts) < MAX_MEMBERS and (pair := _added(program, first)):
            first = pair[0]
            parts.append(pair[1])
            yield i, (first, *reversed(parts))


def _added(program: Program, i: int) -> tuple[int, int] | None:
    """The operands of a sum of values of the same width, None for another node."""
    node = program.nodes[i]
    if not isinstance(node, op.Binary) or node.function != "add" or program.widths[node.x] != program.widths[node.y]:
        return None
    return node.x, node.y

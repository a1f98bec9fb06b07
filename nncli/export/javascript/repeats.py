"""Equal parts of a list of nodes, stored once: the members of an ensemble differ in their constants alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Mode: TypeAlias = Literal["distance", "position"]
MIN_LENGTH = 3
"""Nodes from which a repeat is shorter than the nodes themselves."""


@dataclass
class EncodedNode:
    """A node: the number of its operation, the positions of its operands, and further numbers.

    `modes` are how its operands are stored, as far as that is decided; copies of a node share them.
    """

    operation: int
    operands: tuple[int | None, ...]
    rest: tuple[int, ...]
    modes: dict[int, Mode] = field(default_factory=dict)

    @property
    def key(self) -> tuple[int, int, tuple[int, ...]]:
        """What equal nodes have in common whatever their operands are."""
        return self.operation, len(self.operands), self.rest

    def numbers(self, at: int) -> list[int]:
        """The node as numbers, if it is the one at the position `at`."""
        stored = [
            0 if operand is None else -1 - operand if self.modes.get(k) == "position" else at - operand
            for k, operand in enumerate(self.operands)
        ]
        return [self.operation, *stored, *self.rest]


def encode_repeats(nodes: Sequence[EncodedNode], repeat: int) -> list[list[int]]:
    """The nodes as numbers; [repeat, distance, count] is `count` nodes equal to those `distance` nodes earlier."""
    steps, at = list[tuple[int, int]](), 0  # a distance, 0 for a node that is no repeat, and a count
    earlier = defaultdict[object, list[int]](list)
    while at < len(nodes):
        distance, count = _longest_repeat(nodes, at, earlier[nodes[at].key])
        if count < MIN_LENGTH:
            distance, count = 0, 1
        for i in range(at, at + count):
            if distance:
                _decide(nodes, i, distance)
            earlier[nodes[i].key].append(i)
        steps.append((distance, count))
        at += count
    encoded, at = list[list[int]](), 0
    for distance, count in steps:
        encoded.append([repeat, distance, count] if distance else nodes[at].numbers(at))
        at += count
    return encoded


def _longest_repeat(nodes: Sequence[EncodedNode], at: int, starts: Sequence[int]) -> tuple[int, int]:
    """The distance and the number of nodes of the longest repeat that begins at a position."""
    best = (0, 0)
    for start in starts:
        distance, count = at - start, 0
        decided: dict[int, dict[int, Mode]] = {}  # by the modes of the source, which other nodes may share
        while at + count < len(nodes) and count < distance:
            modes = _modes_of_copy(nodes, at + count, distance)
            own = decided.setdefault(id(nodes[start + count].modes), {})
            if modes is None or any(own.get(k, mode) != mode for k, mode in modes.items()):
                break
            own |= modes
            count += 1
        best = max(best, (distance, count), key=lambda found: found[1])
    return best


def _modes_of_copy(nodes: Sequence[EncodedNode], at: int, distance: int) -> dict[int, Mode] | None:
    """How the operands must be stored so that a node equals the one `distance` earlier; None if it cannot."""
    node, source = nodes[at], nodes[at - distance]
    if node.key != source.key:
        return None
    modes = dict[int, Mode]()
    for k, (own, other) in enumerate(zip(node.operands, source.operands, strict=True)):
        if own is None or other is None:
            if own != other:
                return None
            continue
        if own - other not in (0, distance):
            return None
        modes[k] = "position" if own == other else "distance"
        if source.modes.get(k, modes[k]) != modes[k]:
            return None
    return modes


def _decide(nodes: Sequence[EncodedNode], at: int, distance: int) -> None:
    """Store a node and the one `distance` earlier in the same way."""
    modes = _modes_of_copy(nodes, at, distance)
    assert modes is not None
    nodes[at - distance].modes.update(modes)
    nodes[at].modes = nodes[at - distance].modes

"""Equal parts of a list of nodes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nncli.export.javascript.program_data import EncodedNode, encode_repeats

REPEAT = 9


def decoded(encoded: list[list[int]], operands: list[int]) -> list[tuple[int, list[int | None], list[int]]]:
    """The nodes of encoded ones, as javascript_runtime/operations.js reads them; `operands` are those by operation."""
    nodes = list[list[int]]()
    for node in encoded:
        if node[0] == REPEAT:
            start = len(nodes) - node[1]
            nodes += nodes[start : start + node[2]]
        else:
            nodes.append(node)
    found = []
    for at, (operation, *numbers) in enumerate(nodes):
        n = operands[operation]
        places = [None if x == 0 else -1 - x if x < 0 else at - x for x in numbers[:n]]
        found.append((operation, places, numbers[n:]))
    return found


@st.composite
def members(draw: st.DrawFn) -> list[EncodedNode]:
    """Shared nodes, then copies of a member, some of whose nodes have other operands or numbers."""
    shared = draw(st.integers(1, 5))
    nodes = [EncodedNode(0, (), (i,)) for i in range(shared)]
    own = draw(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=8))
    for _ in range(draw(st.integers(1, 6))):
        start = len(nodes)
        for operation, rest, back in own:
            at = len(nodes)
            place = at - 1 - back if at - 1 - back >= start else back % shared
            place = draw(st.integers(0, at - 1)) if draw(st.integers(0, 6)) == 0 else place
            operands = (place, None, at - 1)[:operation]
            nodes.append(EncodedNode(operation, operands, (rest,)))
    return nodes


@given(members())
def test_decoded_nodes_are_the_nodes_themselves(nodes: list[EncodedNode]) -> None:
    wanted = [(node.operation, [*node.operands], [*node.rest]) for node in nodes]
    assert decoded(encode_repeats(nodes, REPEAT), [0, 1, 2, 3]) == wanted


def test_members_that_share_nodes_are_stored_once() -> None:
    nodes = [EncodedNode(0, (), (0,))]
    for member in range(8):
        start = 1 + 4 * member
        nodes += [EncodedNode(1, (0,), (7,)), EncodedNode(2, (start, start), ())]
        nodes += [EncodedNode(2, (0, start + 1), ()), EncodedNode(1, (start + 2,), ())]
    encoded = encode_repeats(nodes, REPEAT)
    assert len(encoded) == 8
    assert encoded[5:] == [[REPEAT, 4, 4], [REPEAT, 8, 8], [REPEAT, 16, 16]]

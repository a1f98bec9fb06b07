"""The nodes of ONNX that find the smallest sums of shifts and scores, of which prediction intervals consist."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from nncli.export.onnx.graph import DOUBLE, Graph, Tensor
from nncli.export.onnx.operations import Operand
from nncli.nn.program.nodes import SmallestSum


def write_smallest_sum(
    graph: Graph, node: SmallestSum, scores: npt.NDArray[np.float64], operands: Sequence[Operand]
) -> Tensor:
    """The `rank`-th smallest sum of each row (rows, 1).

    The scores ascend in each group, and scales are not negative: so the sums that are among the `rank` smallest are of
    the first scores of each group. Where the rank is nearer to that of the
    largest sum, the largest are searched, from the other end.
    """
    from_end = len(scores) - node.rank + 1
    is_low, k = node.rank <= from_end, min(node.rank, from_end)
    kept, group_of = list[npt.NDArray[np.float64]](), list[int]()
    for group, (size, end) in enumerate(zip(node.sizes, accumulate(node.sizes), strict=True)):
        own = scores[end - size : end]
        own = own[:k] if is_low else own[max(0, size - k) :]
        kept.append(own)
        group_of += [group] * len(own)
    if len(node.sizes) == 1:
        kept, group_of = [scores[node.rank - 1 : node.rank]], [0]
    places = graph.integers(group_of)
    sums = graph.constant(np.concatenate(kept))
    if node.scales is not None:
        sums = graph.add("Mul", graph.add("Gather", graph.cast(operands[1].tensor, DOUBLE), places, axis=1), sums)
    sums = graph.add("Add", graph.add("Gather", graph.cast(operands[0].tensor, DOUBLE), places, axis=1), sums)
    if len(group_of) == 1:
        return Tensor(sums, DOUBLE)
    found = graph.add("TopK", sums, graph.integers((k,)), outputs=2, axis=1, largest=int(not is_low), sorted=1)
    return Tensor(graph.add("Slice", found, *(graph.integers((i,)) for i in (k - 1, k, 1))), DOUBLE)

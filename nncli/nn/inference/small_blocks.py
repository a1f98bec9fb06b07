"""Blocks for few rows, used only where they give every row the bits that it has in a large block.

A block of 8 rows takes a fifteenth of the time of one of 384. But the BLAS chooses its algorithm by the shape of a
product, and the loops of NumPy may compute the last elements of an array otherwise than the others. So before a size is
used for a network, a large block of random rows is computed in small blocks as well, by this machine's BLAS, and
compared to the bit after every layer. Measured on OpenBLAS's kernels from Prescott to Sapphire Rapids, on one BLAS
thread, sizes of 8 and more pass but for a first layer of few units; sizes of 4 fail on AVX-512.
"""

from __future__ import annotations

from dataclasses import replace
from threading import Lock

import numpy as np

from nncli.nn.inference.folding import FoldedNetwork, Stage
from nncli.nn.inference.forward_pass import ForwardPass
from nncli.nn.network import Network
from nncli.utils.threads import limit_blas_threads

SIZES = (8, 16, 64)
"""The rows of small blocks: multiples of the vectors of all processors."""
MAX_ROWS = 192
"""Rows up to which small blocks take less time than a large one."""

BlockPlan = list[tuple[int, int]]
"""The rows of the blocks that compute some rows in order, and the number of blocks of each size."""


def plan_blocks(rows: int) -> BlockPlan:
    """The small blocks for a number of rows, at most MAX_ROWS; only the last one may be padded, by less than half."""
    plan: BlockPlan = []
    while rows > 0:
        size = next((size for size in SIZES if rows <= size), SIZES[-1])
        if 2 * rows <= size and size > SIZES[0]:
            size = SIZES[SIZES.index(size) - 1]
        count = max(1, rows // size)
        plan.append((size, count))
        rows -= size * count
    return plan


class VerifiedSizes:
    """Which sizes have been compared for which networks, and whether they may be used. Threads may share it."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int], bool] = {}
        self._lock = Lock()

    def allow(
        self, key: str, network: Network, stages: tuple[Stage, ...], folded: FoldedNetwork, plan: BlockPlan, large: int
    ) -> bool:
        """Whether all sizes of a plan give the bits of blocks of `large` rows; `key` tells apart unequal networks."""
        with self._lock:
            for size, _ in plan:
                if (key, size) not in self._found:
                    self._found[key, size] = has_equal_bits(network, stages, folded, size, large)
            return all(self._found[key, size] for size, _ in plan)


def has_equal_bits(network: Network, stages: tuple[Stage, ...], folded: FoldedNetwork, small: int, large: int) -> bool:
    """Whether random rows have the same bits after every layer in blocks of `small` rows as in one of `large` rows.

    The weights are random ones of the shapes of the `folded` network, so that no row is trivial.
    """
    rng = np.random.default_rng(0)
    weights = tuple(rng.normal(0.0, W.shape[1] ** -0.5, W.shape) for W in folded.weights)
    arrays = replace(folded, weights=weights)
    whole, part = (ForwardPass(network, stages, rows, "float64") for rows in (large, small))
    whole.X[...] = rng.normal(size=whole.X.shape)
    whole.codes[...] = rng.integers(0, [e.n_embeddings for e in network.embeddings], whole.codes.shape)
    with limit_blas_threads(1), np.errstate(all="ignore"):
        whole.run(arrays)
        for start in range(0, large, small):
            rows = slice(start, start + small)
            part.X[...], part.codes[...] = whole.X[rows], whole.codes[rows]
            part.run(arrays)
            layers = zip(part.outputs, whole.outputs, strict=True)
            if not all(np.array_equal(Z, expected[:, rows], equal_nan=True) for Z, expected in layers):
                return False
    return True

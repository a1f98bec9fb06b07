"""Blocks for few rows, used only where they give every row the bits that it has in a large block.

A block of 8 rows takes a fifteenth of the time of one of 384. But the BLAS chooses its algorithm by the shape of a
product, and the loops of NumPy may compute the last elements of an array otherwise than the others. So before a size is
used for a network, a large block of random rows is computed in small blocks as well, by this machine's BLAS, and
compared to the bit after every layer. Measured on OpenBLAS's kernels from Prescott to Sapphire Rapids, on one BLAS
thread: blocks of 8, 16 and 64 rows have equal bits for all networks but linear ones of few outputs, whose large block
is fast enough. Blocks of 4 rows have not on AVX-512, and on two BLAS threads a large block has other bits.
"""

from __future__ import annotations

from dataclasses import replace
from threading import Lock

import numpy as np

from nncli.base.threads import limit_blas_threads
from nncli.nn.inference.folding import FoldedNetwork, Stage
from nncli.nn.inference.forward_pass import ForwardPass
from nncli.nn.network import Network

SIZES = (8, 16, 64)
"""The rows of small blocks: multiples of the vectors of all processors."""
MAX_ROWS = 192
"""Rows up to which small blocks take less time than a large one, and an encoder for few rows less than another."""

COMPARED_BLOCKS = 12
"""Small blocks that are compared with their part of a large one, evenly spread over it."""

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
    """Which sizes have been compared for which networks, and whether they may be used. Threads may share it.

    Comparing takes some milliseconds for each size.
    """

    def __init__(self) -> None:
        self._has_equal_bits: dict[tuple[str, int], bool] = {}
        self._lock = Lock()

    def allow(
        self,
        key: str,
        network: Network,
        stages: tuple[Stage, ...],
        folded: FoldedNetwork,
        plan: BlockPlan,
        large: int,
        members: int = 1,
    ) -> bool:
        """Whether all sizes of a plan give the bits of blocks of `large` rows; `key` is equal for equal networks."""
        with self._lock:
            for size, _ in plan:
                if (key, size) not in self._has_equal_bits:
                    self._has_equal_bits[key, size] = has_equal_bits(network, stages, folded, size, large, members)
            return all(self._has_equal_bits[key, size] for size, _ in plan)


def has_equal_bits(
    network: Network, stages: tuple[Stage, ...], folded: FoldedNetwork, small: int, large: int, members: int = 1
) -> bool:
    """Whether random rows have the same bits after every layer in blocks of `small` rows as in one of `large` rows.

    The weights are random ones of the shapes of the `folded` network, so that no row is trivial. The small blocks are
    computed by `members` equal networks at once, each with rows of its own.
    """
    rng = np.random.default_rng(0)
    weights = tuple(rng.normal(0.0, W.shape[-1] ** -0.5, W.shape) for W in folded.weights)
    arrays = replace(folded, weights=weights)
    whole = ForwardPass(network, stages, large, copies=False)
    (X,), (codes,) = whole.X, whole.codes
    X[...] = rng.normal(size=X.shape)
    codes[...] = rng.integers(0, [e.n_embeddings for e in network.embeddings], codes.shape)
    every = [slice(start, start + small) for start in range(0, large, small)]
    compared = every[:: max(1, len(every) // COMPARED_BLOCKS)] + every[-1:]
    block, joined = ForwardPass(network, stages, small, members), FoldedNetwork.joined([arrays] * members)
    with limit_blas_threads(1), np.errstate(all="ignore"):
        whole.run(arrays)
        for i in range(0, len(compared), members):
            parts = [compared[(i + j) % len(compared)] for j in range(members)]
            for j, rows in enumerate(parts):
                block.X[j][...], block.codes[j][...] = X[rows], codes[rows]
            block.run(joined)
            for layer, (expected,) in zip(block.outputs, whole.outputs, strict=True):
                pairs = zip(layer, parts, strict=True)
                if not all(np.array_equal(Z, expected[:, rows], equal_nan=True) for Z, rows in pairs):
                    return False
    return True

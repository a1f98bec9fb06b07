"""Prediction by a trained network, such that the bits of a row's prediction depend on the row alone.

The algorithm of a matrix product depends on its shape, and some BLAS kernels treat rows differently by their position
(OpenBLAS's for Haswell in float32: any row of more than eight). So prediction runs in float64, in blocks of one fixed
shape, the last one padded: measured on OpenBLAS's Haswell, Zen and SkylakeX kernels, on one thread and on two, a row
then has the same bits at any position. If a kernel still differs in the last place of a float64, rounding the result
to the network's own precision (nncli/model.py) removes it.
"""

from __future__ import annotations

from threading import Lock

import numpy as np

from nncli.nn.arrays import Array, Codes, Precision
from nncli.nn.embeddings import GROUP_VALUES
from nncli.nn.network import Network
from nncli.nn.parameters import Parameters

BLOCK_ROWS = 384
"""A multiple of every row tile of those kernels (4, 6, 8, 12, 16, 24, 32), also when two threads share it."""


MAX_FREE_BYTES = 64 << 20
"""Bytes of buffers kept for later runs by all predictors of the process; those of the latest run are always kept."""
BUFFERS_PER_UNIT = 7
"""Buffers of a block for each unit of a layer: measured, those of `backward` included."""
BUFFERS_PER_COLUMN = 5
"""Buffers for each value of the numeric columns that are embedded together: measured."""


class _Block:
    """A network bound for one block of rows, with the weights in the precision of its arithmetic."""

    def __init__(self, network: Network) -> None:
        self.parameters = network.layout.empty(network.precision)
        self.bound = network.bind(self.parameters, BLOCK_ROWS, training=None, forward_only=True)
        columns = min(GROUP_VALUES, BLOCK_ROWS * network.embedding_values)
        values = BLOCK_ROWS * (network.input_width + BUFFERS_PER_UNIT * network.units) + BUFFERS_PER_COLUMN * columns
        self.nbytes = 2 * self.parameters.theta.nbytes + 8 * values


class _FreeBlocks:
    """Blocks that no run uses now, the latest last; networks that are equal share them, such as those of members."""

    def __init__(self) -> None:
        self._blocks: list[tuple[str, _Block]] = []
        self._lock = Lock()

    def take(self, key: str) -> _Block | None:
        """Remove and return a block of the network `key`, or None if there is none."""
        with self._lock:
            for i in reversed(range(len(self._blocks))):
                if self._blocks[i][0] == key:
                    return self._blocks.pop(i)[1]
        return None

    def put(self, key: str, block: _Block) -> None:
        """Keep a block, and drop the oldest ones beyond the limit."""
        with self._lock:
            self._blocks.append((key, block))
            while len(self._blocks) > 1 and sum(kept.nbytes for _, kept in self._blocks) > MAX_FREE_BYTES:
                del self._blocks[0]


_FREE = _FreeBlocks()


class Predictor:
    """A network in prediction mode: dropout off, running statistics on. Reads the current `parameters` on every run.

    `precision` is that of its arithmetic, whatever the network was trained in; only float64 gives the guarantee above.
    Threads may share a predictor: each run takes a free set of buffers, or allocates one in some milliseconds. Free
    ones are shared by all predictors of equal networks, so the members of an ensemble need no more than one network.
    """

    def __init__(self, network: Network, parameters: Parameters, precision: Precision = "float64") -> None:
        self._parameters, self._network = parameters, network.model_copy(update={"precision": precision})
        self._key = self._network.model_dump_json()

    def run(self, X: Array, codes: Codes, out: Array | None = None) -> Array:
        """The raw outputs (rows, outputs) for X (rows, features) and codes (rows, embeddings), into `out` if given."""
        block = _FREE.take(self._key) or _Block(self._network)
        block.parameters.copy_from(self._parameters)
        bound = block.bound
        Z = np.empty((len(X), self._network.n_outputs), bound.X.dtype) if out is None else out
        for start in range(0, len(X), BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, len(X))
            rows = stop - start
            bound.X[:rows] = X[start:stop]
            bound.codes[:rows] = codes[start:stop]
            bound.X[rows:] = 0.0
            bound.codes[rows:] = 0
            bound.forward()
            Z[start:stop] = bound.Z[:rows]
        _FREE.put(self._key, block)
        return Z

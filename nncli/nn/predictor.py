"""Running a trained network so that a row's prediction depends on the row alone.

A matrix product chooses its way by its shape, and some BLAS kernels treat rows differently by their place (OpenBLAS's
for Haswell in float32: any row of more than eight). So prediction runs in float64, in blocks of one fixed shape, the
last one padded: measured on OpenBLAS's Haswell, Zen and SkylakeX kernels, on one thread and on two, a row then has the
same bits wherever it stands. Where a kernel should still differ in the last place of a float64, rounding the answer
to the network's own precision (nncli/model.py) takes it away.
"""

from __future__ import annotations

import numpy as np

from nncli.nn.arrays import Array, Codes, Precision
from nncli.nn.network import Network
from nncli.nn.parameters import Parameters

BLOCK_ROWS = 384
"""A multiple of every row tile of those kernels (4, 6, 8, 12, 16, 24, 32), also when two threads share it."""


class _Block:
    """A network bound for one block of rows, and the weights in the precision that it computes in."""

    def __init__(self, network: Network) -> None:
        self.parameters = network.layout.empty(network.precision)
        self.bound = network.bind(self.parameters, BLOCK_ROWS, training=None)


class Predictor:
    """A network ready to predict: dropout off, running statistics on. Reads `parameters` as they are when run.

    `precision` is of its arithmetic, whatever the network was trained in; only float64 keeps the promise above. Threads
    may share it: each that runs has buffers of its own, which the next one finds.
    """

    def __init__(self, network: Network, parameters: Parameters, precision: Precision = "float64") -> None:
        self._parameters, self._network = parameters, network.model_copy(update={"precision": precision})
        self._free_blocks = [_Block(self._network)]

    def run(self, X: Array, codes: Codes, out: Array | None = None) -> Array:
        """The raw outputs (rows, outputs) for X (rows, features) and codes (rows, embeddings), into `out` if given."""
        try:
            block = self._free_blocks.pop()
        except IndexError:
            block = _Block(self._network)
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
        self._free_blocks.append(block)
        return Z

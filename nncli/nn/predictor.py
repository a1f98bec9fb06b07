"""Prediction by a trained network, such that the bits of a row's prediction depend on the row alone.

The algorithm of a matrix product depends on its shape, and some BLAS kernels treat rows differently by their position
(OpenBLAS's for Haswell in float32: any row of more than eight). So prediction runs in float64, in blocks of one fixed
shape, the last one padded: measured on OpenBLAS's Haswell, Zen and SkylakeX kernels, on one thread and on two, a row
then has the same bits at any position. If a kernel still differs in the last place of a float64, rounding the result
to the network's own precision (nncli/model.py) removes it.
"""

from __future__ import annotations

import numpy as np

from nncli.nn.arrays import Array, Codes, Precision
from nncli.nn.network import Network
from nncli.nn.parameters import Parameters

BLOCK_ROWS = 384
"""A multiple of every row tile of those kernels (4, 6, 8, 12, 16, 24, 32), also when two threads share it."""


class _Block:
    """A network bound for one block of rows, with the weights in the precision of its arithmetic."""

    def __init__(self, network: Network) -> None:
        self.parameters = network.layout.empty(network.precision)
        self.bound = network.bind(self.parameters, BLOCK_ROWS, training=None)


class Predictor:
    """A network in prediction mode: dropout off, running statistics on. Reads the current `parameters` on every run.

    `precision` is that of its arithmetic, whatever the network was trained in; only float64 gives the guarantee above.
    Threads may share a predictor: each run takes a free set of buffers, or allocates one.
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

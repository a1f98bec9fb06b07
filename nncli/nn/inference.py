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


class Inference:
    """A network bound for prediction: dropout off, running statistics on. Reads `parameters` as they are when run.

    `precision` is of its arithmetic, whatever the network was trained in; only float64 keeps the promise above.
    """

    def __init__(self, network: Network, parameters: Parameters, precision: Precision = "float64") -> None:
        self._given, self._used = parameters, network.layout.empty(precision)
        retyped = network.model_copy(update={"precision": precision})
        self._bound = retyped.bind(self._used, BLOCK_ROWS, training=None)
        self._outputs = network.outputs

    def run(self, X: Array, codes: Codes, out: Array | None = None) -> Array:
        """The raw outputs (rows, outputs) for X (rows, features) and codes (rows, embeddings), into `out` if given."""
        self._used.copy_from(self._given)
        Z = np.empty((len(X), self._outputs), self._bound.X.dtype) if out is None else out
        for start in range(0, len(X), BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, len(X))
            rows = stop - start
            self._bound.X[:rows] = X[start:stop]
            self._bound.codes[:rows] = codes[start:stop]
            self._bound.X[rows:] = 0.0
            self._bound.codes[rows:] = 0
            self._bound.forward()
            Z[start:stop] = self._bound.Z[:rows]
        return Z

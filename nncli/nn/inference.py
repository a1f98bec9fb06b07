"""Running a trained network: block by block, each block of one fixed shape.

Matrix products choose their way by shape, so a row's last bits would depend on how many rows travel with it. With
every block padded to the same number of rows they do not: they depend on the row and, with some BLAS kernels, on its
place in its block. A table cut at multiples of BLOCK_ROWS therefore gives the bits of the whole.
"""

from __future__ import annotations

import numpy as np

from nncli.nn.arrays import Array, Codes
from nncli.nn.network import Network
from nncli.nn.parameters import Parameters

BLOCK_ROWS = 512


class Inference:
    """A network bound for prediction: dropout off, running statistics on. Reads `parameters` as they are when run."""

    def __init__(self, network: Network, parameters: Parameters) -> None:
        unused = np.random.default_rng(0)  # nothing is drawn outside training
        self._bound = network.bind(parameters, BLOCK_ROWS, rng=unused, training=False)
        self._outputs = network.outputs

    def run(self, X: Array, codes: Codes, out: Array | None = None) -> Array:
        """The raw outputs (rows, outputs) for X (rows, features) and codes (rows, embeddings), into `out` if given."""
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

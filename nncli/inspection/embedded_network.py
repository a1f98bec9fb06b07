"""A trained network whose inputs include the embedding vectors, so that outputs can be differentiated by all inputs.

The embedding vectors of categories follow the numeric features, so that a point may lie between two categories.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.nn.arrays import Array, Codes
from nncli.nn.network import Network
from nncli.nn.parameters import Parameters

Floats: TypeAlias = npt.NDArray[np.float64]
BLOCK_ROWS = 256


class EmbeddedNetwork:
    """A network with U = [X, E_1[codes_1], E_2[codes_2] …] (rows, inputs) as its input, bound in float64."""

    def __init__(self, network: Network, parameters: Parameters) -> None:
        self._tables = [parameters.by_name[e.param_spec.name].astype(np.float64) for e in network.embeddings]
        extra = sum(e.width for e in network.embeddings)
        fields = {name: getattr(network, name) for name in Network.model_fields}
        extended = Network(
            **{**fields, "n_features": network.n_features + extra, "embeddings": (), "precision": "float64"}
        )
        copied = extended.layout.empty("float64")
        for name, view in copied.by_name.items():
            view[...] = parameters.by_name[name]
        self.inputs = extended.n_features
        self._bound = extended.bind(copied, BLOCK_ROWS, training=None, needs_dX=True)

    def embed(self, X: Array, codes: Codes) -> Floats:
        """U (rows, inputs) of encoded rows."""
        vectors = [table[codes[:, j]] for j, table in enumerate(self._tables)]
        return np.concatenate([X.astype(np.float64), *vectors], axis=1)

    def run(self, U: Floats) -> Floats:
        """The raw outputs (rows, outputs)."""
        Z = np.empty((len(U), self._bound.Z.shape[1]))
        for start in range(0, len(U), BLOCK_ROWS):
            rows = self._forward(U[start : start + BLOCK_ROWS])
            Z[start : start + rows] = self._bound.Z[:rows]
        return Z

    def gradients(self, U: Floats, slope: Callable[[Floats, slice], Floats]) -> Floats:
        """The gradient (rows, inputs) of a function of the raw outputs Z, whose gradient in Z is `slope(Z, rows)`."""
        dU, bound = np.empty(U.shape), self._bound
        for start in range(0, len(U), BLOCK_ROWS):
            rows = self._forward(U[start : start + BLOCK_ROWS])
            dZ = np.zeros(bound.Z.shape)
            dZ[:rows] = slope(bound.Z[:rows].astype(np.float64), slice(start, start + rows))
            dU[start : start + rows] = bound.backward(dZ)[:rows]
        return dU

    def _forward(self, U: Floats) -> int:
        """Run some rows through the network, padded with zeros to a block; returns their number."""
        rows = len(U)
        self._bound.X[:rows], self._bound.X[rows:] = U, 0.0
        self._bound.forward()
        return rows

"""A trained network opened behind its look-ups: all that comes in is numbers, and what comes out has a slope in each.

The vectors that embed categories stand behind the features, as further ones. So a row may lie between two categories,
where no table has one, and the way back leads to what a category became.
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
        self._tables = [parameters.by_name[e.slot.name].astype(np.float64) for e in network.embeddings]
        more = sum(e.width for e in network.embeddings)
        fields = {name: getattr(network, name) for name in Network.model_fields}
        opened = Network(
            **{**fields, "n_features": network.n_features + more, "embeddings": (), "precision": "float64"}
        )
        used = opened.layout.empty("float64")
        for name, view in used.by_name.items():
            view[...] = parameters.by_name[name]
        self.inputs = opened.n_features
        self._bound = opened.bind(used, BLOCK_ROWS, training=None, needs_dX=True)

    def embed(self, X: Array, codes: Codes) -> Floats:
        """U (rows, inputs) of rows that are encoded."""
        looked_up = [table[codes[:, j]] for j, table in enumerate(self._tables)]
        return np.concatenate([X.astype(np.float64), *looked_up], axis=1)

    def run(self, U: Floats) -> Floats:
        """The raw outputs (rows, outputs)."""
        Z = np.empty((len(U), self._bound.Z.shape[1]))
        for start in range(0, len(U), BLOCK_ROWS):
            rows = self._forward(U[start : start + BLOCK_ROWS])
            Z[start : start + rows] = self._bound.Z[:rows]
        return Z

    def gradients(self, U: Floats, slope: Callable[[Floats, slice], Floats]) -> Floats:
        """The gradient (rows, inputs) of what has the gradient `slope(Z, rows)` in the raw outputs Z of some rows."""
        dU, bound = np.empty(U.shape), self._bound
        for start in range(0, len(U), BLOCK_ROWS):
            rows = self._forward(U[start : start + BLOCK_ROWS])
            dZ = np.zeros(bound.Z.shape)
            dZ[:rows] = slope(bound.Z[:rows].astype(np.float64), slice(start, start + rows))
            dU[start : start + rows] = bound.backward(dZ)[:rows]
        return dU

    def _forward(self, U: Floats) -> int:
        """Take some rows through, the block filled up with rows of zeros; returns how many there were."""
        rows = len(U)
        self._bound.X[:rows], self._bound.X[rows:] = U, 0.0
        self._bound.forward()
        return rows

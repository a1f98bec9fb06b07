"""A trained network whose inputs include the embedding vectors, so that outputs can be differentiated by all inputs.

The embedding vectors of categories follow the numeric features, so that a point may lie between two categories.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.nn.activations import Identity
from nncli.nn.arrays import Array, Codes
from nncli.nn.network import Network
from nncli.nn.parameters import Parameters

Floats: TypeAlias = npt.NDArray[np.float64]
BLOCK_ROWS = 256


class EmbeddedNetwork:
    """A network with U = [X, E_1[codes_1], E_2[codes_2] …] (rows, inputs) as its input, bound in float64.

    The inner inputs are those of the first layer (rows, width): the inputs, those of the numeric embedding embedded.
    """

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
        self._embedded = np.array(extended.embedded_numeric, np.intp)
        self._others = np.setdiff1d(np.arange(self.inputs), self._embedded)
        self._units = extended.numeric_embedding.out_features if extended.numeric_embedding else 1
        self._X, codes = np.zeros((BLOCK_ROWS, self.inputs)), np.zeros((BLOCK_ROWS, 0), np.int64)
        p, g = copied.by_name, copied.gradients
        self._first = extended.bind_inputs(p, g, self._X, codes, forward_only=True)
        self._layers = extended.sequential.bind(p, g, self._first.Y, training=None, needs_dX=True)
        self._last = (extended.output_activation or Identity()).bind(self._layers.Y)

    def embed(self, X: Array, codes: Codes) -> Floats:
        """U (rows, inputs) of encoded rows."""
        vectors = [table[codes[:, j]] for j, table in enumerate(self._tables)]
        return np.concatenate([X.astype(np.float64), *vectors], axis=1)

    def run(self, U: Floats) -> Floats:
        """The raw outputs (rows, outputs)."""
        Z = np.empty((len(U), self._last.Y.shape[1]))
        for start in range(0, len(U), BLOCK_ROWS):
            rows = self._forward(U[start : start + BLOCK_ROWS])
            Z[start : start + rows] = self._last.Y[:rows]
        return Z

    def gradients(self, U: Floats, slope: Callable[[Floats, slice], Floats]) -> tuple[Floats, Floats]:
        """The inner inputs (rows, width), and the gradient of a function of the raw outputs Z with respect to them.

        `slope(Z, rows)` is the gradient of the function in Z.
        """
        inner, outputs = self._first.Y, self._last.Y
        E, G = np.empty((len(U), inner.shape[1])), np.empty((len(U), inner.shape[1]))
        for start in range(0, len(U), BLOCK_ROWS):
            rows = self._forward(U[start : start + BLOCK_ROWS])
            E[start : start + rows] = inner[:rows]
            dZ = np.zeros(outputs.shape)
            dZ[:rows] = slope(outputs[:rows].astype(np.float64), slice(start, start + rows))
            G[start : start + rows] = self._layers.backward(self._last.backward(dZ))[:rows]
        return E, G

    def by_input(self, values: Floats) -> Floats:
        """Values of the inner inputs (rows, width), summed over those of each input (rows, inputs)."""
        split = len(self._embedded) * self._units
        sums = np.empty((len(values), self.inputs))
        sums[:, self._embedded] = values[:, :split].reshape(len(values), -1, self._units).sum(axis=2)
        sums[:, self._others] = values[:, split:]
        return sums

    def _forward(self, U: Floats) -> int:
        """Run some rows through the network, padded with zeros to a block; returns their number."""
        rows = len(U)
        self._X[:rows], self._X[rows:] = U, 0.0
        for layer in (self._first, self._layers, self._last):
            layer.forward()
        return rows

"""The forward pass of several folded networks of equal shapes for one block of rows each, in the calls of one network.

A product of stacked matrices is one call of the BLAS for each network, so that a row has the bits of `ForwardPass`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from nncli.nn.arrays import Array
from nncli.nn.inference.folding import FoldedNetwork, Stage
from nncli.nn.inference.forward_pass import bind_activation
from nncli.nn.inference.inputs import Inputs
from nncli.nn.inference.piecewise_tables import PiecewiseTables, bind_piecewise, is_one_group
from nncli.nn.network import Network
from nncli.nn.numeric_embeddings import PiecewiseLinear


@dataclass(frozen=True)
class StackedNetworks:
    """The arrays of networks of equal shapes.

    `weights` are (members, units, inputs + 1), `strengths` (members, units, 1), and `tables` have the columns of all
    members one after the other. The weights of each of the `networks` are views.
    """

    weights: tuple[Array, ...]
    strengths: tuple[Array | None, ...]
    tables: PiecewiseTables | None
    networks: tuple[FoldedNetwork, ...]

    @classmethod
    def of(cls, networks: Sequence[FoldedNetwork]) -> Self:
        """Copy the arrays of networks."""
        weights = tuple(np.stack(layer) for layer in zip(*(one.weights for one in networks), strict=True))
        strengths = tuple(
            np.stack(present) if (present := [view for view in layer if view is not None]) else None
            for layer in zip(*(one.strengths for one in networks), strict=True)
        )
        tables = [one.tables for one in networks if one.tables is not None]
        views = (replace(one, weights=tuple(W[i] for W in weights)) for i, one in enumerate(networks))
        return cls(weights, strengths, PiecewiseTables.joined(tables) if tables else None, tuple(views))


class StackedPass:
    """Networks for a number of rows each: fill `X` and `codes` of each, call `run` with their arrays, read `Z`.

    Z (members, rows, outputs) is in float64, `outputs` (members, units, rows) are those of each layer, and `nbytes` is
    the approximate size of all buffers.
    """

    def __init__(self, network: Network, stages: tuple[Stage, ...], rows: int, members: int) -> None:
        embedding, numeric = network.numeric_embedding, network.embedded_numeric
        X = np.zeros((rows, members, network.n_features), network.precision)
        H = np.ones((rows, members, network.input_width + 1))
        self._embed, columns = None, members * len(numeric)
        if isinstance(embedding, PiecewiseLinear) and columns and is_one_group(embedding, rows, columns):
            positions = [i * network.n_features + j for i in range(members) for j in numeric]
            embedded = H[:, :, : len(numeric) * embedding.out_features]
            self._embed = bind_piecewise(embedding, positions, X.reshape(rows, -1), embedded)
        self._inputs = [
            Inputs(network, rows, "float64", (X[:, i], H[:, i]), embeds=self._embed is None) for i in range(members)
        ]
        self.X, self.codes = [one.X for one in self._inputs], [one.codes for one in self._inputs]
        layers = [np.ones((members, stage.units + 1, rows)) for stage in stages]
        self.outputs = [Z[:, :-1] for Z in layers]
        self._H = H.transpose(1, 2, 0)
        self._passed = [np.empty(self._H.shape), *layers[:-1]]  # see `copies` of ForwardPass
        self._activate = [
            None
            if stage.activation is None
            else bind_activation(stage.activation, Z, parametric=stage.alpha is not None)
            for stage, Z in zip(stages, self.outputs, strict=True)
        ]
        self.Z = self.outputs[-1].transpose(0, 2, 1)
        self.nbytes = sum(one.nbytes for one in self._inputs) + 2 * sum(Z.nbytes for Z in layers)

    def run(self, stacked: StackedNetworks) -> None:
        """Compute `Z` from `X` and `codes`."""
        if self._embed is not None and stacked.tables is not None:
            self._embed(stacked.tables)
        for inputs, folded in zip(self._inputs, stacked.networks, strict=True):
            inputs.fill(folded)
        np.copyto(self._passed[0], self._H)
        layers = zip(stacked.weights, stacked.strengths, self._passed, self.outputs, self._activate, strict=True)
        for W, strengths, A, Z, activate in layers:
            np.matmul(W, A, out=Z)
            if activate is not None:
                activate(strengths)

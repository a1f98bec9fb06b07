"""The forward pass of a folded network for a block of rows, in buffers that are allocated once.

The input is (rows, inputs); the layers after it are (units, rows), so that what belongs to a unit is one number for a
contiguous row, and the ones that the biases are multiplied by are one row beneath the units.
"""

from __future__ import annotations

import numpy as np

from nncli.nn.arrays import Precision
from nncli.nn.inference.activations import bind_activation
from nncli.nn.inference.folding import FoldedNetwork, Stage
from nncli.nn.inference.inputs import Inputs
from nncli.nn.network import Network


class ForwardPass:
    """A network for a number of rows: fill `X` and `codes`, call `run` with its folded arrays, read `Z`.

    X (rows, features) has the precision of the network, codes are (rows, embeddings), Z is (rows, outputs). `nbytes` is
    the approximate size of all buffers, and `outputs` are those of each layer. Networks that are equal may share one.

    With `copies`, the input is transposed in memory: OpenBLAS's kernels for small matrices on AVX-512 add in another
    order if both matrices are contiguous along the sum, and then give other bits than those for large ones.
    """

    def __init__(
        self, network: Network, stages: tuple[Stage, ...], rows: int, precision: Precision, *, copies: bool = False
    ) -> None:
        self._inputs = Inputs(network, rows, precision)
        self.X, self.codes = self._inputs.X, self._inputs.codes
        self._outputs = [np.ones((stage.units + 1, rows), precision) for stage in stages]
        self._activate = [
            None
            if stage.activation is None
            else bind_activation(stage.activation, Z[:-1], parametric=stage.alpha is not None)
            for stage, Z in zip(stages, self._outputs, strict=True)
        ]
        self.outputs = [Z[:-1] for Z in self._outputs]
        self.Z = self._outputs[-1][:-1].T
        self._copied = np.empty(self._inputs.H.T.shape, precision) if copies else None
        self.nbytes = self._inputs.nbytes + 2 * sum(Z.nbytes for Z in self._outputs)

    def run(self, folded: FoldedNetwork) -> None:
        """Compute `Z` from `X` and `codes`."""
        self._inputs.fill(folded)
        A = self._inputs.H.T
        if self._copied is not None:
            np.copyto(self._copied, A)
            A = self._copied
        layers = zip(folded.weights, folded.strengths, self._outputs, self._activate, strict=True)
        for W, strengths, Z, activate in layers:
            np.matmul(W, A, out=Z[:-1])
            if activate is not None:
                activate(strengths)
            A = Z

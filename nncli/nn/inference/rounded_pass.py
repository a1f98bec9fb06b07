"""The forward pass of a folded network in float32, which takes half of the time, with a bound of each row's error."""

from __future__ import annotations

import numpy as np

from nncli.nn.arrays import Array
from nncli.nn.inference.activations import bind_activation
from nncli.nn.inference.folding import FoldedNetwork, Stage
from nncli.nn.inference.inputs import Inputs
from nncli.nn.inference.rounding import SLACK, RoundedStage, U
from nncli.nn.network import Network


class RoundedPass:
    """A network for a number of rows: fill `X` and `codes`, call `run`, read `Z` and `error`.

    Its inputs are computed in float64, then rounded. Z is (rows, outputs); the Euclidean norm of its difference from
    the outputs in float64 is at most `error` (rows,), which is not finite if Z may not be.
    """

    def __init__(self, network: Network, stages: tuple[Stage, ...], rows: int) -> None:
        self._inputs = Inputs(network, rows, "float64")
        self.X, self.codes = self._inputs.X, self._inputs.codes
        self._H = np.empty(self._inputs.H.shape, np.float32)
        self._outputs = [np.ones((stage.units + 1, rows), np.float32) for stage in stages]
        self._activate = [
            None
            if stage.activation is None
            else bind_activation(stage.activation, Z[:-1], parametric=stage.alpha is not None)
            for stage, Z in zip(stages, self._outputs, strict=True)
        ]
        self.Z, self.error = self._outputs[-1][:-1].T, np.empty(rows)
        outputs = sum(Z.nbytes for Z in self._outputs)
        self.nbytes = self._inputs.nbytes + self._H.nbytes + 2 * outputs

    def run(self, folded: FoldedNetwork, stages: tuple[RoundedStage, ...]) -> None:
        """Compute `Z` and `error` from `X` and `codes`; `folded` is in float64."""
        self._inputs.fill(folded)
        np.copyto(self._H, self._inputs.H)
        A: Array = self._H.T
        error, size = self.error, _norms(A[:-1])
        np.multiply(size, U, out=error)
        for stage, Z, activate in zip(stages, self._outputs, self._activate, strict=True):
            np.matmul(stage.weights, A, out=Z[:-1])
            np.multiply(error, stage.gain, out=error)
            error += stage.product * size + stage.bias
            if activate is not None:
                error += stage.activation * _norms(Z[:-1])
                activate(stage.strengths)
            A, size = Z, _norms(Z[:-1])


def _norms(A: Array) -> Array:
    """An upper bound of the norm of each column of A (units, rows)."""
    return np.asarray(np.sqrt(np.einsum("ij,ij->j", A, A), dtype=np.float64) * SLACK)

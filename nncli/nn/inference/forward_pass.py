"""The forward pass of folded networks for a block of rows, in buffers that are allocated once.

The input is (rows, inputs); the layers after it are (units, rows), so that what belongs to a unit is one number for a
contiguous row, and the ones that the biases are multiplied by are one row beneath the units.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from nncli.base.dataclass import dataclass
from nncli.nn.activations import ElementwiseActivation, Identity, Mish, Relu
from nncli.nn.arrays import Array, Codes, Precision, scalar
from nncli.nn.embeddings import GROUP_VALUES, bind_numeric_forward
from nncli.nn.inference.folding import FoldedNetwork, Stage, bind_piecewise, is_one_group
from nncli.nn.network import Network
from nncli.nn.numeric_embeddings import NumericEmbeddingBase, PiecewiseLinear


class Inputs:
    """The inputs of the first layer of networks of equal shapes: fill `X` and `codes` of each, call `fill`, read `H`.

    X are (rows, features) in the precision of the network, codes (rows, embeddings). H (rows, members, inputs + 1) in
    float64 ends with ones. `nbytes` is the approximate size of all buffers.
    """

    def __init__(self, network: Network, rows: int, members: int) -> None:
        embedding, numeric = network.numeric_embedding, network.embedded_numeric
        X = np.zeros((rows, members, network.n_features), network.precision)
        self.H = H = np.ones((rows, members, network.input_width + 1))
        self.X = [X[:, i] for i in range(members)]
        self.codes = [np.zeros((rows, len(network.embeddings)), np.int64) for _ in range(members)]
        self._embed, columns = None, members * len(numeric)
        if (
            members > 1
            and isinstance(embedding, PiecewiseLinear)
            and columns
            and is_one_group(embedding, rows, columns)
        ):
            positions = [i * network.n_features + j for i in range(members) for j in numeric]
            embedded = H[:, :, : len(numeric) * embedding.out_features]
            self._embed = bind_piecewise(embedding, positions, X.reshape(rows, -1), embedded)
        self._fill = [
            (
                _bind_numbers(network, self.X[i], H[:, i], embeds=self._embed is None),
                _bind_categories(network, self.codes[i], H[:, i]),
            )
            for i in range(members)
        ]
        self.nbytes = X.nbytes + H.nbytes + members * _embedding_bytes(network, rows)

    def fill(self, folded: FoldedNetwork) -> None:
        """Compute `H` from `X` and `codes`."""
        if self._embed is not None and folded.tables is not None:
            self._embed(folded.tables)
        for fills, own in zip(self._fill, folded.networks, strict=True):
            for fill in fills:
                fill(own)


def _embedding_bytes(network: Network, rows: int) -> int:
    """The approximate size of the buffers of a numeric embedding for a group of columns."""
    embedding, columns = network.numeric_embedding, len(network.embedded_numeric)
    if embedding is None or not columns:
        return 0
    bins = embedding.hidden_width if isinstance(embedding, PiecewiseLinear) else 0
    values = 2 * embedding.out_features + (0 if bins else 3 * embedding.hidden_width)
    return min(columns * rows, GROUP_VALUES // embedding.hidden_width + rows) * (8 * values + bins)


Fill = Callable[[FoldedNetwork], None]


def _bind_numbers(network: Network, X: Array, H: Array, *, embeds: bool) -> Fill:
    """Fill the first columns of H (rows, inputs + 1) with the numeric features, embedded or not."""
    embedding, numeric = network.numeric_embedding, network.embedded_numeric
    if embedding is None or not numeric:
        passed = H[:, : X.shape[1]]
        return lambda folded: np.copyto(passed, X)
    split = len(numeric) * embedding.out_features
    if not isinstance(embedding, PiecewiseLinear):
        return _bind_any_embedding(embedding, numeric, X, H[:, : split + X.shape[1] - len(numeric)])
    embed = bind_piecewise(embedding, numeric, X, H[:, :split]) if embeds else None
    runs, end = [], split  # adjacent columns that are not embedded
    for first, last in pairwise((-1, *numeric, X.shape[1])):
        if last > first + 1:
            runs.append((H[:, end : end + last - first - 1], X[:, first + 1 : last]))
            end += last - first - 1

    def fill(folded: FoldedNetwork) -> None:
        if embed is not None and folded.tables is not None:
            embed(folded.tables)
        for passed, columns in runs:
            np.copyto(passed, columns)

    return fill


def _bind_any_embedding(embedding: NumericEmbeddingBase, numeric: tuple[int, ...], X: Array, Y: Array) -> Fill:
    """Fill Y (rows, numbers) with numeric features, embedded by the layer itself."""
    p = {spec.name: np.empty(spec.shape, Y.dtype) for spec in embedding.parameters(len(numeric))}
    exact = np.empty(X.shape, Y.dtype)
    embed = bind_numeric_forward(embedding, numeric, p, exact, Y)

    def fill(folded: FoldedNetwork) -> None:
        for name, view in folded.numeric.items():
            np.copyto(p[name], view)
        np.copyto(exact, X)
        embed()

    return fill


def _bind_categories(network: Network, codes: Codes, H: Array) -> Fill:
    """Fill the last columns of H but one with the vector of every code."""
    ends = np.cumsum(
        [H.shape[1] - 1 - sum(e.width for e in network.embeddings), *(e.width for e in network.embeddings)]
    )
    column = np.empty(len(codes), np.int64)
    spans = [H[:, start:stop] for start, stop in pairwise(ends)]
    vectors = [np.empty(span.shape, H.dtype) for span in spans]

    def fill(folded: FoldedNetwork) -> None:
        for j, (table, vector, span) in enumerate(zip(folded.embeddings, vectors, spans, strict=True)):
            np.copyto(column, codes[:, j])
            np.take(table, column, axis=0, out=vector, mode="clip")
            np.copyto(span, vector)

    return fill


class ForwardPass:
    """Networks of equal shapes for a number of rows each: fill `X` and `codes` of each, call `run`, read `Z`.

    X are (rows, features) in the precision of the network, codes (rows, embeddings), Z (members, rows, outputs).
    `outputs` (members, units, rows) are those of each layer, and `nbytes` is the approximate size of all buffers.
    Networks that are equal may share one. A product of stacked matrices is one call of the BLAS for each network, so
    that a row has the same bits, however many members there are.

    With `copies`, the input is transposed in memory: OpenBLAS's kernels for small matrices on AVX-512 add in another
    order if both matrices are contiguous along the sum, and then give other bits than those for large ones.
    """

    def __init__(
        self,
        network: Network,
        stages: tuple[Stage, ...],
        rows: int,
        members: int = 1,
        *,
        copies: bool = True,
        precision: Precision = "float64",
    ) -> None:
        self._inputs = Inputs(network, rows, members)
        self.X, self.codes = self._inputs.X, self._inputs.codes
        self._layers = [np.ones((members, stage.units + 1, rows), precision) for stage in stages]
        self.outputs = [Z[:, :-1] for Z in self._layers]
        self._activate = [
            None
            if stage.activation is None
            else bind_activation(stage.activation, Z, parametric=stage.alpha is not None)
            for stage, Z in zip(stages, self.outputs, strict=True)
        ]
        self.Z = self.outputs[-1].transpose(0, 2, 1)
        self._H = self._inputs.H.transpose(1, 2, 0)
        self._copied = np.empty(self._H.shape) if copies else None
        self.nbytes = self._inputs.nbytes + 2 * sum(Z.nbytes for Z in self._layers)

    def run(self, folded: FoldedNetwork) -> None:
        """Compute `Z` from `X` and `codes`."""
        self._inputs.fill(folded)
        A = self._H
        if self._copied is not None:
            np.copyto(self._copied, A)
            A = self._copied
        layers = zip(folded.weights, folded.strengths, self._layers, self.outputs, self._activate, strict=True)
        for W, strengths, layer, Z, activate in layers:
            np.matmul(W, A, out=Z)
            if activate is not None:
                activate(strengths)
            A = layer


Activate: TypeAlias = Callable[[Array | None], None]
"""Replaces Z (units, rows) by f(Z), or with strengths (units, 1) by Z + strengths · (f(Z) - Z)."""


def bind_activation(activation: ElementwiseActivation, Z: Array, *, parametric: bool) -> Activate:
    """Bind an activation to Z (units, rows); if it is `parametric`, it must be called with strengths."""
    if isinstance(activation, Mish):
        return _bind_mish(Z)
    Y, f, _ = activation.bind_delta(Z) if parametric else activation.bind(Z, in_place=True)

    def activate(strengths: Array | None) -> None:
        f()
        if strengths is not None:
            np.multiply(Y, strengths, out=Y)
            np.add(Z, Y, out=Z)
        elif Y is not Z:
            np.copyto(Z, Y)

    return activate


def _bind_mish(Z: Array) -> Activate:
    """z (1 + alpha r) with r = -2 / ((e + 1)² + 1) and e = eᶻ, in seven operations; r is 0 where e overflows."""
    E, one, minus_two = np.empty_like(Z), scalar(1.0, Z), scalar(-2.0, Z)

    def activate(strengths: Array | None) -> None:
        with np.errstate(over="ignore"):
            np.exp(Z, out=E)
            np.add(E, one, out=E)
            np.multiply(E, E, out=E)
        np.add(E, one, out=E)
        np.divide(minus_two if strengths is None else strengths * minus_two, E, out=E)
        np.add(E, one, out=E)
        np.multiply(Z, E, out=Z)

    return activate


U = 2.0**-24
SLOPES: dict[type, tuple[float, float]] = {Identity: (1.0, 1.0), Relu: (0.0, 1.0), Mish: (-0.1135, 1.0890)}
"""The lowest and the highest slope of the activations whose error is known."""
ACTIVATION_ERROR = 64.0 * U
"""The error of one of these activations, relative to its input, for a strength of 0; that of Mish is below 30 u."""
SLACK = 1.001
"""For the rounding of the bounds themselves."""
SQUARINGS = 5


@dataclass(frozen=True)
class RoundedStage:
    """A dense layer and its activation in float32.

    The error of its output is at most `gain` times that of its input, plus `product` times the norm of its input, plus
    `bias`, plus `activation` times the norm of what the activation gets.
    """

    weights: Array
    strengths: Array | None
    gain: float
    product: float
    bias: float
    activation: float

    @classmethod
    def of(cls, activation: ElementwiseActivation | None, W: Array, strengths: Array | None) -> RoundedStage:
        """Round the weights and the strengths of a stage in float64."""
        k = W.shape[1] * U
        lowest, highest = SLOPES[type(activation or Identity())]
        alpha = np.ones(1) if strengths is None else strengths
        slope = float(np.abs([1.0 + alpha * (lowest - 1.0), 1.0 + alpha * (highest - 1.0)]).max())
        return cls(
            W.astype(np.float32),
            None if strengths is None else strengths.astype(np.float32),
            SLACK * slope * spectral_norm(W[:, :-1]),
            SLACK * slope * (k / (1.0 - k) + 2.0 * U) * spectral_norm(np.abs(W[:, :-1])),
            SLACK * slope * (k / (1.0 - k) + 2.0 * U) * float(np.linalg.norm(W[:, -1])),
            0.0 if activation is None else ACTIVATION_ERROR * (1.0 + float(np.abs(alpha).max())),
        )


def rounded_stages(folded: FoldedNetwork, stages: tuple[Stage, ...]) -> tuple[RoundedStage, ...]:
    """The stages of a folded network in float32."""
    arrays = zip(stages, folded.weights, folded.strengths, strict=True)
    return tuple(
        RoundedStage.of(stage.activation, W[0], None if strengths is None else strengths[0])
        for stage, W, strengths in arrays
    )


def has_bound(stages: tuple[Stage, ...]) -> bool:
    """Whether the errors of a network in float32 can be bounded."""
    return all(stage.activation is None or type(stage.activation) in SLOPES for stage in stages)


def spectral_norm(W: Array) -> float:
    """An upper bound of the spectral norm, above it by at most 6 % for 256 units.

    ‖W‖ = ‖G^m‖^(1/2m) <= ‖G^m‖_F^(1/2m) with G = W Wᵀ and m = 2^SQUARINGS.
    """
    G = W @ W.T if len(W) <= W.shape[1] else W.T @ W
    log_norm, power = 0.0, 0.5
    for _ in range(SQUARINGS):
        norm = float(np.linalg.norm(G))
        if norm == 0.0 or not np.isfinite(norm):
            return norm
        log_norm += power * np.log(norm)
        G = G / norm
        G, power = G @ G, power / 2.0
    return float(np.exp(log_norm + power * np.log(np.linalg.norm(G)))) * SLACK


class RoundedPass(ForwardPass):
    """A network in float32: fill `X` and `codes`, call `run_rounded`, read `Z` and `error`.

    Its inputs are computed in float64, then rounded. The Euclidean norm of the difference of Z from the outputs in
    float64 is at most `error` (rows,), which is not finite if Z may not be.
    """

    def __init__(self, network: Network, stages: tuple[Stage, ...], rows: int) -> None:
        super().__init__(network, stages, rows, copies=False, precision="float32")
        self._rounded, self.error = np.empty(self._inputs.H[:, 0].shape, np.float32), np.empty(rows)
        self.nbytes += self._rounded.nbytes

    def run_rounded(self, folded: FoldedNetwork, stages: tuple[RoundedStage, ...]) -> None:
        """Compute `Z` and `error` from `X` and `codes`."""
        self._inputs.fill(folded)
        np.copyto(self._rounded, self._inputs.H[:, 0])
        A: Array = self._rounded.T
        error, size = self.error, _norms(A[:-1])
        np.multiply(size, U, out=error)
        for stage, (layer,), (Z,), activate in zip(stages, self._layers, self.outputs, self._activate, strict=True):
            np.matmul(stage.weights, A, out=Z)
            np.multiply(error, stage.gain, out=error)
            error += stage.product * size + stage.bias
            if activate is not None:
                error += stage.activation * _norms(Z)
                activate(stage.strengths)
            A, size = layer, _norms(Z)


def _norms(A: Array) -> Array:
    """An upper bound of the norm of each column of A (units, rows)."""
    return np.asarray(np.sqrt(np.einsum("ij,ij->j", A, A), dtype=np.float64) * SLACK)

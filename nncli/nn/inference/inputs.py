"""The input of the first layer for a block of rows, in buffers that are allocated once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from nncli.nn.arrays import Array, Codes
from nncli.nn.embeddings import GROUP_VALUES, bind_numeric_forward
from nncli.nn.inference.folding import FoldedNetwork, bind_piecewise, is_one_group
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

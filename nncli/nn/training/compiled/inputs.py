"""The compiled input of the first block: numbers, embedded piecewise or not, and the vectors of categories.

The piecewise-linear embedding of nncli/nn/numeric_embeddings.py without its (columns, bins, rows) tensor. In the bin j
of x, with the fraction f = (x - low_j) / width_j of the way through it,

    y = a x + c + Σ_{i<j} V_i + f V_j = O_j + f S_j,    O_j = a low_j + c + Σ_{i<j} V_i,    S_j = a width_j + V_j

where V_j counts as 0 in an empty bin, whose width is 1 here. O and S are computed once per step, and the sums over rows
G_j = Σ dy, H_j = Σ f dy of each bin give all derivatives: dV_j = H_j + Σ_{i>j} G_i.

Columns are written to the input, or projected: see `project` in kernels.py. The input is in the order of the directly
written numbers and categories, then the numbers that are passed on. `inputs` is the tuple that InputLayout.bind in
blocks.py returns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.nn.training.compiled.cache import Float32s, Ints, compiled, inlined, internal

AT, WIDTH, COUNT, PLACE, ROW = range(5)
"""The columns of the table of categorical columns: the offset of the vectors in theta, their width, their number, the
place in the input (-1: projected), and the first row of the matrix by which the column is projected."""
N_LEARNED, N_DIRECT, PROJECTS, EMBEDS = range(4)
"""Sizes: the directly written units that are learned, and all; whether numbers are projected, and anything embedded."""


@inlined
def locate(edges: Float32s, width: Float32s, c: Any, x: Any) -> Any:
    """The bin of x in column c, which is the number of inner edges that are at most x, and the fraction of it.

    By bisection without a branch.
    """
    first, count = 1, edges.shape[1] - 2
    while count > 1:
        half = count >> 1
        first = first + half if edges[c, first + half - 1] <= x else first
        count -= half
    j = first if count == 1 and edges[c, first] <= x else first - 1
    return j, (x - edges[c, j]) / width[c, j]


@compiled
def locate_all(X: Float32s, columns: Ints, edges: Float32s, width: Float32s, bins: Any, fractions: Float32s) -> None:
    """Fill bins and fractions (rows, columns) for all rows of X, which do not change in a training."""
    for i in range(len(bins)):
        for c in range(len(columns)):
            bins[i, c], fractions[i, c] = locate(edges, width, c, X[i, columns[c]])


@internal
def tabulate(theta: Float32s, inputs: Any) -> None:
    """Fill the table OS (columns, 2 · bins, units), O above S, from the parameters."""
    _, _, units, at, edges, width, filled, _, _, OS, _, _, _, _, _, _ = inputs
    C, K = width.shape
    for c in range(C):
        a, b = at[0] + c * units, at[1] + c * units
        for k in range(units):
            OS[c, 0, k] = theta[b + k]
        for j in range(K):
            V = at[2] + (c * K + j) * units
            for k in range(units):
                v = theta[V + k] * filled[c, j]
                if j + 1 < K:
                    OS[c, j + 1, k] = OS[c, j, k] + v
                OS[c, j, k] += theta[a + k] * edges[c, j]
                OS[c, K + j, k] = theta[a + k] * width[c, j] + v


@internal
def load_rows(X: Float32s, rows: Ints, Y: Float32s) -> None:
    """Fill Y (B, features) with rows of X."""
    for i in range(len(rows)):
        for j in range(Y.shape[1]):
            Y[i, j] = X[rows[i], j]


@internal
def load_embedded(X: Float32s, codes: Ints, rows: Ints, theta: Float32s, inputs: Any, Y: Float32s) -> None:
    """Fill Y (B, directly written inputs) with rows of X and codes; find the bin and the fraction of each number."""
    (
        columns,
        passed,
        units,
        _,
        edges,
        width,
        _,
        categories,
        sizes,
        OS,
        bins,
        fractions,
        _,
        _,
        all_bins,
        all_fractions,
    ) = inputs
    C, K = width.shape
    P, projects = len(passed), sizes[PROJECTS] > 0
    if C:
        tabulate(theta, inputs)
    for i in range(len(rows)):
        r = rows[i]
        if len(all_bins):
            for c in range(C):
                bins[i, c] = all_bins[r, c]
                fractions[i, c] = all_fractions[r, c]
        else:
            for c in range(C):
                bins[i, c], fractions[i, c] = locate(edges, width, c, X[r, columns[c]])
        if not projects:
            for c in range(C):
                j, f = bins[i, c], fractions[i, c]
                for k in range(units):
                    Y[i, c * units + k] = OS[c, j, k] + f * OS[c, K + j, k]
        for e in range(len(categories)):
            at = categories[e, PLACE]
            if at >= 0:
                vector = categories[e, AT] + codes[r, e] * categories[e, WIDTH]
                for k in range(categories[e, WIDTH]):
                    Y[i, at + k] = theta[vector + k]
        for p in range(P):
            Y[i, sizes[N_LEARNED] + p] = X[r, passed[p]]


@internal
def bins_grad(inputs: Any, grad: Float32s) -> None:
    """The derivatives of the embedded numbers' parameters from GH (columns, 2 · bins, units), G above H."""
    _, _, units, at, edges, width, filled, _, _, _, _, _, GH, _, _, _ = inputs
    C, K = width.shape
    for c in range(C):
        a, b = at[0] + c * units, at[1] + c * units
        for k in range(units):
            grad[a + k] = np.float32(0.0)
            grad[b + k] = np.float32(0.0)  # Σ_{i>j} G_i, which ends as dc
        for j in range(K - 1, -1, -1):
            V = at[2] + (c * K + j) * units
            for k in range(units):
                g, h = GH[c, j, k], GH[c, K + j, k]
                grad[V + k] = filled[c, j] * (h + grad[b + k])
                grad[b + k] += g
                grad[a + k] += edges[c, j] * g + width[c, j] * h


@internal
def direct_grad(dY: Float32s, codes: Ints, rows: Ints, grad: Float32s, inputs: Any) -> None:
    """Sum dY (B, embedded inputs) over the rows of each bin into GH, and of each category into its gradient."""
    _, _, units, _, _, width, _, categories, sizes, _, bins, fractions, GH, _, _, _ = inputs
    C, K = width.shape
    zero, direct = np.float32(0.0), C if sizes[PROJECTS] == 0 else 0
    for c in range(direct):
        for j in range(2 * K):
            for k in range(units):
                GH[c, j, k] = zero
    for e in range(len(categories)):
        if categories[e, PLACE] >= 0:
            grad[categories[e, AT] : categories[e, AT] + categories[e, COUNT] * categories[e, WIDTH]] = zero
    for i in range(len(dY)):
        for c in range(direct):
            j, f = bins[i, c], fractions[i, c]
            for k in range(units):
                d = dY[i, c * units + k]
                GH[c, j, k] += d
                GH[c, K + j, k] += f * d
        for e in range(len(categories)):
            at = categories[e, PLACE]
            if at >= 0:
                vector = categories[e, AT] + codes[rows[i], e] * categories[e, WIDTH]
                for k in range(categories[e, WIDTH]):
                    grad[vector + k] += dY[i, at + k]

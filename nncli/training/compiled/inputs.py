"""The compiled input of the first block: numbers, embedded piecewise or not, then the vectors of categories.

The piecewise-linear embedding of nncli/nn/numeric_embeddings.py without its (columns, bins, rows) tensor. In the bin j
of x, with the fraction f = (x - low_j) / width_j of the way through it,

    y = a x + c + Σ_{i<j} V_i + f V_j = O_j + f S_j,    O_j = a low_j + c + Σ_{i<j} V_i,    S_j = a width_j + V_j

where V_j counts as 0 in an empty bin, whose width is 1 here. O and S are computed once per step, and the sums over rows
G_j = Σ dy, H_j = Σ f dy of each bin give all derivatives: dV_j = H_j + Σ_{i>j} G_i.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.training.compiled.jit import Floats, Ints, inlined, internal

AT, WIDTH = range(2)
"""The columns of the table of categorical columns: the offset of the vectors in theta, and their width."""


@inlined
def find_bin(edges: Floats, c: Any, x: Any) -> Any:
    """The bin of x in column c: the number of inner edges that are at most x, by bisection without a branch."""
    first, count = 1, edges.shape[1] - 2
    while count > 1:
        half = count >> 1
        first = first + half if edges[c, first + half - 1] <= x else first
        count -= half
    return first if count == 1 and edges[c, first] <= x else first - 1


@internal
def tabulate(theta: Floats, inputs: Any) -> None:
    """Fill the tables O and S (columns, bins, units) from the parameters."""
    _, _, units, at, edges, width, filled, _, O, S, _, _, _, _ = inputs  # noqa: E741 - the letter of the formula
    C, K = width.shape
    for c in range(C):
        a, b = at[0] + c * units, at[1] + c * units
        for k in range(units):
            O[c, 0, k] = theta[b + k]
        for j in range(K):
            V = at[2] + (c * K + j) * units
            for k in range(units):
                v = theta[V + k] * filled[c, j]
                if j + 1 < K:
                    O[c, j + 1, k] = O[c, j, k] + v
                O[c, j, k] += theta[a + k] * edges[c, j]
                S[c, j, k] = theta[a + k] * width[c, j] + v


@internal
def load_rows(X: Floats, rows: Ints, Y: Floats) -> None:
    """Fill Y (B, features) with rows of X."""
    for i in range(len(rows)):
        for j in range(Y.shape[1]):
            Y[i, j] = X[rows[i], j]


@internal
def load_embedded(X: Floats, codes: Ints, rows: Ints, theta: Floats, inputs: Any, Y: Floats) -> None:
    """Fill Y (B, inputs) with rows of X and codes; keep each number's bin and fraction for the derivative."""
    columns, passed, units, _, edges, width, _, categories, O, S, bins, fractions, _, _ = inputs  # noqa: E741
    C, P = len(columns), len(passed)
    if C:
        tabulate(theta, inputs)
    for i in range(len(rows)):
        r = rows[i]
        for c in range(C):
            x = X[r, columns[c]]
            j = find_bin(edges, c, x)
            f = (x - edges[c, j]) / width[c, j]
            bins[i, c] = j
            fractions[i, c] = f
            for k in range(units):
                Y[i, c * units + k] = O[c, j, k] + f * S[c, j, k]
        at = C * units
        for p in range(P):
            Y[i, at + p] = X[r, passed[p]]
        at += P
        for e in range(len(categories)):
            vector = categories[e, AT] + codes[r, e] * categories[e, WIDTH]
            for k in range(categories[e, WIDTH]):
                Y[i, at + k] = theta[vector + k]
            at += categories[e, WIDTH]


@internal
def numeric_grad(dY: Floats, inputs: Any, grad: Floats) -> None:
    """The derivative of the embedded numbers' parameters from dY (B, columns · units)."""
    _, _, units, at, edges, width, filled, _, _, _, bins, fractions, G, H = inputs
    C, K = width.shape
    zero = np.float32(0.0)
    for c in range(C):
        for j in range(K):
            for k in range(units):
                G[c, j, k] = zero
                H[c, j, k] = zero
    for i in range(len(dY)):
        for c in range(C):
            j, f = bins[i, c], fractions[i, c]
            for k in range(units):
                d = dY[i, c * units + k]
                G[c, j, k] += d
                H[c, j, k] += f * d
    for c in range(C):
        a, b = at[0] + c * units, at[1] + c * units
        for k in range(units):
            grad[a + k] = zero
            grad[b + k] = zero  # Σ_{i>j} G_i, which ends as dc
        for j in range(K - 1, -1, -1):
            V = at[2] + (c * K + j) * units
            for k in range(units):
                grad[V + k] = filled[c, j] * (H[c, j, k] + grad[b + k])
                grad[b + k] += G[c, j, k]
                grad[a + k] += edges[c, j] * G[c, j, k] + width[c, j] * H[c, j, k]


@internal
def categories_grad(dY: Floats, codes: Ints, rows: Ints, inputs: Any, grad: Floats) -> None:
    """Add each row of dY (B, widths) to the gradient of the vectors it looked up; `grad` is that of all categories."""
    categories = inputs[7]
    grad[:] = np.float32(0.0)
    for i in range(len(rows)):
        at = 0
        for e in range(len(categories)):
            vector = categories[e, AT] - categories[0, AT] + codes[rows[i], e] * categories[e, WIDTH]
            for k in range(categories[e, WIDTH]):
                grad[vector + k] += dY[i, at + k]
            at += categories[e, WIDTH]

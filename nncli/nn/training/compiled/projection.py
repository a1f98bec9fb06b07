"""Embedded columns that are projected: their product with the matrix W of the first block is tabulated once a step.

A number in bin j adds W_cᵀ (O_j + f S_j) to a row of Z, and a category the product of its vector: so a row of Z is a
sum of rows of small tables, which have fewer rows than a batch. The way back sums dZ by bin and by category first.
That is faster than writing the embedding of each row and multiplying it by W, forward and back, where the embedding is
wide and the batch is large.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.nn.training.compiled.inputs import AT, COUNT, N_DIRECT, PLACE, PROJECTS, ROW, WIDTH
from nncli.nn.training.compiled.jit import Floats, Ints, internal


@internal
def project(Z: Floats, W: Floats, codes: Ints, rows: Ints, theta: Floats, inputs: Any) -> None:
    """Add the projected columns to Z (B, u)."""
    columns, _, units, _, _, width, _, categories, sizes, OS, bins, fractions, _, T, _, _ = inputs
    B, u = Z.shape
    K = width.shape[1]
    if sizes[PROJECTS]:
        for c in range(len(columns)):
            at = sizes[N_DIRECT] + c * units
            np.dot(OS[c], W[at : at + units], T[: 2 * K])
            for i in range(B):
                j, f = bins[i, c], fractions[i, c]
                for k in range(u):
                    Z[i, k] += T[j, k] + f * T[K + j, k]
    for e in range(len(categories)):
        if categories[e, PLACE] < 0:
            n, d, at = categories[e, COUNT], categories[e, WIDTH], categories[e, ROW]
            vectors = theta[categories[e, AT] : categories[e, AT] + n * d].reshape(n, d)
            np.dot(vectors, W[at : at + d], T[:n])
            for i in range(B):
                j = codes[rows[i], e]
                for k in range(u):
                    Z[i, k] += T[j, k]


@internal
def project_grad(
    dZ: Floats, W: Floats, dW: Floats, codes: Ints, rows: Ints, theta: Floats, grad: Floats, inputs: Any
) -> None:
    """The derivatives by the projected columns' rows of W, by O and S, and by the vectors of categories."""
    columns, _, units, _, _, width, _, categories, sizes, OS, bins, fractions, GH, T, _, _ = inputs
    B, u = dZ.shape
    K = width.shape[1]
    if sizes[PROJECTS]:
        dT = T[: 2 * K]
        for c in range(len(columns)):
            at = sizes[N_DIRECT] + c * units
            dT[:] = np.float32(0.0)
            for i in range(B):
                j, f = bins[i, c], fractions[i, c]
                for k in range(u):
                    dT[j, k] += dZ[i, k]
                    dT[K + j, k] += f * dZ[i, k]
            np.dot(OS[c].T, dT, dW[at : at + units])
            np.dot(dT, W[at : at + units].T, GH[c])
    for e in range(len(categories)):
        if categories[e, PLACE] < 0:
            n, d, at = categories[e, COUNT], categories[e, WIDTH], categories[e, ROW]
            dT, begin = T[:n], categories[e, AT]
            dT[:] = np.float32(0.0)
            for i in range(B):
                j = codes[rows[i], e]
                for k in range(u):
                    dT[j, k] += dZ[i, k]
            np.dot(theta[begin : begin + n * d].reshape(n, d).T, dT, dW[at : at + d])
            np.dot(dT, W[at : at + d].T, grad[begin : begin + n * d].reshape(n, d))

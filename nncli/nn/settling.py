"""Where the weights of a dense layer start when they are to follow from the data that comes into it."""

from __future__ import annotations

import numpy as np

from nncli.nn.arrays import Array

ROWS_OF_A_BIAS = 5


def settle_dense(W: Array, b: Array | None, X: Array, factor: float, rng: np.random.Generator) -> None:
    """Scale the columns of W (d, units), drawn from N(0, 1), and draw b (units,), for inputs X (rows, d).

    Afterwards each unit of U = factor · X W has standard deviation 1 over the rows, unless it is the same in all; and
    b_j = -Σ_k v_k U[i_k, j] for five rows i_k and weights v ~ Dirichlet(1, …, 1), drawn for each unit.
    """
    U = factor * (X @ W)
    spread = U.std(axis=0, dtype=np.float64)
    size = np.abs(U).max(axis=0, initial=0.0)
    spread[spread <= 10.0 * np.finfo(U.dtype).eps * size] = 1.0  # rounding alone, or nothing at all
    np.divide(W, spread, out=W)
    if b is None:
        return
    units = W.shape[1]
    rows = rng.integers(len(X), size=(ROWS_OF_A_BIAS, units))
    v = rng.dirichlet(np.ones(ROWS_OF_A_BIAS), units).T
    b[...] = -(v * (U[rows, np.arange(units)] / spread)).sum(axis=0)

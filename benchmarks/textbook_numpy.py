"""The textbook job by hand: one sigmoid unit, mean squared error, gradient descent, in bare NumPy.

python benchmarks/textbook_numpy.py data/linear.csv FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

EPOCHS, BATCH, RATE = 1000, 32, 0.01


def main(data: Path, folder: Path) -> None:
    table = np.loadtxt(data, delimiter=",", skiprows=1, dtype=np.float32)
    X, y = table[:, :-1], table[:, -1:]
    rng = np.random.default_rng(0)
    W = rng.normal(0.0, 0.5, (X.shape[1], 1)).astype(np.float32)
    b = np.zeros(1, np.float32)

    for _ in range(EPOCHS):
        order = rng.permutation(len(X))
        for start in range(0, len(X), BATCH):
            at = order[start : start + BATCH]
            A, t = X[at], y[at]
            p = 1.0 / (1.0 + np.exp(-(A @ W + b)))
            dZ = 2.0 / len(at) * (p - t) * p * (1.0 - p)
            W -= RATE * (A.T @ dZ)
            b -= RATE * dZ.sum(axis=0)

    np.save(folder / "weights.npy", np.concatenate([W.ravel(), b]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

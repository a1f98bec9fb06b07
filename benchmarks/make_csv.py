"""Write a CSV for a benchmark: python benchmarks/make_csv.py PATH ROWS NUMERIC TEXT CLASSES.

The columns are x1 … of standard normal numbers with four decimals, t1 … of words, and y: a number, sin of the sum of
all x, where CLASSES is 1, a class from 0 on where it is more, nothing where it is 0. It is written in slabs, so that no
size needs much memory.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl

CELLS = 4_000_000
WORDS = 12


def slab(
    rng: np.random.Generator, rows: int, text: int, W: np.ndarray[tuple[int, int], np.dtype[np.float64]]
) -> pl.DataFrame:
    """So many rows; the classes are which of `W`'s outputs is largest."""
    numeric, classes = W.shape
    X = rng.normal(size=(rows, numeric))
    columns: dict[str, object] = {f"x{j + 1}": X[:, j] for j in range(numeric)}
    for j in range(text):
        words = pl.Series([f"word {n} of {j + 1}" for n in range(WORDS)])
        columns[f"t{j + 1}"] = words.gather(rng.integers(WORDS, size=rows))
    if classes:
        columns["y"] = np.sin(X.sum(1)) if classes == 1 else np.argmax(X @ W, axis=1)
    return pl.DataFrame(columns)


def main(path: Path, rows: int, numeric: int, text: int, classes: int) -> None:
    rng = np.random.default_rng(0)
    W = rng.normal(size=(numeric, classes))
    at_once = max(1, CELLS // (numeric + text))
    with path.open("wb") as file:
        for start in range(0, rows, at_once):
            frame = slab(rng, min(at_once, rows - start), text, W)
            frame.write_csv(file, include_header=start == 0, float_precision=4)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))

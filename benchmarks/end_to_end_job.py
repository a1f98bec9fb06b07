"""The end-to-end job of one peer: python benchmarks/end_to_end_job.py PEER SIZE CSV FOLDER EPOCHS THREADS.

Read the CSV with Polars, standardise, train, save the network. See end_to_end.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl

from peers import PEERS
from sizes import Size


def main(title: str, size: Size, table: Path, folder: Path, epochs: int, threads: int) -> None:
    frame = pl.read_csv(table)
    X = frame.drop("y").cast(pl.Float32).to_numpy(order="c", writable=True)
    X -= X.mean(0)
    X /= X.std(0)
    y = frame["y"].to_numpy(writable=True)
    if size.is_regression:
        y = ((y - y.mean()) / y.std()).astype(np.float32)[:, None]
    learner = PEERS[title].set_up(size, X, y, threads)
    learner.train(epochs)
    learner.save(folder)


if __name__ == "__main__":
    name, network, path, out, *numbers = sys.argv[1:]
    main(name, Size.of(network), Path(path), Path(out), *map(int, numbers))

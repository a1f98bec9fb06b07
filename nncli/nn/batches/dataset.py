"""The encoded dataset: arrays with a row for each row of the table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.base.scratch import Scratch
from nncli.nn.arrays import Codes, Floats, Matrix, RowIndices
from nncli.nn.batches.memmap import MemmapMatrix

CHUNK_MULTIPLE = 384
"""Chunks have a multiple of this number of rows, so that they consist of whole inference blocks."""
CHUNK_BYTES = 32 << 20


@dataclass(frozen=True)
class DiskStorage:
    """The files that hold X and the codes of a dataset that is not in memory, and the folder for more files."""

    X: MemmapMatrix
    codes: MemmapMatrix
    scratch: Scratch


@dataclass(frozen=True)
class Dataset:
    """Encoded rows.

    X (n, features) numbers; codes (n, embeddings) category codes to embed; y (n, targets) numbers or (n,) class codes;
    weights (n,) with mean 1, or None for equal weights. `storage` is None for a dataset in memory. A weight of 1 stands
    for `rows_per_weight` rows, since a row of weight 2 in the table counts as two.
    """

    X: Matrix
    codes: Codes
    y: npt.NDArray[Any]
    weights: Matrix | None = None
    storage: DiskStorage | None = None
    rows_per_weight: float = 1.0

    def __len__(self) -> int:
        return len(self.X)

    def part(self, rows: slice) -> Dataset:
        """A view of some of the rows."""
        weights = None if self.weights is None else self.weights[rows]
        return Dataset(self.X[rows], self.codes[rows], self.y[rows], weights, None, self.rows_per_weight)

    def take(self, rows: RowIndices) -> Dataset:
        """Some of the rows, in memory."""
        weights = None if self.weights is None else self.weights[rows]
        return Dataset(self.X[rows], self.codes[rows], self.y[rows], weights, None, self.rows_per_weight)

    @property
    def row_counts(self) -> Floats | None:
        """How many rows each row stands for (n,), None if each for itself; for what is fitted to the rows."""
        if self.weights is None or not self.weights.any():
            return None
        return self.weights.astype(np.float64) * self.rows_per_weight

    @property
    def bytes_per_row(self) -> int:
        """Bytes of a row of X and of codes."""
        return self.X[:1].nbytes + self.codes[:1].nbytes

    def row_chunks(self, rows: int | None = None) -> Iterator[slice]:
        """Yield slices that cover all rows; of a dataset on disk only the current chunk is in memory."""
        rows = rows or max(1, CHUNK_BYTES // CHUNK_MULTIPLE // max(1, self.bytes_per_row)) * CHUNK_MULTIPLE
        for start in range(0, len(self), rows):
            yield slice(start, min(start + rows, len(self)))
            if self.storage is not None:
                self.storage.X.drop_pages()
                self.storage.codes.drop_pages()

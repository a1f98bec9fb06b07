"""What a table becomes: arrays, a row an example."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from nncli.data.arrays import Codes, Matrix
from nncli.data.batches.memmap import MemmapMatrix
from nncli.data.store.scratch import Scratch

SPAN = 384
"""Rows are looked at in a multiple of so many: whole blocks of inference, so that each stands where it would anyway."""
SPAN_BYTES = 32 << 20


@dataclass(frozen=True)
class DiskStorage:
    """Where the X and the codes of examples stand when they are not in memory, and where more files can be made."""

    X: MemmapMatrix
    codes: MemmapMatrix
    scratch: Scratch


@dataclass(frozen=True)
class Dataset:
    """Encoded rows.

    X (n, features) numbers; codes (n, embeddings) categories to look up; y (n, targets) numbers or (n,) class codes;
    weights (n,) with mean 1, or None when every row counts the same. `storage` is None when all of it is in memory.
    """

    X: Matrix
    codes: Codes
    y: npt.NDArray[Any]
    weights: Matrix | None = None
    storage: DiskStorage | None = None

    def __len__(self) -> int:
        return len(self.X)

    def part(self, rows: slice) -> Dataset:
        """Some of the rows, which stay where they are."""
        weights = None if self.weights is None else self.weights[rows]
        return Dataset(self.X[rows], self.codes[rows], self.y[rows], weights)

    @property
    def bytes_a_row(self) -> int:
        """Bytes of a row of X and of codes."""
        return self.X[:1].nbytes + self.codes[:1].nbytes

    def row_chunks(self, rows: int | None = None) -> Iterator[slice]:
        """All rows, some after the other; of what came from a file no more than these are in memory."""
        rows = rows or max(1, SPAN_BYTES // SPAN // max(1, self.bytes_a_row)) * SPAN
        for start in range(0, len(self), rows):
            yield slice(start, min(start + rows, len(self)))
            if self.storage is not None:
                self.storage.X.drop_pages()
                self.storage.codes.drop_pages()

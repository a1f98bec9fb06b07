"""Shuffled mini-batches, gathered into buffers that are allocated once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.data.examples import Examples


@dataclass(frozen=True)
class Batch:
    """The buffers of one batch: X (rows, features), codes (rows, embeddings), y, and weights or None."""

    X: npt.NDArray[np.floating[Any]]
    codes: npt.NDArray[np.int64]
    y: npt.NDArray[Any]
    weights: npt.NDArray[np.floating[Any]] | None

    def __len__(self) -> int:
        return len(self.X)


class Batches:
    """The examples in a new order every epoch, `batch_size` rows at a time; the last batch may be smaller.

    The `order` of an epoch, row numbers (n,), follows from the state of `rng` when the epoch begins, and from nothing
    before it.
    """

    def __init__(self, examples: Examples, batch_size: int, rng: np.random.Generator) -> None:
        self.examples = examples
        self.batch_size = min(batch_size, len(examples))
        self.rng = rng
        self.order = np.arange(len(examples))

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.examples) // self.batch_size)

    def sizes(self) -> tuple[int, ...]:
        """The sizes of batch that occur: the full one and, where rows are left over, the last one."""
        rest = len(self.examples) % self.batch_size
        return (self.batch_size, rest) if rest else (self.batch_size,)

    def rows(self, i: int) -> int:
        """The number of rows in batch i of an epoch."""
        return min(self.batch_size, len(self.examples) - i * self.batch_size)

    def shuffle(self) -> None:
        """Draw the order of a new epoch."""
        self.order[...] = np.arange(len(self.order))
        self.rng.shuffle(self.order)

    def at(self, i: int) -> npt.NDArray[np.int64]:
        """The positions of the rows of batch i of this epoch."""
        return self.order[i * self.batch_size : (i + 1) * self.batch_size]

    def load(self, i: int, batch: Batch, first: int = 0) -> None:
        """Gather rows of batch i of this epoch, from its row `first` on, as many as the buffers of `batch` hold."""
        start = i * self.batch_size + first
        at = self.order[start : start + len(batch)]
        # mode="clip" lets NumPy write straight into `out`; every index is in range
        self.examples.X.take(at, 0, batch.X, "clip")
        self.examples.y.take(at, 0, batch.y, "clip")
        if self.examples.codes.shape[1]:
            self.examples.codes.take(at, 0, batch.codes, "clip")
        if self.examples.weights is not None and batch.weights is not None:
            self.examples.weights.take(at, 0, batch.weights, "clip")

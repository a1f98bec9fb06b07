"""Shuffled mini-batches, gathered into buffers that are allocated once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.data.arrays import Codes, Matrix, RowIndices
from nncli.data.batches.dataset import Dataset
from nncli.data.batches.disk_shuffle import DiskShuffle


@dataclass(frozen=True)
class Batch:
    """The buffers of one batch: X (rows, features), codes (rows, embeddings), y, and weights or None."""

    X: Matrix
    codes: Codes
    y: npt.NDArray[Any]
    weights: Matrix | None

    def __len__(self) -> int:
        return len(self.X)


class Batches:
    """The examples in a new order every epoch, in `steps` batches of `batch_size` rows; the last may be smaller.

    The `order` of an epoch, row numbers (n,), follows from the state of `rng` when the epoch begins, and from nothing
    before it, nor from where the examples stand. Batches are gathered from the `pool`: the examples themselves, or,
    where these are not in memory, the windows of the order that are.
    """

    def __init__(self, dataset: Dataset, batch_size: int, rng: np.random.Generator) -> None:
        self.dataset = dataset
        self.batch_size = min(batch_size, len(dataset))
        self.rng = rng
        self.steps = -(-len(dataset) // self.batch_size)
        self.order = np.arange(len(dataset))
        self._drawn: tuple[Any, Any] | None = None
        """Where `rng` stood before the present order and after it."""
        storage = dataset.storage
        self._permuted = None if storage is None else DiskShuffle(dataset, storage, self.batch_size, self._draw)
        self.pool = dataset if self._permuted is None else self._permuted.pool

    def sizes(self) -> tuple[int, ...]:
        """The sizes of batch that occur: the full one and, where rows are left over, the last one."""
        rest = len(self.dataset) % self.batch_size
        return (self.batch_size, rest) if rest else (self.batch_size,)

    def rows(self, i: int) -> int:
        """The number of rows in batch i of an epoch."""
        return min(self.batch_size, len(self.dataset) - i * self.batch_size)

    def shuffle(self, *, more: bool = False) -> None:
        """Draw the order of a new epoch, or find it drawn already, as after a pause; `more` epochs are to come."""
        before = self.rng.bit_generator.state
        if self._drawn is not None and self._drawn[0] == before:
            self.rng.bit_generator.state = self._drawn[1]
            return
        if self._permuted is None:
            self.order[...] = np.arange(len(self.order))
            self.rng.shuffle(self.order)
        else:
            self._drawn = None
            self.order, self.rng.bit_generator.state = self._permuted.start_epoch(before, more=more)
        self._drawn = before, self.rng.bit_generator.state

    def _draw(self, before: Any) -> tuple[RowIndices, Any]:
        """The order that `shuffle` would draw from there, and where the stream stands then."""
        rng = np.random.Generator(type(self.rng.bit_generator)())
        rng.bit_generator.state = before
        order = np.arange(len(self.dataset))
        rng.shuffle(order)
        return order, rng.bit_generator.state

    def indices(self, i: int) -> RowIndices:
        """The positions among the examples of the rows of batch i of this epoch."""
        return self.order[i * self.batch_size : (i + 1) * self.batch_size]

    def pool_indices(self, i: int) -> RowIndices:
        """The positions in the pool of the rows of batch i of this epoch, and of those after it that are there too."""
        if self._permuted is None:
            return self.order[i * self.batch_size :]
        k, within = divmod(i, self._permuted.batches)
        return self._permuted.window(k)[within * self.batch_size :]

    def batches_available(self, i: int) -> int:
        """How many batches, from batch i of this epoch on, are in the pool together."""
        together = self.steps if self._permuted is None else self._permuted.batches
        return min(together - i % together, self.steps - i)

    def load(self, i: int, batch: Batch, first: int = 0) -> None:
        """Gather rows of batch i of this epoch, from its row `first` on, as many as the buffers of `batch` hold."""
        at = self.pool_indices(i)[first : first + len(batch)]
        # mode="clip" lets NumPy write straight into `out`; every index is in range
        self.pool.X.take(at, 0, batch.X, "clip")
        self.pool.y.take(at, 0, batch.y, "clip")
        if self.pool.codes.shape[1]:
            self.pool.codes.take(at, 0, batch.codes, "clip")
        if self.pool.weights is not None and batch.weights is not None:
            self.pool.weights.take(at, 0, batch.weights, "clip")

    def close(self) -> None:
        """No more batches are wanted."""
        if self._permuted is not None:
            self._permuted.close()

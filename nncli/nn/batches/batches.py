"""Shuffled mini-batches, gathered into preallocated buffers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.nn.arrays import Codes, Matrix, RowIndices
from nncli.nn.batches.dataset import Dataset
from nncli.nn.batches.disk_shuffle import DiskShuffle


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
    """Shuffles a dataset every epoch, in `steps` batches of `batch_size` rows; the last may be smaller.

    The `order` of an epoch, row positions (n,), depends only on the state of `rng` when the epoch begins. Batches are
    gathered from the `pool`: the dataset itself, or the windows of a dataset on disk that are in memory.
    """

    def __init__(self, dataset: Dataset, batch_size: int, rng: np.random.Generator) -> None:
        self.dataset = dataset
        self.n_rows = len(dataset)
        self.batch_size = min(batch_size, self.n_rows)
        self.rng = rng
        self.steps = -(-self.n_rows // self.batch_size)
        self.order = np.arange(self.n_rows)
        self._rng_states: tuple[Any, Any] | None = None
        """The states of `rng` before and after the current order was drawn."""
        storage = dataset.storage
        self._disk_shuffle = (
            None if storage is None else DiskShuffle(dataset, storage, self.batch_size, self._draw_order)
        )
        self.pool = dataset if self._disk_shuffle is None else self._disk_shuffle.pool

    def sizes(self) -> tuple[int, ...]:
        """The batch sizes that occur: the full one and, if rows are left over, that of the last batch."""
        rest = self.n_rows % self.batch_size
        return (self.batch_size, rest) if rest else (self.batch_size,)

    def rows(self, i: int) -> int:
        """The number of rows in batch i of an epoch."""
        return min(self.batch_size, self.n_rows - i * self.batch_size)

    def shuffle(self, *, more: bool = False) -> None:
        """Draw the order of a new epoch, unless it is drawn already. With `more`, prefetch the next one."""
        before = self.rng.bit_generator.state
        if self._rng_states is not None and self._rng_states[0] == before:
            self.rng.bit_generator.state = self._rng_states[1]
            return
        if self._disk_shuffle is None:
            self.order[...] = np.arange(len(self.order))
            self.rng.shuffle(self.order)
        else:
            self._rng_states = None
            self.order, self.rng.bit_generator.state = self._disk_shuffle.start_epoch(before, more=more)
        self._rng_states = before, self.rng.bit_generator.state

    def _draw_order(self, state: Any) -> tuple[RowIndices, Any]:
        """The order that `shuffle` draws from this state of `rng`, and the state after it."""
        rng = np.random.Generator(type(self.rng.bit_generator)())
        rng.bit_generator.state = state
        order = np.arange(self.n_rows)
        rng.shuffle(order)
        return order, rng.bit_generator.state

    def indices(self, i: int) -> RowIndices:
        """The positions in the dataset of the rows of batch i of this epoch."""
        return self.order[i * self.batch_size : (i + 1) * self.batch_size]

    def pool_indices(self, i: int) -> RowIndices:
        """The positions in the pool of the rows of batch i of this epoch and of later batches in the same window."""
        if self._disk_shuffle is None:
            return self.order[i * self.batch_size :]
        k, within = divmod(i, self._disk_shuffle.batches)
        return self._disk_shuffle.window(k)[within * self.batch_size :]

    def batches_available(self, i: int) -> int:
        """Number of batches, from batch i of this epoch on, that are in the pool at the same time."""
        per_window = self.steps if self._disk_shuffle is None else self._disk_shuffle.batches
        return min(per_window - i % per_window, self.steps - i)

    def load(self, i: int, batch: Batch, first: int = 0) -> None:
        """Gather rows of batch i of this epoch, from row `first` on, until the buffers of `batch` are full."""
        at = self.pool_indices(i)[first : first + len(batch)]
        # mode="clip" lets NumPy write straight into `out`; every index is in range
        self.pool.X.take(at, 0, batch.X, "clip")
        self.pool.y.take(at, 0, batch.y, "clip")
        if self.pool.codes.shape[1]:
            self.pool.codes.take(at, 0, batch.codes, "clip")
        if self.pool.weights is not None and batch.weights is not None:
            self.pool.weights.take(at, 0, batch.weights, "clip")

    def close(self) -> None:
        """Stop the threads that prefetch batches."""
        if self._disk_shuffle is not None:
            self._disk_shuffle.close()

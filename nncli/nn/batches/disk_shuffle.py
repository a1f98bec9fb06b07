"""Shuffle a dataset that is stored on disk, with sequential reads and writes only.

Reading single rows in random order would read a whole page for each. Instead a second file collects the rows of each
window of the shuffled order, and the rows of a window are put in order when it is loaded into memory. Threads prefetch
the next window, and shuffle the next epoch during the current one. The order, and so the trained weights, are the same
as for a dataset in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import field
from threading import Event, Lock
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.base.dataclass import dataclass
from nncli.nn.arrays import RowIndices
from nncli.nn.batches.dataset import Dataset, DiskStorage
from nncli.nn.batches.memmap import MatrixFile

RngState: TypeAlias = Any
"""The state of a NumPy bit generator."""
DrawOrder: TypeAlias = Callable[[RngState], tuple[RowIndices, RngState]]
"""Maps the state before an epoch to its order (n,) and the state after it."""

WINDOW_BYTES = 32 << 20
"""Bytes of a window in memory. There are two: one is filled while the other is in use."""


@dataclass(frozen=True)
class ShuffledEpoch:
    """The order (n,) of an epoch, the state after it, and files in which the rows of each window are contiguous.

    In the files the rows of a window are in ascending order; `within` (n,) is the position of each in the window.
    """

    order: RowIndices
    next_state: RngState
    within: npt.NDArray[np.int32]
    X: MatrixFile
    codes: MatrixFile


@dataclass
class DiskShuffle:
    """Loads a dataset window by window in shuffled order into `pool`, which has room for two windows.

    A window is a whole number of batches of `batch_size` rows.
    """

    dataset: Dataset
    storage: DiskStorage
    batch_size: int
    draw: DrawOrder
    _windows: dict[int, Future[RowIndices]] = field(default_factory=dict)
    _current: ShuffledEpoch | None = None
    _next: tuple[RngState, Future[ShuffledEpoch | None]] | None = None

    def __post_init__(self) -> None:
        dataset = self.dataset
        max_rows = min(WINDOW_BYTES // max(1, dataset.bytes_per_row), len(dataset))
        self.batches = max(1, max_rows // self.batch_size)
        self.rows = self.batches * self.batch_size

        def buffer(a: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return np.empty((2 * self.rows, *a.shape[1:]), a.dtype)

        weights = None if dataset.weights is None else buffer(dataset.weights)
        self.pool = Dataset(buffer(dataset.X), buffer(dataset.codes), buffer(dataset.y), weights)
        self._free_files: list[tuple[MatrixFile, MatrixFile]] = []
        self._lock, self._cancelled = Lock(), Event()
        self._reader, self._shuffler = ThreadPoolExecutor(1), ThreadPoolExecutor(1)

    def start_epoch(self, state: RngState, *, more: bool) -> tuple[RowIndices, RngState]:
        """Start the epoch that is drawn from `state`; return its order and the state after it.

        With `more`, start to shuffle the next epoch.
        """
        self._discard_windows()
        epoch = self._take_prefetched(state) or self._shuffle_to_disk(state)
        assert epoch is not None
        self._current = epoch
        if more:
            self._next = epoch.next_state, self._shuffler.submit(self._shuffle_to_disk, epoch.next_state)
        return epoch.order, epoch.next_state

    def window(self, k: int) -> RowIndices:
        """The positions in the pool of the rows of window k, in order; window k - 1 may be overwritten."""
        assert self._current is not None
        with self._lock:
            if k not in self._windows:
                self._discard_windows()
                self._windows = {k: self._reader.submit(self._load, self._current, k)}
            positions = self._windows[k].result()
            if k + 1 not in self._windows and (k + 1) * self.rows < len(self._current.order):
                self._windows = {k: self._windows[k], k + 1: self._reader.submit(self._load, self._current, k + 1)}
            return positions

    def close(self) -> None:
        """Stop the threads."""
        self._discard_windows()
        self._take_prefetched(None)
        self._reader.shutdown()
        self._shuffler.shutdown()

    def _discard_windows(self) -> None:
        """Wait for the windows that are being read, and discard them."""
        for future in self._windows.values():
            future.exception()
        self._windows = {}

    def _take_prefetched(self, state: RngState) -> ShuffledEpoch | None:
        """The prefetched epoch if it was drawn from `state`, else None; the files of the current epoch are freed."""
        epoch = None
        if self._next is not None:
            expected, future = self._next
            self._next = None
            if expected == state:
                epoch = future.result()
            else:
                self._cancelled.set()
                future.exception()
                self._cancelled.clear()
        if self._current is not None:
            self._free_files.append((self._current.X, self._current.codes))
            self._current = None
        return epoch

    def _shuffle_to_disk(self, state: RngState) -> ShuffledEpoch | None:
        """Shuffle an epoch into files with contiguous windows; None if it is cancelled."""
        scratch, dataset = self.storage.scratch, self.dataset
        X, codes = (
            self._free_files.pop()
            if self._free_files
            else (MatrixFile.like(dataset.X, scratch), MatrixFile.like(dataset.codes, scratch))
        )
        order, next_state = self.draw(state)
        n, rows = len(order), self.rows
        windows = np.empty(n, np.uint16 if -(-n // rows) <= 1 << 16 else np.uint32)
        places, within = np.empty(n, np.int32), np.empty(n, np.int32)
        offsets = np.arange(rows, dtype=np.int32)
        for k, start in enumerate(range(0, n, rows)):
            numbers = order[start : start + rows]
            windows[numbers] = k
            places[numbers] = offsets[: len(numbers)]
        write_at = np.arange(0, n, rows)
        for span in dataset.row_chunks(self.rows):
            if self._cancelled.is_set():
                self._free_files.append((X, codes))
                return None
            window_of = windows[span]
            by_window = np.argsort(window_of, kind="stable")
            counts = np.bincount(window_of, minlength=len(write_at))
            ends = np.cumsum(counts)
            features, categories, where = (a[span].take(by_window, 0) for a in (dataset.X, dataset.codes, places))
            for k in np.flatnonzero(counts).tolist():
                rows_of_k, at = slice(ends[k] - counts[k], ends[k]), int(write_at[k])
                X.write(at, features[rows_of_k])
                codes.write(at, categories[rows_of_k])
                within[at : at + int(counts[k])] = where[rows_of_k]
            write_at += counts
        return ShuffledEpoch(order, next_state, within, X, codes)

    def _load(self, epoch: ShuffledEpoch, k: int) -> RowIndices:
        """Read window k into its half of the pool."""
        dataset, pool = self.dataset, self.pool
        numbers = epoch.order[k * self.rows : (k + 1) * self.rows]
        first = k % 2 * self.rows
        half = slice(first, first + len(numbers))
        epoch.X.read(k * self.rows, pool.X[half])
        epoch.codes.read(k * self.rows, pool.codes[half])
        places = epoch.within[k * self.rows : (k + 1) * self.rows]
        ascending = numbers.take(places)
        dataset.y.take(ascending, 0, pool.y[half], "clip")
        if dataset.weights is not None and pool.weights is not None:
            dataset.weights.take(ascending, 0, pool.weights[half], "clip")
        positions = np.empty_like(numbers)
        positions[places] = np.arange(half.start, half.stop)
        return positions

"""Examples that stand in a file, in the order of an epoch, without reading them here and there.

A row picked from a file costs a whole page, and a disk that seeks: an epoch in random order would read the file many
times over. So the rows are put into that order first, in two passes that read and write from front to back: what
belongs into the same window of the order is brought together in a second file, and put in its place when the window is
in memory. Both are done ahead of time, on threads of their own: while an epoch is trained on, the next one is arranged.
The order itself is the one that examples in memory have, and so are the bits of what is trained.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.data.arrays import RowIndices
from nncli.data.batches.dataset import Dataset, DiskStorage
from nncli.data.batches.memmap import MatrixFile

Stream: TypeAlias = Any
"""Where a random stream stands: NumPy's own description."""
Draw: TypeAlias = Callable[[Stream], tuple[RowIndices, Stream]]
"""From where the stream stands before an epoch to its order (n,), and where the stream stands then."""

WINDOW_BYTES = 32 << 20
"""Of a window in memory. There are two: one is filled while the other is in use."""


@dataclass(frozen=True)
class ShuffledEpoch:
    """An order (n,), where the stream stands after it, and files in which the rows of each window stand together.

    The rows of a window stand there in rising order; `within` (n,) is the place of each in the window's own.
    """

    order: RowIndices
    after: Stream
    within: npt.NDArray[np.int32]
    X: MatrixFile
    codes: MatrixFile


@dataclass
class DiskShuffle:
    """Examples in windows of an order: `pool` has room for two, and the rows of a window have positions in it.

    A window is a whole number of batches of `batch_size` rows.
    """

    dataset: Dataset
    storage: DiskStorage
    batch_size: int
    draw: Draw
    _windows: dict[int, Future[RowIndices]] = field(default_factory=dict)
    _current: ShuffledEpoch | None = None
    _next: tuple[Stream, Future[ShuffledEpoch | None]] | None = None

    def __post_init__(self) -> None:
        given = self.dataset
        most = min(WINDOW_BYTES // max(1, given.bytes_a_row), len(given))
        self.batches = max(1, most // self.batch_size)
        self.rows = self.batches * self.batch_size

        def room(a: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return np.empty((2 * self.rows, *a.shape[1:]), a.dtype)

        weights = None if given.weights is None else room(given.weights)
        self.pool = Dataset(room(given.X), room(given.codes), room(given.y), weights)
        self._free_files: list[tuple[MatrixFile, MatrixFile]] = []
        self._lock, self._cancelled = Lock(), Event()
        self._reader, self._arranger = ThreadPoolExecutor(1), ThreadPoolExecutor(1)

    def start_epoch(self, stream: Stream, *, more: bool) -> tuple[RowIndices, Stream]:
        """Begin the epoch whose order follows from where the `stream` stands; return it, and where the stream is then.

        `more`: begin to arrange the one after it.
        """
        self._discard_windows()
        arranged = self._take_prefetched(stream) or self._shuffle_to_disk(stream)
        assert arranged is not None
        self._current = arranged
        if more:
            self._next = arranged.after, self._arranger.submit(self._shuffle_to_disk, arranged.after)
        return arranged.order, arranged.after

    def window(self, k: int) -> RowIndices:
        """The positions in the pool of the rows of window k, in their order; the window before may be overwritten."""
        assert self._current is not None
        with self._lock:
            if k not in self._windows:
                self._discard_windows()
                self._windows = {k: self._reader.submit(self._load, self._current, k)}
            found = self._windows[k].result()
            if k + 1 not in self._windows and (k + 1) * self.rows < len(self._current.order):
                self._windows = {k: self._windows[k], k + 1: self._reader.submit(self._load, self._current, k + 1)}
            return found

    def close(self) -> None:
        """Stop what is done ahead of time."""
        self._discard_windows()
        self._take_prefetched(None)
        self._reader.shutdown()
        self._arranger.shutdown()

    def _discard_windows(self) -> None:
        """Wait for what is being read, and want it no more."""
        for ahead in self._windows.values():
            ahead.exception()
        self._windows = {}

    def _take_prefetched(self, stream: Stream) -> ShuffledEpoch | None:
        """What was arranged ahead of time, if it follows from `stream`; the files that are no longer used are spare."""
        done = [] if self._current is None else [self._current]
        found = None
        if self._next is not None:
            expected, ahead = self._next
            self._next = None
            if expected == stream:
                found = ahead.result()
            else:
                self._cancelled.set()
                ahead.exception()
                self._cancelled.clear()
        self._current = None
        self._free_files += [(old.X, old.codes) for old in done]
        return found

    def _shuffle_to_disk(self, stream: Stream) -> ShuffledEpoch | None:
        """Bring together what belongs into the same window of the order; None if that is unwanted meanwhile."""
        scratch, given = self.storage.scratch, self.dataset
        X, codes = (
            self._free_files.pop()
            if self._free_files
            else (MatrixFile.like(given.X, scratch), MatrixFile.like(given.codes, scratch))
        )
        order, after = self.draw(stream)
        n, rows = len(order), self.rows
        windows = np.empty(n, np.uint16 if -(-n // rows) <= 1 << 16 else np.uint32)
        places, within = np.empty(n, np.int32), np.empty(n, np.int32)
        inside = np.arange(rows, dtype=np.int32)
        for k, start in enumerate(range(0, n, rows)):
            numbers = order[start : start + rows]
            windows[numbers] = k
            places[numbers] = inside[: len(numbers)]
        filled = np.arange(0, n, rows)
        for span in given.row_chunks(self.rows):
            if self._cancelled.is_set():
                self._free_files.append((X, codes))
                return None
            into = windows[span]
            together = np.argsort(into, kind="stable")
            counts = np.bincount(into, minlength=len(filled))
            ends = np.cumsum(counts)
            features, categories, where = (a[span].take(together, 0) for a in (given.X, given.codes, places))
            for k in np.flatnonzero(counts).tolist():
                some, at = slice(ends[k] - counts[k], ends[k]), int(filled[k])
                X.write(at, features[some])
                codes.write(at, categories[some])
                within[at : at + int(counts[k])] = where[some]
            filled += counts
        return ShuffledEpoch(order, after, within, X, codes)

    def _load(self, arranged: ShuffledEpoch, k: int) -> RowIndices:
        """Read window k into its half of the pool."""
        given, pool = self.dataset, self.pool
        numbers = arranged.order[k * self.rows : (k + 1) * self.rows]
        first = k % 2 * self.rows
        half = slice(first, first + len(numbers))
        arranged.X.read(k * self.rows, pool.X[half])
        arranged.codes.read(k * self.rows, pool.codes[half])
        places = arranged.within[k * self.rows : (k + 1) * self.rows]
        rising = numbers.take(places)
        given.y.take(rising, 0, pool.y[half], "clip")
        if given.weights is not None and pool.weights is not None:
            given.weights.take(rising, 0, pool.weights[half], "clip")
        positions = np.empty_like(numbers)
        positions[places] = np.arange(half.start, half.stop)
        return positions

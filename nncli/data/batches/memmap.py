"""Matrices that stand in a scratch file: written once, row after row, then seen as arrays, read as they are touched."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from nncli.data.store.scratch import Scratch

Array = npt.NDArray[Any]


@dataclass
class MatrixFile:
    """A matrix on its way into a scratch file, or read back from there: `width` values of type `dtype` a row."""

    scratch: Scratch
    width: int
    dtype: np.dtype[Any]

    def __post_init__(self) -> None:
        self._file: IO[bytes] = self.scratch.file()

    @classmethod
    def like(cls, rows: Array, scratch: Scratch) -> MatrixFile:
        """An empty one for rows such as these."""
        return cls(scratch, rows.shape[1], rows.dtype)

    def append(self, rows: Array) -> None:
        """Write rows (n, width) after those that are there. NncliError when the disk is full."""
        self._write(np.ascontiguousarray(rows))

    def write(self, at: int, rows: Array) -> None:
        """Write rows (n, width), contiguous ones, from row `at` on. NncliError when the disk is full."""
        with self.scratch.translate_os_errors():
            self._file.seek(at * self.width * self.dtype.itemsize)
        self._write(rows)

    def _write(self, rows: Array) -> None:
        content = rows.reshape(-1).view(np.uint8).data
        with self.scratch.translate_os_errors():
            while content:
                content = content[self._file.write(content) :]

    def read(self, at: int, out: Array) -> None:
        """Fill `out` (n, width), a contiguous one, with the rows from row `at` on."""
        content = out.reshape(-1).view(np.uint8).data
        with self.scratch.translate_os_errors():
            self._file.seek(at * self.width * self.dtype.itemsize)
            while content:
                got = self._file.readinto(content)  # type: ignore[attr-defined]
                if not got:
                    raise OSError("the temporary file ends too soon")
                content = content[got:]

    def mapped(self, rows: int) -> MemmapMatrix:
        """The matrix (rows, width) as it stands in the file."""
        if not rows * self.width:
            return MemmapMatrix(np.empty((rows, self.width), self.dtype))
        with self.scratch.translate_os_errors():
            seen = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        return MemmapMatrix(np.frombuffer(seen, self.dtype).reshape(rows, self.width), seen)


@dataclass(frozen=True)
class MemmapMatrix:
    """An array whose rows come from a file as they are touched."""

    values: Array
    pages: mmap.mmap | None = None

    def drop_pages(self) -> None:
        """Let go of the memory of what was touched; it comes back from the file when it is touched again."""
        if self.pages is not None and hasattr(mmap, "MADV_DONTNEED"):
            self.pages.madvise(mmap.MADV_DONTNEED)

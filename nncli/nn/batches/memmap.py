"""Matrices in a scratch file, written by rows and read back as memory-mapped arrays."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from nncli.base.scratch import Scratch
from nncli.nn.arrays import AnyArray


@dataclass
class MatrixFile:
    """A matrix in a scratch file, with `width` values of type `dtype` per row."""

    scratch: Scratch
    width: int
    dtype: np.dtype[Any]

    def __post_init__(self) -> None:
        self._file: IO[bytes] = self.scratch.file()

    @classmethod
    def like(cls, rows: AnyArray, scratch: Scratch) -> MatrixFile:
        """An empty file for rows of the same width and type."""
        return cls(scratch, rows.shape[1], rows.dtype)

    def append(self, rows: AnyArray) -> None:
        """Append rows (n, width). Raises NncliError when the disk is full."""
        self._write(np.ascontiguousarray(rows))

    def write(self, at: int, rows: AnyArray) -> None:
        """Write contiguous rows (n, width) from row `at` on. Raises NncliError when the disk is full."""
        with self.scratch.translate_os_errors():
            self._file.seek(at * self.width * self.dtype.itemsize)
        self._write(rows)

    def _write(self, rows: AnyArray) -> None:
        content = rows.reshape(-1).view(np.uint8).data
        with self.scratch.translate_os_errors():
            while content:
                content = content[self._file.write(content) :]

    def read(self, at: int, out: AnyArray) -> None:
        """Fill `out` (n, width), contiguous, with the rows from row `at` on."""
        content = out.reshape(-1).view(np.uint8).data
        with self.scratch.translate_os_errors():
            self._file.seek(at * self.width * self.dtype.itemsize)
            while content:
                n_read = self._file.readinto(content)  # type: ignore[attr-defined]
                if not n_read:
                    raise OSError("the temporary file is truncated")
                content = content[n_read:]

    def as_memmap(self, rows: int) -> MemmapMatrix:
        """Map the file as a matrix (rows, width)."""
        if not rows * self.width:
            return MemmapMatrix(np.empty((rows, self.width), self.dtype))
        with self.scratch.translate_os_errors():
            pages = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        return MemmapMatrix(np.frombuffer(pages, self.dtype).reshape(rows, self.width), pages)


@dataclass(frozen=True)
class MemmapMatrix:
    """A memory-mapped array."""

    values: AnyArray
    pages: mmap.mmap | None = None

    def drop_pages(self) -> None:
        """Release the memory of pages that were read; they are read again from the file when accessed."""
        if self.pages is not None and hasattr(mmap, "MADV_DONTNEED"):
            self.pages.madvise(mmap.MADV_DONTNEED)

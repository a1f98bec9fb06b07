"""A column of free text: its words and its pairs of neighbouring words, counted in a fixed number of hashed places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal
from zlib import crc32

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.data.columns import read_text
from nncli.data.numeric import Matrix
from nncli.data.scaling import Floats
from nncli.data.strangers import Strange
from nncli.data.table import Table
from nncli.specification import Count, Flag, Real, Specification, Text

TEXT_WIDTH = 32
WORD = r"[\p{L}\p{M}\p{N}]+"
LONGEST = 100_000
"""Characters of a cell that count."""
PIECE = 1 << 22
"""Bytes of text that are taken apart at a time, or a single cell."""
MOST_ROWS = 1 << 16
"""Rows of a piece, whose number stands above the 48 bits of a hash."""
BITS = np.uint64(48)

Hashes = npt.NDArray[np.uint64]


class TextColumn(Specification):
    """A text becomes the sum of ±log(1 + count) of its words and pairs of words, each in one of `places`, scaled.

    Place and sign are a hash's, so that what falls together cancels out on average: Weinberger, Dasgupta, Langford,
    Smola and Attenberg, "Feature hashing for large scale multitask learning" (2009). A row has length 1 before it is
    scaled, unless it has no word; so has a missing cell, which `missing` adds a column for.
    """

    type: Literal["text"] = "text"
    name: Text
    places: Count
    scale: Real
    missing: Flag

    @classmethod
    def fit(cls, table: Table, name: str, places: int) -> TextColumn:
        """Fit on `table`, the training rows: all there is to learn is whether cells are missing."""
        cells = read_text(table, name)
        return cls(name=name, places=places, scale=float(np.sqrt(places)), missing=cells.has_nulls())

    @property
    def numbers(self) -> int:
        """How many columns of the matrix hold numbers that may be embedded: none."""
        return 0

    @property
    def width(self) -> int:
        """Columns of the matrix."""
        return self.places + self.missing

    @property
    def features(self) -> tuple[str, ...]:
        """What each column of the matrix means."""
        words = [f"{self.name}: words {place} of {self.places}" for place in range(1, self.places + 1)]
        return (*words, *[f"{self.name} is missing"] * self.missing)

    def encode(self, table: Table, out: Matrix) -> Strange:
        """Fill `out` (rows, width), and count what is strange."""
        cells = read_text(table, self.name)
        start = 0
        for piece in pieces(cells):
            Z = hashed(piece, self.places)
            lengths = np.sqrt((Z * Z).sum(axis=1, keepdims=True))
            Z *= np.divide(self.scale, lengths, out=np.zeros_like(lengths), where=lengths > 0.0)
            out[start : start + len(piece), : self.places] = Z
            start += len(piece)
        if self.missing:
            out[:, -1] = cells.is_null().to_numpy()
        return Strange(missing=0 if self.missing else cells.null_count())


def pieces(cells: pl.Series) -> Iterator[pl.Series]:
    """The cells, a few at a time."""
    ends = cells.str.len_bytes().fill_null(0).cast(pl.Int64).cum_sum().to_numpy()
    start = 0
    while start < len(cells):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, min(start + MOST_ROWS, int(np.searchsorted(ends, before + PIECE, "right"))))
        yield cells[start:stop]
        start = stop


def hashed(cells: pl.Series, places: int) -> Floats:
    """The sum of ±log(1 + count) of each cell's words and pairs of words (cells, places)."""
    rows, words = taken_apart(cells)
    hashes = [mixed(words)]
    if len(words) > 1:
        hashes.append(mixed(words[:-1] << np.uint64(32) | words[1:]))
    neighbours = rows[:-1] == rows[1:]
    of = np.concatenate([rows, rows[1:][neighbours]])
    grams = np.concatenate([hashes[0], *(pairs[neighbours] for pairs in hashes[1:])])
    # Sorted, so that a cell's sums have the same bits in any company.
    keys, counts = np.unique((of << BITS) | (grams >> np.uint64(16)), return_counts=True)
    signs = np.where(keys & np.uint64(1), -1.0, 1.0)
    place = (keys & np.uint64((1 << 48) - 1)) >> np.uint64(1)
    at = (keys >> BITS) * np.uint64(places) + place % np.uint64(places)
    sums = np.bincount(at.astype(np.int64), signs * np.log1p(counts), len(cells) * places)
    return sums.reshape(len(cells), places).astype(np.float64, copy=False)


def taken_apart(cells: pl.Series) -> tuple[Hashes, Hashes]:
    """Of each word its row (words,) and its CRC-32 (words,), in order. Words are lower-case, of letters and digits."""
    found = cells.str.slice(0, LONGEST).str.to_lowercase().str.extract_all(WORD)
    counts = found.list.len().fill_null(0).to_numpy()
    words = found.filter(found.list.len() > 0).explode()
    different = words.unique()
    codes = [crc32(word.encode()) for word in different]
    coded = words.replace_strict(different, codes, return_dtype=pl.UInt64) if len(words) else words.cast(pl.UInt64)
    return np.repeat(np.arange(len(cells), dtype=np.uint64), counts), coded.to_numpy()


def mixed(codes: Hashes) -> Hashes:
    """Every bit of a code spread over all: the end of MurmurHash3, by Appleby, for 64 bits."""
    h = codes ^ (codes >> np.uint64(33))
    h *= np.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    h ^= h >> np.uint64(33)
    return h

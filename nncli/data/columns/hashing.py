"""Hashes of cells and rows by their values: the same on every machine, in every version, for every file format.

Polars' and Python's own hashes change between versions or processes, so these are defined here: numbers go through the
finalizer of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014), and texts
through BLAKE2b, once for each distinct text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.nn.arrays import Floats

Hashes: TypeAlias = npt.NDArray[np.uint64]
"""A 64-bit hash of each cell or row (rows,)."""

MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
MISSING = np.uint64(0x9E3779B97F4A7C15)
"""The hash of a missing text."""
PIECE = 16_384
"""Rows that are hashed at a time: few enough to stay in the cache."""


def hash_numbers(x: Floats) -> Hashes:
    """Hashes of the values x (rows,), rounded to single precision; all missing values (NaN) have the same hash.

    Files in single and in double precision therefore have the same hashes.
    """
    with np.errstate(over="ignore"):
        rounded = x.astype(np.float32)
    return hash_exact_numbers(rounded.astype(np.float64))


def hash_exact_numbers(x: Floats) -> Hashes:
    """Hashes of the values x (rows,) in double precision; all missing values (NaN) have the same hash."""
    canonical = x + 0.0  # -0 is 0
    canonical[np.isnan(canonical)] = np.nan
    return _mix(canonical.view(np.uint64))


def hash_texts(cells: pl.Series) -> Hashes:
    """Hashes of texts (rows,), null where one is missing."""
    texts = cells.unique().drop_nulls()
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)
    hashes = pl.Series(np.frombuffer(digests, "<u8").astype(np.uint64))
    hashed = cells.replace_strict(texts, hashes, default=None, return_dtype=pl.UInt64)
    return hashed.fill_null(int(MISSING)).to_numpy()


def sum_of_numbers(names: Sequence[str], values: Floats) -> Hashes:
    """The part of the sum in `combine_columns` that numeric columns add: values (columns, rows) to (rows,)."""
    rows = values.shape[1]
    total, n_columns = np.zeros(rows, np.uint64), max(PIECE // max(rows, 1), 1)
    for start in range(0, len(names), n_columns):
        x = values[start : start + n_columns]
        keys = np.concatenate([_key(name) for name in names[start : start + n_columns]])
        hashes = hash_numbers(x.reshape(-1)).reshape(x.shape) ^ keys[:, None]
        total += _mix(hashes.reshape(-1)).reshape(x.shape).sum(axis=0, dtype=np.uint64)
    return total


def combine_columns(names: Sequence[str], columns: Sequence[Hashes], sums: Sequence[Hashes] = ()) -> Hashes:
    """Hashes of rows (rows,) from those of their cells in each named column, whatever the order of the columns.

    `sums` are the parts (rows,) that further columns add; see `sum_of_numbers`.
    """
    total = np.zeros(len(columns[0]), np.uint64)
    for part in sums:
        total += part
    for name, hashes in zip(names, columns, strict=True):
        total += _mix(hashes ^ _key(name))
    return _mix(total)


def _key(name: str) -> Hashes:
    """The key (1,) of a column of this name."""
    return np.frombuffer(hashlib.blake2b(name.encode(), digest_size=8).digest(), "<u8").astype(np.uint64)


def _mix(x: Hashes) -> Hashes:
    """The finalizer of SplitMix64 of x (rows,): every bit of the result depends on every bit of x."""
    mixed = np.empty_like(x)
    for start in range(0, len(x), PIECE):
        z = x[start : start + PIECE] + MISSING
        for shift, multiplier in zip(SHIFTS, MULTIPLIERS, strict=False):
            z ^= z >> shift
            z *= multiplier
        z ^= z >> SHIFTS[-1]
        mixed[start : start + PIECE] = z
    return mixed

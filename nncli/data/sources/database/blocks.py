"""Blocks of a fixed number of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

BLOCK_ROWS = 65_536


def blocks_of(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same rows in blocks of BLOCK_ROWS, the last one shorter; at least one block.

    The sizes of a driver's batches may depend on time or memory; those of the blocks do not.
    """
    pending: list[pl.DataFrame] = []
    height = 0
    is_first = True
    for frame in frames:
        pending.append(frame)
        height += frame.height
        if height >= BLOCK_ROWS:
            rows = pl.concat(pending)
            whole = height - height % BLOCK_ROWS
            for start in range(0, whole, BLOCK_ROWS):
                yield rows[start : start + BLOCK_ROWS]
            pending, height, is_first = [rows[whole:]], height - whole, False
    if height or is_first:
        yield pl.concat(pending)

"""The rows of a training: read, told apart, and encoded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.config.schema import Config
from nncli.data.arrays import Codes, Matrix
from nncli.data.batches.dataset import Dataset, DiskStorage
from nncli.data.batches.memmap import MatrixFile
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.target import RegressionTarget, Target
from nncli.data.io.prefetch import prefetch
from nncli.data.sample_weights import Weights, class_weights, combine, read_weights
from nncli.data.store.column_store import ColumnStore
from nncli.data.store.scratch import Scratch
from nncli.data.table import Table
from nncli.errors import DataError
from nncli.nn.network import Network


@dataclass(frozen=True)
class PreparedRows:
    """Some rows, ready: encoded for the network, and with the truth and the sample weights as the person gave them.

    `y` holds codes (rows,) or numbers in their own units (rows, targets), `numbers` (rows,) each row's number in its
    table, from 1; None: they are all there, in order.
    """

    dataset: Dataset
    y: npt.NDArray[Any]
    weights: Weights | None
    row_numbers: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.y)


def encode(
    config: Config,
    stored: ColumnStore,
    encoder: Encoder,
    target: Target,
    network: Network,
    training: PreparedRows | None,
    scratch: Scratch | None,
) -> PreparedRows:
    """Encode rows, in memory, or into scratch files where there is a `scratch`.

    Class weights are those of the `training` rows, or of these when they are the training rows.
    """
    X, codes, storage = _features(stored, encoder, network, scratch)
    weight = config.data.sample_weight
    sample = read_weights(stored.columns([weight]), weight) if weight else None
    table = stored.columns(target.names)
    y: npt.NDArray[Any]
    seen: npt.NDArray[Any]
    per_row = None
    if target.task == "classification":
        y = seen = target.read(table)
        if config.class_weight is not None:
            counted = y if training is None else training.y
            per_row = class_weights(config.class_weight, target.labels, counted)[y]
    else:
        numbers = target.read(table)
        y, seen = numbers, _encode_target(table, target, numbers, network)
    weights = combine(sample, per_row)
    scaled = None if weights is None else weights.astype(network.precision)
    return PreparedRows(Dataset(X, codes, seen, scaled, storage), y, sample, stored.numbers)


def _features(
    stored: ColumnStore, encoder: Encoder, network: Network, scratch: Scratch | None
) -> tuple[Matrix, Codes, DiskStorage | None]:
    """X, codes, and where they stand if not in memory."""
    n, width, precision = len(stored), encoder.width, network.precision
    if scratch is None:
        X, codes = encoder.empty(n, precision)
        _fill(stored, encoder, X, codes)
        return X, codes, None
    numbers = MatrixFile(scratch, width, np.dtype(precision))
    categories = MatrixFile(scratch, len(encoder.embedded), np.dtype(np.int64))
    for some in prefetch(encoder.encode(block, precision) for block in stored.blocks(encoder.names)):
        numbers.append(some.X)
        categories.append(some.codes)
    storage = DiskStorage(numbers.mapped(n), categories.mapped(n), scratch)
    return storage.X.values, storage.codes.values, storage


def _fill(stored: ColumnStore, encoder: Encoder, X: Matrix, codes: Codes) -> None:
    """Fill X and codes, each half of the table on a thread of its own."""

    def fill(half: ColumnStore, X: Matrix, codes: Codes) -> None:
        stop = 0
        for block, plain in half.iter_dense(encoder.names, encoder.jointly_encoded):
            start, stop = stop, stop + max(len(block), plain.values.shape[1])
            encoder.encode_into(block, X[start:stop], codes[start:stop], plain)

    first, second = stored.split_in_two()
    cut = len(first)
    with ThreadPoolExecutor(1, "nncli encode") as thread:
        rest = thread.submit(fill, second, X[cut:], codes[cut:])
        fill(first, X[:cut], codes[:cut])
        rest.result()


def _encode_target(
    table: Table, target: RegressionTarget, y: npt.NDArray[np.float64], network: Network
) -> npt.NDArray[np.floating[Any]]:
    """The numbers y (rows, targets) as the network sees them.

    Raises:
        DataError: one is so far from the training values, or so large, that its precision cannot hold it.
    """
    with np.errstate(over="ignore"):
        seen = target.encode(y).astype(network.precision)
    finite = np.isfinite(seen)
    if not finite.all():
        row, j = np.argwhere(~finite)[0]
        raise DataError(
            f"{y[row, j]:g} is too large a target to be computed with in {network.precision}",
            place=table.place(row=int(row), column=target.names[j]),
            hint="Mend the cell, or write the column in another unit.",
        )
    return seen

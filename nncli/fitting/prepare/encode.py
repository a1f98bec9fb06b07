"""Encoding rows for the network: features, codes, targets and sample weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.base.errors import DataError
from nncli.base.logs import log_duration
from nncli.base.memory import free_memory
from nncli.base.scratch import Scratch
from nncli.config.schema import Config, bytes_of
from nncli.data.columns.hashing import Hashes
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.row_context import RowContext
from nncli.data.formats.prefetch import prefetch
from nncli.data.sample_weights import Weights, class_weights, combine, read_weights, row_counts
from nncli.data.splitting.holdout import group_numbers
from nncli.data.store.column_store import ColumnStore
from nncli.data.table import Table
from nncli.models.model import hash_rows
from nncli.nn.arrays import Codes, Matrix, RowIndices
from nncli.nn.batches.dataset import Dataset, DiskStorage
from nncli.nn.batches.memmap import MatrixFile
from nncli.nn.network import Network
from nncli.run_directory.training_rows import TrainingRows
from nncli.targets.target import Target
from nncli.targets.target_base import Truth, rows_with_target


@dataclass(frozen=True)
class PreparedRows:
    """Rows encoded for the network, with their targets and sample weights as in the table.

    `y` holds class codes (rows,) or numbers in their own units (rows, targets), and `context` what these are
    relative to, None if the model has none; `row_numbers` (rows,) each row's
    number in its table, from 1, or None for all rows in order; `groups` (rows,) the number of its group, or None.
    """

    dataset: Dataset
    y: npt.NDArray[Any]
    weights: Weights | None
    row_numbers: npt.NDArray[np.int64] | None = None
    groups: npt.NDArray[np.int64] | None = None
    context: RowContext | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: RowIndices) -> PreparedRows:
        """Some of the rows, in memory."""
        names = ("y", "weights", "row_numbers", "groups")
        parts = {name: array[rows] for name in names if (array := getattr(self, name)) is not None}
        context = None if self.context is None else self.context.take(rows)
        return replace(self, dataset=self.dataset.take(rows), context=context, **parts)


def encode(
    config: Config,
    store: ColumnStore,
    encoder: Encoder,
    target: Target,
    network: Network,
    training: PreparedRows | None,
    scratch: Scratch | None,
) -> PreparedRows:
    """Encode rows, in memory, or into files of the `scratch` if there is one.

    Class weights are computed from the `training` rows; None: from these rows.

    Raises:
        DataError: a cell does not fit its column.
    """
    X, codes, storage = _encode_features(store, encoder, network, scratch)
    weight = config.data.sample_weight
    sample_weight = read_weights(store.columns([weight]), weight) if weight else None
    table = store.columns(target.names)
    y: Truth = target.read(table)
    context = encoder.context(store.columns([column.name for column in encoder.context_columns]))
    learned = y if context is None else context.learned(y)
    encoded_y, class_weight = _encode_target(table, target, learned, network), None
    if config.class_weight is not None:
        training_y, of_rows = (y, sample_weight) if training is None else (training.y, training.weights)
        class_weight = class_weights(config.class_weight, target.labels, training_y, of_rows)[y]
    weights = combine(sample_weight, class_weight)
    scaled = None if weights is None else weights.astype(network.precision)
    group = config.data.group if config.data.group in store.header.names else None
    groups = None if group is None else group_numbers(store.columns([group]), group)
    rows_per_weight = 1.0 if sample_weight is None or not len(store) else float(row_counts(sample_weight).mean())
    dataset = Dataset(X, codes, encoded_y, scaled, storage, rows_per_weight)
    return PreparedRows(dataset, y, sample_weight, store.row_numbers, groups, context)


def _encode_features(
    store: ColumnStore, encoder: Encoder, network: Network, scratch: Scratch | None
) -> tuple[Matrix, Codes, DiskStorage | None]:
    """Encode the features: X, codes, and their files if they are not in memory."""
    if scratch is None:
        X, codes = encoder.empty(len(store), network.precision)
        _encode_in_memory(store, encoder, X, codes)
        return X, codes, None
    blocks = prefetch(encoder.encode(block, network.precision) for block in store.blocks(encoder.names))
    return collect(((encoded.X, encoded.codes) for encoded in blocks), encoder, network, len(store), scratch)


def collect(
    blocks: Iterable[tuple[Matrix, Codes]], encoder: Encoder, network: Network, rows: int, scratch: Scratch | None
) -> tuple[Matrix, Codes, DiskStorage | None]:
    """X and codes of all blocks, of so many `rows` together; in files of a scratch if there is one."""
    if scratch is None:
        X, codes = encoder.empty(rows, network.precision)
        stop = 0
        for block_X, block_codes in blocks:
            start, stop = stop, stop + len(block_X)
            X[start:stop], codes[start:stop] = block_X, block_codes
        return X, codes, None
    X_file = MatrixFile(scratch, encoder.width, np.dtype(network.precision))
    codes_file = MatrixFile(scratch, len(encoder.embedded), np.dtype(np.int64))
    for block_X, block_codes in blocks:
        X_file.append(block_X)
        codes_file.append(block_codes)
    storage = DiskStorage(X_file.as_memmap(rows), codes_file.as_memmap(rows), scratch)
    return storage.X.values, storage.codes.values, storage


def _encode_in_memory(store: ColumnStore, encoder: Encoder, X: Matrix, codes: Codes) -> None:
    """Encode the table into X and codes, one half on each of two threads."""

    def encode_rows(half: ColumnStore, X: Matrix, codes: Codes) -> None:
        stop = 0
        for block, dense in half.iter_dense(encoder.names, encoder.jointly_encoded):
            start, stop = stop, stop + max(len(block), dense.x.shape[1])
            encoder.encode_into(block, X[start:stop], codes[start:stop], dense)

    first, second = store.split_in_two()
    cut = len(first)
    with ThreadPoolExecutor(1, "nncli encode") as thread:
        second_half = thread.submit(encode_rows, second, X[cut:], codes[cut:])
        encode_rows(first, X[:cut], codes[:cut])
        second_half.result()


def _encode_target(table: Table, target: Target, y: Truth, network: Network) -> npt.NDArray[Any]:
    """Encode the targets in the network's precision.

    Raises:
        DataError: an encoded target is not finite in that precision.
    """
    with np.errstate(over="ignore"):
        encoded = target.encode(y, network.precision)
    too_large = np.isinf(encoded)  # NaN is a missing label or target
    if too_large.any():
        row, j = np.argwhere(too_large)[0]
        raise DataError(
            f"{y[row, j]:g} is too large a target for {network.precision}",
            location=table.location(row=int(row), column=target.names[j]),
            hint="Fix the cell, or write the column in another unit.",
        )
    return encoded


AUTO_SHARE = 0.5
"""Share of the free memory that `memory_limit: auto` allows."""


def memory_limit(config: Config) -> float:
    """The memory limit in bytes. It does not affect the result of the training."""
    limit = bytes_of(config.memory_limit)
    return AUTO_SHARE * free_memory() if limit is None else limit


def record_rows(tables: Sequence[ColumnStore | None], encoder: Encoder, target: Target) -> TrainingRows:
    """The hashes of the rows of stored tables, None for one that there is not; a row drawn repeatedly counts once."""
    with log_duration("recording the training rows"):
        return TrainingRows.of(_hashes(tables, encoder, target))


def record_targets(tables: Sequence[ColumnStore | None], encoder: Encoder, target: Target) -> tuple[TrainingRows, ...]:
    """The hashes of the rows that have each of several targets; none for one target."""
    return tuple(
        record_rows([table and rows_of_target(table, part.target) for table in tables], encoder, part.target)
        for part in target.parts
    )


def rows_of_target(table: ColumnStore, target: Target) -> ColumnStore:
    """The rows of a stored table that have a target."""
    return table.take(rows_with_target(table.columns(target.names), target.names))


def _hashes(tables: Sequence[ColumnStore | None], encoder: Encoder, target: Target) -> Iterator[Hashes]:
    for table in tables:
        if table is None:
            continue
        numbers = None if table.row_numbers is None else np.unique(table.row_numbers)
        # The target may be numbers too: it is read from the table.
        in_dense = frozenset(encoder.numeric_names) - set(target.names)
        for block, dense in replace(table, row_numbers=numbers).iter_dense([*encoder.names, *target.names], in_dense):
            yield hash_rows(encoder, target, block, dense)

"""The rows that a network is taught on: the training rows, and rows with swapped cells, with a teacher's predictions.

The target of a training row is the mean of the teacher's out-of-fold prediction and of its in-sample prediction. The
first is as uncertain as for new rows; the second comes from all members. Where there is no out-of-fold prediction, it
is the second alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.base.logs import log_duration
from nncli.base.scratch import Scratch
from nncli.config.schema import Config
from nncli.data.encoders.encoder import Encoder
from nncli.data.store.column_store import ColumnStore
from nncli.data.table import Table
from nncli.fitting.prepare.encode import PreparedRows
from nncli.fitting.prepare.teacher import LoadedTeacher, count_copies
from nncli.nn.arrays import Array, Codes, Matrix, RowIndices
from nncli.nn.batches.dataset import Dataset, DiskStorage
from nncli.nn.batches.memmap import MatrixFile
from nncli.nn.losses import MSE, LossBase
from nncli.nn.losses.classification import CrossEntropy
from nncli.nn.network import Network
from nncli.targets.target import Target


@dataclass(frozen=True)
class DistillationRows:
    """The rows that the network is fitted to, their row numbers in the table, and the loss of their targets.

    Scores are `optimistic` if the validation rows chose the epoch of the teacher.
    """

    dataset: Dataset
    row_numbers: RowIndices
    loss: LossBase
    optimistic: bool


def distillation_rows(
    config: Config,
    teacher: LoadedTeacher,
    store: ColumnStore,
    encoder: Encoder,
    target: Target,
    network: Network,
    loss: LossBase,
    training: PreparedRows,
) -> DistillationRows:
    """The rows that a student is trained on: those of `store`. They are in files if `training` is."""
    assert config.teacher is not None
    n = len(store)
    copies = count_copies(config.teacher, n)
    with log_duration("predictions of the teacher") as stage:
        files = training.dataset.storage.scratch if training.dataset.storage else None
        blocks = _blocks(store, encoder, teacher, target, copies, np.random.default_rng([config.seed, 6]), network)
        X, codes, values, rows, storage = _collect(blocks, encoder, network, n * (1 + copies), files)
        stage.details.append(f"{n:,} training rows and {n * copies:,} rows with swapped cells")
    numbers = np.arange(1, n + 1) if training.row_numbers is None else training.row_numbers
    out_of_fold, found = teacher.out_of_fold(numbers, target)
    if len(found):
        is_own = np.flatnonzero(rows >= 0)  # those with swapped cells are numbered from -1 down
        own = is_own[np.argsort(rows[is_own])]
        values[own[found]] = (values[own[found]] + out_of_fold) / 2.0
    of_row = np.where(rows >= 0, rows, -1 - rows)
    weights = None if training.dataset.weights is None else training.dataset.weights[of_row]
    loss, y = _targets(loss, target, values, network)
    return DistillationRows(Dataset(X, codes, y, weights, storage), numbers[of_row], loss, teacher.choosing)


@dataclass(frozen=True)
class _Block:
    """Encoded rows with the teacher's predictions; `rows` are their positions, or -1 - position with swapped cells."""

    X: Matrix
    codes: Codes
    values: npt.NDArray[np.float64]
    rows: RowIndices


def _blocks(
    store: ColumnStore,
    encoder: Encoder,
    teacher: LoadedTeacher,
    target: Target,
    copies: int,
    random: np.random.Generator,
    network: Network,
) -> Iterator[_Block]:
    """The training rows block by block, each followed by those made of it."""
    start = 0
    for block in store.blocks(list(dict.fromkeys([*encoder.names, *teacher.names]))):
        rows = np.arange(start, start + len(block))
        start += len(block)
        for copy in range(1 + copies):
            table = swap_cells(block, random) if copy else block
            encoded = encoder.encode(table, network.precision)
            yield _Block(encoded.X, encoded.codes, teacher.predict(table, target), -1 - rows if copy else rows)


def _collect(
    blocks: Iterator[_Block], encoder: Encoder, network: Network, total: int, files: Scratch | None
) -> tuple[Matrix, Codes, npt.NDArray[np.float64], RowIndices, DiskStorage | None]:
    """X, codes, predictions and positions of all blocks; X and codes in files of a scratch if there is one."""
    values, rows = [], []
    if files is None:
        X, codes = encoder.empty(total, network.precision)
        stop = 0
        for block in blocks:
            start, stop = stop, stop + len(block.rows)
            X[start:stop], codes[start:stop] = block.X, block.codes
            values.append(block.values)
            rows.append(block.rows)
        return X, codes, np.concatenate(values), np.concatenate(rows), None
    X_file = MatrixFile(files, encoder.width, np.dtype(network.precision))
    codes_file = MatrixFile(files, len(encoder.embedded), np.dtype(np.int64))
    for block in blocks:
        X_file.append(block.X)
        codes_file.append(block.codes)
        values.append(block.values)
        rows.append(block.rows)
    storage = DiskStorage(X_file.as_memmap(total), codes_file.as_memmap(total), files)
    return storage.X.values, storage.codes.values, np.concatenate(values), np.concatenate(rows), storage


def _targets(
    loss: LossBase, target: Target, values: npt.NDArray[np.float64], network: Network
) -> tuple[LossBase, npt.NDArray[Any]]:
    """The loss of predictions as targets, and these targets, from predictions (rows, outputs).

    A loss without a link of its own is for noisy targets, such as the mean absolute error for medians; predictions are
    approximated in least squares.
    """
    if target.has_probabilities:
        distributions = values.astype(network.precision)
        return SoftCrossEntropy.of(distributions), SoftCrossEntropy.codes(distributions)
    return (loss if loss.has_link else MSE()), target.encode(values, network.precision)


FEWEST, MOST = 0.1, 0.3
"""The shares of the cells of a row that are swapped: each row draws its own between these."""


def swap_cells(table: Table, random: np.random.Generator) -> Table:
    """A copy of a table in which each row has some cells of another row, drawn at random; it keeps its number.

    Each cell is replaced with a probability of 10 to 30 %, which is drawn for its row.

    Source: Fakoor, Mueller, Erickson, Chaudhari and Smola, "Fast, accurate, and simple models for tabular data via
    augmented distillation", 2020, and the swap noise of denoising autoencoders.
    """
    n = len(table)
    donors = random.integers(n, size=n)
    shares = random.uniform(FEWEST, MOST, n)
    columns = []
    for name in table.names:
        cells = table.frame.get_column(name)
        keeps = pl.Series(random.random(n) >= shares)
        columns.append(cells.zip_with(keeps, cells.gather(donors)))
    return replace(table, frame=pl.DataFrame(columns))


class SoftCrossEntropy(CrossEntropy):
    """-Σ_k t_k log p_k for rows with target distributions t. Hinton, Vinyals and Dean, 2015.

    The table of targets has a row for each class, one-hot, and then one for each distribution. So the target of a row
    is its class, or the code of its distribution. No configuration names this loss, since the distributions are data.
    """

    _table: Array

    @classmethod
    def of(cls, distributions: Array) -> SoftCrossEntropy:
        """The loss for distributions (rows, classes)."""
        loss, classes = cls(), distributions.shape[1]
        soft = distributions[:, 1:] if classes == 2 else distributions  # two classes share an output
        loss._table = np.concatenate([CrossEntropy().targets(loss.outputs(classes), soft.dtype), soft])
        return loss

    @staticmethod
    def codes(distributions: Array) -> npt.NDArray[np.int64]:
        """The targets (rows,) of the distributions (rows, classes) as codes."""
        rows, classes = distributions.shape
        return np.arange(classes, classes + rows, dtype=np.int64)

    def targets(self, k: int, dtype: np.dtype[Any]) -> Array:
        return self._table.astype(dtype, copy=False)

"""The teacher of a distillation, and the rows that a network is taught on, with the teacher's predictions.

These are the training rows, and rows with swapped cells. The target of a training row is the mean of the teacher's
out-of-fold prediction and of its in-sample prediction. The first is as uncertain as for new rows; the second comes from
all members. Where there is no out-of-fold prediction, it is the second alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.base.errors import DataError, Location, RunError, config_error
from nncli.base.logs import log_duration
from nncli.base.text import join_quoted
from nncli.config.schema import Config
from nncli.config.schema.training import Teacher
from nncli.data.encoders.encoder import Encoder
from nncli.data.sources.open import open_reader
from nncli.data.splitting.folds import Fold
from nncli.data.store.column_store import ColumnStore
from nncli.data.table import Table
from nncli.fitting.prepare.auto_values import swapped_rows
from nncli.fitting.prepare.encode import PreparedRows, collect
from nncli.models.ensemble import AnyModel, Ensemble
from nncli.models.held_out_rows import HeldOutRows
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Codes, Matrix, RowIndices
from nncli.nn.batches.dataset import Dataset
from nncli.nn.losses import LossBase
from nncli.nn.losses.regression import loss_of_predictions
from nncli.nn.network import Network
from nncli.run_directory.config import read_config
from nncli.run_directory.manifest import HELD_OUT, WEIGHTS, Manifest
from nncli.run_directory.run import Run
from nncli.targets.target import Target


@dataclass(frozen=True)
class LoadedTeacher:
    """A run that teaches: the model of the `members` that do, None for all, and its held-out rows.

    `held_out` is None without validation rows, or if these are in a file of their own, and so never training rows. The
    validation rows are `choosing` if they alone chose the epoch of a network that teaches.
    """

    model: AnyModel
    members: tuple[int, ...] | None
    held_out: HeldOutRows | None
    sha256: str
    choosing: bool

    @classmethod
    def of(cls, teacher: Teacher, config: Config) -> LoadedTeacher:
        """Load the teacher of a configuration.

        Raises:
            RunError: it is missing, damaged, not trained, or another one than recorded.
            DataError: it was trained on another table.
            ConfigError: it has no such member, or predicts something else.
        """
        place = Location(source=teacher.path)
        if not Path(teacher.path).is_dir():
            message = "the run that teaches this network is not there"
            raise RunError(
                message, location=place, hint="Put it back there, or train again with its place as teacher.path."
            )
        run = Run.open(Path(teacher.path))
        manifest, model = run.load_manifest(), run.load_model()
        if manifest.teacher is not None:
            message = "this run is taught by another one, whose training rows it does not tell"
            raise config_error("teacher.path", message, f"Name that run: {manifest.teacher.path}")
        sha256 = weights_checksum(manifest)
        if teacher.sha256 not in (None, sha256):
            message = "this run has other weights than the one that taught the network"
            raise RunError(message, location=place, hint="Restore that run, or distill again.")
        if manifest.data.sha256 != open_reader(config.data.source).checksum().sha256:
            raise DataError(
                f"{config.data.path} is not the table that the teacher was trained on",
                location=place,
                hint="Restore the table, or train the teacher again.",
            )
        if model.spec.target.names != config.data.target:
            message = f"the teacher predicts {join_quoted(model.spec.target.names)}"
            raise config_error("teacher.path", message, "Name a run with the same target.")
        held_out = run.load_held_out() if manifest.validation_data is None else None
        choosing = left_out_fold(run, manifest) is None and chose_epoch(read_config(run.path))
        return cls(_of_members(model, teacher.members), teacher.members, held_out, sha256, choosing)

    def record(self, config: Config, rows: int) -> Config:
        """The configuration with the checksum of its teacher, and the rows with swapped cells of a number of rows."""
        assert config.teacher is not None
        update = {"sha256": self.sha256, "swapped_rows": count_copies(config.teacher, rows)}
        return config.model_copy(update={"teacher": config.teacher.model_copy(update=update)})

    @property
    def names(self) -> list[str]:
        """The names of its features."""
        return self.model.names

    def check_validation(self, numbers: RowIndices, members: tuple[int, ...] | None) -> None:
        """Check that none of the `members`, None for all, was trained on the validation rows with these numbers.

        Where the run keeps a sample of its held-out rows only, the check is of the rows in it.

        Raises:
            ConfigError: one was, so that the scores would be too good.
        """
        trained = numbers
        if self.held_out is not None:
            kept, of_members = self.held_out, self.held_out.members
            teaching = of_members if members is None else [of_members[i - 1] for i in members]
            seen = [np.setdiff1d(numbers, kept.row_numbers[member.rows]) for member in teaching]
            trained = np.unique(np.concatenate(seen))
            trained = np.intersect1d(trained, kept.row_numbers) if kept.is_sample else trained
        if len(trained):
            message = f"the teacher was trained on {len(trained):,} of the {len(numbers):,} validation rows"
            raise config_error("validation", message, "Leave validation and seed as `nncli distill` sets them.")

    def restrict(self, config: Config) -> Config:
        """The configuration with only the features that the teaching members use."""
        columns = {*self.names} - {*config.data.context_columns}
        names = self.names if config.data.features is None else config.data.features
        data = config.data.model_copy(update={"features": tuple(name for name in names if name in columns)})
        return config.model_copy(update={"data": data})

    def predict(self, table: Table, target: Target, *, in_link: bool) -> npt.NDArray[np.float64]:
        """Its predictions of rows (rows, outputs), with the classes of `target`; see `learned_values`."""
        with np.errstate(all="ignore"):
            return learned_values(self.model.predict(table), target, in_link=in_link)

    def out_of_fold(
        self, numbers: RowIndices, target: Target, *, in_link: bool
    ) -> tuple[npt.NDArray[np.float64], RowIndices]:
        """Its out-of-fold predictions of those rows with these numbers that it has, and their positions.

        There are none if some members teach: the others, which may have seen the validation rows, made them.
        """
        kept = self.held_out
        if kept is None or self.members is not None or not len(kept):
            return np.empty((0, 0)), np.empty(0, np.int64)
        order = np.argsort(kept.row_numbers)
        at = np.searchsorted(kept.row_numbers, numbers, sorter=order).clip(max=len(kept) - 1)
        is_kept = kept.row_numbers[order[at]] == numbers
        predictions = kept.predictions.take(order[at[is_kept]])
        return learned_values(predictions, target, in_link=in_link), np.flatnonzero(is_kept)


def left_out_fold(run: Run, manifest: Manifest) -> Fold | None:
    """The fold that the first network of a cross-validation left out, or of a run of networks of cross-validations.

    It is the first member's held-out rows, which chose nothing. None for other runs.
    """
    if manifest.members == 1 or read_config(run.path).data.leave_out is not None:
        return None
    return read_config(run.path / manifest.member_folders[0]).data.leave_out


def count_copies(teacher: Teacher, rows: int) -> int:
    """The rows with swapped cells that are made of each of a number of training rows."""
    return swapped_rows(rows) if teacher.swapped_rows == "auto" else teacher.swapped_rows


def chose_epoch(config: Config) -> bool:
    """Whether the validation rows of a network of such a run chose its epoch by themselves.

    One epoch for all members, which hold out folds, is chosen by the rows of all, among the ends of a few cycles.
    """
    if config.metric == "loss" or (isinstance(config.validation, float) and config.validation == 0.0):
        return False
    return not config.is_ensemble or config.bagging_mode != "folds" or config.early_stopping is not None


def weights_checksum(manifest: Manifest) -> str:
    """A digest of the weights and the held-out predictions of a run: of all that a student learns from."""
    files = sorted(
        f"{name} {sha256}"
        for name, sha256 in manifest.files.items()
        if name == HELD_OUT or name.rpartition("/")[2] == WEIGHTS
    )
    return hashlib.sha256("\n".join(files).encode()).hexdigest()


def learned_values(predictions: Predictions, target: Target, *, in_link: bool) -> npt.NDArray[np.float64]:
    """Predictions (rows, outputs), of classes in the order of `target`, which may lack some.

    Numbers are relative to the context of their rows, unless that is `in_link` of the loss.
    """
    positions = target.positions_in(predictions.target)
    if positions is None:
        return predictions.values if in_link else predictions.without_context().values
    P = predictions.values[:, positions]
    return np.asarray(P / np.maximum(P.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny))


def _of_members(model: AnyModel, members: tuple[int, ...] | None) -> AnyModel:
    """The model of some members alone.

    Raises:
        ConfigError: there is no such member.
    """
    if members is None:
        return model
    count = len(model.members) if isinstance(model, Ensemble) else 1
    if max(members) > count:
        raise config_error("teacher.members", f"the teacher has {count:,} members", "Name some of these.")
    return model.of_members([i - 1 for i in members]) if isinstance(model, Ensemble) else model


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
    n, in_link = len(store), encoder.exposure is not None
    copies = count_copies(config.teacher, n)
    with log_duration("predictions of the teacher") as stage:
        files = training.dataset.storage.scratch if training.dataset.storage else None
        random, of_blocks = np.random.default_rng([config.seed, 6]), list[tuple[npt.NDArray[np.float64], RowIndices]]()

        def blocks() -> Iterator[tuple[Matrix, Codes]]:
            """The encoded training rows block by block, each followed by those made of it."""
            start = 0
            for block in store.blocks(list(dict.fromkeys([*encoder.names, *teacher.names]))):
                positions = np.arange(start, start + len(block))
                start += len(block)
                for copy in range(1 + copies):
                    table = swap_cells(block, random) if copy else block
                    of_blocks.append(
                        (teacher.predict(table, target, in_link=in_link), -1 - positions if copy else positions)
                    )
                    encoded = encoder.encode(table, network.precision)
                    yield encoded.X, encoded.codes

        X, codes, storage = collect(blocks(), encoder, network, n * (1 + copies), files)
        values, rows = (np.concatenate(arrays) for arrays in zip(*of_blocks, strict=True))
        stage.details.append(f"{n:,} training rows and {n * copies:,} rows with swapped cells")
    numbers = np.arange(1, n + 1) if training.row_numbers is None else training.row_numbers
    out_of_fold, is_kept = teacher.out_of_fold(numbers, target, in_link=in_link)
    if len(is_kept):
        is_own = np.flatnonzero(rows >= 0)  # those with swapped cells are numbered from -1 down
        sorted_rows = is_own[np.argsort(rows[is_own])]
        values[sorted_rows[is_kept]] = (values[sorted_rows[is_kept]] + out_of_fold) / 2.0
    of_row = np.where(rows >= 0, rows, -1 - rows)
    weights = None if training.dataset.weights is None else training.dataset.weights[of_row]
    loss, y = _targets(loss, target, values, network)
    dataset = Dataset(X, codes, y, weights, storage, training.dataset.rows_per_weight)
    return DistillationRows(dataset, numbers[of_row], loss, teacher.choosing)


def _targets(
    loss: LossBase, target: Target, values: npt.NDArray[np.float64], network: Network
) -> tuple[LossBase, npt.NDArray[Any]]:
    """The loss of predictions as targets, and these targets, from predictions (rows, outputs)."""
    soft = loss.of_distributions(values.astype(network.precision))
    if soft is None:
        return loss_of_predictions(loss), target.encode_predictions(values, network.precision)
    rows, classes = values.shape
    return soft, np.arange(classes, classes + rows, dtype=np.int64)


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

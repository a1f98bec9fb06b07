"""The data of an ensemble, the configurations of its members, and its out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nncli.base.errors import Advice, SetKey, config_error
from nncli.base.findings import Finding, ordered
from nncli.base.logs import log_duration
from nncli.base.scratch import Scratch
from nncli.config.schema import Config, ValidationFile
from nncli.data.encoders.row_context import RowContext
from nncli.data.sample_weights import Weights, read_weights
from nncli.data.splitting.folds import Bootstrap, Fold, number_of_folds
from nncli.data.splitting.holdout import group_numbers
from nncli.data.store.column_store import ColumnStore
from nncli.data.table import Table
from nncli.fitting.checks.column import SplitTable
from nncli.fitting.checks.notes import class_orders, table_reading
from nncli.fitting.checks.rows import training_warnings
from nncli.fitting.prepare.auto_values import resolve_members
from nncli.fitting.prepare.encode import memory_limit, record_rows
from nncli.fitting.prepare.fit import fit_kind, fit_loss, infer_loss, read_context, target_columns, with_losses
from nncli.fitting.prepare.load import load_table, select_rows
from nncli.fitting.prepare.validation import (
    calibration_of,
    check_metric,
    load_validation_file,
    split_indices,
    strata_of,
)
from nncli.models.ensemble import AnyModel, Ensemble
from nncli.models.held_out_rows import HeldOutRows, MemberPredictions
from nncli.models.model import Model
from nncli.models.predictions import Predictions, stack_predictions
from nncli.models.scores import Averaging, ScoredRows, baseline_predictions
from nncli.nn.arrays import RowIndices
from nncli.nn.losses import Loss
from nncli.nn.optim.schedules import CoslogRate
from nncli.nn.training.state import RandomStreams
from nncli.run_directory.config import read_config
from nncli.run_directory.manifest import CONFIG, member_folder
from nncli.run_directory.monitoring.reference import Reference, categories_of, columns_of, fit_columns, reference_of
from nncli.run_directory.training_rows import TrainingRows
from nncli.targets.metrics.temperature_scaling import fit_mean_temperature, fit_temperature, smoothed_log_loss
from nncli.targets.target import Target
from nncli.targets.target_base import Truth


@dataclass(frozen=True)
class EnsembleData:
    """The rows of a table that have a target, for training an ensemble or a cross-validation on them.

    `validation_table` holds the validation rows that have a file of their own. `target` knows every class of the table,
    and leaves numbers unscaled. `folds` is the number of folds that the members hold out.
    """

    config: Config
    table: ColumnStore
    validation_table: ColumnStore | None
    target: Target
    loss: Loss
    findings: tuple[Finding, ...]
    folds: int

    @classmethod
    def of(
        cls, config: Config, scratch: Scratch, *, all_columns: bool = False, table: ColumnStore | None = None
    ) -> EnsembleData:
        """Load the table that `config` names, with the columns that training needs, or with `all_columns`.

        `members: auto` is resolved. The `table` may have been loaded already.

        Raises:
            ConfigError, DataError: as for a training.
        """
        table = select_rows(
            config,
            table if table is not None else load_table(config, config.data, scratch, all_columns=all_columns),
        )
        config = resolve_members(config, len(table))
        columns = table.columns(target_columns(config))
        loss, of_target = infer_loss(config, columns)
        target = fit_kind(config, columns, loss)
        config, loss = with_losses(config, loss), fit_loss(config, table, target, loss)
        validation_table = load_validation_file(config, table, scratch, all_columns=all_columns)
        # Both raise an error before training.
        calibration_of(config, target, has_validation=config.validation != 0.0 or config.bagging_mode != "seeds")
        check_metric(config, target)
        findings = (
            *table_reading(table.header),
            *of_target,
            *class_orders(target.class_orders),
            *(table_reading(validation_table.header) if validation_table is not None else ()),
        )
        return cls(config, table, validation_table, target, loss, findings, number_of_folds(config.n_members))

    def with_checks(self, findings: Sequence[Finding] = ()) -> EnsembleData:
        """A copy with further `findings` and the warnings about the rows, which are those of a split for one network.

        Raises:
            DataError: there are too few rows, or too many classes of few rows, or the target cannot be read.
        """
        kind, table = type(self.target), self.table
        rows = split_indices(self.config, table, kind, RandomStreams.of(self.config.seed).split)
        split = SplitTable(table, np.unique(rows.training), table, rows.validation)
        if self.validation_table is not None:
            validation = np.arange(len(self.validation_table))
            split = replace(split, validation_table=self.validation_table, validation=validation)
        with log_duration("checking the rows"):
            warnings = training_warnings(self.config, split, kind)
        return replace(self, findings=ordered([*findings, *self.findings, *warnings]))

    @property
    def members(self) -> list[Config]:
        """The configuration of each member; only what concerns the rows is used."""
        return [member_config(self.config, i, Path(), 1, self.folds) for i in range(self.config.n_members)]

    @property
    def excluded_rows(self) -> npt.NDArray[np.int64]:
        """The positions of the rows that data.leave_out excludes."""
        fold = self.config.data.leave_out
        none = np.empty(0, np.int64)
        return none if fold is None else fold.split(strata_of(self.config, self.table, type(self.target))).validation

    @property
    def used_rows(self) -> npt.NDArray[np.int64]:
        """The positions of the rows that are used for training or validation."""
        unsplit = self.config.model_copy(update={"validation": 0.0})
        return split_indices(unsplit, self.table, type(self.target), RandomStreams.of(0).split).training

    @property
    def has_common_validation(self) -> bool:
        """Whether all members have the same validation rows, as where rows are split in time; else each has its own.

        Raises:
            DataError: there are too few rows.
        """
        if self.validation_table is not None:
            return True
        first, *others = (self.held_out(member) for member in self.members)
        return all(np.array_equal(first, other) for other in others)

    @property
    def training_rows(self) -> npt.NDArray[np.int64]:
        """The positions of the rows that any member is trained on.

        Raises:
            DataError: there are too few rows.
        """
        is_apart = self.validation_table is None and self.has_common_validation
        return np.setdiff1d(self.used_rows, self.held_out(self.members[0])) if is_apart else self.used_rows

    def held_out(self, member: Config) -> npt.NDArray[np.int64]:
        """The positions of the validation rows of a member.

        Raises:
            DataError: there are too few rows.
        """
        return split_indices(member, self.table, type(self.target), RandomStreams.of(member.seed).split).validation

    def of_run(self, run: Path) -> EnsembleData:
        """A copy with the folds of the ensemble in the directory `run`."""
        return replace(self, folds=recorded_folds(run, self.config))

    def without(self, fold: Fold) -> EnsembleData:
        """A copy with a fold of the rows left out."""
        data = self.config.data.model_copy(update={"leave_out": fold})
        return replace(self, config=self.config.model_copy(update={"data": data}))

    @property
    def member_rows(self) -> int:
        """The number of training rows of the first member.

        Raises:
            DataError: there are too few rows.
        """
        return max(1, len(self.used_rows) - len(self.held_out(self.members[0])))

    @property
    def validation_rows(self) -> int:
        """The number of rows that are validation rows of a member.

        Raises:
            DataError: there are too few rows for the members.
        """
        if self.validation_table is not None:
            return len(self.validation_table)
        return len(np.unique(np.concatenate([self.held_out(member) for member in self.members])))

    def record_rows(self, ensemble: Ensemble) -> TrainingRows:
        """The rows that any member is trained or validated on, by the features of the first member."""
        encoder = ensemble.members[0].spec.encoder
        return record_rows([self.table.take(self.used_rows), self.validation_table], encoder, self.target)

    def reference(self, ensemble: Ensemble, held_out: HeldOutRows | None) -> Reference:
        """The profile of the rows that any member is trained or validated on, and of the held-out predictions."""
        rows = self.table.take(self.used_rows)
        bins = fit_columns(rows, columns_of(ensemble), self.config.seed)
        if held_out is None:
            return reference_of(bins, len(rows), None)
        seed = self.config.seed
        return reference_of(bins, len(rows), *held_out.bounded(seed).one_member_a_row(ensemble.spec.temperature, seed))

    def _validation_rows(self) -> tuple[ColumnStore, list[RowIndices]]:
        """The table of the validation rows, and the positions of those of each member in it."""
        if self.validation_table is not None:
            every = np.arange(len(self.validation_table))
            return self.validation_table, [every] * len(self.members)
        return self.table, [self.held_out(member) for member in self.members]

    def predict_validation_rows(self, groups: Sequence[Sequence[Model]]) -> list[tuple[Predictions, ...]]:
        """Each member's predictions of its validation rows, for each group of all members, as after several epochs.

        The rows of a member are encoded once for all groups.
        """
        table, positions = self._validation_rows()
        by_member = [
            predict_models(models, table.take(rows), self.target)
            for models, rows in zip(zip(*groups, strict=True), positions, strict=True)
        ]
        return [*zip(*by_member, strict=True)]

    def out_of_fold(
        self, ensemble: Ensemble, recorded: Sequence[Predictions] | None = None
    ) -> OutOfFoldPredictions | None:
        """The members' predictions of their validation rows; None if there are no validation rows.

        They are computed, unless the members have `recorded` them.
        """
        table, positions = self._validation_rows()
        if not any(map(len, positions)):
            return None
        predictions = recorded or self.predict_validation_rows([ensemble.members])[0]
        rows = np.unique(np.concatenate(positions))
        return OutOfFoldPredictions(
            ensemble=ensemble,
            table=table.take(rows),
            rows=self.truth(table).take(rows),
            positions=tuple(np.searchsorted(rows, rows_of_member) for rows_of_member in positions),
            member_predictions=tuple(predictions),
        )

    def truth(self, table: ColumnStore) -> LabeledRows:
        """The true targets, the sample weights, the group numbers and the context of the rows of a table."""
        return truth_of(table, self.target, self.config)

    def scored_rows(self, rows: LabeledRows, training: LabeledRows, predictions: Predictions) -> ScoredRows:
        """Rows for scoring, beside the baseline of the training rows."""
        baseline = baseline_predictions(self.target, training, rows, self.loss)
        predictions = replace(predictions, context=rows.context)
        return ScoredRows(predictions, baseline, rows.y, rows.weights, self.loss, rows.groups)

    def cross_fitted_baseline(
        self, rows: LabeledRows, folds: npt.NDArray[np.int64], baseline: Predictions
    ) -> Predictions:
        """The `baseline` of out-of-fold rows, each from the rows of the other folds."""
        for fold in np.unique(folds):
            held_out, others = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
            if not len(others):
                continue
            of_fold = baseline_predictions(self.target, rows.take(others), rows.take(held_out), self.loss)
            baseline = baseline.with_rows(held_out, of_fold)
        return baseline


@dataclass(frozen=True)
class LabeledRows:
    """The true targets, the sample weights, the group numbers and the context of some rows."""

    y: Truth
    weights: Weights | None
    groups: npt.NDArray[np.int64] | None = None
    context: RowContext | None = None

    def take(self, rows: npt.NDArray[np.int64]) -> LabeledRows:
        """The rows at these positions."""
        weights, groups = None if self.weights is None else self.weights[rows], self.groups
        context = None if self.context is None else self.context.take(rows)
        return LabeledRows(self.y[rows], weights, None if groups is None else groups[rows], context)


def truth_of(table: ColumnStore, target: Target, config: Config) -> LabeledRows:
    """Read the true targets, the sample weights, the group numbers and the context of a table."""
    weight, group = config.data.sample_weight, config.data.group
    weights = read_weights(table.columns([weight]), weight) if weight else None
    groups = group_numbers(table.columns([group]), group) if group in table.header.names else None
    context = read_context(config, table.columns(config.data.context_columns))
    return LabeledRows(target.read(table.columns(target.names)), weights, groups, context)


@dataclass(frozen=True)
class OutOfFoldPredictions:
    """The out-of-fold rows of a table: each member's predictions of its own validation rows.

    `positions` are those of each member's validation rows among the `rows`. With several `cycles` the members are
    those of the first cycle, then those of the second, and so on.
    """

    ensemble: Ensemble
    table: ColumnStore
    rows: LabeledRows
    positions: tuple[npt.NDArray[np.int64], ...]
    member_predictions: tuple[Predictions, ...]
    cycles: int = 1

    @classmethod
    def joined(cls, parts: Sequence[OutOfFoldPredictions]) -> OutOfFoldPredictions:
        """The predictions of the members at the ends of several cycles, as those of one ensemble."""
        first = parts[0]
        if len(parts) == 1:
            return first
        members = tuple(member for part in parts for member in part.ensemble.members)
        spec = first.ensemble.spec.model_copy(update={"members": len(members)})
        return replace(
            first,
            ensemble=Ensemble(spec, members),
            positions=first.positions * len(parts),
            member_predictions=tuple(predictions for part in parts for predictions in part.member_predictions),
            cycles=len(parts),
        )

    @property
    def oof_mask(self) -> npt.NDArray[np.bool_]:
        """A mask (members, rows): whether the row is a validation row of the member."""
        mask = np.zeros((len(self.positions), len(self.rows.y)), bool)
        for row_mask, rows in zip(mask, self.positions, strict=True):
            row_mask[rows] = True
        return mask

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """The number of members (rows,) that did not train on each row."""
        return np.asarray(self.oof_mask.sum(axis=0), np.int64)

    def predicted(self, temperature: float) -> Predictions:
        """For every row, the mean prediction of the members that did not train on it."""
        points = [predictions.with_temperature(temperature).points for predictions in self.member_predictions]
        return self.ensemble.mean(self._sum_of(points), self.counts[:, None])

    def held_out_rows(self, scored: ScoredRows, training_y: Truth) -> HeldOutRows:
        """These rows with the predictions that are scored, as a run keeps them; `training_y` are the training rows'."""
        members = map(MemberPredictions, self.positions, self.member_predictions)
        categories = categories_of(self.table, columns_of(self.ensemble), self.ensemble.spec.target)
        return HeldOutRows.of(scored, self.table.row_numbers, members, training_y, categories)

    def temperature(self, rows: npt.NDArray[np.bool_]) -> float:
        """The temperature that fits the members' predictions of some rows; 1 unless it improves their mean's loss.

        With several cycles a member's prediction is the mean of its networks, each at the temperature.
        """
        members = len(self.positions) // self.cycles
        chosen = [rows[positions] for positions in self.positions]
        where = np.concatenate([self.positions[i][chosen[i]] for i in range(members)])
        P = [
            np.concatenate([self.member_predictions[i].values[chosen[i]] for i in range(start, start + members)])
            for start in range(0, len(self.positions), members)
        ]
        labeled, of_members = self.rows.take(np.flatnonzero(rows)), self.rows.take(where)
        calibration = self.ensemble.spec.target.calibration
        cells = [calibration.as_classes(of_members.y, values, of_members.weights) for values in P]
        (y, _, weights), parts = cells[0], [of_cycle for _, of_cycle, _ in cells]
        T = fit_temperature(parts[0], y, weights) if self.cycles == 1 else fit_mean_temperature(parts, y, weights)
        uncalibrated, calibrated = (
            calibration.as_classes(labeled.y, self.predicted(each).values[rows], labeled.weights) for each in (1.0, T)
        )
        return T if smoothed_log_loss(*calibrated) < smoothed_log_loss(*uncalibrated) else 1.0

    def averaging(self, temperature: float, scored: ScoredRows) -> Averaging | None:
        """The expected gain of the mean of all members over the `scored` rows; None if no two members share a row."""
        counts, members = self.counts // self.cycles, len(self.positions) // self.cycles
        if counts.min() == members or counts.max() < 2:
            return None
        factors = self.ensemble.spec.target.averaging_factors(
            # The networks of one member resemble each other: what they gain together is in the scores already.
            lambda: [self._cycle_mean(member, temperature) for member in range(members)],
            self._sum_of,
            counts,
            (scored.predictions.values, scored.y, scored.weights),
        )
        return Averaging(factors, int((counts >= 2).sum())) if factors else None

    def _cycle_mean(self, member: int, temperature: float) -> npt.NDArray[np.float64]:
        """The mean (its rows, outputs) of the predictions of a member at the ends of its cycles."""
        networks = self.member_predictions[member :: len(self.positions) // self.cycles]
        values = [predictions.with_temperature(temperature).values for predictions in networks]
        return np.asarray(np.mean(values, axis=0))

    def _sum_of(self, values: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
        """The sum (rows, …) over members of `values` (rows of the member, …)."""
        total = np.zeros((len(self.rows.y), *values[0].shape[1:]))
        for rows, of_member in zip(self.positions, values, strict=False):
            total[rows] += of_member
        return total


class TableBlocks(Protocol):
    """A table that is read block by block, such as a ColumnStore."""

    def __len__(self) -> int:
        """The number of rows."""
        ...

    def blocks(self, names: Sequence[str]) -> Iterable[Table]:
        """The columns `names` block by block."""
        ...


def predict_models(models: Sequence[Model], table: TableBlocks, target: Target) -> list[Predictions]:
    """Predict all rows of a stored table by models with the same encoder, block by block."""
    predicted: list[list[Predictions]] = [[] for _ in models]
    with np.errstate(all="ignore"):  # an overflow is seen in the scores
        for block in table.blocks(models[0].names):
            encoded = models[0].encode(block)
            for model, blocks in zip(models, predicted, strict=True):
                blocks.append(model.predict_encoded(encoded))
    return [_stacked(blocks, len(table), target) for blocks in predicted]


def predict_table(model: AnyModel, table: TableBlocks, target: Target) -> Predictions:
    """Predict all rows of a stored table, block by block, with the classes of `target`."""
    with np.errstate(all="ignore"):
        return _stacked((model.predict(block) for block in table.blocks(model.names)), len(table), target)


def _stacked(blocks: Iterable[Predictions], rows: int, target: Target) -> Predictions:
    """The predictions of all blocks of a table, with the classes of `target`."""
    stacked = stack_predictions(blocks, rows)
    if stacked is None:
        return Predictions(target, np.empty((0, target.n_outputs)))
    return stacked.aligned(target)


MAX_MEMORY_LIMIT = 1e12
"""Bytes; a higher memory limit counts as none."""


def check_members(config: Config) -> None:
    """Check that the bagging of an ensemble fits its validation and its table.

    Raises:
        ConfigError: the bagging does not fit the validation or the table.
    """
    reason = (
        "each member holds out another fold"
        if config.bagging_mode == "folds"
        else "each member holds out what it misses"
    )
    if config.bagging_mode == "seeds":
        return
    hint = Advice("Leave validation out, or use ", SetKey("bagging", "seeds"), ".")
    if isinstance(config.validation, ValidationFile):
        raise config_error("validation", f"{reason}, so the rows cannot come from a file of their own", hint)
    if config.validation == 0.0 or isinstance(config.validation, Fold | Bootstrap):
        raise config_error(
            "validation",
            f"{reason}: with members and bagging {config.bagging_mode} no other validation is possible",
            hint,
        )
    if config.data.time is not None:
        raise config_error(
            "bagging",
            f"with data.time no member may hold out what others train on, as {config.bagging_mode} would have it",
            Advice("Use ", SetKey("bagging", "seeds"), "."),
        )


def recorded_folds(run: Path, config: Config) -> int:
    """The number of folds of an ensemble in the directory `run`, as its first member records it."""
    member = run / member_folder(0)
    validation = read_config(member).validation if (member / CONFIG).exists() else None
    return validation.folds if isinstance(validation, Fold) else number_of_folds(config.n_members)


def has_joint_epoch(config: Config) -> bool:
    """Whether one epoch is chosen for all members, by the out-of-fold rows of all.

    With early stopping, or where the members do not hold out folds, each member has its own best epoch.
    """
    return config.bagging_mode == "folds" and config.early_stopping is None and config.metric != "loss"


def chooses_cycles(config: Config) -> bool:
    """Whether the out-of-fold rows of all members choose the number of cycles of the learning rate."""
    schedule = config.schedule
    has_cycles = isinstance(schedule, CoslogRate) and schedule.first_cycle == "auto"
    return has_cycles and config.epochs == "auto" and has_joint_epoch(config)


def averages_cycles(config: Config) -> bool:
    """Whether the networks at the ends of several cycles may be averaged: other schedules have too many candidates."""
    return config.average_cycles and isinstance(config.schedule, CoslogRate)


def member_config(config: Config, i: int, run: Path, at_a_time: int, folds: int | None = None) -> Config:
    """The configuration of member `i`, from 0, of the ensemble in the directory `run`, for training one network."""
    folds = folds or number_of_folds(config.n_members)
    of_member: dict[str, Callable[[], object]] = {
        "folds": lambda: Fold(folds=folds, fold=i % folds, seed=config.seed),
        "seeds": lambda: config.validation,
        "bootstrap": lambda: Bootstrap(bootstrap=config.seed + i),
    }
    overrides = {"validation": of_member[config.bagging_mode](), "seed": config.seed + i}
    member = config.model_copy(
        update={**overrides, "members": 1, "bagging": "auto", "workers": "auto", "calibration": "none"}
    )
    return as_subtask(member, output=str(run / member_folder(i)), at_a_time=at_a_time)


def with_cycles(member: Config, first_cycle: int, cycles: int) -> Config:
    """The configuration of a member that is trained for a number of cycles, the first one `first_cycle` epochs long.

    A member of more cycles begins with the same steps, so a trained one can be resumed.
    """
    schedule = member.schedule.with_auto_cycle(first_cycle)
    return member.model_copy(update={"learning_rate": schedule, "epochs": first_cycle * (2**cycles - 1)})


def as_subtask(config: Config, *, output: str | None = None, at_a_time: int = 1) -> Config:
    """The configuration of one of several trainings: absolute paths, one thread, and a share of the memory limit."""
    limit, validation = memory_limit(config) / at_a_time, config.validation
    if isinstance(validation, ValidationFile):
        validation = validation.model_copy(update=validation.relative_to(Path.cwd()))
    return config.model_copy(
        update={
            "data": config.data.model_copy(update=config.data.relative_to(Path.cwd())),
            "validation": validation,
            "threads": 1 if config.threads == "auto" else config.threads,
            "memory_limit": f"{int(limit)} B" if at_a_time > 1 and limit < MAX_MEMORY_LIMIT else config.memory_limit,
            "output": output or config.output,
        }
    )

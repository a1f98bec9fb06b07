"""The validation set, and the monitored metric that chooses the best epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.base.errors import Advice, Location, SetKey, UsageError, config_error
from nncli.base.scratch import Scratch
from nncli.base.spec import Calibration
from nncli.config.schema import Config, ValidationFile
from nncli.data.encoders.column_types import ColumnType
from nncli.data.splitting.folds import Bootstrap, Fold
from nncli.data.splitting.holdout import Split, holdout_split, read_groups, read_times
from nncli.data.splitting.strata import Strata
from nncli.data.store.column_store import ColumnStore
from nncli.fitting.checks.column import SplitTable
from nncli.fitting.checks.rows import target_kinds
from nncli.fitting.prepare.encode import PreparedRows
from nncli.fitting.prepare.load import load_labeled_rows
from nncli.models.model import ModelSpec, decode
from nncli.nn.training.arguments import ValidationSet
from nncli.targets.metrics.registry import BoundMetric, higher_is_better
from nncli.targets.metrics.temperature_scaling import CALIBRATED_LOG_LOSS, MANY_CLASSES
from nncli.targets.target import Target, TargetKind
from nncli.targets.training import HOLD_OUT

LOSS_NAMES = ("loss", "val_loss")
MAX_SCORED_CELLS = 1 << 21
"""Cells of rows and MANY_CLASSES or more that are scored after an epoch: all would take longer than the epoch."""


def validation_set(config: Config, spec: ModelSpec, validation: PreparedRows | None) -> ValidationSet | None:
    """The validation rows with the metric of every epoch: the configured one, or else accuracy or RMSE.

    Of many classes it is the metric of as many rows, evenly spaced, as have MAX_SCORED_CELLS.

    Raises:
        ConfigError: there is no such metric.
    """
    name, metric = check_metric(config, spec.target)
    if validation is None:
        return None
    y, weights, context = validation.y, validation.weights, validation.context

    def score(Z: npt.NDArray[np.floating[Any]], rows: npt.NDArray[np.int64] | None = None) -> float:
        if Z.shape[1] >= MANY_CLASSES and Z.size > MAX_SCORED_CELLS:
            step = -(-Z.size // MAX_SCORED_CELLS)
            Z, rows = Z[::step], np.arange(len(Z))[::step] if rows is None else rows[::step]
        values = decode(spec, Z, context if rows is None or context is None else context.take(rows)).values
        if rows is None:
            return metric(y, values, weights)
        return metric(y[rows], values, None if weights is None else weights[rows])

    return ValidationSet(validation.dataset, name, higher_is_better(name), score)


def check_metric(config: Config, target: Target) -> tuple[str, BoundMetric]:
    """The metric of every epoch with its name: the configured one, or else accuracy or RMSE.

    Raises:
        ConfigError: there is no such metric for the target.
    """
    name = config.metric
    if not _chooses_epoch(config, target.epoch_metrics) and name in ("auto", CALIBRATED_LOG_LOSS.name, *LOSS_NAMES):
        name = target.default_metric
    try:
        return name, target.metric(name)
    except UsageError as error:
        raise config_error("metric", error.message, error.hint or "") from error


def calibration_of(config: Config, target: Target, *, has_validation: bool) -> Calibration:
    """How predicted probabilities are calibrated after the training; of several targets as it is configured.

    Raises:
        ConfigError: calibration is configured, and there are no probabilities or no validation rows, or more than two
            classes with monotone columns.
    """
    is_monotone = bool(config.monotone)
    return target.resolved_calibration(config.calibration, is_monotone=is_monotone, has_validation=has_validation)


def monitored_metric(config: Config, kind: TargetKind, *, has_validation: bool) -> str:
    """The name of the value that chooses the best epoch: loss, val_loss, or val_ and a metric.

    Raises:
        ConfigError: it needs validation rows, and there are none.
    """
    if not has_validation and (
        config.metric not in ("auto", "loss", CALIBRATED_LOG_LOSS.name)
        or (config.metric == "auto" and config.early_stopping)
    ):
        key, what = ("early_stopping", "waiting for val_loss") if config.metric == "auto" else ("metric", config.metric)
        raise config_error(
            key,
            f"{what} needs validation rows, and validation is 0",
            Advice("Use ", HOLD_OUT, ", or ", SetKey("metric", "loss"), "."),
        )
    return monitor_name(config, kind, has_validation=has_validation)


def monitor_name(config: Config, kind: TargetKind, *, has_validation: bool) -> str:
    """The name of the monitored value, for a configuration that `monitored_metric` accepts."""
    if config.metric in LOSS_NAMES:
        return config.metric
    if config.metric not in ("auto", CALIBRATED_LOG_LOSS.name):
        return f"val_{config.metric}"
    if not has_validation:
        return "loss"
    return f"val_{config.metric}" if _chooses_epoch(config, kind.epoch_metrics) else "val_loss"


def _chooses_epoch(config: Config, metrics: Sequence[str]) -> bool:
    """Whether one of the `metrics`, the log loss after temperature scaling, chooses the epoch, and not val_loss.

    With class weights too, which weights the classes as the training does: no temperature
    brings weighted probabilities near the real shares, so a network that has hardly learned would be the best.
    """
    return config.metric in metrics and config.class_weight is None


def split_table(
    config: Config,
    table: ColumnStore,
    kind: TargetKind,
    rng: np.random.Generator,
    scratch: Scratch,
    *,
    all_columns: bool = False,
) -> SplitTable:
    """Split the table into training and validation rows; a validation file is loaded, with `all_columns` if wanted.

    Raises:
        DataError: there are too few rows, a group or time cannot be read, or the validation file does not fit.
    """
    split = split_indices(config, table, kind, rng)
    validation = load_validation_file(config, table, scratch, all_columns=all_columns)
    if validation is None:
        return SplitTable(table, split.training, table, split.validation)
    return SplitTable(table, split.training, validation, np.arange(len(validation)))


def load_validation_file(
    config: Config, table: ColumnStore, scratch: Scratch, *, all_columns: bool = False
) -> ColumnStore | None:
    """Load the validation rows that have a file of their own, read in the dialect of the training table.

    Raises:
        DataError: the file cannot be read, or lacks a column.
    """
    file = config.validation
    if not isinstance(file, ValidationFile):
        return None
    dialect, data = table.header.dialect, config.data
    read = {*(data.features or table.types.keys() - data.excluded), *data.target}.difference(data.row_columns)
    columns = {name: ColumnType.NUMERIC for name, dtype in table.types.items() if dtype.is_float() and name in read}
    columns |= data.columns
    config = config.model_copy(update={"data": data.model_copy(update={"columns": columns})})
    return load_labeled_rows(config, file, scratch, dialect, all_columns=all_columns)


def split_indices(config: Config, table: ColumnStore, kind: TargetKind, rng: np.random.Generator) -> Split:
    """Positions of the training and the validation rows of a table; no validation rows where they have a file.

    Raises:
        DataError: there are too few rows, or a group or time is missing or cannot be read.
    """
    validation, left_out = config.validation, config.data.leave_out
    rows, none = np.arange(len(table)), np.empty(0, np.int64)
    if left_out is None and (isinstance(validation, ValidationFile) or validation == 0.0):
        return Split(rows, none)
    strata = strata_of(config, table, kind)
    if left_out is not None:
        rows = left_out.split(strata).training
        strata = strata.take(rows)
    if isinstance(validation, ValidationFile) or validation == 0.0:
        return Split(rows, none)
    split = (
        validation.split(strata) if isinstance(validation, Fold | Bootstrap) else holdout_split(strata, validation, rng)
    )
    return Split(rows[split.training], rows[split.validation])


def strata_of(config: Config, table: ColumnStore, kind: TargetKind) -> Strata:
    """The class (of a kind with labels), group and time of each row, which a split has to respect.

    Raises:
        DataError: a group or time is missing or cannot be read.
    """
    data, classes = config.data, None
    kinds = target_kinds(config, kind)
    name = next((column for target, of_target in kinds for column in of_target.strata_columns((target,))), None)
    if name is not None:
        ranks = table.columns([name]).column(name).rank("dense")
        classes = ranks.fill_null(0).to_numpy().astype(np.int64)
    return Strata(
        n=len(table),
        classes=classes,
        groups=None if data.group is None else read_groups(table.columns([data.group]), data.group),
        times=None if data.time is None else read_times(table.columns([data.time]), data.time),
        location=Location(source=table.header.source),
    )

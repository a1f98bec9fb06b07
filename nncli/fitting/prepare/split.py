"""Splitting a table into training and validation rows."""

from __future__ import annotations

import numpy as np

from nncli.base.errors import Location
from nncli.base.scratch import Scratch
from nncli.config.schema import Config, ValidationFile
from nncli.data.splitting.folds import Bootstrap, Fold
from nncli.data.splitting.group_time import read_groups, read_times
from nncli.data.splitting.holdout import Split, holdout_split
from nncli.data.splitting.strata import Strata
from nncli.data.store.column_store import ColumnStore
from nncli.fitting.checks.column import SplitTable
from nncli.fitting.prepare.load import load_labeled_rows
from nncli.targets.target import TargetKind


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
    if not isinstance(config.validation, ValidationFile):
        return None
    dialect = table.header.dialect
    return load_labeled_rows(config, config.validation, scratch, dialect, all_columns=all_columns)


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
    data = config.data
    classes = None
    if kind.has_labels:
        name = data.target[0]
        classes = table.columns([name]).column(name).rank("dense").to_numpy().astype(np.int64)
    return Strata(
        n=len(table),
        classes=classes,
        groups=None if data.group is None else read_groups(table.columns([data.group]), data.group),
        times=None if data.time is None else read_times(table.columns([data.time]), data.time),
        location=Location(source=table.header.source),
    )

"""Splitting a table into training and validation rows."""

from __future__ import annotations

import numpy as np

from nncli.config.schema import Config, ValidationFile
from nncli.data.splitting.folds import Bootstrap, Fold
from nncli.data.splitting.group_time import read_groups, read_times
from nncli.data.splitting.holdout import Split, holdout_split
from nncli.data.splitting.strata import Strata
from nncli.data.store.column_store import ColumnStore
from nncli.data.store.scratch import Scratch
from nncli.errors import Location
from nncli.pipeline.prepare.load import drop_missing_targets, load_table
from nncli.training.state import RandomStreams


def split_table(
    config: Config,
    table: ColumnStore,
    as_classes: bool,
    streams: RandomStreams,
    notes: list[str],
    scratch: Scratch,
    *,
    all_columns: bool = False,
) -> tuple[ColumnStore, ColumnStore | None]:
    """Split the table into training and validation rows; a validation file is read with `all_columns` if wanted."""
    split = split_of(config, table, as_classes, streams.split)
    all_rows = np.array_equal(split.training, np.arange(len(table)))
    training = table if all_rows else table.take(split.training)
    if isinstance(config.validation, ValidationFile):
        other = load_table(
            config, config.validation.path, notes, scratch, table.header.dialect, all_columns=all_columns
        )
        return training, drop_missing_targets(other, config.data.target, notes)
    return training, table.take(split.validation) if len(split.validation) else None


def split_of(config: Config, table: ColumnStore, as_classes: bool, rng: np.random.Generator) -> Split:
    """Positions of the rows of a table to train on, and of those to validate on, unless these have a file of their own.

    Raises:
        DataError: there are too few rows for what is asked, or a cell names no group or time.
    """
    validation, left_out = config.validation, config.data.leave_out
    rows, held = np.arange(len(table)), np.empty(0, np.int64)
    if left_out is None and (isinstance(validation, ValidationFile) or validation == 0.0):
        return Split(rows, held)
    traits = strata_of(config, table, as_classes)
    if left_out is not None:
        rows = left_out.split(traits).training
        traits = traits.take(rows)
    if isinstance(validation, ValidationFile) or validation == 0.0:
        return Split(rows, held)
    split = (
        validation.split(traits) if isinstance(validation, Fold | Bootstrap) else holdout_split(traits, validation, rng)
    )
    return Split(rows[split.training], rows[split.validation])


def strata_of(config: Config, table: ColumnStore, as_classes: bool) -> Strata:
    """What a split has to respect of the rows of a table; `as_classes` says whether the target is one of classes.

    Raises:
        DataError: a cell names no group or time.
    """
    data = config.data
    classes = None
    if as_classes:
        name = data.target[0]
        classes = table.columns([name]).column(name).rank("dense").to_numpy().astype(np.int64)
    return Strata(
        n=len(table),
        classes=classes,
        groups=None if data.group is None else read_groups(table.columns([data.group]), data.group),
        times=None if data.time is None else read_times(table.columns([data.time]), data.time),
        place=Location(source=table.header.source),
    )

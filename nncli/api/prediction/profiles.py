"""Profiles of the rows of a table that a model predicts, in memory that does not grow with the table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

import numpy as np
import polars as pl

from nncli.api.options import BatchOptions, DriftOptions
from nncli.api.prediction.tables import PredictionSummary, predict_valid, predictor_threads
from nncli.base.errors import Advice, Location, UsageError
from nncli.data.columns.parsing import read_text
from nncli.data.encoders.anomalies import InvalidCounts
from nncli.data.formats.prefetch import prefetch_map
from nncli.data.sources.table_source import TableLocation
from nncli.data.table import Table
from nncli.models.conformal.groups import MISSING
from nncli.models.ensemble import AnyModel
from nncli.models.read_table import read_to_predict
from nncli.nn.arrays import Codes
from nncli.run_directory.monitoring.profiler import BinCodes, Profile, Profiler

MAX_BATCHES = 1_000
"""Batches of a table at most."""
WHOLE = 0
"""The batch of all rows."""

BatchKey: TypeAlias = int | str
"""The number of a batch, from 0, or the value of its rows."""


def batch_keys(options: BatchOptions, table: Table) -> tuple[list[BatchKey], Codes]:
    """The keys of the batches in a table, and the position of each row's key (rows,) among them."""
    if options.by is not None:
        cells = read_text(table, options.by).fill_null(MISSING)
        values = cells.unique().sort()
        codes: Codes = cells.cast(pl.Enum(values)).to_physical().cast(pl.Int64).to_numpy()
        return [*values.to_list()], codes
    if options.every is not None:
        numbers, codes = np.unique((table.row_numbers - 1) // options.every, return_inverse=True)
        return [*numbers.tolist()], codes
    return [WHOLE], np.zeros(len(table), np.int64)


@dataclass
class TableProfile:
    """The profile of each batch of a table, the number of its last row, and counts of its rows."""

    batches: dict[BatchKey, Profile] = field(default_factory=dict)
    last_row: int = 0
    summary: PredictionSummary = field(default_factory=PredictionSummary)


def profile_table(
    model: AnyModel,
    profiler: Profiler,
    location: TableLocation | None,
    options: DriftOptions,
) -> TableProfile:
    """Profile the rows of the table at `location`, None for standard input; for the rest see `predict_source`.

    Raises:
        UsageError: there are too many batches.
        DataError: a column is missing, or a cell cannot be read.
    """
    by = [] if options.by is None else [options.by]
    tables, workers = read_to_predict(model, location, keys=by, as_text=by), predictor_threads(location)
    return profile_tables(model, profiler, tables, options, workers=workers)


def profile_tables(
    model: AnyModel,
    profiler: Profiler,
    tables: Iterator[Table],
    options: DriftOptions,
    *,
    workers: int = 0,
) -> TableProfile:
    """Profile the chunks of a table; see `profile_table`."""
    total = TableProfile()
    work = partial(_profile, model, profiler, options)
    for table, (profiles, summary) in prefetch_map(tables, work, workers):
        options.note(*table.notes)
        total.summary += summary
        total.last_row = int(table.row_numbers[-1]) if len(table) else total.last_row
        for key, profile in profiles:
            total.batches[key] = total.batches[key] + profile if key in total.batches else profile
        _check_number(len(total.batches), options, table)
    return total


def _check_number(n: int, options: BatchOptions, table: Table) -> None:
    """Raise a UsageError if there are too many batches."""
    if n > MAX_BATCHES:
        raise UsageError(
            f"there are more than {MAX_BATCHES:,} batches",
            location=Location(source=table.source, column=options.by),
            hint=Advice("Use a larger ", BatchOptions.use("every"), ", or a column with fewer values."),
        )


def _profile(
    model: AnyModel, profiler: Profiler, options: DriftOptions, table: Table
) -> tuple[list[tuple[BatchKey, Profile]], PredictionSummary]:
    """The profile of each batch in a chunk."""
    if options.by is not None:
        table.require([options.by])
    with np.errstate(all="ignore"):
        valid = predict_valid(model, table, options, profiler.predict)
    predictions, bins = valid.predictions
    keys, codes = batch_keys(options, valid.table)
    _check_number(len(keys), options, table)
    summary = PredictionSummary(len(valid.table), predictions.anomalies, InvalidCounts.of(valid.invalid))
    return [*_by_batch(bins, keys, codes)], summary


def _by_batch(bins: BinCodes, keys: list[BatchKey], codes: Codes) -> Iterator[tuple[BatchKey, Profile]]:
    if len(keys) == 1:
        yield keys[0], bins.profile()
        return
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(keys)))
    for key, rows in zip(keys, np.split(order, ends[:-1]), strict=True):
        yield key, bins.profile(rows)

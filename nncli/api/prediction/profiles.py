"""Profiles of the rows of a table that a model predicts, in memory that does not grow with the table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

import numpy as np
import polars as pl

from nncli.api.prediction.chunks import predictor_threads
from nncli.api.prediction.frame import predict_valid
from nncli.api.prediction.options import check_on_error
from nncli.api.prediction.summary import OnNote, PredictionSummary
from nncli.base.errors import Location, UsageError
from nncli.data.columns.parsing import read_text
from nncli.data.encoders.invalid_cells import InvalidCounts, OnError
from nncli.data.formats.prefetch import prefetch_map
from nncli.data.sources.table_source import TableLocation
from nncli.data.table import Table
from nncli.models.conformal.row_groups import MISSING
from nncli.models.ensemble import AnyModel
from nncli.models.read_table import read_to_predict
from nncli.nn.arrays import Codes
from nncli.runs.monitoring.profile import Profile
from nncli.runs.monitoring.profiler import BinCodes, Profiler

MAX_BATCHES = 1_000
"""Batches of a table at most."""
WHOLE = 0
"""The batch of all rows."""

BatchKey: TypeAlias = int | str
"""The number of a batch, from 0, or the value of its rows."""


@dataclass(frozen=True)
class Batches:
    """How rows are divided: `every` so many rows in the order of the table, or `by` the value of a column."""

    every: int | None = None
    by: str | None = None

    def keys(self, table: Table) -> tuple[list[BatchKey], Codes]:
        """The keys of the batches in a table, and the position of each row's key (rows,) among them."""
        if self.by is not None:
            cells = read_text(table, self.by).fill_null(MISSING)
            values = cells.unique().sort()
            codes: Codes = cells.cast(pl.Enum(values)).to_physical().cast(pl.Int64).to_numpy()
            return [*values.to_list()], codes
        if self.every is not None:
            numbers, codes = np.unique((table.row_numbers - 1) // self.every, return_inverse=True)
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
    batches: Batches,
    *,
    on_error: OnError = "fail",
    on_note: OnNote | None = None,
) -> TableProfile:
    """Profile the rows of the table at `location`, None for standard input; for the rest see `predict_chunks`.

    Raises:
        UsageError: there are too many batches.
        DataError: a column is missing, or a cell cannot be read.
    """
    by = [] if batches.by is None else [batches.by]
    tables, workers = read_to_predict(model, location, keys=by, as_text=by), predictor_threads(location)
    return profile_tables(model, profiler, tables, batches, on_error=on_error, on_note=on_note, workers=workers)


def profile_tables(
    model: AnyModel,
    profiler: Profiler,
    tables: Iterator[Table],
    batches: Batches,
    *,
    on_error: OnError = "fail",
    on_note: OnNote | None = None,
    workers: int = 0,
) -> TableProfile:
    """Profile the chunks of a table; see `profile_table`."""
    check_on_error(on_error)
    found = TableProfile()
    work = partial(_profile, model, profiler, batches, on_error)
    for table, (profiles, summary) in prefetch_map(tables, work, workers):
        if on_note is not None:
            for note in table.notes:
                on_note(note)
        found.summary += summary
        found.last_row = int(table.row_numbers[-1]) if len(table) else found.last_row
        for key, profile in profiles:
            found.batches[key] = found.batches[key] + profile if key in found.batches else profile
        _check_number(len(found.batches), batches, table)
    return found


def _check_number(n: int, batches: Batches, table: Table) -> None:
    """Raise a UsageError if there are too many batches."""
    if n > MAX_BATCHES:
        raise UsageError(
            f"there are more than {MAX_BATCHES:,} batches",
            location=Location(source=table.source, column=batches.by),
            hint="Use a larger --every, or a column with fewer values.",
        )


def _profile(
    model: AnyModel, profiler: Profiler, batches: Batches, on_error: OnError, table: Table
) -> tuple[list[tuple[BatchKey, Profile]], PredictionSummary]:
    """The profile of each batch in a chunk."""
    if batches.by is not None:
        table.require([batches.by])
    with np.errstate(all="ignore"):
        found = predict_valid(model, table, on_error, profiler.predict)
    predictions, bins = found.predictions
    keys, codes = batches.keys(found.table)
    _check_number(len(keys), batches, table)
    summary = PredictionSummary(len(found.table), predictions.anomalies, InvalidCounts.of(found.invalid))
    return [*_by_batch(bins, keys, codes)], summary


def _by_batch(bins: BinCodes, keys: list[BatchKey], codes: Codes) -> Iterator[tuple[BatchKey, Profile]]:
    if len(keys) == 1:
        yield keys[0], bins.profile()
        return
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(keys)))
    for key, rows in zip(keys, np.split(order, ends[:-1]), strict=True):
        yield key, bins.profile(rows)

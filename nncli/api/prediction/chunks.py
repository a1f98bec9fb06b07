"""The predictions of a table chunk by chunk, in memory that does not grow with the table."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from nncli.api.options import PredictOptions
from nncli.api.prediction.frame import PredictedFrame, predict_frame
from nncli.api.prediction.summary import OnInvalid, OnSummary, PredictionSummary
from nncli.base.logs import log_duration
from nncli.data.formats.prefetch import prefetch_map
from nncli.data.sources.open import open_reader
from nncli.data.sources.table_source import TableLocation, as_source
from nncli.data.table import Table
from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.ensemble import AnyModel
from nncli.models.read_table import read_to_predict
from nncli.runs.monitoring.profiler import Profiler
from nncli.targets.decision import decision_note

PREDICTORS = 2
"""Threads that predict blocks of a file, while other threads read and write."""


def predict_chunks(
    model: AnyModel,
    location: TableLocation | None,
    options: PredictOptions,
    *,
    on_invalid: OnInvalid | None = None,
    on_summary: OnSummary | None = None,
    conformal: ConformalPredictor | None = None,
    profiler: Profiler | None = None,
    predictors: int | None = None,
) -> Iterator[pl.DataFrame]:
    """Predict every row of a table, or of the standard input if `location` is None, in order.

    Yields frames with the kept columns first, then `prediction` (`prediction_TARGET` for several targets) and, with
    `proba`, `proba_CLASS` for each class; with `conformal`, intervals or sets, see `ConformalPredictions.frame`. Memory
    does not grow with the file.

    A cell of a numeric or date column that cannot be read is an error, a missing cell, or its row is left out, as the
    options say. `on_invalid` is called with such cells. The options' `on_note` is called with every note on the
    reading, and after the last row with notes on invalid cells and on anomalies, such as unseen categories; instead of
    these, `on_summary` is called with the counts and, with a `profiler`, the profile of the rows. `predictors` threads
    predict at a time, by default two.

    Raises:
        UsageError: `proba` for a regression model.
        DataError: a column is missing.
        CellError: a cell cannot be read, and this is an error.
    """
    as_text = conformal_columns(conformal)
    tables = read_to_predict(model, location, keys=as_text, as_text=[*options.keep, *as_text])
    workers = predictor_threads(location) if predictors is None else predictors
    yield from predict_tables(
        model,
        tables,
        options,
        on_invalid=on_invalid,
        on_summary=on_summary,
        conformal=conformal,
        profiler=profiler,
        workers=workers,
    )


def predictor_threads(location: TableLocation | None) -> int:
    """The number of threads that predict the chunks of a table: none for a pipe, whose rows are answered at once."""
    return 0 if open_reader(as_source(location)).is_read_once else PREDICTORS


def conformal_columns(conformal: ConformalPredictor | None) -> tuple[str, ...]:
    """The columns that a calibration reads besides the features, as text."""
    return () if conformal is None or conformal.row_groups is None else (conformal.row_groups.name,)


def predict_tables(
    model: AnyModel,
    tables: Iterator[Table],
    options: PredictOptions,
    *,
    on_invalid: OnInvalid | None = None,
    on_summary: OnSummary | None = None,
    conformal: ConformalPredictor | None = None,
    profiler: Profiler | None = None,
    workers: int = 0,
) -> Iterator[pl.DataFrame]:
    """Predict the chunks of a table; for `workers` see `prefetch_map`, for the rest `predict_chunks`."""
    on_invalid = on_invalid or (lambda _: None)
    summary, n_chunks = PredictionSummary(), 0
    if model.spec.decision is not None:
        options.note(decision_note(model.spec.decision))

    def work(table: Table) -> PredictedFrame:
        return predict_frame(model, table, options, conformal=conformal, profiler=profiler)

    for note in () if conformal is None else conformal.notes():
        options.note(note)

    with log_duration("reading, predicting and writing") as stage:
        for _, predicted in prefetch_map(_report_notes(tables, options), work, workers):
            summary, n_chunks = summary + predicted.summary, n_chunks + 1
            if len(predicted.invalid):
                on_invalid(predicted.invalid.frame)
            yield predicted.frame
        stage.details.append(f"{summary.rows:,} rows in {n_chunks:,} chunk{'' if n_chunks == 1 else 's'}")
    if on_summary is not None:
        on_summary(summary)
        return
    for note in summary.notes(options):
        options.note(note)


def _report_notes(tables: Iterator[Table], options: PredictOptions) -> Iterator[Table]:
    """Report the notes of each table before it is predicted: they may explain an error."""
    for table in tables:
        for note in table.notes:
            options.note(note)
        yield table

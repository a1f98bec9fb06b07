"""`nncli predict`: predict the rows of a table with a trained run, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import polars as pl

from nncli.data.encoders.anomalies import Anomalies
from nncli.data.io.dataframes import as_polars
from nncli.data.io.formats import Format
from nncli.data.io.prefetch import prefetch_map
from nncli.data.io.readers import read_chunks
from nncli.data.io.streams import is_stream
from nncli.data.table import Table, replace_na_values
from nncli.ensemble import AnyModel
from nncli.errors import UsageError
from nncli.runs.run import Run
from nncli.text import join_quoted
from nncli.utils.logs import log_duration

if TYPE_CHECKING:
    from nncli.data.io.dataframes import Frame

OnNote: TypeAlias = Callable[[str], object]

PREDICTORS = 2
"""Threads that predict blocks of a file, while other threads read and write."""


def predict(
    run: str | Path,
    data: str | Path | Frame,
    *,
    proba: bool = False,
    keep: Sequence[str] = (),
    on_note: OnNote | None = None,
) -> pl.DataFrame:
    """Predict every row of a file or a Polars or pandas frame; see `predict_chunks`.

    To predict repeatedly, read the run once with `nncli.load`.
    """
    return predict_data(Run.open(Path(run)).load_model(), data, proba=proba, keep=keep, on_note=on_note)


def predict_data(
    model: AnyModel, data: str | Path | Frame, *, proba: bool, keep: Sequence[str], on_note: OnNote | None
) -> pl.DataFrame:
    """Predict every row of a file or a frame, in one frame."""
    if isinstance(data, str | Path):
        frames = predict_chunks(model, Path(data), proba=proba, keep=keep, on_note=on_note)
    else:
        frames = predict_tables(model, iter([table_of(model, data)]), proba=proba, keep=keep, on_note=on_note)
    return pl.concat(frames, how="vertical_relaxed")


def table_of(model: AnyModel, data: Frame) -> Table:
    """A frame as a table to predict from, with the missing values of the training table replaced."""
    return Table(replace_na_values(as_polars(data), model.spec.missing_values), "the frame", dialect=model.spec.dialect)


def predict_chunks(
    model: AnyModel,
    path: Path | None,
    *,
    format: Format | None = None,  # noqa: A002 - the option's name
    proba: bool = False,
    keep: Sequence[str] = (),
    on_note: OnNote | None = None,
) -> Iterator[pl.DataFrame]:
    """Predict every row of a file, or of the standard input if `path` is None, in order.

    Yields frames with the kept columns first, then `prediction` (`prediction_TARGET` for several targets) and, with
    `proba`, `proba_CLASS` for each class. Memory does not grow with the file. `on_note` is called with every note on
    the reading, and after the last row with a note on anomalies, such as unseen categories, if there are any.

    Raises:
        UsageError: `proba` for a regression model.
        DataError: a column is missing, or a cell of a numeric column is not a number.
    """
    spec = model.spec
    numbers = model.numeric.difference(keep)
    tables = read_chunks(
        path, format=format, missing_values=spec.missing_values, training_dialect=spec.dialect, numbers=numbers
    )
    workers = 0 if is_stream(path) else PREDICTORS
    yield from predict_tables(model, tables, proba=proba, keep=keep, on_note=on_note, workers=workers)


def predict_tables(
    model: AnyModel,
    tables: Iterator[Table],
    *,
    proba: bool,
    keep: Sequence[str],
    on_note: OnNote | None,
    workers: int = 0,
) -> Iterator[pl.DataFrame]:
    """Predict the chunks of a table; for `workers` see `prefetch_map`."""
    on_note = on_note or (lambda _: None)
    anomalies, n_chunks, n_rows = Anomalies(), 0, 0

    def work(table: Table) -> tuple[pl.DataFrame, Anomalies]:
        return predict_frame(model, table, proba=proba, keep=keep)

    with log_duration("reading, predicting and writing") as stage:
        for _, (frame, chunk_anomalies) in prefetch_map(_report_notes(tables, on_note), work, workers):
            anomalies, n_chunks, n_rows = anomalies + chunk_anomalies, n_chunks + 1, n_rows + len(frame)
            yield frame
        stage.details.append(f"{n_rows:,} rows in {n_chunks:,} chunk{'' if n_chunks == 1 else 's'}")
    if anomalies.note:
        on_note(anomalies.note)


def _report_notes(tables: Iterator[Table], on_note: OnNote) -> Iterator[Table]:
    """Report the notes of each table before it is predicted: they may explain an error."""
    for table in tables:
        for note in table.notes:
            on_note(note)
        yield table


def predict_frame(model: AnyModel, table: Table, *, proba: bool, keep: Sequence[str]) -> tuple[pl.DataFrame, Anomalies]:
    """Predict one table in memory; returns the predictions and the anomalies."""
    if proba and model.spec.target.task == "regression":
        raise UsageError("--proba needs a classification model; this one is for regression")
    keep = list(dict.fromkeys(keep))
    table.require(keep)
    with np.errstate(
        all="ignore"
    ):  # a value far out of the training range may overflow; that is seen in the predictions
        predictions = model.predict(table)
        predicted = predictions.frame(proba=proba)
    duplicates = sorted(set(keep) & set(predicted.columns))
    if duplicates:
        raise UsageError(
            f"--keep {join_quoted(duplicates)} would appear twice: a column of the predictions has that name"
        )
    frame = pl.concat([table.frame[keep], predicted], how="horizontal") if keep else predicted
    return frame, predictions.anomalies

"""`nncli predict`: a run directory and rows in, a prediction for each row out, chunk by chunk."""

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

Tell: TypeAlias = Callable[[str], object]

PREDICTORS = 2
"""Threads that predict blocks of a file, while others read the next ones and one writes the last."""


def predict(
    run: str | Path,
    data: str | Path | Frame,
    *,
    proba: bool = False,
    keep: Sequence[str] = (),
    tell: Tell | None = None,
) -> pl.DataFrame:
    """Predict every row of a file, or of a frame of Polars or pandas; see `predict_chunks`.

    Who predicts more than once reads the run once with `nncli.load`.
    """
    return predict_data(Run.open(Path(run)).load_model(), data, proba=proba, keep=keep, tell=tell)


def predict_data(
    model: AnyModel, data: str | Path | Frame, *, proba: bool, keep: Sequence[str], tell: Tell | None
) -> pl.DataFrame:
    """Predictions for every row of a file or a frame, in one frame."""
    if isinstance(data, str | Path):
        frames = predict_chunks(model, Path(data), proba=proba, keep=keep, tell=tell)
    else:
        frames = predict_tables(model, iter([table_of(model, data)]), proba=proba, keep=keep, tell=tell)
    return pl.concat(frames, how="vertical_relaxed")


def table_of(model: AnyModel, data: Frame) -> Table:
    """A frame as a table to predict from; a missing cell may be spelled in it as in the training table."""
    return Table(replace_na_values(as_polars(data), model.spec.missing_values), "the frame", dialect=model.spec.dialect)


def predict_chunks(
    model: AnyModel,
    path: Path | None,
    *,
    format: Format | None = None,  # noqa: A002 - the option's name
    proba: bool = False,
    keep: Sequence[str] = (),
    tell: Tell | None = None,
) -> Iterator[pl.DataFrame]:
    """Predictions for a file, or for the standard input when `path` is None, in the order of the rows, none lost.

    Yields frames with the kept columns first, then `prediction` (`prediction_TARGET` for several targets) and, with
    `proba`, `proba_CLASS` for each class. Memory does not grow with the file. `tell` is called with every note on how
    the file was read, and after the last row with one on what it held that the training rows did not, if anything.

    Raises:
        UsageError: `proba` of a model that predicts numbers.
        DataError: a column is missing, or a cell of a numeric column is not a number.
    """
    spec = model.spec
    numbers = model.numeric.difference(keep)
    tables = read_chunks(
        path, format=format, missing_values=spec.missing_values, training_dialect=spec.dialect, numbers=numbers
    )
    workers = 0 if is_stream(path) else PREDICTORS
    yield from predict_tables(model, tables, proba=proba, keep=keep, tell=tell, workers=workers)


def predict_tables(
    model: AnyModel,
    tables: Iterator[Table],
    *,
    proba: bool,
    keep: Sequence[str],
    tell: Tell | None,
    workers: int = 0,
) -> Iterator[pl.DataFrame]:
    """Predictions for tables that are chunks of one; for `workers` see `worked_ahead`."""
    tell = tell or (lambda _: None)
    strangers, chunks, rows = Anomalies(), 0, 0

    def work(table: Table) -> tuple[pl.DataFrame, Anomalies]:
        return predict_frame(model, table, proba=proba, keep=keep)

    with log_duration("reading, predicting and writing") as told:
        for _, (frame, met) in prefetch_map(_told_of(tables, tell), work, workers):
            strangers, chunks, rows = strangers + met, chunks + 1, rows + len(frame)
            yield frame
        told.details.append(f"{rows:,} rows in {chunks:,} chunk{'' if chunks == 1 else 's'}")
    if strangers.note:
        tell(strangers.note)


def _told_of(tables: Iterator[Table], tell: Tell) -> Iterator[Table]:
    """The tables, each once its notes are told: if it cannot be predicted, they may say why."""
    for table in tables:
        for note in table.notes:
            tell(note)
        yield table


def predict_frame(model: AnyModel, table: Table, *, proba: bool, keep: Sequence[str]) -> tuple[pl.DataFrame, Anomalies]:
    """Predictions for one table in memory, and what was strange of it."""
    if proba and model.spec.target.task == "regression":
        raise UsageError("--proba needs a model that predicts classes; this one predicts numbers")
    keep = list(dict.fromkeys(keep))
    table.require(keep)
    with np.errstate(all="ignore"):  # a value far beyond the training range may overflow, and shows as such
        predictions = model.predict(table)
        predicted = predictions.frame(proba=proba)
    clash = sorted(set(keep) & set(predicted.columns))
    if clash:
        raise UsageError(f"--keep {join_quoted(clash)} would stand twice: a column of the prediction has that name")
    frame = pl.concat([table.frame.select(keep), predicted], how="horizontal") if keep else predicted
    return frame, predictions.anomalies

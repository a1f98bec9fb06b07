"""`nncli predict`: predict the rows of a table with a trained run, chunk by chunk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeAlias, TypeVar, get_args

import numpy as np
import polars as pl

from nncli.classes import PredictedClasses, predict_classes
from nncli.data.arrays import RowIndices
from nncli.data.encoders.anomalies import Anomalies
from nncli.data.encoders.invalid_cells import InvalidCells, InvalidCounts, OnError
from nncli.data.io.dataframes import as_polars
from nncli.data.io.formats import Format
from nncli.data.io.prefetch import prefetch_map
from nncli.data.io.read_options import BLOCK_BYTES
from nncli.data.io.writers import open_sink
from nncli.data.sources.open import open_reader
from nncli.data.sources.readers import read_chunks
from nncli.data.sources.table_source import TableLocation, TableSource, as_source
from nncli.data.table import Table, replace_na_values
from nncli.ensemble import AnyModel, Ensemble
from nncli.errors import CellError, Location, UsageError
from nncli.model import Predictions
from nncli.runs.run import Run
from nncli.text import join_quoted
from nncli.utils.logs import log_duration

if TYPE_CHECKING:
    from nncli.data.io.dataframes import Frame

OnNote: TypeAlias = Callable[[str], object]
OnInvalid: TypeAlias = Callable[[pl.DataFrame], object]
"""Called with the invalid cells of each chunk: the number of the row, the column, the value and the reason."""
OnSummary: TypeAlias = Callable[["PredictionSummary"], object]


@dataclass(frozen=True)
class AnswerOptions:
    """What is predicted for a table, and how it is written; the options of `predict_chunks` and `open_sink`."""

    proba: bool = False
    keep: tuple[str, ...] = ()
    on_error: OnError = "fail"
    format: Format | None = None
    escape_formulas: bool = False


@dataclass(frozen=True)
class PredictionSummary:
    """Counts of the rows of one or several tables, of their anomalies and of their invalid cells."""

    rows: int = 0
    anomalies: Anomalies = field(default_factory=Anomalies)
    invalid: InvalidCounts = field(default_factory=InvalidCounts)

    def __add__(self, other: PredictionSummary) -> PredictionSummary:
        return PredictionSummary(self.rows + other.rows, self.anomalies + other.anomalies, self.invalid + other.invalid)

    def notes(self, on_error: OnError) -> list[str]:
        """A line on the invalid cells and one on the anomalies, where there are any."""
        return [note for note in (self.invalid.note(on_error), self.anomalies.note) if note is not None]


PREDICTORS = 2
"""Threads that predict blocks of a file, while other threads read and write."""
MIN_BLOCK_BYTES, BLOCK_BYTES_PER_COLUMN = 1 << 20, 80 << 10
"""Several blocks are in memory at a time, as text, as cells and encoded."""
ON_ERROR_HINT = "To predict the table all the same: --on-error missing or --on-error skip (in Python on_error)."


def predict(
    run: str | Path,
    data: TableLocation | Frame,
    *,
    proba: bool = False,
    keep: Sequence[str] = (),
    on_error: OnError = "fail",
    errors: str | Path | None = None,
    on_note: OnNote | None = None,
) -> pl.DataFrame:
    """Predict every row of a file or a Polars or pandas frame; see `predict_chunks`.

    `errors` is a CSV file to write the invalid cells to, if `on_error` is missing or skip. To predict repeatedly, read
    the run once with `nncli.load`.
    """
    model = Run.open(Path(run)).load_model()
    return predict_data(model, data, proba=proba, keep=keep, on_error=on_error, errors=errors, on_note=on_note)


def predict_data(
    model: AnyModel,
    data: TableLocation | Frame,
    *,
    proba: bool = False,
    keep: Sequence[str] = (),
    on_error: OnError = "fail",
    errors: str | Path | None = None,
    on_note: OnNote | None = None,
) -> pl.DataFrame:
    """Predict every row of a file or a frame, in one frame."""
    with open_errors(None if errors is None else Path(errors), on_error, force=True) as on_invalid:
        if isinstance(data, TableSource | str | os.PathLike):
            frames = predict_chunks(
                model,
                data,
                proba=proba,
                keep=keep,
                on_error=on_error,
                on_invalid=on_invalid,
                on_note=on_note,
            )
        else:
            tables = iter([table_of(model, data)])
            frames = predict_tables(
                model, tables, proba=proba, keep=keep, on_error=on_error, on_invalid=on_invalid, on_note=on_note
            )
        return pl.concat(frames, how="vertical_relaxed")


def table_of(model: AnyModel, data: Frame) -> Table:
    """A frame as a table to predict from, with the missing values of the training table replaced."""
    return Table(replace_na_values(as_polars(data), model.spec.missing_values), "the frame", dialect=model.spec.dialect)


@contextmanager
def open_errors(path: Path | None, on_error: OnError, *, force: bool = False) -> Iterator[OnInvalid | None]:
    """Yield a function that appends invalid cells to the CSV file `path`; None without a path.

    Raises:
        UsageError: `on_error` is fail, which leaves nothing to write, or the file exists and `force` is false.
    """
    if path is None:
        yield None
        return
    if on_error == "fail":
        raise UsageError(
            "a file of errors needs cells that are not errors",
            location=Location(source=str(path)),
            hint="Add --on-error missing or --on-error skip (in Python on_error).",
        )
    with open_sink(path, format=Format.CSV, force=force) as sink:
        sink.write(InvalidCells.none().frame)
        yield sink.write


def predict_to_file(
    model: AnyModel,
    source: TableSource,
    target: Path | None,
    options: AnswerOptions = AnswerOptions(),
    *,
    force: bool = False,
    errors: Path | None = None,
    on_note: OnNote | None = None,
    on_summary: OnSummary | None = None,
    on_chunk: Callable[[], object] | None = None,
    predictors: int | None = None,
) -> None:
    """Predict every row of a table, chunk by chunk, into the file `target`; None is standard output.

    `on_chunk` is called after each chunk, before the file appears. The other arguments are those of `predict_chunks`
    and `open_errors`.
    """
    with open_errors(errors, options.on_error, force=force) as on_invalid:
        frames = predict_chunks(
            model,
            source,
            proba=options.proba,
            keep=options.keep,
            on_error=options.on_error,
            on_invalid=on_invalid,
            on_note=on_note,
            on_summary=on_summary,
            predictors=predictors,
        )
        first = next(frames)  # an error in the first rows shows before a file is created
        with open_sink(target, format=options.format, force=force, escape_formulas=options.escape_formulas) as sink:
            for frame in chain([first], frames):
                sink.write(frame)
                if on_chunk is not None:
                    on_chunk()


def predict_chunks(
    model: AnyModel,
    location: TableLocation | None,
    *,
    format: Format | None = None,  # noqa: A002 - the option's name
    proba: bool = False,
    keep: Sequence[str] = (),
    on_error: OnError = "fail",
    on_invalid: OnInvalid | None = None,
    on_note: OnNote | None = None,
    on_summary: OnSummary | None = None,
    predictors: int | None = None,
) -> Iterator[pl.DataFrame]:
    """Predict every row of a table, or of the standard input if `location` is None, in order.

    Yields frames with the kept columns first, then `prediction` (`prediction_TARGET` for several targets) and, with
    `proba`, `proba_CLASS` for each class. Memory does not grow with the file.

    A cell of a numeric or date column that cannot be read is an error; with `on_error` missing it is a missing cell,
    with skip its row is left out. `on_invalid` is called with such cells. `on_note` is called with every note on the
    reading, and after the last row with notes on invalid cells and on anomalies, such as unseen categories; instead of
    these, `on_summary` is called with the counts. `predictors` threads predict at a time, by default two.

    Raises:
        UsageError: `proba` for a regression model.
        DataError: a column is missing.
        CellError: a cell cannot be read, and `on_error` is fail.
    """
    spec = model.spec
    tables = read_chunks(
        location,
        format=format,
        missing_values=spec.missing_values,
        training_dialect=spec.dialect,
        numbers=model.numeric.difference(keep),
        block_bytes=block_bytes(model),
    )
    if open_reader(as_source(location), format).is_read_once:
        predictors = 0
    yield from predict_tables(
        model,
        tables,
        proba=proba,
        keep=keep,
        on_error=on_error,
        on_invalid=on_invalid,
        on_note=on_note,
        on_summary=on_summary,
        workers=PREDICTORS if predictors is None else predictors,
    )


def block_bytes(model: AnyModel) -> int:
    """Bytes of text that are predicted at a time; for an ensemble only some ten thousand rows, which keep it busy."""
    if not isinstance(model, Ensemble):
        return BLOCK_BYTES
    return max(MIN_BLOCK_BYTES, min(BLOCK_BYTES, len(model.names) * BLOCK_BYTES_PER_COLUMN))


def predict_tables(
    model: AnyModel,
    tables: Iterator[Table],
    *,
    proba: bool = False,
    keep: Sequence[str] = (),
    on_error: OnError = "fail",
    on_invalid: OnInvalid | None = None,
    on_note: OnNote | None = None,
    on_summary: OnSummary | None = None,
    workers: int = 0,
) -> Iterator[pl.DataFrame]:
    """Predict the chunks of a table; for `workers` see `prefetch_map`, for the rest `predict_chunks`."""
    check_on_error(on_error)
    on_note, on_invalid = on_note or (lambda _: None), on_invalid or (lambda _: None)
    summary, n_chunks = PredictionSummary(), 0

    def work(table: Table) -> PredictedFrame:
        return predict_frame(model, table, proba=proba, keep=keep, on_error=on_error)

    with log_duration("reading, predicting and writing") as stage:
        for _, predicted in prefetch_map(_report_notes(tables, on_note), work, workers):
            summary, n_chunks = summary + predicted.summary, n_chunks + 1
            if len(predicted.invalid):
                on_invalid(predicted.invalid.frame)
            yield predicted.frame
        stage.details.append(f"{summary.rows:,} rows in {n_chunks:,} chunk{'' if n_chunks == 1 else 's'}")
    if on_summary is not None:
        on_summary(summary)
        return
    for note in summary.notes(on_error):
        on_note(note)


def check_on_error(on_error: str) -> None:
    """Raise a UsageError if `on_error` is not a known choice."""
    if on_error not in get_args(OnError):
        raise UsageError(f"on_error is {on_error!r}", hint="Use fail, missing or skip.")


def _report_notes(tables: Iterator[Table], on_note: OnNote) -> Iterator[Table]:
    """Report the notes of each table before it is predicted: they may explain an error."""
    for table in tables:
        for note in table.notes:
            on_note(note)
        yield table


class PredictedFrame(NamedTuple):
    """The predictions of one table, with the anomalies and the invalid cells of its rows."""

    frame: pl.DataFrame
    anomalies: Anomalies
    invalid: InvalidCells

    @property
    def summary(self) -> PredictionSummary:
        """The counts of the table."""
        return PredictionSummary(len(self.frame), self.anomalies, InvalidCounts.of(self.invalid))


def predict_frame(
    model: AnyModel, table: Table, *, proba: bool, keep: Sequence[str], on_error: OnError = "fail"
) -> PredictedFrame:
    """Predict one table in memory."""
    if proba and model.spec.target.task == "regression":
        raise UsageError("--proba needs a classification model; this one is for regression")
    keep = list(dict.fromkeys(keep))
    table.require(keep)
    with np.errstate(
        all="ignore"
    ):  # a value far out of the training range may overflow; that is seen in the predictions
        found: ValidPredictions[Predictions] | ValidPredictions[PredictedClasses]
        if proba or model.spec.target.task == "regression":
            found = predict_valid(model, table, on_error, model.predict)
            predicted = found.predictions.frame(proba=proba)
        else:
            found = predict_valid(model, table, on_error, partial(predict_classes, model))
            predicted = found.predictions.frame()
    duplicates = sorted(set(keep) & set(predicted.columns))
    if duplicates:
        raise UsageError(
            f"--keep {join_quoted(duplicates)} would appear twice: a column of the predictions has that name"
        )
    kept = table.frame if found.rows is None else table.frame[found.rows]
    frame = pl.concat([kept[keep], predicted], how="horizontal") if keep else predicted
    return PredictedFrame(frame, found.predictions.anomalies, found.invalid)


P = TypeVar("P")


class ValidPredictions(NamedTuple, Generic[P]):
    """Predictions of a table without its `invalid` cells.

    `table` is what was predicted: with these cells missing, or only the `rows` (positions; None: all) without one.
    """

    predictions: P
    table: Table
    rows: RowIndices | None
    invalid: InvalidCells


def predict_valid(
    model: AnyModel, table: Table, on_error: OnError, predict: Callable[[Table], P]
) -> ValidPredictions[P]:
    """Predict a table by `predict`, with its invalid cells missing or without their rows.

    Raises:
        CellError: a cell cannot be read, and `on_error` is fail.
    """
    try:
        return ValidPredictions(predict(table), table, None, InvalidCells.none())
    except CellError as error:
        if on_error == "fail":
            raise error.for_model(ON_ERROR_HINT) from None
    invalid = model.invalid_cells(table)
    rows = invalid.valid_rows(len(table)) if on_error == "skip" else None
    valid = invalid.removed_from(table) if rows is None else table.take(rows)
    return ValidPredictions(predict(valid), valid, rows, invalid)

"""`nncli predict`: predict the rows of a table with a trained run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from nncli.api.prediction.chunks import predict_chunks, predict_tables
from nncli.api.prediction.summary import OnNote
from nncli.api.prediction.to_file import open_errors
from nncli.data.encoders.invalid_cells import OnError
from nncli.data.sources.open import open_reader
from nncli.data.sources.table_source import TableLocation, TableSource, as_source
from nncli.fitting.calibration import conformal_predictor
from nncli.models.conformal.options import SetScore, UncertaintyOptions
from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.ensemble import AnyModel
from nncli.models.read_table import table_of
from nncli.runs.run import Run

if TYPE_CHECKING:
    from nncli.data.formats.dataframes import Frame


def predict(
    run: str | Path,
    data: TableLocation | Frame,
    *,
    proba: bool = False,
    keep: Sequence[str] = (),
    intervals: float | Sequence[float] = (),
    sets: float | Sequence[float] = (),
    by: str | None = None,
    per_class: bool = False,
    score: SetScore = "lac",
    on_error: OnError = "fail",
    errors: str | Path | None = None,
    on_note: OnNote | None = None,
) -> pl.DataFrame:
    """Predict every row of a file or a Polars or pandas frame; see `nncli.api.prediction.chunks.predict_chunks`.

    `intervals` is a level, or several, of prediction intervals, such as 0.9, which add columns such as `lower_90` and
    `upper_90`; `sets` are levels of prediction sets of classes, which add a column of lists such as `set_90`. They hold
    for each value of the column `by` of its own, or `per_class`. `score` is lac or aps. See docs/howto/uncertainty.md.

    `errors` is a CSV file to write the invalid cells to, if `on_error` is missing or skip. To predict repeatedly, read
    the run once with `nncli.load`.

    Raises:
        UsageError: an option does not fit the model, or a level needs more held-out rows than there are.
        RunError: the run directory is missing or damaged, or has no held-out rows for intervals or sets.
        DataError: a column is missing, or a cell cannot be read and `on_error` is fail.
    """
    opened = Run.open(Path(run))
    model = opened.load_model()
    options = UncertaintyOptions.of(intervals, sets, by, per_class=per_class, score=score)
    conformal = conformal_predictor(opened, model, options)
    return predict_data(
        model, data, proba=proba, keep=keep, on_error=on_error, errors=errors, on_note=on_note, conformal=conformal
    )


def predict_data(
    model: AnyModel,
    data: TableLocation | Frame,
    *,
    proba: bool = False,
    keep: Sequence[str] = (),
    on_error: OnError = "fail",
    errors: str | Path | None = None,
    on_note: OnNote | None = None,
    conformal: ConformalPredictor | None = None,
) -> pl.DataFrame:
    """Predict every row of a file or a frame, in one frame."""
    source = as_source(data) if isinstance(data, TableSource | str | os.PathLike) else None
    by_file = errors is not None and source is not None and open_reader(source).has_several_files
    with open_errors(None if errors is None else Path(errors), on_error, force=True, by_file=by_file) as on_invalid:
        if isinstance(data, TableSource | str | os.PathLike):
            frames = predict_chunks(
                model,
                data,
                proba=proba,
                keep=keep,
                on_error=on_error,
                on_invalid=on_invalid,
                on_note=on_note,
                conformal=conformal,
            )
        else:
            tables = iter([table_of(model, data)])
            frames = predict_tables(
                model,
                tables,
                proba=proba,
                keep=keep,
                on_error=on_error,
                on_invalid=on_invalid,
                on_note=on_note,
                conformal=conformal,
            )
        return pl.concat(frames, how="vertical_relaxed")

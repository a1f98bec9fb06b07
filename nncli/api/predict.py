"""`nncli predict`: predict the rows of a table with a trained run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from nncli.api.options import PredictOptions
from nncli.api.prediction.chunks import predict_chunks, predict_tables
from nncli.api.prediction.to_file import open_errors
from nncli.base.option import operation
from nncli.data.sources.open import open_reader
from nncli.data.sources.table_source import TableLocation, TableSource, as_source
from nncli.fitting.calibration import conformal_predictor
from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.ensemble import AnyModel
from nncli.models.read_table import table_of
from nncli.runs.run import Run

if TYPE_CHECKING:
    from nncli.data.formats.dataframes import Frame


def predict_with(run: str | Path, data: TableLocation | Frame, options: PredictOptions) -> pl.DataFrame:
    """Predict every row of a file or a Polars or pandas frame; see `nncli.api.prediction.chunks.predict_chunks`.

    Intervals add columns such as `lower_90` and `upper_90`, sets a column of lists such as `set_90`; see
    docs/howto/uncertainty.md. To predict repeatedly, read the run once with `nncli.load`.

    Raises:
        UsageError: an option does not fit the model, or a level needs more held-out rows than there are.
        RunError: the run directory is missing or damaged, or has no held-out rows for intervals or sets.
        DataError: a column is missing, or a cell cannot be read and that is an error.
    """
    opened = Run.open(Path(run))
    model = opened.load_model()
    return predict_data(model, data, options, conformal_predictor(opened, model, options.uncertainty))


predict = operation(PredictOptions)(predict_with)


def predict_data(
    model: AnyModel, data: TableLocation | Frame, options: PredictOptions, conformal: ConformalPredictor | None = None
) -> pl.DataFrame:
    """Predict every row of a file or a frame, in one frame."""
    source = as_source(data) if isinstance(data, TableSource | str | os.PathLike) else None
    by_file = options.errors is not None and source is not None and open_reader(source).has_several_files
    with open_errors(options, by_file=by_file) as on_invalid:
        if source is not None:
            frames = predict_chunks(model, source, options, on_invalid=on_invalid, conformal=conformal)
        else:
            tables = iter([table_of(model, data)])
            frames = predict_tables(model, tables, options, on_invalid=on_invalid, conformal=conformal)
        return pl.concat(frames, how="vertical_relaxed")

"""`nncli predict`: predict the rows of a table with a trained run, in memory or into a file, a database or a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from nncli.api.options import PredictOptions, PredictToFileOptions
from nncli.api.prediction.profile_file import ProfileFile, read_profile
from nncli.api.prediction.tables import (
    AnyPredictor,
    PredictionSummary,
    TargetModels,
    load_predictor,
    predict_chunks,
    predict_source,
)
from nncli.api.prediction.to_file import check_errors_file, open_errors, write_predictions
from nncli.base.errors import Advice, Location, UsageError, output_to
from nncli.base.logs import log_duration
from nncli.base.option import operation
from nncli.data.formats.streams import is_stream
from nncli.data.sources.open import open_reader
from nncli.data.sources.output import OutputTarget, check_output, output_target
from nncli.data.sources.table_source import Inputs, TableLocation, TableSource, as_source, input_sources
from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.read_table import table_of
from nncli.run_directory.run import Run

if TYPE_CHECKING:
    from nncli.api.prediction.many_files.record import FilesPrediction
    from nncli.data.formats.dataframes import Frame


def predict_with(run: str | Path, data: TableLocation | Frame, options: PredictOptions) -> pl.DataFrame:
    """Predict every row of a table or a frame, in the same order.

    The columns are `prediction`, then with `proba` a column `proba_CLASS` for each class. Intervals add columns such as
    `lower_90` and `upper_90`, sets a column of lists such as `set_90`. To predict repeatedly, read the run once with
    `nncli.load`.

    Raises:
        UsageError: an option does not fit the model, or a level needs more held-out rows than there are.
        RunError: the run directory is missing or damaged, or has no held-out rows for intervals or sets.
        DataError: a column is missing, or a cell cannot be read and that is an error.
    """
    model, conformal = load_predictor(Run.open(Path(run)), options.uncertainty)
    return predict_data(model, conformal, data, options)


predict = operation(PredictOptions)(predict_with)


def predict_data(
    model: AnyPredictor, conformal: ConformalPredictor | None, data: TableLocation | Frame, options: PredictOptions
) -> pl.DataFrame:
    """Predict every row of a file or a frame, in one frame."""
    source = as_source(data) if isinstance(data, TableSource | str | os.PathLike) else None
    by_file = options.errors is not None and source is not None and open_reader(source).has_several_files
    with open_errors(options, by_file=by_file) as on_invalid:
        if source is not None:
            frames = predict_source(model, source, options, on_invalid=on_invalid, conformal=conformal)
        else:
            reader = model.first if isinstance(model, TargetModels) else model
            tables = iter([table_of(reader, data)])
            frames = predict_chunks(model, tables, options, on_invalid=on_invalid, conformal=conformal)
        return pl.concat(frames, how="vertical_relaxed")


@dataclass(frozen=True)
class WrittenPredictions:
    """Where predictions were written, and counts of their rows; `profiled_rows` are those of the profile now."""

    target: OutputTarget
    summary: PredictionSummary
    profiled_rows: int | None = None


def predict_to_file_with(
    run: str | Path, data: Inputs, output: str | Path, options: PredictToFileOptions
) -> WrittenPredictions | FilesPrediction:
    """Predict tables into a file, a database, or with `-` standard output, in memory that does not grow.

    The file or the table of the database appears when all rows are predicted. If the output is a folder, each file is
    predicted into a file of its own there, see `predict_files`.

    Raises:
        UsageError: an option does not fit the model or the output, or without `force` something would be replaced.
        RunError: the run directory is missing or damaged, or has no held-out rows for intervals or sets.
        DataError: a column is missing, or a cell cannot be read and that is an error.
    """
    sources = input_sources(data)
    if names_folder(str(output)):
        from nncli.api.predict_files import predict_files_with  # imports what starts processes

        _check_folder(options)
        return predict_files_with(run, sources, output, options)
    source = _only(sources, options)
    target = output_target(str(output), options.output_table)
    _check_target(source, target, options)
    with log_duration(f"loading {run}"):
        opened = Run.open(Path(run))
        model, conformal = load_predictor(opened, options.uncertainty)
        if options.profile is not None and isinstance(model, TargetModels):
            opened.check_one_target()
        profile = None
        if options.profile is not None and not isinstance(model, TargetModels):
            profile = ProfileFile.open(Path(options.profile), opened, model)
    profiler = None if profile is None else profile.profiler
    summary = write_predictions(
        model, source, target, options, append=options.append, conformal=conformal, profiler=profiler
    )
    profiled = None
    if profile is not None:
        profile.add([summary.profile])
        profiled = read_profile(profile.path, profile.profiler.reference).rows
    options.note(*summary.notes(options))
    return WrittenPredictions(target, summary, profiled)


predict_to_file = operation(PredictToFileOptions)(predict_to_file_with)


OUTPUT_FILE = output_to("predictions.csv")
OUTPUT_FOLDER = output_to("predictions/")


def names_folder(output: str) -> bool:
    """Whether an output is a folder: it ends in a separator, or there is such a folder."""
    if "://" in output:
        return False
    return output.endswith(("/", os.sep)) or os.path.isdir(output)  # noqa: PTH112 - Path.is_dir may raise


def _check_folder(options: PredictToFileOptions) -> None:
    """Raise a UsageError if options are given that are not for a folder."""
    if options.output_table is not None or options.append:
        option = PredictToFileOptions.use("append" if options.output_table is None else "output_table")
        message = Advice(option, " is for a database, but the output is a folder")
        raise UsageError(message, hint=Advice("Remove ", option, "."))
    if options.profile is not None:
        raise UsageError(
            Advice(PredictToFileOptions.use("profile"), " is for one output, but the output is a folder"),
            location=Location(source=str(options.profile)),
            hint=Advice("Predict the files into one: ", OUTPUT_FILE, " with a pattern such as 'new/*.csv' in quotes."),
        )


def _only(sources: Sequence[TableSource], options: PredictToFileOptions) -> TableSource:
    """The table that is predicted into a file; raise a UsageError if only a folder could take the predictions."""
    if len(sources) > 1:
        raise UsageError(
            "several inputs, but the output is one file",
            hint=Advice(
                *("To predict each into its own file, name a folder: ", OUTPUT_FOLDER, ". "),
                "To predict all into one, put a pattern such as 'new/*.csv' in quotes.",
            ),
        )
    use = PredictToFileOptions.use
    if options.workers != "auto" or options.scheduler is not None:
        raise UsageError(
            Advice(use("workers"), " and ", use("scheduler"), " are for many files, but the output is one file"),
            hint=Advice("Name a folder: ", OUTPUT_FOLDER, "."),
        )
    return sources[0]


def _check_target(source: TableSource, target: OutputTarget, options: PredictToFileOptions) -> None:
    """Raise an error before any work is done if the output or the file of errors cannot be written."""
    check_output(target, source, options, append=options.append)
    file = target if isinstance(target, Path) else None
    if file is not None and options.format is None and not file.suffix and not is_stream(file):
        raise UsageError(
            "the file name does not tell the format",
            location=Location(source=str(file)),
            hint=Advice(
                *("For a file for each file of TABLE: ", output_to(f"{file}/"), ". For one file: "),
                *(output_to(f"{file}.csv"), ", or ", PredictToFileOptions.use("format"), "."),
            ),
        )
    if options.errors is not None:
        check_errors_file(Path(options.errors), source, file, force=options.force)

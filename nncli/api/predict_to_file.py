"""`nncli predict` into a file, a table of a database or standard output."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nncli.api.options import PredictToFileOptions
from nncli.api.prediction.profile_file import ProfileFile, read_profile
from nncli.api.prediction.summary import PredictionSummary
from nncli.api.prediction.to_file import check_errors_file, write_predictions
from nncli.base.errors import Location, UsageError
from nncli.base.logs import log_duration
from nncli.base.option import operation
from nncli.data.formats.streams import is_stream
from nncli.data.sources.output import OutputTarget, check_output, output_target
from nncli.data.sources.table_source import TableLocation, TableSource, as_source
from nncli.fitting.calibration import conformal_predictor
from nncli.runs.run import Run


@dataclass(frozen=True)
class WrittenPredictions:
    """Where predictions were written, and counts of their rows; `profiled_rows` are those of the profile now."""

    target: OutputTarget
    summary: PredictionSummary
    profiled_rows: int | None = None


def predict_to_file_with(
    run: str | Path,
    data: TableLocation,
    output: str | Path,
    options: PredictToFileOptions,
    *,
    notes_of_rows: bool = True,
) -> WrittenPredictions:
    """Predict every row of a table into a file, a database, or with `-` standard output, in memory that does not grow.

    The file or the table of the database appears when all rows are predicted.

    Raises:
        UsageError: an option does not fit the model or the output, or without `force` something would be replaced.
        RunError: the run directory is missing or damaged, or has no held-out rows for intervals or sets.
        DataError: a column is missing, or a cell cannot be read and that is an error.
    """
    source, target = as_source(data), output_target(str(output), options.table)
    _check_target(source, target, options)
    with log_duration(f"loading {run}"):
        opened = Run.open(Path(run))
        model = opened.load_model()
        conformal = conformal_predictor(opened, model, options.uncertainty)
        profile = None if options.profile is None else ProfileFile.open(Path(options.profile), opened, model)
    summary = write_predictions(
        model,
        source,
        target,
        options,
        append=options.append,
        conformal=conformal,
        profiler=None if profile is None else profile.profiler,
    )
    profiled = None
    if profile is not None:
        profile.add([summary.profile])
        profiled = read_profile(profile.path, profile.profiler.reference).rows
    for note in summary.notes(options) if notes_of_rows else ():
        options.note(note)
    return WrittenPredictions(target, summary, profiled)


predict_to_file = operation(PredictToFileOptions)(predict_to_file_with)


def _check_target(source: TableSource, target: OutputTarget, options: PredictToFileOptions) -> None:
    """Raise an error before any work is done if the output or the file of errors cannot be written."""
    check_output(target, source, options, append=options.append)
    file = target if isinstance(target, Path) else None
    if file is not None and options.format is None and not file.suffix and not is_stream(file):
        raise UsageError(
            "the file name does not tell the format",
            location=Location(source=str(file)),
            hint=f"For a file for each file of INPUT: -o {file}/. For one file: -o {file}.csv, or --format.",
        )
    if options.errors is not None:
        check_errors_file(Path(options.errors), source, file, force=options.force)

"""`nncli predict` into a folder: predict many files, each into a file of its own, side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from nncli.api.prediction.many_files.errors_file import write_errors_file
from nncli.api.prediction.many_files.file_to_predict import FileToPredict
from nncli.api.prediction.many_files.job import PredictionJob
from nncli.api.prediction.many_files.notes import common_notes
from nncli.api.prediction.many_files.results import FilesPrediction, FilesProgress, PredictedFile
from nncli.api.prediction.many_files.task import FileOutcome
from nncli.api.prediction.options import AnswerOptions
from nncli.api.prediction.summary import OnNote, PredictionSummary
from nncli.data.encoders.invalid_cells import OnError
from nncli.data.formats.registry import Format
from nncli.data.sources.table_source import TableLocation, TableSource, as_source
from nncli.models.conformal.options import SetScore, UncertaintyOptions

OnProgress: TypeAlias = Callable[[FilesProgress], object]


def predict_files(
    run: str | Path,
    inputs: TableLocation | Sequence[TableLocation],
    output: str | Path,
    *,
    proba: bool = False,
    keep: Sequence[str] = (),
    intervals: float | Sequence[float] = (),
    sets: float | Sequence[float] = (),
    by: str | None = None,
    per_class: bool = False,
    score: SetScore = "lac",
    format: str | None = None,  # noqa: A002 - the option's name
    escape_formulas: bool = False,
    on_error: OnError = "fail",
    errors: str | Path | None = None,
    workers: int | Literal["auto"] = "auto",
    scheduler: str | None = None,
    force: bool = False,
    on_note: OnNote | None = None,
    on_progress: OnProgress | None = None,
) -> FilesPrediction:
    """Predict files, those of folders and those that match patterns, each into a file in the folder `output`.

    Files that an earlier call has predicted are skipped. A file that cannot be predicted is `failed` in the result, and
    the others are predicted. `workers` processes predict a file at a time each, by default one for each core;
    `scheduler` is the address of a Dask scheduler, whose workers predict instead. `errors` is a CSV file of all invalid
    cells. For `intervals`, `sets`, `by`, `per_class` and `score` see `nncli.predict`. `on_progress` is called at the
    beginning and after each file, `on_note` with notes on all files at the end.

    Raises:
        RunError: the run directory is missing or damaged.
        DataError: there is no such file.
        UsageError: the answers of two files would have the same name, or without `force` one would replace a file that
            is not the answer of the same run, options and input.
    """
    locations = [inputs] if isinstance(inputs, TableSource | str | os.PathLike) else inputs
    options = AnswerOptions(
        proba,
        tuple(keep),
        on_error,
        None if format is None else Format(format),
        escape_formulas,
        uncertainty=UncertaintyOptions.of(intervals, sets, by, per_class=per_class, score=score),
    )
    errors_file = None if errors is None else Path(errors)
    job = PredictionJob.prepare(
        Path(run), [*map(as_source, locations)], Path(output), options, errors_file, force=force
    )
    return _run(job, workers, scheduler, on_note or (lambda _: None), on_progress or (lambda _: None))


def _run(
    job: PredictionJob, workers: int | Literal["auto"], scheduler: str | None, on_note: OnNote, on_progress: OnProgress
) -> FilesPrediction:
    """Predict the files of a job that are not done."""
    progress = FilesProgress(len(job.files))
    on_progress(progress)
    outcomes: dict[str, FileOutcome | None] = {}
    for file, outcome in job.outcomes(workers, scheduler):
        outcomes[file.answer] = outcome
        progress = progress.with_file(_result(job, file, outcome))
        on_progress(progress)
    if job.errors is not None and progress.done:
        write_errors_file(job.errors, job.output, [(file.name, file.answer) for file in job.files])
    in_order = [(file, outcomes[file.answer]) for file in job.files]
    summary = sum((outcome.summary for _, outcome in in_order if outcome is not None), PredictionSummary())
    notes = common_notes((file.name, outcome.notes) for file, outcome in in_order if outcome is not None)
    for note in (*notes, *summary.notes(job.options.on_error)):
        on_note(note)
    return FilesPrediction(tuple(_result(job, file, outcome) for file, outcome in in_order), summary)


def _result(job: PredictionJob, file: FileToPredict, outcome: FileOutcome | None) -> PredictedFile:
    """What has become of a file; None is the outcome of one that was done before."""
    answer = job.output / file.answer
    if outcome is None:
        return PredictedFile(file.name, answer, "skipped")
    if outcome.error is not None:
        return PredictedFile(file.name, answer, "failed", error=outcome.error)
    return PredictedFile(file.name, answer, "done", outcome.summary.rows)

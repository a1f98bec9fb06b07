"""Predictions of many files with a trained run, each in a file of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from nncli.api.options import PredictFilesOptions
from nncli.api.prediction.many_files.file_task import FileOutcome, FileToPredict, write_errors_file
from nncli.api.prediction.many_files.job import PredictionJob
from nncli.api.prediction.many_files.record import FilesPrediction, FilesProgress, PredictedFile
from nncli.api.prediction.tables import PredictionSummary
from nncli.base.option import operation
from nncli.data.sources.table_source import Inputs, input_sources


def predict_files_with(
    run: str | Path, inputs: Inputs, output: str | Path, options: PredictFilesOptions
) -> FilesPrediction:
    """Predict files, those of folders and those that match patterns, each into a file in the folder `output`.

    Files that an earlier call has predicted are skipped. A file that cannot be predicted is `failed` in the result, and
    the others are predicted. `errors` is a CSV file of all invalid cells; `on_note` is called with notes on all files
    at the end.

    Raises:
        RunError: the run directory is missing or damaged.
        DataError: there is no such file.
        UsageError: the predictions of two files would have the same name, or without `force` they would replace a file
            that is not of the same run, options and input.
    """
    job = PredictionJob.prepare(Path(run), input_sources(inputs), Path(output), options)
    progress = FilesProgress(len(job.files))
    options.on_progress(progress)
    outcomes: dict[str, FileOutcome | None] = {}
    for file, outcome in job.outcomes():
        outcomes[file.answer] = outcome
        progress = progress.with_file(_result(job, file, outcome))
        options.on_progress(progress)
    if options.errors_file is not None and progress.done:
        write_errors_file(options.errors_file, job.output, [(file.name, file.answer) for file in job.files])
    in_order = [(file, outcomes[file.answer]) for file in job.files]
    summary = sum((outcome.summary for _, outcome in in_order if outcome is not None), PredictionSummary())
    notes = common_notes((file.name, outcome.notes) for file, outcome in in_order if outcome is not None)
    options.note(*notes, *summary.notes(options))
    return FilesPrediction(tuple(_result(job, file, outcome) for file, outcome in in_order), summary)


predict_files = operation(PredictFilesOptions)(predict_files_with)


def _result(job: PredictionJob, file: FileToPredict, outcome: FileOutcome | None) -> PredictedFile:
    """What has become of a file; None is the outcome of one that was done before."""
    answer = job.output / file.answer
    if outcome is None:
        return PredictedFile(file.name, answer, "skipped")
    if outcome.error is not None:
        return PredictedFile(file.name, answer, "failed", error=outcome.error)
    return PredictedFile(file.name, answer, "done", outcome.summary.rows)


MAX_NOTES = 5


def common_notes(notes: Iterable[tuple[str, tuple[str, ...]]]) -> Iterator[str]:
    """The different notes of files, each given by its name and its notes; the same note of several files is one.

    >>> list(common_notes([("a.csv", ("a.csv: read with encoding latin-1",)),
    ...                    ("b.csv", ("b.csv: read with encoding latin-1",))]))
    ['a.csv: read with encoding latin-1 (and 1 more file)']
    """
    names: dict[str, list[str]] = {}
    for name, lines in notes:
        for line in lines:
            names.setdefault(line.removeprefix(f"{name}: "), []).append(name)
    for text, files in [*names.items()][:MAX_NOTES]:
        more = len(files) - 1
        yield f"{files[0]}: {text}" + (f" (and {more:,} more file{'s' * (more > 1)})" if more else "")
    others = {file for files in [*names.values()][MAX_NOTES:] for file in files}
    if others:
        yield f"other notes on {len(others):,} file{'s' * (len(others) > 1)}"

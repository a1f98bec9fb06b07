"""The prediction of many files: checks before any work, then a task for each file that is not done."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from nncli.api.options import PredictFilesOptions, ignore
from nncli.api.prediction.many_files.file_task import (
    FileOutcome,
    FileToPredict,
    PredictionTask,
    load_model,
    part_of,
    predict_file,
)
from nncli.api.prediction.many_files.inputs import input_files
from nncli.api.prediction.many_files.record import AnswersRecord, new_record, options_of
from nncli.api.prediction.tables import TargetModels
from nncli.base.atomic_files import check_overwrite, clear_leftovers
from nncli.base.errors import Advice, Location, NncliError, UsageError
from nncli.base.logs import log_duration
from nncli.data.formats.file_format import load_format
from nncli.data.formats.registry import FORMATS, FileOptions, format_of
from nncli.data.sources.output import check_input_kept
from nncli.data.sources.table_source import TableSource
from nncli.fitting.parallel.task_stream import MAX_LOSSES, TaskStream, Workers
from nncli.fitting.timing import WORTH_A_PROCESS
from nncli.run_directory.run import Run

RECORD = ".nncli-predict.json"
"""The name of the record in the output folder."""
FEW_BYTES, SHARE_OF_A_SMALL_FILE = 2_000_000, 0.1
"""Bytes that no process is started for, and a share of all bytes that may be predicted before processes start."""


@dataclass(frozen=True)
class PredictionJob:
    """Files to predict into the folder `output` by the run whose manifest has a checksum.

    `done` are the names of the answers there are.
    """

    run: Path
    checksum: str
    files: tuple[FileToPredict, ...]
    done: frozenset[str]
    record: AnswersRecord
    output: Path
    options: PredictFilesOptions

    @classmethod
    def prepare(
        cls,
        run: Path,
        sources: Sequence[TableSource],
        output: Path,
        options: PredictFilesOptions,
    ) -> PredictionJob:
        """Check everything that can be checked before any work.

        Raises:
            RunError: the run directory is missing or damaged.
            DataError: there is no such file.
            UsageError: an option does not fit, or a file would be replaced; see `input_files` and `new_record`.
        """
        with log_duration(f"loading {run}"):
            checksum = Run.open(run).load_manifest().checksum
            model, _ = load_model(str(run.absolute()), checksum, options.uncertainty)
        errors, force = options.errors_file, options.force
        if not isinstance(model, TargetModels):
            options.check_columns(model)
        if output.exists() and not output.is_dir():
            raise UsageError(
                "this is a file, not a folder", location=Location(source=str(output)), hint="Name a folder."
            )
        files = input_files(sources, output, options.file_format)
        _check_formats(files, options)
        old = AnswersRecord.read(output / RECORD, force=force)
        recorded = options_of(options, sources[0])
        if errors is not None:
            check_overwrite(errors, force=force or (old is not None and old.options == recorded))
            for file in files:
                check_input_kept(file.source, errors, option="errors")
        record, done = new_record(output, checksum, recorded, files, old, force=force)
        return cls(run.absolute(), checksum, files, done, record, output.absolute(), options)

    def outcomes(self) -> Generator[tuple[FileToPredict, FileOutcome | None], None, None]:
        """Yield each file as it ends with its outcome, those that are done already first, without one.

        Raises:
            NncliError: an answer cannot be written.
        """
        yield from ((file, None) for file in self.files if file.answer in self.done)
        # The largest first, so that the workers end at the same time.
        left = sorted((file for file in self.files if file.answer not in self.done), key=lambda file: -file.state.size)
        if not left:
            return
        self.record.write(self.output / RECORD)
        self._clear_leftovers(left)
        workers = Workers(self.options.workers, self.options.scheduler)
        with log_duration("predicting") as stage:
            count = workers.count(len(left))
            stage.details.append(f"{len(left):,} files")
            if not workers.are_remote:
                stage.details.append(f"{count:,} at a time")
            if workers.begin_here(count):
                yield from self._predict_here(left, count, threads=workers.requested != 1)
            if left:
                yield from self._predict_elsewhere(left, workers)

    def _predict_here(
        self, left: list[FileToPredict], count: int, *, threads: bool
    ) -> Generator[tuple[FileToPredict, FileOutcome | None], None, None]:
        """Predict files in this process, the smallest first, and remove them from `left`.

        With several workers only as long as starting them would take longer than they save.
        """
        start, done = time.monotonic(), 0
        while left and (count == 1 or is_quick(left, done, time.monotonic() - start)):
            file = left.pop()
            yield file, predict_file(self._task(file, threads=threads))
            done += file.state.size

    def _predict_elsewhere(
        self, left: Sequence[FileToPredict], workers: Workers
    ) -> Generator[tuple[FileToPredict, FileOutcome | None], None, None]:
        """Predict files in worker processes or on a cluster."""
        tasks = {self._task(file, is_remote=workers.are_remote): file for file in left}
        with (
            self._cleared(() if workers.are_remote else left),
            TaskStream(predict_file, lambda task: _of_lost(tasks[task]), len(left), workers, queued=1) as stream,
            closing(stream.results(tasks)) as results,
        ):
            for task, outcome in results:
                yield tasks[task], outcome

    @contextmanager
    def _cleared(self, files: Sequence[FileToPredict]) -> Iterator[None]:
        """Remove the temporary files of processes that were killed if the block is left by an error or a signal."""
        try:
            yield
        except BaseException:
            self._clear_leftovers(files)
            raise

    def _clear_leftovers(self, files: Iterable[FileToPredict]) -> None:
        """Remove the temporary files of processes that were killed beside the files' answers and invalid cells."""
        paths = (path for file in files for path in (self.output / file.answer, part_of(self.output, file.answer)))
        for folder in {path.parent for path in paths}:
            clear_leftovers(folder)

    def _task(self, file: FileToPredict, *, threads: bool = False, is_remote: bool = False) -> PredictionTask:
        """The task of a file, for several threads or one; a process on another machine needs an absolute path."""
        source = file.source
        errors = None if self.options.errors is None else part_of(self.output, file.answer)
        return PredictionTask(
            run=str(self.run),
            checksum=self.checksum,
            path=os.path.abspath(file.name) if is_remote and file.state.tag is None else file.name,  # noqa: PTH100
            source=source.model_copy(update=source.relative_to(Path.cwd())) if is_remote else source,
            state=file.state,
            output=str(self.output / file.answer),
            options=replace(self.options, errors=errors, force=True, on_note=None, on_progress=ignore),
            predictors=None if threads else 0,
        )


def is_quick(left: Sequence[FileToPredict], done: int, seconds: float) -> bool:
    """Whether files, the smallest of them last, are predicted faster here than by processes that have to start.

    `done` bytes took `seconds`. If nothing is measured yet, a small file is predicted here to measure the speed.
    """
    size = sum(file.state.size for file in left)
    if not done:
        return size <= FEW_BYTES or left[-1].state.size <= SHARE_OF_A_SMALL_FILE * size
    return seconds / done * size <= WORTH_A_PROCESS


def _check_formats(files: Sequence[FileToPredict], options: FileOptions) -> None:
    """Raise a UsageError if a format cannot be written, or not with an option of CSV."""
    use = FileOptions.use
    if options.file_format is not None and not FORMATS[options.file_format].is_written:
        raise UsageError(f"{options.format} can only be read", hint="Write parquet or arrow: they have the same types.")
    option = options.text_option
    for file in files if option is not None else ():
        if option is not None and not load_format(format_of(Path(file.answer))).is_delimited:
            raise UsageError(
                Advice(option, " is for CSV and TSV only"),
                location=Location(source=file.answer),
                hint=Advice("Add ", use("format", "csv"), ", or remove ", option, "."),
            )


def _of_lost(file: FileToPredict) -> FileOutcome:
    error = NncliError(
        f"the process that predicted this file died, {1 + MAX_LOSSES} times: "
        "perhaps the system was short of memory and killed it",
        location=Location(source=file.name),
        hint=Advice("Start the command again with ", PredictFilesOptions.use("workers", 1), "."),
    )
    return FileOutcome(error=error)

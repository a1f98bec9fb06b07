"""The prediction of one file as a task, which gives the same bytes in whichever process."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import count
from pathlib import Path

import polars as pl

from nncli.api.options import PredictFilesOptions
from nncli.api.prediction.tables import AnyPredictor, PredictionSummary, load_predictor
from nncli.api.prediction.to_file import write_predictions
from nncli.base.errors import DataError, Location, NncliError, RunError, UsageError
from nncli.base.spec import NonNegativeInt, Spec
from nncli.data.encoders.anomalies import FILE_SCHEMA
from nncli.data.formats.registry import FileOptions, Format
from nncli.data.formats.writers import open_sink
from nncli.data.sources.remote.stored_object import ObjectVersion, StoredObject
from nncli.data.sources.remote.stores import ObjectUrl
from nncli.data.sources.table_source import TableSource
from nncli.fitting.parallel.task_stream import shutdown_requested, task_lock
from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.run_directory.run import Run


class FileState(Spec):
    """The size of a file and the time of its last change, or the ETag of an object, which tell whether it changed."""

    size: NonNegativeInt
    mtime_ns: int | None = None
    tag: str | None = None

    @classmethod
    def of(cls, path: str | Path) -> FileState:
        """The state of an existing file."""
        status = os.stat(path)  # noqa: PTH116
        return cls(size=status.st_size, mtime_ns=status.st_mtime_ns)

    @classmethod
    def of_object(cls, version: ObjectVersion) -> FileState:
        """The state of an object of an object store."""
        return cls(size=version.size, tag=version.tag)

    def is_present(self, path: str) -> bool:
        """Whether a file or an object is still in this state."""
        if self.tag is None:
            return FileState.of(path) == self
        return FileState.of_object(StoredObject(ObjectUrl.parse(path)).version()) == self


@dataclass(frozen=True)
class FileToPredict:
    """A file to predict: its path as the user wrote it, how it is read, its state, and the path of its answer.

    `answer` is relative to the output folder.
    """

    name: str
    source: TableSource
    state: FileState
    answer: str


@dataclass(frozen=True)
class PredictionTask:
    """The prediction of a file into another one, by the run whose manifest has a checksum.

    `path` and `state` are those of the input; the errors of the options are a part of them. For `predictors` see
    `predict_source`.
    """

    run: str
    checksum: str
    path: str
    source: TableSource
    state: FileState
    output: str
    options: PredictFilesOptions
    predictors: int | None = None


@dataclass(frozen=True)
class FileOutcome:
    """The counts and notes of a predicted file, or the error that its table has."""

    summary: PredictionSummary = field(default_factory=PredictionSummary)
    notes: tuple[str, ...] = ()
    error: NncliError | None = None


class LeavingError(Exception):
    """The process has to end before the file is predicted."""


@lru_cache(maxsize=1)
def load_model(run: str, checksum: str, options: UncertaintyOptions) -> tuple[AnyPredictor, ConformalPredictor | None]:
    """The model of a run with its calibration, which a process reads and computes once.

    Raises:
        RunError: the run is damaged, or has another checksum.
        NncliError: see `conformal_predictor`.
    """
    opened = Run.open(Path(run))
    if opened.load_manifest().checksum != checksum:
        raise RunError("the run has changed since the command began", location=Location(source=run))
    return load_predictor(opened, options)


def predict_file(task: PredictionTask) -> FileOutcome | None:
    """Predict a file; an answer that exists is replaced. None: the process has to end.

    Raises:
        NncliError: the run cannot be read, or the answer not be written.
    """
    with task_lock:
        model, conformal = load_model(task.run, task.checksum, task.options.uncertainty)
        try:
            return _predict(model, conformal, task)
        except LeavingError:
            return None
        except (DataError, UsageError) as error:
            return FileOutcome(error=error.with_traceback(None))


def _predict(model: AnyPredictor, conformal: ConformalPredictor | None, task: PredictionTask) -> FileOutcome:
    notes: list[str] = []
    chunks = count()

    def check() -> None:
        if shutdown_requested.is_set():
            raise LeavingError
        # An object was downloaded whole before its first chunk.
        if (task.state.tag is None or next(chunks) == 0) and not task.state.is_present(task.path):
            raise DataError(
                "the file changed while it was predicted",
                location=Location(source=task.path),
                hint="Start the command again once the file is complete.",
            )

    summary = write_predictions(
        model,
        task.source,
        Path(task.output),
        replace(task.options, on_note=notes.append),
        errors_format=Format.PARQUET,
        on_chunk=check,
        conformal=conformal,
        predictors=task.predictors,
    )
    return FileOutcome(summary, tuple(notes))


PARTS = ".nncli-predict"
"""The folder of the parts in the output folder. They stay, for when further files are predicted."""


def part_of(output: Path, answer: str) -> Path:
    """The file of the invalid cells of one file, by the name of its answer."""
    return output / PARTS / f"{answer}.parquet"


def write_errors_file(path: Path, output: Path, files: Iterable[tuple[str, str]]) -> None:
    """Write the invalid cells of files, each given by its name and the name of its answer, with a column `file`."""
    with open_sink(path, FileOptions(format=Format.CSV, force=True)) as sink:
        sink.write(pl.DataFrame(schema=FILE_SCHEMA))
        for name, answer in files:
            part = part_of(output, answer)
            if part.exists():
                cells = pl.read_parquet(part)
                sink.write(cells.insert_column(0, pl.Series("file", [name] * len(cells), pl.String)))

"""The predictions of a table in a file, and its invalid cells in another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path

import polars as pl

from nncli.api.options import ErrorsOptions, WriteOptions
from nncli.api.prediction.tables import (
    AnyPredictor,
    OnInvalid,
    PredictionSummary,
    predict_source,
)
from nncli.base.atomic_files import check_overwrite
from nncli.base.errors import Advice, Location, UsageError
from nncli.data.encoders.anomalies import InvalidCells
from nncli.data.formats.registry import FileOptions, Format
from nncli.data.formats.writers import open_sink
from nncli.data.sources.open import open_reader
from nncli.data.sources.output import OutputTarget, check_input_kept, has_lists, open_output
from nncli.data.sources.table_source import TableSource
from nncli.models.conformal.predictor import ConformalPredictor, sets_as_text
from nncli.run_directory.monitoring.profiler import Profiler


@contextmanager
def open_errors(
    options: ErrorsOptions,
    *,
    force: bool = True,
    format: Format = Format.CSV,  # noqa: A002
    by_file: bool = False,
) -> Iterator[OnInvalid | None]:
    """Yield a function that appends invalid cells to their file; None without one. `by_file`: see InvalidCells.

    Raises:
        UsageError: every invalid cell is an error, which leaves nothing to write, or the file exists without `force`.
    """
    path = options.errors_file
    if path is None:
        yield None
        return
    with open_sink(path, FileOptions(format=format, force=force)) as sink:
        sink.write(InvalidCells.none(by_file=by_file).frame)
        yield sink.write


def write_predictions(
    model: AnyPredictor,
    source: TableSource,
    target: OutputTarget,
    options: WriteOptions,
    *,
    append: bool = False,
    errors_format: Format = Format.CSV,
    on_chunk: Callable[[], object] | None = None,
    conformal: ConformalPredictor | None = None,
    profiler: Profiler | None = None,
    predictors: int | None = None,
) -> PredictionSummary:
    """Predict every row of a table, chunk by chunk, into `target`; None is standard output.

    `on_chunk` is called after each chunk, before the file appears. The file of `errors` appears before `target`. The
    other arguments are those of `predict_source` and `open_errors`.
    """
    by_file = options.errors is not None and open_reader(source).has_several_files
    written = open_errors(options, force=options.force, format=errors_format, by_file=by_file)
    summaries: list[PredictionSummary] = []
    with ExitStack() as stack, written as on_invalid:
        frames = predict_source(
            model,
            source,
            options,
            on_invalid=on_invalid,
            on_summary=summaries.append,
            conformal=conformal,
            profiler=profiler,
            predictors=predictors,
        )
        first = next(frames)  # an error in the first rows shows before a file is created
        sink = stack.enter_context(open_output(target, options, append=append))
        predicted = first[:, len({*options.keep}) :]
        lists = [name for name, dtype in predicted.schema.items() if isinstance(dtype, pl.List)]
        as_text = [] if has_lists(target, options.file_format) else lists
        for frame in chain([first], frames):
            sink.write(sets_as_text(frame, as_text))
            if on_chunk is not None:
                on_chunk()
    return summaries[0]


ANOTHER_FILE = Advice("Name another file for ", ErrorsOptions.use("errors"), ".")


def check_errors_file(errors: Path, source: TableSource, target: Path | None, *, force: bool) -> None:
    """Raise a UsageError if the file of invalid cells exists, or is read or is the output."""
    if str(errors) == "-":
        raise UsageError(
            "invalid cells cannot go to standard output",
            hint=Advice("Name a file for ", ErrorsOptions.use("errors"), "."),
        )
    if target is not None and errors.resolve() == target.resolve():
        message = "the predictions are written to this file"
        raise UsageError(message, location=Location(source=str(errors)), hint=ANOTHER_FILE)
    check_overwrite(errors, force=force)
    check_input_kept(source, errors, option="errors")

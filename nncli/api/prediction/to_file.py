"""The predictions of a table in a file, and its invalid cells in another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path

from nncli.api.prediction.chunks import predict_chunks
from nncli.api.prediction.options import AnswerOptions, check_errors_option
from nncli.api.prediction.summary import OnInvalid, OnNote, OnSummary
from nncli.data.encoders.invalid_cells import InvalidCells, OnError
from nncli.data.formats.registry import Format
from nncli.data.formats.writers import open_sink
from nncli.data.sources.open import open_reader
from nncli.data.sources.output import OutputTarget, has_lists, open_output
from nncli.data.sources.table_source import TableSource
from nncli.models.conformal.predictions import sets_as_text
from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.ensemble import AnyModel
from nncli.runs.monitoring.profiler import Profiler


@contextmanager
def open_errors(
    path: Path | None,
    on_error: OnError,
    *,
    force: bool = False,
    format: Format = Format.CSV,  # noqa: A002
    by_file: bool = False,
) -> Iterator[OnInvalid | None]:
    """Yield a function that appends invalid cells to the file `path`; None without a path. `by_file`: see InvalidCells.

    Raises:
        UsageError: `on_error` is fail, which leaves nothing to write, or the file exists and `force` is false.
    """
    if path is None:
        yield None
        return
    check_errors_option(path, on_error)
    with open_sink(path, format=format, force=force) as sink:
        sink.write(InvalidCells.none(by_file=by_file).frame)
        yield sink.write


def predict_to_file(
    model: AnyModel,
    source: TableSource,
    target: OutputTarget,
    options: AnswerOptions,
    *,
    force: bool = False,
    errors: Path | None = None,
    errors_format: Format = Format.CSV,
    on_note: OnNote | None = None,
    on_summary: OnSummary | None = None,
    on_chunk: Callable[[], object] | None = None,
    conformal: ConformalPredictor | None = None,
    profiler: Profiler | None = None,
    predictors: int | None = None,
) -> None:
    """Predict every row of a table, chunk by chunk, into `target`; None is standard output.

    `on_chunk` is called after each chunk, before the file appears. The file of `errors` appears before `target`. The
    other arguments are those of `predict_chunks` and `open_errors`.
    """
    by_file = errors is not None and open_reader(source).has_several_files
    written = open_errors(errors, options.on_error, force=force, format=errors_format, by_file=by_file)
    with ExitStack() as stack, written as on_invalid:
        frames = predict_chunks(
            model,
            source,
            proba=options.proba,
            keep=options.keep,
            on_error=options.on_error,
            on_invalid=on_invalid,
            on_note=on_note,
            on_summary=on_summary,
            conformal=conformal,
            profiler=profiler,
            predictors=predictors,
        )
        first = next(frames)  # an error in the first rows shows before a file is created
        sink = stack.enter_context(
            open_output(
                target,
                format=options.format,
                force=force,
                append=options.append,
                escape_formulas=options.escape_formulas,
            )
        )
        sets = [] if conformal is None or has_lists(target, options.format) else conformal.set_columns
        for frame in chain([first], frames):
            sink.write(sets_as_text(frame, sets))
            if on_chunk is not None:
                on_chunk()

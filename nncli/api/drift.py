"""`nncli drift`: compare new rows with the training rows of a run."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nncli.analysis.drift_report import Drift, DriftWindow, compare
from nncli.api.options import DriftOptions
from nncli.api.prediction.profile_file import is_profile_file, profiler_of, read_profile, reference_of_run
from nncli.api.prediction.profiles import WHOLE, BatchKey, TableProfile, profile_table, profile_tables
from nncli.base.errors import Advice, DataError, Location, RunError, UsageError
from nncli.base.logs import log_duration
from nncli.base.option import operation
from nncli.data.sources.table_source import TableLocation, TableSource, as_source
from nncli.models.ensemble import AnyModel
from nncli.models.read_table import source_name, table_of
from nncli.run_directory.config import read_config
from nncli.run_directory.monitoring.profiler import Profiler
from nncli.run_directory.monitoring.reference import Reference
from nncli.run_directory.run import Run

if TYPE_CHECKING:
    from nncli.data.formats.dataframes import Frame


def drift_with(run: str | Path, data: TableLocation | Frame, options: DriftOptions) -> Drift:
    """Compare new rows with the training rows of a run: a table, a frame, or a profile that `predict` wrote (.json).

    The new rows need the feature columns. With the target's column, true scores are computed too. A run of several
    targets has a result for each.

    Raises:
        UsageError: `every` and `by` are both given, or with a profile; or there are too many batches.
        RunError: the run directory is missing or damaged, or has no reference profile.
        DataError: the table cannot be read, has no rows, or lacks a column; or a profile is damaged or another run's.
    """
    every, by = options.every, options.by
    _check_options(every, by, options.limit)
    with log_duration(f"loading {run}"):
        opened = Run.open(Path(run))
        reference = reference_of_run(opened)
    notes: dict[str, None] = {}
    quiet = replace(options, on_note=lambda text: notes.setdefault(text))
    if targets := opened.each_target(lambda _, path: drift_with(path, data, quiet), data):
        options.note(*notes)  # each once
        return Drift(reference, (), options.limit, str(run), source_name(data), by, targets=targets)
    if is_profile_file(data):
        path = Path(as_source(data).path) if isinstance(data, TableSource) else Path(str(data))
        if every is not None or by is not None:
            raise UsageError(
                "a profile cannot be divided into batches", location=Location(source=str(path)), hint="Name a table."
            )
        profile = read_profile(path, reference)
        profiled, decision = TableProfile({WHOLE: profile}), profile.decision
    else:
        model = opened.load_model()
        profiler = profiler_of(opened, model)
        profiled, decision = _profile(model, profiler, data, options), profiler.decision
    if decision and any(profile.performance is not None for profile in profiled.batches.values()):
        options.note(f"accuracy is that of the classes by the saved decision: {decision}")
    with log_duration("comparing"):
        time = _time_column(opened, reference)
        without = {name for name in (by, time) if name is not None}
        batches = [
            DriftWindow(
                _name(key, every, by, profiled.last_row), compare(reference, profile, options.limit, without=without)
            )
            for key, profile in sorted(profiled.batches.items(), key=lambda item: item[0])
            if profile.rows
        ]
    if not batches:
        raise DataError("there are no rows to compare", location=Location(source=source_name(data)))
    result = Drift(reference, tuple(batches), options.limit, str(run), source_name(data), by, time)
    options.note(*result.notes)
    return result


drift = operation(DriftOptions)(drift_with)


def _time_column(run: Run, reference: Reference) -> str | None:
    """The feature by which the run split its rows in time; None without one, and without its configuration."""
    with suppress(RunError):
        time = read_config(run.path).data.time
        return time if time in [bins.name for bins in reference.columns] else None
    return None


def _profile(model: AnyModel, profiler: Profiler, data: TableLocation | Frame, options: DriftOptions) -> TableProfile:
    """The profile of each batch of a table or a frame."""
    with log_duration("reading, predicting and profiling") as stage:
        if isinstance(data, TableSource | str | os.PathLike):
            profile = profile_table(model, profiler, data, options)
        else:
            profile = profile_tables(model, profiler, iter([table_of(model, data)]), options)
        stage.details.append(f"{profile.summary.rows:,} rows")
    options.note(*profile.summary.notes(options))
    return profile


def _check_options(every: int | None, by: str | None, limit: float) -> None:
    """Raise a UsageError if the options contradict each other."""
    use = DriftOptions.use
    if every is not None and by is not None:
        raise UsageError(Advice(use("every"), " and ", use("by"), " both divide the rows"), hint="Use one of them.")
    if every is not None and every < 1:
        raise UsageError(Advice(use("every"), f" is {every:,}"), hint="Use at least 1, better 500 rows or more.")
    if not 0.0 <= limit < float("inf"):
        raise UsageError(Advice(use("limit"), f" is {limit:g}"), hint="Use a number from 0, such as 0.1.")


def _name(key: BatchKey, every: int | None, by: str | None, last_row: int) -> str:
    if by is not None:
        return str(key)
    return "all" if every is None else f"{int(key) * every + 1}-{min((int(key) + 1) * every, last_row)}"

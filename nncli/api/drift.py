"""`nncli drift`: compare new rows with the training rows of a run."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncli.analysis.drift import ColumnDrift, Comparison, Performance, compare
from nncli.analysis.drift_limits import LIMIT, VALIDITY
from nncli.api.prediction.frame import table_of
from nncli.api.prediction.profile_file import is_profile_file, profiler_of, read_profile, reference_of_run
from nncli.api.prediction.profiles import WHOLE, Batches, BatchKey, TableProfile, profile_table, profile_tables
from nncli.api.prediction.summary import OnNote
from nncli.base.errors import DataError, Location, UsageError
from nncli.base.logs import log_duration
from nncli.base.text import json_safe, quote
from nncli.data.encoders.invalid_cells import OnError
from nncli.data.sources.table_source import TableLocation, TableSource, as_source
from nncli.models.ensemble import AnyModel
from nncli.runs.monitoring.bins import CategoryBins
from nncli.runs.monitoring.profiler import Profiler
from nncli.runs.monitoring.reference import Reference
from nncli.runs.run import Run

if TYPE_CHECKING:
    from nncli.data.formats.dataframes import Frame


@dataclass(frozen=True)
class Batch:
    """Some rows of a table, with their `comparison`; `name` is `all`, the numbers of the rows, or their value."""

    name: str
    comparison: Comparison


@dataclass(frozen=True)
class Drift:
    """The drift of new rows, in batches; the `reference` is the profile of the training rows of `run`.

    `data` is the name of the table or profile. The column `by`, whose values divide the rows, is not compared.
    """

    reference: Reference
    batches: tuple[Batch, ...]
    limit: float
    run: str
    data: str
    by: str | None = None

    @property
    def has_drift(self) -> bool:
        """Whether a column or a prediction has drifted in any batch."""
        return any(batch.comparison.drifted for batch in self.batches)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not compared, and why."""
        notes = []
        if self.by in [bins.name for bins in self.reference.columns]:
            notes.append(f"{quote(self.by or '')} is not compared: each batch holds one value of it")
        if not self.reference.predictions:
            notes.append("predictions and scores are not compared: the run has no held-out rows (validation: 0)")
        return tuple(notes)

    def json(self) -> dict[str, Any]:
        """{"run": …, "data": …, "reference_rows": …, "limit": …, "drift": …, "batches": [{"batch": …, …}]}."""
        document = {
            "run": self.run,
            "data": self.data,
            "reference_rows": self.reference.total,
            "limit": self.limit,
            "drift": self.has_drift,
            "batches": [_batch_json(batch) for batch in self.batches],
        }
        found: dict[str, Any] = json_safe(document)
        return found


def drift(
    run: str | Path,
    data: TableLocation | Frame,
    *,
    every: int | None = None,
    by: str | None = None,
    limit: float = LIMIT,
    on_error: OnError = "fail",
    on_note: OnNote | None = None,
) -> Drift:
    """Compare new rows with the training rows of a run: a table, a frame, or a profile that `predict` wrote (.json).

    Args:
        run: a run directory.
        data: the new rows; they need the feature columns. With the target's column, true scores stand beside estimates.
        every: compare batches of so many rows, in the order of the table.
        by: compare the rows of each value of this column, which itself is not compared.
        limit: the population stability index beyond its expectation from which a difference is drift.
        on_error: what to do with cells that cannot be read, as in `nncli.predict`.
        on_note: called with notes on how the table was read, on unexpected values, and on what is not compared.

    Raises:
        UsageError: `every` and `by` are both given, or with a profile; or there are too many batches.
        RunError: the run directory is missing or damaged, or has no reference profile.
        DataError: the table cannot be read, has no rows, or lacks a column; or a profile is damaged or another run's.
    """
    _check_options(every, by, limit)
    with log_duration(f"loading {run}"):
        opened = Run.open(Path(run))
        reference = reference_of_run(opened)
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
        profiled, decision = _profile(model, profiler, data, Batches(every, by), on_error, on_note), profiler.decision
    if decision and on_note is not None:
        on_note(f"accuracy is that of the classes by the saved decision: {decision}")
    with log_duration("comparing"):
        batches = [
            Batch(_name(key, every, by, profiled.last_row), compare(reference, profile, limit, without=by))
            for key, profile in sorted(profiled.batches.items(), key=lambda item: item[0])
            if profile.rows
        ]
    if not batches:
        raise DataError("there are no rows to compare", location=Location(source=_source_name(data)))
    found = Drift(reference, tuple(batches), limit, str(run), _source_name(data), by)
    if on_note is not None:
        for note in found.notes:
            on_note(note)
    return found


def _profile(
    model: AnyModel,
    profiler: Profiler,
    data: TableLocation | Frame,
    batches: Batches,
    on_error: OnError,
    on_note: OnNote | None,
) -> TableProfile:
    """The profile of each batch of a table or a frame."""
    with log_duration("reading, predicting and profiling") as stage:
        if isinstance(data, TableSource | str | os.PathLike):
            found = profile_table(model, profiler, data, batches, on_error=on_error, on_note=on_note)
        else:
            tables = iter([table_of(model, data)])
            found = profile_tables(model, profiler, tables, batches, on_error=on_error, on_note=on_note)
        stage.details.append(f"{found.summary.rows:,} rows")
    if on_note is not None:
        for note in found.summary.notes(on_error):
            on_note(note)
    return found


def _check_options(every: int | None, by: str | None, limit: float) -> None:
    """Raise a UsageError if the options contradict each other."""
    if every is not None and by is not None:
        raise UsageError("--every and --by both divide the rows", hint="Use one of them.")
    if every is not None and every < 1:
        raise UsageError(f"--every is {every:,}", hint="Use at least 1, better 500 rows or more.")
    if not 0.0 <= limit < float("inf"):
        raise UsageError(f"--limit is {limit:g}", hint="Use a number from 0, such as 0.1.")


def _source_name(data: object) -> str:
    return str(as_source(data).path) if isinstance(data, TableSource | str | os.PathLike) else "the frame"


def _name(key: BatchKey, every: int | None, by: str | None, last_row: int) -> str:
    if by is not None:
        return str(key)
    return "all" if every is None else f"{int(key) * every + 1}-{min((int(key) + 1) * every, last_row)}"


def _batch_json(batch: Batch) -> dict[str, Any]:
    comparison = batch.comparison
    return {
        "batch": batch.name,
        "rows": comparison.rows,
        "drift": bool(comparison.drifted),
        "columns": [_column_json(column) for column in comparison.columns],
        "predictions": [_column_json(column) for column in comparison.predictions],
        "performance": None if comparison.performance is None else _performance_json(comparison.performance),
    }


def _column_json(column: ColumnDrift) -> dict[str, Any]:
    is_category = isinstance(column.bins, CategoryBins)
    return {
        "column": column.name,
        "measure": "category" if isinstance(column.bins, CategoryBins) else column.bins.measure,
        "drift": list(column.drifted),
        "distance": "jensen_shannon" if is_category else "kolmogorov_smirnov",
        "tests": [asdict(test) for test in column.tests],
    }


def _performance_json(performance: Performance) -> dict[str, Any]:
    return {
        "valid": VALIDITY,
        "estimated": asdict(performance.estimated),
        "labeled_rows": performance.labeled,
        "unknown_classes": performance.unknown,
        "actual": asdict(performance.actual) if performance.labeled else None,
    }

"""`nncli reproduce`: train a run again, and compare the result with what the run records."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

from nncli.analysis.reproduction.run_record import RunRecord
from nncli.analysis.reproduction.training import reproduce_run
from nncli.analysis.reproduction.verdict import Reproduction
from nncli.data.sources.table_source import TableLocation
from nncli.fitting.train.events import Event


def reproduce(
    run: str | Path,
    *,
    data: TableLocation | None = None,
    validation: TableLocation | None = None,
    quick: int | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Reproduction | None:
    """Train a run again from its own config.yaml, and compare weights, history, metrics and predictions.

    The training is in a temporary folder, with the backend, the threads and the epochs of the run; the run is not
    changed. Returns None if it was stopped.

    Args:
        run: the run directory.
        data: the table, if it is in another place now.
        validation: the validation file, if it is in another place now.
        quick: compare so many epochs with history.csv, and train no further.
        stop: called after every batch, or some twenty times a second in compiled loops; once it returns True, the
            training ends.

    Raises:
        RunError: the run is missing or damaged, its training is not finished, or its backend is not installed.
        UsageError: the run has fewer epochs than `quick`, or no validation file.
        DataError: a table cannot be read.
    """
    with closing(reproduction_events(run, data=data, validation=validation, quick=quick, stop=stop)) as events:
        return next((event for event in events if isinstance(event, Reproduction)), None)


def reproduction_events(
    run: str | Path,
    *,
    data: TableLocation | None = None,
    validation: TableLocation | None = None,
    quick: int | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event | Reproduction, None, None]:
    """As `reproduce`, event by event: those of the training but for the last one, then the `Reproduction`."""
    recorded = RunRecord.open(Path(run))
    yield from reproduce_run(recorded, data=data, validation=validation, quick=quick, stop=stop)

"""`nncli reproduce`: train a run again, and compare the result with what the run records."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from nncli.analysis.reproduction.reproduction import Reproduction, reproduce_run
from nncli.api.options import ReproduceOptions
from nncli.base.option import operation
from nncli.fitting.train.events import Event


@operation(ReproduceOptions)
def reproduce(run: str | Path, options: ReproduceOptions) -> Reproduction | None:
    """Train a run again from its own config.yaml, and compare weights, history, metrics and predictions.

    The training is in a temporary folder, with the backend, the threads and the epochs of the run; the run is not
    changed. Returns None if it was stopped.

    Raises:
        RunError: the run is missing or damaged, its training is not finished, or its backend is not installed.
        UsageError: the run has fewer epochs than `quick`, or no validation file.
        DataError: a table cannot be read.
    """
    with closing(reproduction_events_with(run, options)) as events:
        return next((event for event in events if isinstance(event, Reproduction)), None)


def reproduction_events_with(run: str | Path, options: ReproduceOptions) -> Generator[Event | Reproduction, None, None]:
    """As `reproduce`, event by event: those of the training but for the last one, then the `Reproduction`."""
    given = options
    yield from reproduce_run(run, data=given.data, validation=given.validation, quick=given.quick, stop=given.stop)


reproduction_events = operation(ReproduceOptions)(reproduction_events_with)

"""`nncli distill`: teach one small network the predictions of a run."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from nncli.api.train import train_events
from nncli.base.errors import UsageError
from nncli.fitting.student import student_config
from nncli.fitting.train.events import Event, Finished

UNITS = 64
"""Units of each layer of a student."""
MAX_UNITS = 1 << 16
"""More are a typing error."""


def distill(
    run: str | Path,
    *,
    output: str | Path | None = None,
    units: int = UNITS,
    assignments: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
) -> Finished:
    """Train one small network on the predictions of a run, and return the final event; its `run` is a run directory.

    The network learns the run's out-of-fold and in-sample predictions of the training rows, and its predictions of rows
    that are made by swapping cells. See the page "Make an ensemble small and fast".

    Args:
        run: the run directory of the teacher, mostly an ensemble.
        output: the run directory to create; default: that of the teacher with -student at its end.
        units: the units of each of the two layers.
        assignments: overrides of the configuration of the new run, such as `epochs=30`.
        stop: called after every batch; once it returns True, the training is saved and ends.

    Raises:
        RunError: the run is missing, damaged or not trained.
        ConfigError: an assignment is not valid.
        UsageError: its predictions are not what a network can be taught.
        DataError: the table has changed since the training of the teacher, or cannot be read.
    """
    for event in distill_events(run, output=output, units=units, assignments=assignments, stop=stop):
        if isinstance(event, Finished):
            return event
    raise AssertionError("a training ends with Finished or an error")


def distill_events(
    run: str | Path,
    *,
    output: str | Path | None = None,
    units: int = UNITS,
    assignments: Sequence[str] = (),
    command: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, None]:
    """As `distill`, event by event: those of a training."""
    if not 1 <= units <= MAX_UNITS:
        raise UsageError(f"--units {units}: a layer has 1 to {MAX_UNITS:,} units", hint="For example --units 64.")
    path = Path(run)
    student = student_config(path, units, Path(output or path.with_name(f"{path.name}-student")), assignments)
    yield from train_events(student, command=command, stop=stop)

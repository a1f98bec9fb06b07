"""`nncli distill`: train one small network on the predictions of a run, yielding typed events."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

from nncli.api.options import DistillOptions, TrainOptions
from nncli.api.train import train_events_with
from nncli.base.errors import Advice, UsageError
from nncli.base.option import operation
from nncli.fitting.student_config import student_config
from nncli.fitting.train.events import Event, Finished

MAX_UNITS = 1 << 16
"""More are a typing error."""


@operation(DistillOptions)
def distill(run: str | Path, options: DistillOptions) -> Finished:
    """Train one small network on the predictions of a run, and return the final event; its `run` is a run directory.

    The network learns the out-of-fold and in-sample predictions of the training rows by `run`, mostly an ensemble, and
    its predictions of synthetic rows. See the page "Make an ensemble small and fast".

    Raises:
        RunError: the run is missing, damaged or not trained.
        ConfigError: an assignment is not valid.
        UsageError: its predictions are not what a network can be taught.
        DataError: the table has changed since the training of the teacher, or cannot be read.
    """
    for event in distill_events_with(run, options):
        if isinstance(event, Finished):
            return event
    raise AssertionError("a training ends with Finished or an error")


def distill_events_with(
    run: str | Path, options: DistillOptions, command: Sequence[str] = ()
) -> Generator[Event, None, None]:
    """As `distill`, event by event: those of a training."""
    units = options.units
    if not 1 <= units <= MAX_UNITS:
        use = DistillOptions.use
        message = Advice(use("units", units), f": a layer has 1 to {MAX_UNITS:,} units")
        raise UsageError(message, hint=Advice("For example ", use("units", 64), "."))
    path = Path(run)
    student = student_config(path, units, path.with_name(f"{path.name}-student"), options.set)
    training = TrainOptions(stop=options.stop, output=options.output, force=options.force, private=options.private)
    yield from train_events_with(student, options=training, command=command)


distill_events = operation(DistillOptions)(distill_events_with)

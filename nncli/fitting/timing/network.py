"""The estimated duration of the training of one prepared network."""

from __future__ import annotations

from nncli.fitting.prepare.prepare import PreparedTraining
from nncli.fitting.timing.estimate import Workload, seconds_of
from nncli.fitting.timing.steps import Measurement, full_batches, seconds_per_prediction, seconds_per_step

MIN_PARAMETER_ROWS = 200_000_000
"""Parameters times rows of all epochs below which a training takes a fraction of a second, and is not timed."""


def estimate_of(prepared: PreparedTraining) -> float | None:
    """The estimated seconds of a training that is about to start, with its execution; None for a very short one."""
    arguments, dataset = prepared.arguments, prepared.fitted
    n, held_out = len(dataset), 0 if prepared.validation is None else len(prepared.validation)
    if arguments.epochs * n * max(1, arguments.network.layout.size) < MIN_PARAMETER_ROWS:
        return None
    steps = arguments.epochs * -(-n // arguments.batch_size)
    rows = full_batches(arguments, dataset)
    step, prediction = seconds_per_step(arguments, rows, steps), seconds_per_prediction(arguments, rows)
    measured = Measurement(0.0, 0.0, 0.0, n, step, arguments.batch_size, prediction)
    return seconds_of(measured, Workload(1, 1, arguments.epochs, n + held_out, held_out / (n + held_out)))

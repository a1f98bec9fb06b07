"""Measuring what a training takes, on a few rows of its table."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from nncli.config.schema import Config
from nncli.data.store.column_store import ColumnStore
from nncli.fitting.prepare.auto_values import batch_rows, counted_rows, epochs_of, resolve_layers
from nncli.fitting.prepare.execution import choose_execution
from nncli.fitting.prepare.prepare import PreparedTraining, prepare
from nncli.fitting.timing.steps import seconds_per_prediction, seconds_per_step

VALIDATION = 0.2
"""The fraction of the measured rows that are validation rows."""
BATCHES = 3
"""Whole batches among the measured rows."""
MIN_ROWS = 1_500
"""Rows that are measured at least; of a smaller table all."""


@dataclass(frozen=True)
class Measurement:
    """The seconds of the parts of a training, measured on this machine.

    `reading` is the time for the whole table; fitting and encoding take `preparing`, and `preparing_row` for each row
    more than `rows`. A step of `batch_size` rows takes `step`, a prediction `prediction`.
    """

    reading: float
    preparing: float
    preparing_row: float
    rows: int
    step: float
    batch_size: int
    prediction: float

    def preparation(self, rows: int) -> float:
        """Fitting and encoding a number of rows."""
        return self.preparing + self.preparing_row * max(0, rows - self.rows)

    def epoch(self, training_rows: int, validation_rows: int) -> float:
        """An epoch, with the predictions of the validation rows."""
        return -(-training_rows // self.batch_size) * self.step + validation_rows * self.prediction

    def scoring(self, rows: int) -> float:
        """Encoding rows for prediction, and predicting and scoring them, which costs as much again."""
        return rows * (2.0 * self.prediction + self.preparing_row)


def measure(
    config: Config, table: ColumnStore, training_rows: int, reading: float, min_seconds: float = 0.0
) -> Measurement:
    """Measure the training of one network on `training_rows` of a table of rows with targets.

    Steps are timed for `min_seconds` at least.

    Raises:
        NncliError: as for a training.
    """
    batch = batch_rows(config, training_rows)
    n = min(len(table), max(MIN_ROWS, int(BATCHES * batch / (1.0 - VALIDATION)) + 1))
    rows = np.sort(np.random.default_rng(0).choice(len(table), n, replace=False)) if n < len(table) else np.arange(n)
    layers = resolve_layers(config.layers, training_rows, 0)
    data = config.data.model_copy(update={"leave_out": None, "sample": None})
    update = {"data": data, "validation": VALIDATION, "members": 1, "batch_size": batch, "layers": layers}
    start = time.perf_counter()
    prepared = prepare(config.model_copy(update=update), table=table.take(rows))
    preparing = time.perf_counter() - start
    epochs = epochs_of(config, counted_rows(training_rows, prepared.spec.target.n_outputs))
    return replace(
        measure_prepared(prepared, epochs * -(-training_rows // batch), min_seconds),
        reading=reading,
        preparing=preparing,
        preparing_row=preparing / n,
        rows=n,
    )


def measure_prepared(prepared: PreparedTraining, steps: int, min_seconds: float) -> Measurement:
    """Measure a prepared training of so many `steps`; its reading and preparing count nothing."""
    arguments, dataset = prepared.arguments, prepared.fitted
    per_epoch = -(-len(dataset) // arguments.batch_size)
    of_all = replace(prepared, arguments=replace(arguments, epochs=max(1, steps // per_epoch)))
    execution, _ = choose_execution(of_all)
    with execution.activate(of_all) as ready:
        step = seconds_per_step(ready.arguments, dataset, steps, min_seconds)
        prediction = seconds_per_prediction(ready.arguments, dataset)
    return Measurement(0.0, 0.0, 0.0, len(dataset), step, arguments.batch_size, prediction)

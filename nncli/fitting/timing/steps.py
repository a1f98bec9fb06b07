"""The seconds that the steps of a prepared training take, timed with random streams of their own; nothing is kept."""

from __future__ import annotations

import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass, replace

import numpy as np

from nncli.config.schema import Config
from nncli.data.store.column_store import ColumnStore
from nncli.fitting.prepare.auto_values import batch_rows, counted_rows, epochs_of, resolve_layers
from nncli.fitting.prepare.execution import choose_execution
from nncli.fitting.prepare.prepare import PreparedTraining, prepare
from nncli.nn.batches.dataset import Dataset
from nncli.nn.predictor import Predictor
from nncli.nn.training.arguments import TrainingArguments
from nncli.nn.training.epoch import DivergedError, LoopSignal
from nncli.nn.training.loop import fit
from nncli.nn.training.state import RandomStreams, TrainState

WARMUP_STEPS, MIN_STEPS = 1, 4
"""Steps before timing starts, and the fewest steps that are timed."""
MAX_SHARE, MAX_SECONDS = 0.01, 0.3
"""Time for timing steps: as a share of the whole training, and at most."""
EPOCHS = 1_000_000
"""More than are trained while steps are timed."""
MAX_ROWS = 1_024
"""Rows whose prediction is timed."""


def seconds_per_step(arguments: TrainingArguments, dataset: Dataset, steps: int, min_seconds: float = 0.0) -> float:
    """The seconds of a step on a full batch of the rows, timed for `min_seconds`, where `steps` are to follow."""
    begin, times = time.perf_counter(), list[tuple[int, float]]()

    def after_batch(step: int) -> LoopSignal:
        now = time.perf_counter()
        times.append((step, now))
        (first, start), done = times[min(WARMUP_STEPS, len(times)) - 1], step - times[0][0]
        if now - begin > max(MAX_SECONDS, min_seconds) and done:
            return LoopSignal.STOP
        expected = (now - start) / max(step - first, 1) * steps
        enough = done >= MIN_STEPS and now - begin > max(MAX_SHARE * expected, min_seconds)
        return LoopSignal.STOP if enough else LoopSignal.CONTINUE

    arguments = replace(
        arguments, epochs=EPOCHS, patience=None, monitor="loss", rollback_on_divergence=False, snapshot_epochs=()
    )
    rows, network, streams = full_batches(arguments, dataset), arguments.network, RandomStreams.of(0)
    state = TrainState.create(network, arguments.optimizer, streams, arguments.n_shards, rows)
    training = fit(arguments, state, rows, after_batch=after_batch, max_batches=lambda step: sys.maxsize)
    with closing(training), suppress(DivergedError), np.errstate(all="ignore"):
        for _ in training:
            pass
    if len(times) < 2:
        return time.perf_counter() - begin
    (first, start), (last, now) = times[0], times[-1]
    return (now - start) / (last - first)


def full_batches(arguments: TrainingArguments, dataset: Dataset) -> Dataset:
    """The first rows of a dataset, in memory: a few whole batches, or fewer rows than one."""
    n = max(len(dataset) // arguments.batch_size, 1) * arguments.batch_size
    span = slice(0, min(n, 4 * arguments.batch_size, len(dataset)))
    weights = None if dataset.weights is None else np.array(dataset.weights[span])
    return Dataset(np.array(dataset.X[span]), np.array(dataset.codes[span]), np.array(dataset.y[span]), weights)


def seconds_per_prediction(arguments: TrainingArguments, dataset: Dataset) -> float:
    """The seconds in which the network predicts a row."""
    network = arguments.network
    predictor = Predictor(network, network.initialize(np.random.default_rng(0)), network.precision)
    span = slice(0, min(MAX_ROWS, len(dataset)))
    X, codes = np.array(dataset.X[span]), np.array(dataset.codes[span])
    with np.errstate(all="ignore"):
        predictor.run(X[:1], codes[:1])
        start = time.perf_counter()
        predictor.run(X, codes)
    return (time.perf_counter() - start) / len(X)


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

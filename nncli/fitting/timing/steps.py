"""Timing the steps of a prepared training, with random streams of their own; nothing is kept."""

from __future__ import annotations

import sys
import time
from contextlib import closing, suppress
from dataclasses import replace

import numpy as np

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

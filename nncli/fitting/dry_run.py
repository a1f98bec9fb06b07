"""A training on trial for `nncli check`: the size of its network, and a few steps. Nothing is kept."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from math import isfinite, prod
from typing import Any

import numpy as np

from nncli.base.errors import Advice, Location, SetKey
from nncli.base.findings import Finding, FindingCode
from nncli.base.text import json_safe
from nncli.fitting.prepare.prepare import PreparedTraining
from nncli.fitting.timing import time_steps
from nncli.nn.batches.dataset import Dataset
from nncli.nn.inference.predictor import InferenceSession, block_rows_for
from nncli.nn.layers.layer import TrainingContext
from nncli.nn.network import LayerSize, layer_sizes
from nncli.nn.optim.schedules import ConstantRate, PlateauState, TrainingLength
from nncli.nn.parameters import Parameters, ParamGroup
from nncli.nn.training.arguments import TrainingArguments
from nncli.nn.training.divergence import CLIP, LOWER_RATE
from nncli.nn.training.epoch import DivergedError
from nncli.nn.training.loop import fit
from nncli.nn.training.state import MAX_INIT_BYTES, MAX_INIT_ROWS, RandomStreams, TrainState

WARMUP_STEPS, MIN_TIMED_STEPS = 3, 10
"""Steps before timing starts, and the fewest steps that are timed."""
MIN_SECONDS, MAX_SECONDS = 0.2, 5.0
"""Shortest and longest time that is measured."""
MIN_STEPS, MAX_STEPS, LAST_STEPS = 10, 50, 3
"""Steps on one batch: at least and at most, and the last ones whose losses must all be below the first one."""
RATE_SAMPLES = 64
"""Steps of the schedule over which the learning rate is averaged."""
MAX_ROWS = 65_536
"""Most validation rows that are timed, and training rows that are sampled unless the batches need more."""


@dataclass(frozen=True)
class DryRun:
    """The result of a dry run.

    `seconds_per_step` is the mean of `timed_steps` steps, `validation_seconds` the time of a validation after an epoch.
    On one batch of `rows` rows, `steps` steps at the mean `learning_rate` of the schedule changed the loss from
    `loss_before` to `loss_after`, the highest of the last few; it is not finite if the training diverged.
    """

    timed_steps: int
    seconds_per_step: float
    validation_seconds: float
    rows: int
    steps: int
    learning_rate: float
    loss_before: float
    loss_after: float

    @property
    def loss_decreases(self) -> bool:
        """Whether the loss decreased, or was 0 before."""
        return isfinite(self.loss_after) and (self.loss_after < self.loss_before or self.loss_before == 0.0)

    @property
    def as_json(self) -> dict[str, Any]:
        """The result as a JSON object, with null for numbers that are not finite."""
        return {**json_safe(asdict(self)), "loss_decreases": self.loss_decreases}


def dry_run(prepared: PreparedTraining) -> tuple[DryRun, Finding | None]:
    """Time a few steps of a prepared training; with a finding if its loss does not decrease."""
    dataset = _sample(prepared)

    def is_enough(done: int, seconds: float, total: float) -> bool:
        return (done >= MIN_TIMED_STEPS and seconds >= MIN_SECONDS) or (done > 0 and total > MAX_SECONDS)

    state = _new_state(prepared.arguments, prepared.config.seed, dataset)  # _fit_one_batch reports a divergence
    timed_steps, seconds = time_steps(prepared.arguments, state, dataset, is_enough, WARMUP_STEPS)
    batch = _draw(dataset, prepared.arguments.batch_size)
    rate = _mean_learning_rate(prepared.arguments, len(prepared.training))
    steps, before, after, error = _fit_one_batch(prepared.arguments, prepared.config.seed, dataset, batch, rate)
    result = DryRun(timed_steps, seconds, _validation_seconds(prepared), len(batch), steps, rate, before, after)
    return result, None if result.loss_decreases else _finding(result, error)


def _finding(result: DryRun, error: DivergedError | None) -> Finding:
    location = Location(key="learning_rate")
    if error is not None:
        message = f"on a batch of {result.rows:,} rows the training diverged: {error.message.partition(';')[0]}"
        hint = error.hint or LOWER_RATE
        return Finding("warning", FindingCode.DIVERGENCE, location, message, hint)
    message = (
        f"on a batch of {result.rows:,} rows at learning rate {result.learning_rate:.3g} the loss does not decrease: "
        f"{result.loss_before:.4g} before and {result.loss_after:.4g} after {result.steps} steps"
    )
    lower = SetKey("learning_rate", f"{result.learning_rate / 10.0:.1g}")
    hint = Advice("Use a lower learning_rate, for example ", lower, ", or ", CLIP, ".")
    return Finding("warning", FindingCode.LOSS_NOT_DECREASING, location, message, hint)


def _sample(prepared: PreparedTraining) -> Dataset:
    """The training rows of the dry run, in memory, sampled with a fixed seed."""
    n = max(MAX_ROWS, (WARMUP_STEPS + MIN_TIMED_STEPS) * prepared.arguments.batch_size)
    return _draw(prepared.training.dataset, n)


def _draw(dataset: Dataset, n: int) -> Dataset:
    """A random sample of at most `n` rows, in their order."""
    if n >= len(dataset) and dataset.storage is None:
        return dataset
    rows = np.sort(np.random.default_rng(0).choice(len(dataset), min(n, len(dataset)), replace=False))
    weights = None if dataset.weights is None else dataset.weights[rows]
    return Dataset(dataset.X[rows], dataset.codes[rows], dataset.y[rows], weights)


def _new_state(arguments: TrainingArguments, seed: int, dataset: Dataset) -> TrainState:
    return TrainState.create(
        arguments.network, arguments.optimizer, RandomStreams.of(seed), arguments.n_shards, dataset, arguments.loss
    )


def _mean_learning_rate(arguments: TrainingArguments, rows: int) -> float:
    """The mean learning rate over the whole training."""
    length = TrainingLength(arguments.epochs, -(-rows // arguments.batch_size))
    steps = np.unique(np.linspace(0, length.steps - 1, RATE_SAMPLES).astype(np.int64))
    return float(np.mean([arguments.schedule.rate(int(step), length, PlateauState()) for step in steps]))


def _fit_one_batch(
    arguments: TrainingArguments, seed: int, dataset: Dataset, batch: Dataset, rate: float
) -> tuple[int, float, float, DivergedError | None]:
    """The steps taken on one batch, its loss before and after them, and the error if they diverged."""
    arguments = replace(
        arguments,
        schedule=ConstantRate(peak=rate) if rate > 0.0 else arguments.schedule,
        epochs=MAX_STEPS,
        batch_size=len(batch),
        patience=None,
        monitor="loss",
        rollback_on_divergence=False,
        backend="numpy",
    )
    state = _new_state(arguments, seed, dataset)
    with np.errstate(all="ignore"):  # an overflow shows in the loss
        before = _loss(arguments, state.parameters, batch)
        losses, start, steps, diverged = list[float](), time.perf_counter(), 0, None
        try:
            with closing(fit(arguments, state, batch)) as training:
                for steps, _ in enumerate(training, start=1):
                    late = time.perf_counter() - start > MAX_SECONDS
                    if steps > MIN_STEPS - LAST_STEPS or late:
                        losses.append(_loss(arguments, state.parameters, batch))
                    if late or (steps >= MIN_STEPS and np.max(losses[-LAST_STEPS:]) < before):
                        break
        except DivergedError as error:
            losses, diverged = [np.nan], error
    return steps, before, float(np.max(losses[-LAST_STEPS:])), diverged


def _loss(arguments: TrainingArguments, parameters: Parameters, batch: Dataset) -> float:
    """The loss of a batch without penalties, in prediction mode unless the network normalizes over rows."""
    # after a few steps the running statistics are still far from those of the batch
    training = TrainingContext(np.random.default_rng(0)) if arguments.network.mixes_rows else None
    statistics = parameters.statistics.copy()
    bound = arguments.network.bind(parameters, len(batch), training=training)
    bound.X[...], bound.codes[...] = batch.X, batch.codes
    bound.forward()
    parameters.statistics[...] = statistics
    return arguments.loss.bind(bound.Z, batch.y, batch.weights).forward()


def _validation_seconds(prepared: PreparedTraining) -> float:
    """Seconds of a validation on all validation rows, extrapolated from MAX_ROWS rows."""
    validation, network = prepared.validation_set, prepared.spec.network
    if validation is None:
        return 0.0
    X, codes = validation.dataset.X, validation.dataset.codes
    parameters, rows = network.initialize(np.random.default_rng(0)), block_rows_for(len(X))
    predictor = InferenceSession(network, parameters, network.precision, block_rows=rows)
    n = min(MAX_ROWS, len(X))
    predictor.run(X[:1], codes[:1])
    start = time.perf_counter()
    with np.errstate(all="ignore"):
        Z = predictor.run(X[:n], codes[:n])
        if n == len(X):
            validation.score(Z)
    return (time.perf_counter() - start) * len(X) / n


LIBRARY_BYTES = 110 << 20
"""Memory of a process before it reads a table: Python, NumPy, Polars and their buffers."""
BUFFERS_PER_UNIT = 4
"""Numbers for each unit and row of a batch: input, output and their gradients."""
MAX_READING_BYTES, READING_FACTOR = 128 << 20, 8
"""Memory of the table while it is read and encoded: a multiple of the encoded rows, up to a maximum."""
INIT_BUFFERS = 10
"""Layer outputs that are held during a data-dependent initialization."""


@dataclass(frozen=True)
class NetworkSize:
    """The layers of a network and bytes of its parameters, its optimizer state and the activations of a batch.

    `memory_bytes` is an estimate of the peak memory of one training.
    """

    layers: tuple[LayerSize, ...]
    parameters: int
    batch_size: int
    parameter_bytes: int
    optimizer_bytes: int
    activation_bytes: int
    memory_bytes: int

    @classmethod
    def of(cls, prepared: PreparedTraining) -> NetworkSize:
        """The sizes of a network that is ready to be trained, without allocating it."""
        arguments, network = prepared.arguments, prepared.spec.network
        batch = min(arguments.batch_size, len(prepared.training))
        item, size = np.dtype(network.precision).itemsize, network.layout.size
        statistics = sum(prod(spec.shape) for spec in network.layout.specs if spec.group is ParamGroup.STATISTIC)
        optimizer_bytes = len(arguments.optimizer.state) * size * item
        weights = (size + statistics) * item
        # weights, gradient, best weights, two gradients of the measurements of health and, beside these, a gradient
        # that is allocated and never touched
        state = (
            5 * weights + optimizer_bytes + (2 * weights + optimizer_bytes if arguments.rollback_on_divergence else 0)
        )
        layers = layer_sizes(network)
        activations = BUFFERS_PER_UNIT * batch * item * sum(layer.units for layer in layers)
        rows = 0
        for side in filter(None, (prepared.training, prepared.validation)):
            dataset = side.dataset
            feature_bytes = 0 if dataset.storage is not None else dataset.X.nbytes + dataset.codes.nbytes
            weight_bytes = 0 if dataset.weights is None else dataset.weights.nbytes
            rows += feature_bytes + dataset.y.nbytes + side.y.nbytes + weight_bytes
        init_bytes = min(MAX_INIT_BYTES, min(MAX_INIT_ROWS, len(prepared.training)) * network.max_width * item)
        initialization = INIT_BUFFERS * init_bytes if network.needs_data_init else 0
        predicted = len(prepared.training) * network.n_outputs * np.dtype(np.float64).itemsize * 2
        return cls(
            layers=layers,
            parameters=size,
            batch_size=batch,
            parameter_bytes=weights,
            optimizer_bytes=optimizer_bytes,
            activation_bytes=activations,
            memory_bytes=LIBRARY_BYTES
            + max(min(MAX_READING_BYTES, READING_FACTOR * rows), predicted, initialization)
            + rows
            + state
            + activations,
        )

    @property
    def as_json(self) -> dict[str, Any]:
        """As a JSON object."""
        layers = [
            {
                "name": layer.name,
                "type": layer.type,
                "output_shape": [self.batch_size, layer.units],
                "parameters": layer.parameters,
            }
            for layer in self.layers
        ]
        return {
            "layers": layers,
            "parameters": self.parameters,
            "parameter_bytes": self.parameter_bytes,
            "optimizer_bytes": self.optimizer_bytes,
            "activation_bytes": self.activation_bytes,
        }

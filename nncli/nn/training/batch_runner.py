"""Running the batches of an epoch: one at a time with NumPy, or many at a time with compiled loops."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np

from nncli.nn.batches.batches import Batches
from nncli.nn.layers.base import TrainingContext
from nncli.nn.optim.optimizers import Step
from nncli.nn.optim.schedules import TrainingLength
from nncli.nn.parameters import Parameters
from nncli.nn.training.arguments import TrainingArguments
from nncli.nn.training.parallel import (
    WorkerThreads,
    bind_optimizer_shard,
    gradient_replicas,
    run_in_parallel,
    split_evenly,
    split_vector,
    sum_gradients,
)
from nncli.nn.training.state import TrainState
from nncli.nn.training.step import GradientError, GradientFn, L1L2Penalty, TrainStep, bind_gradient, bind_step

COMPILED_SLICE_SECONDS = 0.05
"""Seconds that compiled loops run before Python checks for a signal to stop."""


class BatchResult(NamedTuple):
    """The loss of each batch that was run, and whether the last one's gradient was finite, if its loss was."""

    losses: list[float]
    finite: bool = True


RunBatches: TypeAlias = Callable[[int], BatchResult]
"""run_batches(max_batches) trains on the next batches of the epoch, between 1 and `max_batches` of them.

It stops after a loss or a gradient that is not finite, and leaves the weights that led there.
"""


def learning_rate_at(arguments: TrainingArguments, state: TrainState, steps_per_epoch: int, step: int) -> float:
    """The learning rate of a step, counted from 0."""
    return state.learning_rate_factor * arguments.schedule.rate(
        step, TrainingLength(arguments.epochs, steps_per_epoch), state.plateau
    )


def bind_batch_runner(
    arguments: TrainingArguments,
    state: TrainState,
    batches: Batches,
    penalty: L1L2Penalty | None,
    workers: WorkerThreads,
) -> RunBatches:
    """Bind a training to its buffers, for the backend of its arguments."""
    if arguments.backend == "numba" and arguments.n_shards == 1:
        return _compiled_runner(arguments, state, batches)
    return _numpy_runner(arguments, state, batches, penalty, workers)


def _numpy_runner(
    arguments: TrainingArguments,
    state: TrainState,
    batches: Batches,
    penalty: L1L2Penalty | None,
    workers: WorkerThreads,
) -> RunBatches:
    parameters, replicas = state.parameters, gradient_replicas(state.parameters, arguments.n_shards)
    bind, optimize = (_bind_compiled if arguments.backend == "numba" else _bind_numpy)(
        arguments, state, batches, replicas
    )
    updates = [optimize(span) for span in split_vector(parameters.theta, arguments.n_shards)]
    steps: dict[int, TrainStep] = {}
    for rows in batches.sizes():
        gradients = [bind(shard, span, rows) for shard, span in enumerate(split_evenly(rows, arguments.n_shards))]
        gradient = sum_gradients(gradients, replicas, workers)
        steps[rows] = bind_step(
            gradient, parameters.grad, run_in_parallel(updates, workers), penalty=penalty, clip_norm=arguments.clip_norm
        )

    def run_batches(max_batches: int) -> BatchResult:
        rate = learning_rate_at(arguments, state, batches.steps, state.step)
        length = TrainingLength(arguments.epochs, batches.steps)
        state.progress.fill(arguments.schedule.progress(state.step, length))
        try:
            return BatchResult([steps[batches.rows(state.position)](state.position, rate, state.step + 1)])
        except GradientError as error:
            return BatchResult([error.loss], finite=False)

    return run_batches


Replicas: TypeAlias = list[Parameters]
ShardBinders: TypeAlias = tuple[Callable[[int, slice, int], GradientFn], Callable[[slice], Step]]
"""bind(shard, rows, batch), the gradient of a shard of a batch, and optimize(span), the step on a slice of theta."""


def _bind_numpy(
    arguments: TrainingArguments, state: TrainState, batches: Batches, replicas: list[Parameters]
) -> ShardBinders:
    contexts = [TrainingContext(rng, state.progress) for rng in (state.streams.dropout, *state.streams.extra_dropout)]

    def bind(shard: int, rows: slice, batch: int) -> GradientFn:
        return bind_gradient(
            arguments.network, replicas[shard], arguments.loss, batches, rows, batch, training=contexts[shard]
        )

    def optimize(span: slice) -> Step:
        return bind_optimizer_shard(arguments.optimizer.bind, state, span)

    return bind, optimize


def _bind_compiled(
    arguments: TrainingArguments, state: TrainState, batches: Batches, replicas: list[Parameters]
) -> ShardBinders:
    from nncli.nn.training.compiled import bridge as compiled  # this imports Numba

    inputs = compiled.kernel_inputs(arguments, state.parameters, batches)

    def bind(shard: int, rows: slice, batch: int) -> GradientFn:
        return compiled.bind_gradient(arguments, inputs, replicas[shard], batches, rows, batch, state, shard)

    def optimize(span: slice) -> Step:
        return bind_optimizer_shard(partial(compiled.bind_optimizer, arguments.optimizer), state, span)

    return bind, optimize


def _compiled_runner(arguments: TrainingArguments, state: TrainState, batches: Batches) -> RunBatches:
    from nncli.nn.training.compiled import bridge as compiled

    run = compiled.bind_run(arguments, state, batches)
    n_next = 1

    def run_batches(max_batches: int) -> BatchResult:
        nonlocal n_next
        n = min(n_next, max_batches, batches.batches_available(state.position))
        rates = np.array([learning_rate_at(arguments, state, batches.steps, state.step + i) for i in range(n)])
        start = time.perf_counter()
        losses, finite = run(state.position, rates, state.step + 1)
        seconds = time.perf_counter() - start
        n_next = max(1, min(8 * n, int(n * COMPILED_SLICE_SECONDS / max(seconds, 1e-9))))
        return BatchResult(losses.tolist(), finite)

    return run_batches

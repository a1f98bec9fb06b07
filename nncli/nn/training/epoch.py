"""The batches of one epoch: one at a time with NumPy, or many at a time with compiled loops, up to a signal."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from math import isfinite
from typing import NamedTuple, TypeAlias

import numpy as np

from nncli.base.errors import NncliError
from nncli.nn.batches.batches import Batches
from nncli.nn.layers.layer import TrainingContext
from nncli.nn.optim.optimizers import Step
from nncli.nn.optim.schedules import TrainingLength
from nncli.nn.parameters import Parameters
from nncli.nn.training.arguments import TrainingArguments
from nncli.nn.training.divergence import diagnose
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


def learning_rate_at(arguments: TrainingArguments, state: TrainState, length: TrainingLength, step: int) -> float:
    """The learning rate of a step, counted from 0."""
    return state.learning_rate_factor * arguments.schedule.rate(step, length, state.plateau)


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
    parameters, replicas = state.parameters, gradient_replicas(state.parameters, arguments.n_shards)
    bind, optimizer = _bind_shards(arguments, state, batches)
    spans, bounds = split_vector(parameters.theta, len(replicas)), arguments.network.bounds
    updates = [bind_optimizer_shard(optimizer, state, span, bounds) for span in spans]
    steps: dict[int, TrainStep] = {}
    length = TrainingLength(arguments.epochs, batches.steps)
    for rows in batches.sizes():
        spans = split_evenly(rows, len(replicas))
        gradients = [bind(shard, replicas[shard], span, rows) for shard, span in enumerate(spans)]
        gradient = sum_gradients(gradients, replicas, workers)
        steps[rows] = bind_step(
            gradient, parameters.grad, run_in_parallel(updates, workers), penalty=penalty, clip_norm=arguments.clip_norm
        )

    def run_batches(max_batches: int) -> BatchResult:
        rate = learning_rate_at(arguments, state, length, state.step)
        state.progress.fill(arguments.schedule.progress(state.step, length))
        try:
            return BatchResult([steps[batches.rows(state.position)](state.position, rate, state.step + 1)])
        except GradientError as error:
            return BatchResult([error.loss], finite=False)

    return run_batches


BindShard: TypeAlias = Callable[[int, Parameters, slice, int], GradientFn]
"""bind(shard, parameters, rows, batch): the gradient of the slice `rows` of a batch of so many rows."""


def _bind_shards(
    arguments: TrainingArguments, state: TrainState, batches: Batches
) -> tuple[BindShard, Callable[..., Step]]:
    """What binds the gradient of a shard of a batch, and the `bind` of the optimizer."""
    if arguments.backend == "numba":
        from nncli.nn.training.compiled import bridge as compiled  # this imports Numba

        inputs = compiled.kernel_inputs(arguments, state.parameters, batches)
        gradient = partial(compiled.bind_gradient, arguments, inputs, batches, state)
        return gradient, partial(compiled.bind_optimizer, arguments.optimizer)
    contexts = [TrainingContext(rng, state.progress) for rng in (state.streams.dropout, *state.streams.extra_dropout)]

    def bind(shard: int, parameters: Parameters, rows: slice, batch: int) -> GradientFn:
        network, loss = arguments.network, arguments.loss
        return bind_gradient(network, parameters, loss, batches, rows, batch, training=contexts[shard])

    return bind, arguments.optimizer.bind


def _compiled_runner(arguments: TrainingArguments, state: TrainState, batches: Batches) -> RunBatches:
    from nncli.nn.training.compiled import bridge as compiled

    run = compiled.bind_run(arguments, state, batches)
    length = TrainingLength(arguments.epochs, batches.steps)
    n_next = 1

    def run_batches(max_batches: int) -> BatchResult:
        nonlocal n_next
        n = min(n_next, max_batches, batches.batches_available(state.position))
        rates = np.array([learning_rate_at(arguments, state, length, state.step + i) for i in range(n)])
        start = time.perf_counter()
        losses, finite = run(state.position, rates, state.step + 1)
        seconds = time.perf_counter() - start
        n_next = max(1, min(8 * n, int(n * COMPILED_SLICE_SECONDS / max(seconds, 1e-9))))
        return BatchResult(losses.tolist(), finite)

    return run_batches


class DivergedError(NncliError):
    """The loss, the gradient or a weight is no longer a finite number."""


class LoopSignal(Enum):
    """What the loop does after a batch."""

    CONTINUE = auto()
    CHECKPOINT = auto()
    STOP = auto()


def prepare_order(state: TrainState, batches: Batches) -> None:
    """Keep the random state from which the rows of an epoch are shuffled, or restore it in the midst of the epoch."""
    if state.position == 0:
        state.order = batches.rng.bit_generator.state  # type: ignore[assignment]
    else:
        batches.rng.bit_generator.state = state.order


def bind_epoch(
    arguments: TrainingArguments,
    state: TrainState,
    batches: Batches,
    penalty: L1L2Penalty | None,
    workers: WorkerThreads,
    after_batch: Callable[[int], LoopSignal],
    max_batches: Callable[[int], int],
) -> Callable[[], LoopSignal]:
    """A function that trains on the remaining batches of the current epoch, up to a signal to pause or stop."""
    parameters, run_batches = state.parameters, bind_batch_runner(arguments, state, batches, penalty, workers)

    @np.errstate(all="ignore")  # values that are not finite raise an error here
    def run() -> LoopSignal:
        signal = LoopSignal.CONTINUE
        prepare_order(state, batches)
        batches.shuffle(more=state.epoch + 1 < arguments.epochs)
        while state.position < batches.steps and signal is LoopSignal.CONTINUE:
            losses, finite = run_batches(min(batches.steps - state.position, max(1, max_batches(state.step))))
            for value in losses:
                rows = batches.rows(state.position)
                state.step += 1
                state.position += 1
                if not isfinite(value):
                    raise _diverged(arguments, state, batches, f"the loss became {value}")
                if state.step == 1:
                    state.first_loss = value
                state.epoch_loss += value * rows
            if not finite:
                raise _diverged(arguments, state, batches, "the gradient is no longer a finite number", gradient=True)
            signal = after_batch(state.step)
        if not (np.isfinite(parameters.theta).all() and np.isfinite(parameters.statistics).all()):
            raise _diverged(arguments, state, batches, "a weight is no longer a finite number")
        return signal

    return run


def _diverged(
    arguments: TrainingArguments, state: TrainState, batches: Batches, what: str, *, gradient: bool = False
) -> DivergedError:
    best = (
        f"the weights of epoch {state.early_stopping.best_epoch} were kept"
        if state.early_stopping.best_epoch
        else "nothing was kept"
    )
    length = TrainingLength(arguments.epochs, batches.steps)
    rows, rate = batches.indices(state.position - 1), learning_rate_at(arguments, state, length, state.step - 1)
    diagnosis = diagnose(arguments, state.parameters, batches.dataset, rows, rate, gradient=gradient)
    return DivergedError(
        f"{what} at step {state.step} (epoch {state.epoch + 1}), first in {diagnosis.layer}; {best}",
        hint=f"Most likely {diagnosis.cause}.",
    )

"""The batches of one epoch, up to its end or to a signal to pause or stop."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from math import isfinite

import numpy as np

from nncli.base.errors import NncliError
from nncli.nn.batches.batches import Batches
from nncli.nn.training.arguments import TrainingArguments
from nncli.nn.training.batch_runner import bind_batch_runner, learning_rate_at
from nncli.nn.training.divergence import diagnose
from nncli.nn.training.parallel import WorkerThreads
from nncli.nn.training.state import TrainState
from nncli.nn.training.step import L1L2Penalty


class DivergedError(NncliError):
    """The loss, the gradient or a weight is no longer a finite number."""


class LoopSignal(Enum):
    """What the loop does after a batch."""

    CONTINUE = auto()
    CHECKPOINT = auto()
    STOP = auto()


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

    def run() -> LoopSignal:
        signal = LoopSignal.CONTINUE
        if state.position == 0:
            state.order = batches.rng.bit_generator.state  # type: ignore[assignment]
        else:  # resumed, or paused: the same order again
            batches.rng.bit_generator.state = state.order
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

    def run_without_warnings() -> LoopSignal:
        with np.errstate(all="ignore"):  # run() checks for values that are not finite
            return run()

    return run_without_warnings


def _diverged(
    arguments: TrainingArguments, state: TrainState, batches: Batches, what: str, *, gradient: bool = False
) -> DivergedError:
    best = (
        f"the weights of epoch {state.early_stopping.best_epoch} were kept"
        if state.early_stopping.best_epoch
        else "nothing was kept"
    )
    rows, rate = batches.indices(state.position - 1), learning_rate_at(arguments, state, batches.steps, state.step - 1)
    diagnosis = diagnose(arguments, state.parameters, batches.dataset, rows, rate, gradient=gradient)
    return DivergedError(
        f"{what} at step {state.step} (epoch {state.epoch + 1}), first in {diagnosis.layer}; {best}",
        hint=f"Most likely {diagnosis.cause}.",
    )

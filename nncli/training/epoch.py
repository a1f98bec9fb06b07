"""The batches of one epoch, up to its end or to a wish to pause."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from math import isfinite

import numpy as np

from nncli.data.batches.batches import Batches
from nncli.errors import NncliError
from nncli.training.arguments import TrainingArguments
from nncli.training.batch_runner import bind_advance, learning_rate_at
from nncli.training.divergence import diagnose
from nncli.training.state import TrainState
from nncli.training.step import L1L2Penalty
from nncli.training.worker_threads import WorkerThreads


class DivergedError(NncliError):
    """The loss, the gradient or a weight is no longer a finite number."""


class LoopSignal(Enum):
    """What is to happen after a batch."""

    CONTINUE = auto()
    CHECKPOINT = auto()
    STOP = auto()


def bind_epoch(
    plan: TrainingArguments,
    state: TrainState,
    batches: Batches,
    penalty: L1L2Penalty | None,
    crew: WorkerThreads,
    after_batch: Callable[[int], LoopSignal],
    ahead: Callable[[int], int],
) -> Callable[[], LoopSignal]:
    """A function that trains on the batches that are left of the present epoch, up to a wish to pause or stop."""
    parameters, advance = state.parameters, bind_advance(plan, state, batches, penalty, crew)

    def run() -> LoopSignal:
        wish = LoopSignal.CONTINUE
        if state.position == 0:
            state.order = batches.rng.bit_generator.state  # type: ignore[assignment]
        else:  # resumed, or paused: the same order again
            batches.rng.bit_generator.state = state.order
        batches.shuffle(more=state.epoch + 1 < plan.epochs)
        while state.position < batches.steps and wish is LoopSignal.CONTINUE:
            losses, finite = advance(min(batches.steps - state.position, max(1, ahead(state.step))))
            for value in losses:
                rows = batches.rows(state.position)
                state.step += 1
                state.position += 1
                if not isfinite(value):
                    raise _diverged(plan, state, batches, f"the loss became {value}")
                if state.step == 1:
                    state.first_loss = value
                state.epoch_loss += value * rows
            if not finite:
                raise _diverged(plan, state, batches, "the gradient is no longer a finite number", gradient=True)
            wish = after_batch(state.step)
        if not (np.isfinite(parameters.theta).all() and np.isfinite(parameters.statistics).all()):
            raise _diverged(plan, state, batches, "a weight is no longer a finite number")
        return wish

    def run_quietly() -> LoopSignal:
        with np.errstate(all="ignore"):  # a value that overflows is met as such, in run
            return run()

    return run_quietly


def _diverged(
    plan: TrainingArguments, state: TrainState, batches: Batches, what: str, *, gradient: bool = False
) -> DivergedError:
    kept = (
        f"the weights of epoch {state.early_stopping.best_epoch} were kept"
        if state.early_stopping.best_epoch
        else "nothing was kept"
    )
    at, rate = batches.indices(state.position - 1), learning_rate_at(plan, state, batches.steps, state.step - 1)
    found = diagnose(plan, state.parameters, batches.examples, at, rate, gradient=gradient)
    return DivergedError(
        f"{what} at step {state.step} (epoch {state.epoch + 1}), first in {found.layer}; {kept}",
        hint=f"Most likely {found.cause}.",
    )

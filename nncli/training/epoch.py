"""The batches of one epoch, up to its end or to a wish to pause."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from math import isfinite

import numpy as np

from nncli.data.batches import Batches
from nncli.errors import NncliError
from nncli.nn.schedules import Horizon
from nncli.training.diagnosis import diagnose
from nncli.training.plan import Plan
from nncli.training.state import State
from nncli.training.step import GradientError, Penalty, bind_step


class DivergedError(NncliError):
    """The loss, the gradient or a weight is no longer a finite number."""


class Wish(Enum):
    """What is to happen after a batch."""

    GO_ON = auto()
    PAUSE = auto()
    STOP = auto()


def rate_of(plan: Plan, state: State, steps_per_epoch: int, step: int) -> float:
    """The learning rate of a step, counted from 0."""
    return state.rate_factor * plan.schedule.rate(step, Horizon(plan.epochs, steps_per_epoch), state.plateau)


def bind_epoch(
    plan: Plan, state: State, batches: Batches, penalty: Penalty | None, after_batch: Callable[[int], Wish]
) -> Callable[[], Wish]:
    """A function that trains on the batches that are left of the present epoch, up to a wish to pause or stop."""
    parameters = state.parameters
    optimize = plan.optimizer.bind(parameters.theta, parameters.grad, state.moments, decayed=parameters.layout.decayed)
    steps = {
        rows: bind_step(
            plan.network,
            parameters,
            plan.loss,
            batches,
            rows,
            optimize,
            penalty=penalty,
            clip_norm=plan.clip_norm,
            rng=state.streams.dropout,
        )
        for rows in batches.sizes()
    }

    def run() -> Wish:
        wish = Wish.GO_ON
        if state.position == 0:
            state.order = batches.rng.bit_generator.state  # type: ignore[assignment]
        else:  # resumed, or paused: the same order again
            batches.rng.bit_generator.state = state.order
        batches.shuffle()
        while state.position < batches.steps and wish is Wish.GO_ON:
            rows = batches.rows(state.position)
            rate = rate_of(plan, state, batches.steps, state.step)
            try:
                value = steps[rows](state.position, rate, state.step + 1)
            except GradientError:
                value = None
            state.step += 1
            state.position += 1
            if value is None:
                raise _diverged(plan, state, batches, "the gradient is no longer a finite number", rate, gradient=True)
            if not isfinite(value):
                raise _diverged(plan, state, batches, f"the loss became {value}", rate)
            if state.step == 1:
                state.first_loss = value
            state.epoch_loss += value * rows
            wish = after_batch(state.step)
        if not (np.isfinite(parameters.theta).all() and np.isfinite(parameters.statistics).all()):
            raise _diverged(plan, state, batches, "a weight is no longer a finite number", rate)
        return wish

    def run_quietly() -> Wish:
        with np.errstate(all="ignore"):  # a value that overflows is met as such, in run
            return run()

    return run_quietly


def _diverged(
    plan: Plan, state: State, batches: Batches, what: str, rate: float, *, gradient: bool = False
) -> DivergedError:
    kept = f"the weights of epoch {state.watch.best_epoch} were kept" if state.watch.best_epoch else "nothing was kept"
    at = batches.at(state.position - 1)
    found = diagnose(plan, state.parameters, batches.examples, at, rate, gradient=gradient)
    return DivergedError(
        f"{what} at step {state.step} (epoch {state.epoch + 1}), first in {found.layer}; {kept}",
        hint=f"Most likely {found.cause}.",
    )

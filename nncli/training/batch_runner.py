"""Going on through an epoch: batch by batch with NumPy, or many batches at a time with compiled loops."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np

from nncli.data.batches.batches import Batches
from nncli.nn.layers.base import Training
from nncli.nn.parameters import Parameters
from nncli.optim.optimizers import Step
from nncli.optim.schedules import Horizon
from nncli.training.arguments import Plan
from nncli.training.parallel import add_up, optimize_part, shares_of, spans, spans_of, together
from nncli.training.state import State
from nncli.training.step import BatchStep, Gradient, GradientError, Penalty, bind_gradient, bind_step
from nncli.training.worker_threads import Crew

STRETCH = 0.05
"""Seconds that compiled loops run before Python is asked again whether to stop."""


class Taken(NamedTuple):
    """The loss of each batch that was taken, and whether the last one's gradient was finite, if its loss was."""

    losses: list[float]
    finite: bool = True


Advance: TypeAlias = Callable[[int], Taken]
"""advance(most) trains on the next batches of the epoch, one at least and `most` at most.

A loss or a gradient that is not finite is the last: the weights that led there stay.
"""


def rate_of(plan: Plan, state: State, steps_per_epoch: int, step: int) -> float:
    """The learning rate of a step, counted from 0."""
    return state.rate_factor * plan.schedule.rate(step, Horizon(plan.epochs, steps_per_epoch), state.plateau)


def bind_advance(plan: Plan, state: State, batches: Batches, penalty: Penalty | None, crew: Crew) -> Advance:
    """Tie a training to its buffers, in the way that its plan says."""
    if plan.backend == "numba" and plan.parts == 1:
        return _stretch_by_stretch(plan, state, batches)
    return _batch_by_batch(plan, state, batches, penalty, crew)


def _batch_by_batch(plan: Plan, state: State, batches: Batches, penalty: Penalty | None, crew: Crew) -> Advance:
    parameters, shares = state.parameters, shares_of(state.parameters, plan.parts)
    bind, optimize = (_bind_compiled if plan.backend == "numba" else _bind_numpy)(plan, state, batches, shares)
    moves = [optimize(span) for span in spans_of(parameters.theta, plan.parts)]
    steps: dict[int, BatchStep] = {}
    for rows in batches.sizes():
        gradients = [bind(part, span, rows) for part, span in enumerate(spans(rows, plan.parts))]
        gradient = add_up(gradients, shares, crew)
        steps[rows] = bind_step(
            gradient, parameters.grad, together(moves, crew), penalty=penalty, clip_norm=plan.clip_norm
        )

    def advance(most: int) -> Taken:
        rate = rate_of(plan, state, batches.steps, state.step)
        state.progress.fill(state.step / (plan.epochs * batches.steps))
        try:
            return Taken([steps[batches.rows(state.position)](state.position, rate, state.step + 1)])
        except GradientError as error:
            return Taken([error.loss], finite=False)

    return advance


Parts: TypeAlias = tuple[Callable[[int, slice, int], Gradient], Callable[[slice], Step]]
"""bind(part, rows, batch), the gradient of a part of a batch, and optimize(stretch of theta), the step of a part."""


def _bind_numpy(plan: Plan, state: State, batches: Batches, shares: list[Parameters]) -> Parts:
    parts = [Training(rng, state.progress) for rng in (state.streams.dropout, *state.streams.further)]

    def bind(part: int, rows: slice, batch: int) -> Gradient:
        return bind_gradient(plan.network, shares[part], plan.loss, batches, rows, batch, training=parts[part])

    def optimize(span: slice) -> Step:
        return optimize_part(plan.optimizer.bind, state, span)

    return bind, optimize


def _bind_compiled(plan: Plan, state: State, batches: Batches, shares: list[Parameters]) -> Parts:
    from nncli.training.compiled import bridge as compiled  # Numba comes with it

    told = compiled.tell(plan, batches)

    def bind(part: int, rows: slice, batch: int) -> Gradient:
        return compiled.bind_gradient(told, shares[part], batches, rows, batch)

    def optimize(span: slice) -> Step:
        return optimize_part(partial(compiled.bind_optimizer, plan.optimizer), state, span)

    return bind, optimize


def _stretch_by_stretch(plan: Plan, state: State, batches: Batches) -> Advance:
    from nncli.training.compiled import bridge as compiled

    stretch = compiled.bind_stretch(plan, state.parameters, state.moments, batches)
    at_once = 1

    def advance(most: int) -> Taken:
        nonlocal at_once
        n = min(at_once, most, batches.reach(state.position))
        rates = np.array([rate_of(plan, state, batches.steps, state.step + i) for i in range(n)])
        start = time.perf_counter()
        losses, finite = stretch(state.position, rates, state.step + 1)
        seconds = time.perf_counter() - start
        at_once = max(1, min(8 * n, int(n * STRETCH / max(seconds, 1e-9))))
        return Taken(losses.tolist(), finite)

    return advance

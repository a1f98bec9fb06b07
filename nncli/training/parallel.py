"""A batch worked in parts, side by side.

Each part has its own rows, buffers, gradient and stream for dropout; theta is shared. The parts' losses and gradients
add up to the batch's. Into how many parts a batch falls shapes the last bits of the sum, and is therefore a matter of
the configuration and the problem alone; how many threads there are to work them is the machine's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Protocol

import numpy as np

from nncli.nn.arrays import CACHE_LINE_BYTES, Array, zeros_aligned
from nncli.nn.parameters import Parameters, ParamGroup
from nncli.optim.optimizers import Step
from nncli.training.state import TrainState
from nncli.training.step import GradientFn
from nncli.training.worker_threads import Job, WorkerThreads


def split_evenly(size: int, parts: int, multiple: int = 1) -> list[slice]:
    """`size` things in `parts` stretches of nearly the same length, each beginning at a multiple of `multiple`.

    There are fewer where there are not as many multiples.
    """
    pieces = -(-size // multiple)
    parts = max(1, min(parts, pieces))
    edges = [min(size, pieces * part // parts * multiple) for part in range(parts + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def split_vector(vector: Array, parts: int) -> list[slice]:
    """A vector in stretches that begin with a line of the cache, as the vector itself does."""
    return split_evenly(vector.size, parts, CACHE_LINE_BYTES // vector.itemsize)


def gradient_replicas(parameters: Parameters, parts: int) -> list[Parameters]:
    """The parameters as each part sees them: the same theta, a gradient of its own; the first part's is the batch's."""
    grad = parameters.grad
    return [parameters, *(replace(parameters, grad=zeros_aligned(grad.size, grad.dtype)) for _ in range(parts - 1))]


def sum_gradients(gradients: Sequence[GradientFn], shares: Sequence[Parameters], crew: WorkerThreads) -> GradientFn:
    """The gradient of a batch from those of its parts, left in the first part's share."""
    if len(gradients) == 1:
        return gradients[0]
    values = [0.0] * len(gradients)
    now = 0

    def learn(part: int) -> None:
        values[part] = gradients[part](now)

    def add(grad: Array, others: Sequence[Array]) -> None:
        for other in others:
            np.add(grad, other, out=grad)

    used = [share.grad for share in shares[: len(gradients)]]
    learning: list[Job] = [partial(learn, part) for part in range(len(gradients))]
    adding: list[Job] = [
        partial(add, used[0][span], [grad[span] for grad in used[1:]]) for span in split_vector(used[0], len(gradients))
    ]

    def gradient(i: int) -> float:
        nonlocal now
        now = i
        crew.run(learning)
        crew.run(adding)
        return sum(values)

    return gradient


class BindOptimizer(Protocol):
    """An optimizer's `bind`."""

    def __call__(
        self,
        theta: Array,
        grad: Array,
        moments: Mapping[str, Array],
        *,
        groups: Mapping[ParamGroup, slice],
        progress: Array,
    ) -> Step: ...


def bind_optimizer_shard(bind: BindOptimizer, state: TrainState, span: slice) -> Step:
    """The optimizer's step on one stretch of theta: what it does to a number depends on no other."""
    parameters = state.parameters
    mine = {name: moment[span] for name, moment in state.moments.items()}
    groups = _within(parameters.layout.groups, span)
    return bind(parameters.theta[span], parameters.grad[span], mine, groups=groups, progress=state.progress)


def _within(groups: Mapping[ParamGroup, slice], span: slice) -> dict[ParamGroup, slice]:
    """The stretches of the groups inside `span`, counted from its start."""
    clipped = {
        group: slice(max(s.start, span.start) - span.start, min(s.stop, span.stop) - span.start)
        for group, s in groups.items()
    }
    return {group: s for group, s in clipped.items() if s.start < s.stop}


def run_in_parallel(steps: Sequence[Step], crew: WorkerThreads) -> Step:
    """Several steps, on several parts of theta, as one."""
    if len(steps) == 1:
        return steps[0]
    now = (0.0, 0)

    def move(step: Step) -> None:
        step(*now)

    moving: list[Job] = [partial(move, step) for step in steps]

    def step(learning_rate: float, t: int) -> None:
        nonlocal now
        now = learning_rate, t
        crew.run(moving)

    return step

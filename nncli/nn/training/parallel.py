"""Data-parallel shards of a batch.

Each shard has its own rows, buffers, gradient and random stream for dropout; theta is shared. The losses and gradients
of the shards add up to those of the batch. The number of shards affects the last bits of the sum, so it depends on the
configuration and the problem alone; the number of threads depends on the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import pairwise
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType

import numpy as np

from nncli.nn.arrays import CACHE_LINE_BYTES, Array, zeros_aligned
from nncli.nn.optim.optimizers import Step
from nncli.nn.parameters import Parameters, ParamGroup
from nncli.nn.training.state import TrainState
from nncli.nn.training.step import GradientFn


def split_evenly(size: int, parts: int, multiple: int = 1) -> list[slice]:
    """Split `size` items into `parts` slices of nearly the same length that start at multiples of `multiple`.

    There are fewer slices if there are fewer multiples.
    """
    pieces = -(-size // multiple)
    parts = max(1, min(parts, pieces))
    edges = [min(size, pieces * part // parts * multiple) for part in range(parts + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def split_vector(vector: Array, parts: int) -> list[slice]:
    """Split a vector into slices that are aligned to cache lines, as the vector itself is."""
    return split_evenly(vector.size, parts, CACHE_LINE_BYTES // vector.itemsize)


def gradient_replicas(parameters: Parameters, parts: int) -> list[Parameters]:
    """The parameters of each shard: the same theta, its own gradient. The first shard's gradient is the batch's."""
    grad = parameters.grad
    return [parameters, *(replace(parameters, grad=zeros_aligned(grad.size, grad.dtype)) for _ in range(parts - 1))]


def sum_gradients(
    gradients: Sequence[GradientFn], replicas: Sequence[Parameters], workers: WorkerThreads
) -> GradientFn:
    """The gradient of a batch as the sum of its shards' gradients, in the first replica."""
    if len(gradients) == 1:
        return gradients[0]
    values = [0.0] * len(gradients)
    batch = 0

    def compute(shard: int) -> None:
        values[shard] = gradients[shard](batch)

    def add(grad: Array, terms: Sequence[Array]) -> None:
        for term in terms:
            np.add(grad, term, out=grad)

    used = [replica.grad for replica in replicas[: len(gradients)]]
    computing: list[Job] = [partial(compute, shard) for shard in range(len(gradients))]
    adding: list[Job] = [
        partial(add, used[0][span], [grad[span] for grad in used[1:]]) for span in split_vector(used[0], len(gradients))
    ]

    def gradient(i: int) -> float:
        nonlocal batch
        batch = i
        workers.run(computing)
        workers.run(adding)
        return sum(values)

    return gradient


def bind_optimizer_shard(
    bind: Callable[..., Step], state: TrainState, span: slice, bounds: tuple[Array, Array] | None = None
) -> Step:
    """The step on one slice of theta of an optimizer's `bind`; the update of a number does not depend on the others.

    With `bounds`, the lowest and the highest theta, the step ends with a projection on them.
    """
    parameters = state.parameters
    moments = {name: moment[span] for name, moment in state.moments.items()}
    groups, theta = slices_within(parameters.layout.groups, span), parameters.theta[span]
    step = bind(theta, parameters.grad[span], moments, groups=groups, progress=state.progress)
    if bounds is None:
        return step
    low, high = (bound[span] for bound in bounds)

    def step_within_bounds(learning_rate: float, t: int) -> None:
        step(learning_rate, t)
        np.maximum(theta, low, out=theta)
        np.minimum(theta, high, out=theta)

    return step_within_bounds


def slices_within(groups: Mapping[ParamGroup, slice], span: slice) -> dict[ParamGroup, slice]:
    """The slices of the groups inside `span`, relative to its start."""
    clipped = {
        group: slice(max(s.start, span.start) - span.start, min(s.stop, span.stop) - span.start)
        for group, s in groups.items()
    }
    return {group: s for group, s in clipped.items() if s.start < s.stop}


def run_in_parallel(steps: Sequence[Step], workers: WorkerThreads) -> Step:
    """One step from the steps on several slices of theta."""
    if len(steps) == 1:
        return steps[0]
    arguments = (0.0, 0)

    def update(step: Step) -> None:
        step(*arguments)

    updates: list[Job] = [partial(update, step) for step in steps]

    def step(learning_rate: float, t: int) -> None:
        nonlocal arguments
        arguments = learning_rate, t
        workers.run(updates)

    return step


Job = Callable[[], None]
END: tuple[int, Job] = (-1, lambda: None)
"""Ends a thread, in place of a numbered task."""


def _run(task: Job) -> BaseException | None:
    """Run a task, and return its error, if any."""
    try:
        task()
    except BaseException as error:  # raised by the caller
        return error
    return None


class WorkerThreads:
    """A context with a number of threads, including the caller's, which ends them on exit."""

    def __init__(self, threads: int) -> None:
        self._waiting: SimpleQueue[tuple[int, Job]] = SimpleQueue()
        self._done: SimpleQueue[tuple[int, BaseException | None]] = SimpleQueue()
        self._helpers = [Thread(target=self._help, name="nncli part", daemon=True) for _ in range(threads - 1)]
        for helper in self._helpers:
            helper.start()

    def __enter__(self) -> WorkerThreads:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _ in self._helpers:
            self._waiting.put(END)
        for helper in self._helpers:
            helper.join()

    def _help(self) -> None:
        with np.errstate(all="ignore"):  # per thread; the loop checks for values that are not finite
            while (waiting := self._waiting.get()) is not END:
                number, task = waiting
                self._done.put((number, _run(task)))

    def run(self, tasks: Sequence[Job]) -> None:
        """Run all tasks on any of the threads, and return when all are done.

        Raises:
            BaseException: the error of the first task that failed, after all have ended.
        """
        if not tasks:
            return
        for waiting in enumerate(tasks[1:], start=1):
            self._waiting.put(waiting)
        results = [(0, _run(tasks[0]))]
        with suppress(Empty):
            while True:
                number, task = self._waiting.get_nowait()
                results.append((number, _run(task)))
        results += [self._done.get() for _ in range(len(tasks) - len(results))]
        for _, error in sorted(results, key=lambda result: result[0]):
            if error is not None:
                raise error

"""Short tasks that can be run anywhere and any number of times, in worker processes or on a Dask cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Hashable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Generic, TypeVar

from nncli.fitting.parallel.executor import Workers

SECONDS_BETWEEN_POLLS = 0.25
MAX_LOSSES = 3
"""How often a task is started again after its process was lost."""
LOSSES_OF_A_SUSPECT = 2
"""From so many losses on a task runs alone, so that no other one is lost with it."""

T = TypeVar("T", bound=Hashable)
R = TypeVar("R")


class IndependentTasks(Generic[T, R]):
    """Tasks that `work` turns into results, `count` at a time, or as many as the cluster has threads.

    `work` and the tasks are sent to other processes. A result of None means that the process had to end before the
    task was done.
    """

    def __init__(self, work: Callable[[T], R | None], count: int, workers: Workers = Workers()) -> None:  # noqa: B008
        self._work, self._count, self._where = work, count, workers
        self._losses: Counter[T] = Counter()
        self._lost = workers.lost_errors

    def run(self, tasks: Sequence[T]) -> Generator[tuple[T, R | None], None, None]:
        """Yield each task with its result, in the order in which they end; None if its process was lost every time.

        Raises:
            UsageError: there is no such cluster.
            Exception: what `work` raises.
        """
        waiting = dict.fromkeys(tasks)
        while waiting:
            together = [task for task in waiting if self._losses[task] < LOSSES_OF_A_SUSPECT]
            batch = together or [*waiting][:1]
            before = len(waiting), self._losses.total()
            try:
                with self._where.executor(min(self._count, len(batch))) as executor:
                    for task, result in self._results(executor, batch):
                        del waiting[task]
                        yield task, result
            except self._lost:  # the executor is broken, and the losses are counted
                pass
            if (len(waiting), self._losses.total()) == before:  # the executor was broken before it took a task
                self._losses[batch[0]] += 1
            for task in [task for task in waiting if self._losses[task] > MAX_LOSSES]:
                del waiting[task]
                yield task, None

    def _results(self, executor: Executor, tasks: Sequence[T]) -> Generator[tuple[T, R], None, None]:
        """Yield the tasks that are done; the others are counted as lost, or not started after a loss.

        A few tasks are submitted at a time, so that a broken pool tells which ones may have broken it. A cluster names
        the task itself.
        """
        left = iter(tasks)
        size = len(tasks) if self._where.are_remote else self._count + 1
        futures: dict[Future[R | None], T] = {}
        is_broken = False
        try:
            while True:
                while not is_broken and len(futures) < size and (task := next(left, None)) is not None:
                    try:
                        futures[executor.submit(self._work, task)] = task
                    except self._lost:
                        is_broken = True
                if not futures:
                    return
                finished, _ = wait(futures, SECONDS_BETWEEN_POLLS, FIRST_COMPLETED)
                for future in finished:
                    task = futures.pop(future)
                    try:
                        result = future.result()
                    except self._lost:
                        result = None
                    if result is None:
                        self._losses[task] += 1
                        is_broken = True
                    else:
                        yield task, result
        finally:
            for future in futures:
                future.cancel()

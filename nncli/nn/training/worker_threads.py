"""Worker threads for the shards of a training step.

NumPy and compiled loops run without Python's lock, so two threads with half a batch each are up to 1.8 times as fast as
one with the whole batch: element-wise work and the optimizer scale as the matrix products do. The threads of a BLAS
scale the products alone, and spin while they wait for the next one, which costs more than it gains on a busy machine.

A thread sleeps until there is a task, and on a busy machine it may take longer to wake up than to do the task. So any
thread that is awake takes the next task, and a step waits only for tasks that are running.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType

import numpy as np

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

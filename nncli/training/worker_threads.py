"""Threads that wait for the parts of a step.

NumPy and compiled loops run without Python's lock, so two threads with half a batch each are up to 1.8 times as fast as
one with the whole: the element-wise work and the optimizer scale as the matrix products do. The threads of a BLAS
scale the products alone, and spin while they wait for the next, which on a busy machine costs more than they give.

A thread sleeps until there is a task, and on a busy machine it may be longer until it is given a core than the task
takes. So whoever is awake takes the next task, and a step waits for none but threads that are at work.
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
"""What tells a thread to end, in place of a numbered task."""


def _do(task: Job) -> BaseException | None:
    """Do a task, and return its error, if any."""
    try:
        task()
    except BaseException as error:  # it is the caller's
        return error
    return None


class WorkerThreads:
    """`threads` threads, the caller's among them; a context, which ends them."""

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
        with np.errstate(all="ignore"):  # a thread's own; a value that overflows is met as such, by the loop
            while (waiting := self._waiting.get()) is not END:
                number, task = waiting
                self._done.put((number, _do(task)))

    def run(self, tasks: Sequence[Job]) -> None:
        """Do all tasks, on whatever thread, and return when the last is done.

        Raises:
            BaseException: what the first task that failed raised, after all came to their end.
        """
        if not tasks:
            return
        for waiting in enumerate(tasks[1:], start=1):
            self._waiting.put(waiting)
        ended = [(0, _do(tasks[0]))]
        with suppress(Empty):
            while True:
                number, task = self._waiting.get_nowait()
                ended.append((number, _do(task)))
        ended += [self._done.get() for _ in range(len(tasks) - len(ended))]
        for _, error in sorted(ended, key=lambda end: end[0]):
            if error is not None:
                raise error

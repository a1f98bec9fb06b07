"""Threads that wait for the parts of a step.

NumPy and compiled loops run without Python's lock, so two threads with half a batch each are up to 1.8 times as fast as
one with the whole: the element-wise work and the optimizer scale as the matrix products do. The threads of a BLAS
scale the products alone, and spin while they wait for the next, which on a busy machine costs more than they give.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from types import TracebackType

import numpy as np

Task = Callable[[], None]


def _do(tasks: Sequence[Task]) -> BaseException | None:
    """Do the tasks up to the first that fails, and return its error."""
    try:
        for task in tasks:
            task()
    except BaseException as error:  # it is the caller's
        return error
    return None


class _Helper:
    """A thread that does what it is given, and sleeps until then."""

    def __init__(self) -> None:
        self._given: SimpleQueue[Sequence[Task] | None] = SimpleQueue()
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="nncli part", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        with np.errstate(all="ignore"):  # a thread's own; a value that overflows is met as such, by the loop
            while (tasks := self._given.get()) is not None:
                self._done.put(_do(tasks))

    def begin(self, tasks: Sequence[Task]) -> None:
        self._given.put(tasks)

    def finish(self) -> BaseException | None:
        return self._done.get()

    def end(self) -> None:
        self._given.put(None)
        self._thread.join()


class Crew:
    """`threads` threads, the caller's among them; a context, which ends them."""

    def __init__(self, threads: int) -> None:
        self._helpers = [_Helper() for _ in range(threads - 1)]

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for helper in self._helpers:
            helper.end()

    def run(self, tasks: Sequence[Task]) -> None:
        """Do all tasks and return when the last is done. Which thread does which is no matter of chance.

        Raises:
            BaseException: whatever a task raised, after all threads came to their end.
        """
        threads = len(self._helpers) + 1
        for number, helper in enumerate(self._helpers, start=1):
            helper.begin(tasks[number::threads])
        errors = [_do(tasks[::threads]), *[helper.finish() for helper in self._helpers]]
        for error in errors:
            if error is not None:
                raise error

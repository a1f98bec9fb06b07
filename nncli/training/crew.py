"""Threads that wait for the parts of a step.

NumPy and compiled loops run without Python's lock, so two threads with half a batch each are nearly twice as fast as
one with the whole: the element-wise work and the optimizer scale as the matrix products do. The threads of a BLAS
scale the products alone, and spin while they wait for the next, which on a busy machine costs more than they give.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock, Thread
from types import TracebackType

Task = Callable[[], None]


class _Helper:
    """A thread that does what it is given, and sleeps until then."""

    def __init__(self) -> None:
        self._go, self._done = Lock(), Lock()
        self._go.acquire()
        self._done.acquire()
        self._tasks: Sequence[Task] | None = ()
        self._error: BaseException | None = None
        self._thread = Thread(target=self._work, name="nncli part", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while True:
            self._go.acquire()
            if self._tasks is None:
                return
            try:
                for task in self._tasks:
                    task()
            except BaseException as error:  # it is the caller's
                self._error = error
            self._done.release()

    def begin(self, tasks: Sequence[Task]) -> None:
        self._tasks = tasks
        self._go.release()

    def finish(self) -> None:
        self._done.acquire()
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def end(self) -> None:
        self._tasks = None
        self._go.release()
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
            BaseException: whatever a task raised, after all others were done.
        """
        threads = len(self._helpers) + 1
        for number, helper in enumerate(self._helpers, start=1):
            helper.begin(tasks[number::threads])
        try:
            for task in tasks[::threads]:
                task()
        finally:
            for helper in self._helpers:
                helper.finish()

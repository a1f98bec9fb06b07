"""The requests that wait for one model, and the threads that answer them."""

from __future__ import annotations

from collections import deque
from http import HTTPStatus
from threading import Condition, Thread

from nncli.serving.batch import answer_jobs
from nncli.serving.job import Job
from nncli.serving.problem import Problem, ProblemError
from nncli.serving.served_model import ModelSlot, Observer

SMALL = 1 << 16
"""The largest body, in bytes, of a request that is read and predicted with others."""
MAX_BATCH = 4 * SMALL
"""The bytes of all bodies of a batch."""


class ModelQueue:
    """Requests of one model; at most `limit` may wait.

    A thread takes all small requests that wait as one batch, or one large request. It takes both in turns, and
    answers waiting small requests between two parts of a large one, so neither kind waits for long.
    """

    def __init__(self, slot: ModelSlot, limit: int, threads: int, observe: Observer | None = None) -> None:
        self._slot, self._limit, self._observe = slot, limit, observe
        self._small, self._large = deque[Job](), deque[Job]()
        self._changed = Condition()
        self._is_large_next = False
        self._is_closed = False
        self._threads = [
            Thread(target=self._work, name=f"nncli predict {slot.name} {k}", daemon=True) for k in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """The number of requests that wait."""
        return len(self._small) + len(self._large)

    def add(self, job: Job) -> None:
        """Let a request wait.

        Raises:
            ProblemError: too many wait, or the server stops.
        """
        with self._changed:
            if self._is_closed:
                raise _unavailable("the server is stopping")
            if self.waiting >= self._limit:
                raise _unavailable("too many requests wait")
            (self._small if job.request.size <= SMALL else self._large).append(job)
            self._changed.notify()

    def remove(self, job: Job) -> None:
        """Forget a request whose client has left or whose time is over; it may be in progress, or answered."""
        with self._changed:
            for jobs in (self._small, self._large):
                if job in jobs:
                    jobs.remove(job)

    def close(self) -> None:
        """Refuse further requests; the threads answer those that wait, and end."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def join(self) -> None:
        """Wait for the threads to end."""
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while jobs := self._take():
            answer_jobs(jobs, self._slot.current, self._answer_small, self._observe)

    def _take(self) -> list[Job]:
        """The next requests to answer together, or an empty list once the queue is closed."""
        with self._changed:
            while not self.waiting:
                if self._is_closed:
                    return []
                self._changed.wait()
            if self._large and (self._is_large_next or not self._small):
                self._is_large_next = False
                return [self._large.popleft()]
            self._is_large_next = True
            return self._take_small()

    def _take_small(self) -> list[Job]:
        jobs, size = list[Job](), 0
        while self._small and (not jobs or size + self._small[0].request.size <= MAX_BATCH):
            jobs.append(self._small.popleft())
            size += jobs[-1].request.size
        if self.waiting:
            self._changed.notify()
        return jobs

    def _answer_small(self) -> None:
        """Answer the small requests that wait, by a thread that has a large one in progress."""
        with self._changed:
            jobs = self._take_small()
        if jobs:
            answer_jobs(jobs, self._slot.current, lambda: None, self._observe)


def _unavailable(detail: str) -> ProblemError:
    return ProblemError(Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, "Try again later.", retry_after=1))

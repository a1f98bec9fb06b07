"""The requests that wait for one model, and the threads that answer them."""

from __future__ import annotations

from collections import deque
from threading import Condition, Lock, Thread

from nncli.serving.batching.batch import answer_jobs
from nncli.serving.batching.job import Job
from nncli.serving.models.model_slots import ModelSlot
from nncli.serving.models.served_model import Observer
from nncli.serving.problems.problem import ProblemError, busy

SMALL = 1 << 16
"""The largest body, in bytes, of a request that is read and predicted with others."""
MAX_BATCH = 4 * SMALL
"""The bytes of all bodies of a batch of small requests."""
TOO_MANY, STOPPING = busy("too many requests wait"), busy("the server is stopping")


class ModelQueue:
    """Requests of one model; at most `limit` may wait.

    There are `threads` for small requests, each of which takes all that wait as one batch, and as many for large ones,
    each of which takes one. So neither kind waits for the other, and the operating system shares the processors
    between them: a row is answered in the time of a few rows while tables are predicted.
    """

    def __init__(self, slot: ModelSlot, limit: int, threads: int, observe: Observer | None = None) -> None:
        self._slot, self._limit, self._observe = slot, limit, observe
        self._lock = Lock()
        self._small, self._large = _Waiting(self._lock, MAX_BATCH), _Waiting(self._lock, None)
        self._is_closed = False
        self._threads = [
            Thread(target=self._work, args=[waiting], name=f"nncli predict {slot.name} {kind} {k}", daemon=True)
            for kind, waiting in (("small", self._small), ("large", self._large))
            for k in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """The number of requests that wait."""
        return len(self._small.jobs) + len(self._large.jobs)

    @property
    def is_full(self) -> bool:
        """Whether no further request may wait."""
        return self.waiting >= self._limit

    def add(self, job: Job) -> None:
        """Let a request wait.

        Raises:
            ProblemError: too many wait, or the server stops.
        """
        request = job.request
        # A level that is asked for the first time needs a calibration.
        is_small = (
            request.size <= SMALL
            and not request.may_be_large
            and self._slot.current.is_calibrated(request.options.uncertainty)
        )
        with self._lock:
            if self._is_closed:
                raise ProblemError(STOPPING)
            if self.is_full:
                raise ProblemError(TOO_MANY)
            (self._small if is_small else self._large).add(job)

    def remove(self, job: Job) -> None:
        """Forget a request whose client has left or whose time is over; it may be in progress, or answered."""
        with self._lock:
            for waiting in (self._small, self._large):
                if job in waiting.jobs:
                    waiting.jobs.remove(job)

    def close(self) -> None:
        """Refuse further requests; the threads answer those that wait, and end."""
        with self._lock:
            self._is_closed = True
            self._small.changed.notify_all()
            self._large.changed.notify_all()

    def join(self) -> None:
        """Wait for the threads to end."""
        for thread in self._threads:
            thread.join()

    def _work(self, waiting: _Waiting) -> None:
        while jobs := self._take(waiting):
            answer_jobs(jobs, self._slot.current, self._observe)

    def _take(self, waiting: _Waiting) -> list[Job]:
        """The next requests to answer together, or an empty list once the queue is closed."""
        with self._lock:
            while not waiting.jobs:
                if self._is_closed:
                    return []
                waiting.changed.wait()
            return waiting.take()


class _Waiting:
    """Requests of one kind, in the order of their arrival; all calls need the lock.

    A batch has bodies of at most `max_batch` bytes together; if that is None, it is a single request.
    """

    def __init__(self, lock: Lock, max_batch: int | None) -> None:
        self.jobs = deque[Job]()
        self.changed = Condition(lock)
        self._max_batch = max_batch

    def add(self, job: Job) -> None:
        self.jobs.append(job)
        self.changed.notify()

    def take(self) -> list[Job]:
        """The first requests, at least one, as a batch."""
        jobs = [self.jobs.popleft()]
        if self._max_batch is None:
            return jobs
        size = jobs[0].request.size
        while self.jobs and (size := size + self.jobs[0].request.size) <= self._max_batch:
            jobs.append(self.jobs.popleft())
        return jobs

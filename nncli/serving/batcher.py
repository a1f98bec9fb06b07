"""Predicting what waits in batches, on threads besides the event loop.

A thread takes everything that waits, reads the bodies, predicts rows of the same columns and options at once, and
writes the answers. Nothing waits for more to come. A prediction depends on its row alone, so batching changes no bit.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import groupby
from threading import Condition, Thread
from typing import Protocol

import polars as pl

from nncli.data.table import Table
from nncli.errors import NncliError
from nncli.serving.problem import Problem, ProblemError, problem_of
from nncli.serving.served_model import ModelSlot, PredictionOptions, ServedModel

THREADS = 2
"""One computes with the BLAS, which needs no interpreter lock, while the other reads or writes."""


class PredictionRequest(Protocol):
    """What a batcher is asked: which rows, what of them, and how the answer is written."""

    @property
    def options(self) -> PredictionOptions:
        """What is predicted."""

    def read(self, model: ServedModel) -> Table:
        """The rows of the body.

        Raises:
            ProblemError, NncliError: the body is no table, or not one of this model.
        """

    def write(self, model: ServedModel, table: Table, predictions: pl.DataFrame) -> bytes:
        """The body of the answer."""


@dataclass(eq=False)
class Job:
    """A request that waits for its answer."""

    slot: ModelSlot
    request: PredictionRequest
    done: Callable[[bytes | Exception], None]
    table: Table | None = None


class Batcher:
    """Threads that answer the requests that wait; at most `limit` may wait."""

    def __init__(self, limit: int, max_rows: int, threads: int = THREADS) -> None:
        self._limit, self._max_rows = limit, max_rows
        self._waiting: deque[Job] = deque()
        self._changed = Condition()
        self._closed = False
        self._threads = [Thread(target=self._work, name=f"nncli predict {k}", daemon=True) for k in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """The number of requests that wait."""
        return len(self._waiting)

    async def answer(self, slot: ModelSlot, request: PredictionRequest) -> bytes:
        """The body of the answer to a request.

        Raises:
            ProblemError: the request cannot be answered, or too many wait.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bytes] = loop.create_future()

        def settle(result: bytes | Exception) -> None:
            if future.done():  # the client has left, or the time is over
                return
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

        job = Job(slot, request, lambda result: _call(loop, settle, result))
        with self._changed:
            if len(self._waiting) >= self._limit or self._closed:
                raise ProblemError(
                    Problem(HTTPStatus.SERVICE_UNAVAILABLE, "too many requests wait", "Try again later.", retry_after=1)
                )
            self._waiting.append(job)
            self._changed.notify()
        return await future

    def close(self) -> None:
        """Answer what waits, and end the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while jobs := self._take():
            for batch in _by_slot(jobs):
                self._answer(batch)

    def _take(self) -> list[Job]:
        """Everything that waits, or an empty list once the batcher is closed."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            jobs = list(self._waiting)
            self._waiting.clear()
            return jobs

    def _answer(self, jobs: Sequence[Job]) -> None:
        """Answer jobs of one slot by its present model."""
        model = jobs[0].slot.current
        read = [job for job in jobs if _read(job, model)]
        for batch in _batches(read, self._max_rows):
            _predict(batch, model)


def _call(
    loop: asyncio.AbstractEventLoop, settle: Callable[[bytes | Exception], None], result: bytes | Exception
) -> None:
    try:
        loop.call_soon_threadsafe(settle, result)
    except RuntimeError:  # the loop is closed: nobody waits any more
        return


def _by_slot(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    for _, group in groupby(sorted(jobs, key=lambda job: job.slot.name), key=lambda job: job.slot.name):
        yield list(group)


def _read(job: Job, model: ServedModel) -> bool:
    """Read the body of a job, or answer it with the error."""
    try:
        job.table = job.request.read(model)
    except Exception as error:  # every request gets an answer
        job.done(_as_problem(error))
        return False
    return True


def _batches(jobs: Sequence[Job], max_rows: int) -> Iterator[list[Job]]:
    """Jobs whose rows can be predicted as one table, of at most `max_rows` rows together."""
    groups: dict[Hashable, list[Job]] = {}
    for job in jobs:
        assert job.table is not None
        schema = tuple(job.table.frame.schema.items())
        groups.setdefault((schema, job.table.dialect, job.request.options), []).append(job)
    for group in groups.values():
        batch, rows = list[Job](), 0
        for job in group:
            assert job.table is not None
            if batch and rows + len(job.table) > max_rows:
                yield batch
                batch, rows = [], 0
            batch.append(job)
            rows += len(job.table)
        yield batch


def _predict(jobs: Sequence[Job], model: ServedModel) -> None:
    """Predict a batch and answer its jobs; one by one if a row of any cannot be predicted."""
    tables = [job.table for job in jobs if job.table is not None]
    table = tables[0]
    if len(tables) > 1:
        table = replace(table, frame=pl.concat([one.frame for one in tables]), notes=(), details=())
    try:
        predictions = model.predict(table, jobs[0].request.options)
    except Exception as error:  # every request gets an answer
        if len(jobs) == 1:
            jobs[0].done(_as_problem(error))
            return
        for job in jobs:
            _predict([job], model)
        return
    start = 0
    for job, one in zip(jobs, tables, strict=True):
        part = predictions[start : start + len(one)]
        start += len(one)
        try:
            job.done(job.request.write(model, one, part))
        except Exception as error:  # every request gets an answer
            job.done(_as_problem(error))


def _as_problem(error: Exception) -> ProblemError:
    """The error as a problem; what is no error of the request is a fault of the server, which the log shows."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, NncliError):
        return ProblemError(problem_of(error))
    import logging

    logging.getLogger(__name__).error("a request failed", exc_info=error)
    return ProblemError(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the server has failed; see its log"))

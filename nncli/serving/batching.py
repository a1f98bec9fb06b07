"""Requests that wait for their predictions, are predicted in batches on threads, and get their answers."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from threading import Condition, Lock, Thread
from typing import Protocol, TypeAlias

import polars as pl
from starlette.types import Scope

from nncli.base.errors import CellError, NncliError, RunError
from nncli.base.plugins import error_of_plugin
from nncli.base.text import quote
from nncli.data.encoders.anomalies import Anomalies
from nncli.data.table import Table
from nncli.models.ensemble import AnyModel
from nncli.serving.models.reload import ModelSlot
from nncli.serving.models.served_model import Observer, PredictedRows, PredictionOptions, ServedModel
from nncli.serving.problems import CellProblem, Problem, ProblemError, busy, problem_of

FAILURES = (Exception, pl.exceptions.PanicException)
"""What may be raised while a request is answered; an internal error of Polars is not a subclass of Exception."""
PREDICTED = "predicted"
Result: TypeAlias = bytes | ProblemError
"""The body of an answer, or why there is none."""


class PredictionRequest(Protocol):
    """A request of a batcher: its rows, what is predicted for them, and how the answer is written."""

    @property
    def options(self) -> PredictionOptions:
        """What is predicted."""

    @property
    def size(self) -> int:
        """The bytes of the body; a request is small or large by them."""

    @property
    def may_be_large(self) -> bool:
        """Whether it may take long however small it is: a compressed body, or effects, which predict a row often."""

    def read(self, model: ServedModel) -> Table:
        """The rows of the body.

        Raises:
            ProblemError, NncliError: the body is not a table, or not one of this model.
        """

    def write(self, model: ServedModel, table: Table, predictions: pl.DataFrame, notes: Sequence[str]) -> bytes:
        """The body of the answer; `notes` say how the table was read, and which cells differ from all training rows."""


@dataclass(frozen=True)
class PredictedBatch:
    """The model that a request asked, the version that answered, and the number of rows if they could be read."""

    model: str
    version: str
    rows: int | None


def predicted_of(scope: Scope) -> PredictedBatch | None:
    """What was predicted for a request; None if nothing was."""
    predicted = scope.get("state", {}).get(PREDICTED)
    assert predicted is None or isinstance(predicted, PredictedBatch)
    return predicted


def set_predicted(scope: Scope, predicted: PredictedBatch) -> None:
    """Note what was predicted for a request, for its headers and the access log."""
    scope.setdefault("state", {})[PREDICTED] = predicted


@dataclass(eq=False)
class Job:
    """A request that waits; made in the event loop that waits for it.

    `model_version` is that of its answer, `table` the rows of its body once they are read.
    """

    request: PredictionRequest
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    future: asyncio.Future[bytes] = field(init=False)
    model_version: str = ""
    _table: Table | None = None

    def __post_init__(self) -> None:
        self.future = self.loop.create_future()

    @property
    def is_over(self) -> bool:
        """Whether nobody waits any more: it is answered, its client has left, or its time is over."""
        return self.future.done()

    def read(self, model: ServedModel) -> None:
        """Read the rows for the model that is to answer.

        Raises:
            ProblemError, NncliError: the body is not a table, or not one of this model.
        """
        self.model_version = model.version
        self._table = self.request.read(model)

    @property
    def table(self) -> Table:
        """The rows, which have been read."""
        assert self._table is not None
        return self._table

    @property
    def rows(self) -> int | None:
        """The number of rows; None if they could not be read."""
        return None if self._table is None else len(self._table)


Answers: TypeAlias = Sequence[tuple[Job, Result]]


def deliver(answers: Answers) -> None:
    """Give jobs their answers, from any thread. An event loop is woken once for all of its jobs."""
    for loop in dict.fromkeys(job.loop for job, _ in answers):
        try:
            loop.call_soon_threadsafe(_set_results, [(job, result) for job, result in answers if job.loop is loop])
        except RuntimeError:  # the loop is closed: nobody waits any more
            continue


def _set_results(answers: Answers) -> None:
    for job, result in answers:
        if job.is_over:
            continue
        if isinstance(result, ProblemError):
            job.future.set_exception(result)
        else:
            job.future.set_result(result)


def as_problem(error: BaseException) -> Problem:
    """The error as a problem; what is not an error of the request is a fault of the server, which the log shows."""
    if isinstance(error, ProblemError):
        return error.problem
    if isinstance(error, RunError):
        logging.getLogger(__name__).error("a request failed: %s: %s", error.location, error.message)
    if isinstance(error, NncliError):
        return problem_of(error)
    plugin = error_of_plugin(error)
    detail = "" if plugin is None else f": {plugin.location}: {plugin.message}"
    logging.getLogger(__name__).error("a request failed%s", detail, exc_info=error)
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the server has failed; see its log")


MAX_CELLS = 20
MAX_VALUE = 200
"""Characters of a value that are shown."""


def problem_of_cells(error: CellError, model: AnyModel, table: Table) -> Problem:
    """The problem of the cell that an error names, with its value, and `MAX_CELLS` invalid cells of the table."""
    problem = problem_of(error)
    try:
        cells = model.invalid_cells(table).frame
        first = cells.filter((pl.col("row") == problem.row) & (pl.col("column") == problem.column))
        value = shown_value(first["value"][0]) if len(first) else None
        return replace(problem, value=value, errors=tuple(map(_cell_problem, cells[:MAX_CELLS].rows())))
    except NncliError:
        return problem
    except FAILURES as fault:
        logging.getLogger(__name__).error("the invalid cells of a request were not found", exc_info=fault)
        return problem


def _cell_problem(cell: tuple[int, str, str, str]) -> CellProblem:
    row, column, value, reason = cell
    return CellProblem(row, column, shown_value(value), f"{quote(value)} is {reason}")


def shown_value(value: str) -> str:
    """The value of a cell, shortened."""
    return value if len(value) <= MAX_VALUE else f"{value[: MAX_VALUE - 1]}…"


PART_ROWS = 1536
"""Rows that are predicted at once: a multiple of the blocks of 384 rows, about 0.1 s on two cores."""
MAX_FAULTS = 8
"""Faults of the server after which a batch is no longer divided to find the request that causes them."""


def answer_jobs(jobs: Sequence[Job], model: ServedModel, observe: Observer | None = None) -> None:
    """Answer every job, whatever fails. A table of many rows is predicted in parts, unless its client leaves.

    `observe` is called with all rows that are predicted together.
    """
    try:
        _answer(jobs, model, observe)
    except FAILURES as error:  # else the thread would end, and nothing that waits would be answered
        problem = as_problem(error)
        deliver([(job, ProblemError(problem)) for job in jobs])  # those with an answer keep it


def _answer(jobs: Sequence[Job], model: ServedModel, observe: Observer | None) -> None:
    read: list[Job] = []
    failed: list[tuple[Job, Result]] = []
    for job in jobs:
        if job.is_over:
            continue
        try:
            job.read(model)
            read.append(job)
        except FAILURES as error:  # every request gets an answer
            failed.append((job, ProblemError(as_problem(error))))
    if failed:
        deliver(failed)
    for group in _groups(read, model):
        deliver(list(_results(group, model, observe)))


def _rows_at_once(job: Job, model: ServedModel) -> int:
    """The rows that are predicted at once for the options of a job; each one with effects is predicted many times."""
    return PART_ROWS // (len(model.model.names) + 1) or 1 if job.request.options.effects else PART_ROWS


def _groups(jobs: Sequence[Job], model: ServedModel) -> Iterator[list[Job]]:
    """Jobs whose rows can be predicted as one table, of at most `_rows_at_once` together."""
    if len(jobs) == 1:
        yield list(jobs)
        return
    alike: dict[Hashable, list[Job]] = {}
    for job in jobs:
        frame = job.table.frame
        key = (*frame.columns, *frame.dtypes, job.table.dialect, job.request.options)
        alike.setdefault(key, []).append(job)
    for group in alike.values():
        start, rows, most = 0, 0, _rows_at_once(group[0], model)
        for i, job in enumerate(group):
            if i > start and rows + len(job.table) > most:
                yield group[start:i]
                start, rows = i, 0
            rows += len(job.table)
        yield group[start:]


def _results(jobs: list[Job], model: ServedModel, observe: Observer | None) -> Iterator[tuple[Job, Result]]:
    """The result of each job. Jobs that fail together are divided in halves, until those that do not fail are found.

    Faults of the server are logged, and jobs are not divided any more after `MAX_FAULTS` of them.
    """
    groups, faults = [jobs], 0
    while groups:
        group = groups.pop()
        try:
            predictions = _predicted(group, model, observe)
        except FAILURES as error:  # every request gets an answer
            is_fault = not isinstance(error, NncliError | ProblemError)
            faults += is_fault
            if len(group) > 1 and not (is_fault and faults > MAX_FAULTS):
                middle = len(group) // 2
                groups += [group[middle:], group[:middle]]
                continue
            problem = as_problem(error)
            if isinstance(error, CellError):
                problem = problem_of_cells(error, model.model, group[0].table)
            yield from ((job, ProblemError(problem)) for job in group)
            continue
        if predictions is None:
            continue
        start = 0
        for job in group:
            is_alone, end = len(group) == 1, start + len(job.table)
            part = predictions if is_alone else PredictedRows(predictions.frame[start:end], predictions.anomalies)
            start = end
            yield job, _written(job, part, model, is_alone=is_alone)


def _predicted(jobs: Sequence[Job], model: ServedModel, observe: Observer | None) -> PredictedRows | None:
    """The predictions of the rows of all jobs, in parts if they are many; None if nobody waits any more."""
    first, options, most = jobs[0].table, jobs[0].request.options, _rows_at_once(jobs[0], model)
    if len(jobs) > 1:
        frame = pl.concat([job.table.frame for job in jobs])
        return model.predict(replace(first, frame=frame, notes=(), details=()), options, observe)
    if len(first) <= most:
        return model.predict(first, options, observe)
    parts: list[PredictedRows] = []
    for start in range(0, len(first), most):
        if jobs[0].is_over:
            return None
        parts.append(model.predict(first.part(start, start + most), options, observe))
    anomalies = sum((part.anomalies for part in parts), Anomalies())
    return PredictedRows(pl.concat([part.frame for part in parts]), anomalies)


def _written(job: Job, predictions: PredictedRows, model: ServedModel, *, is_alone: bool) -> Result:
    """The answer. Unless a job `is_alone`, the anomalies are those of a batch, and are counted again for its rows."""
    try:
        anomalies = predictions.anomalies
        if anomalies.columns and not is_alone:
            anomalies = model.model.anomalies(job.table)
        notes = job.table.notes if anomalies.note is None else (*job.table.notes, anomalies.note)
        return job.request.write(model, job.table, predictions.frame, notes)
    except FAILURES as error:  # every request gets an answer
        return ProblemError(as_problem(error))


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


THREADS = 2
"""For small requests of a model, and for large ones: one computes with the BLAS, which needs no interpreter lock, while
another reads or writes."""


class Batcher:
    """Threads that answer the requests that wait; at most `limit` may wait for each of the models.

    `observe` is called with all rows that are predicted together.
    """

    def __init__(
        self, slots: Iterable[ModelSlot], limit: int, observe: Observer | None = None, threads: int = THREADS
    ) -> None:
        self.limit = limit
        self._queues = {slot: ModelQueue(slot, limit, threads, observe) for slot in slots}

    @property
    def waiting(self) -> int:
        """The number of requests that wait."""
        return sum(queue.waiting for queue in self._queues.values())

    def is_full(self, slot: ModelSlot) -> bool:
        """Whether no further request may wait for a model."""
        return self._queues[slot].is_full

    async def answer(self, slot: ModelSlot, request: PredictionRequest, scope: Scope | None = None) -> bytes:
        """The body of the answer to a request. If the caller is cancelled, the request no longer waits.

        What was predicted is noted in the `scope` of the request.

        Raises:
            ProblemError: the request cannot be answered, too many wait, or the server stops.
        """
        queue = self._queues[slot]
        job = Job(request)
        queue.add(job)
        try:
            return await job.future
        except asyncio.CancelledError:
            queue.remove(job)
            raise
        finally:
            if scope is not None:
                set_predicted(scope, PredictedBatch(slot.name, job.model_version, job.rows))

    def close(self) -> None:
        """Refuse further requests, answer what waits, and end the threads."""
        for queue in self._queues.values():
            queue.close()
        for queue in self._queues.values():
            queue.join()

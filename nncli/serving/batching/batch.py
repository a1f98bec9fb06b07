"""Jobs of one model: their bodies read, their rows predicted together, their answers written.

A prediction depends on its row alone, so batching changes no bit, and neither does predicting a table in parts.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace

import polars as pl

from nncli.base.errors import CellError, NncliError
from nncli.data.encoders.anomalies import Anomalies
from nncli.data.table import Table
from nncli.serving.batching.cell_problems import problem_of_cells
from nncli.serving.batching.job import FAILURES, Job, Result, as_problem, deliver
from nncli.serving.models.served_model import Observer, PredictedRows, ServedModel
from nncli.serving.problems.problem import Problem, ProblemError

PART_ROWS = 1536
"""Rows that are predicted at once: a multiple of the blocks of 384 rows, about 0.1 s on two cores."""
MAX_FAULTS = 8
"""Faults of the server after which a batch is no longer divided to find the request that causes them."""


@dataclass(frozen=True)
class ReadJob:
    """A job with the rows of its body."""

    job: Job
    table: Table


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
    read: list[ReadJob] = []
    failed: list[tuple[Job, Result]] = []
    for job in jobs:
        if job.is_over:
            continue
        job.model_version = model.version
        try:
            table = job.request.read(model)
            job.rows = len(table)
            read.append(ReadJob(job, table))
        except FAILURES as error:  # every request gets an answer
            failed.append((job, ProblemError(as_problem(error))))
    if failed:
        deliver(failed)
    for group in _groups(read, model):
        if len(group) == 1 and len(group[0].table) > _rows_at_once(group[0], model):
            _answer_in_parts(group[0], model, observe)
        else:
            deliver(list(_results(group, model, observe)))


def _rows_at_once(one: ReadJob, model: ServedModel) -> int:
    """The rows that are predicted at once for the options of a job; each one with effects is predicted many times."""
    return PART_ROWS // (len(model.model.names) + 1) or 1 if one.job.request.options.explain else PART_ROWS


def _groups(jobs: Sequence[ReadJob], model: ServedModel) -> Iterator[list[ReadJob]]:
    """Jobs whose rows can be predicted as one table, of at most `_rows_at_once` together."""
    if len(jobs) == 1:
        yield list(jobs)
        return
    alike: dict[Hashable, list[ReadJob]] = {}
    for one in jobs:
        frame = one.table.frame
        key = (*frame.columns, *frame.dtypes, one.table.dialect, one.job.request.options)
        alike.setdefault(key, []).append(one)
    for group in alike.values():
        start, rows, most = 0, 0, _rows_at_once(group[0], model)
        for i, one in enumerate(group):
            if i > start and rows + len(one.table) > most:
                yield group[start:i]
                start, rows = i, 0
            rows += len(one.table)
        yield group[start:]


def _results(jobs: list[ReadJob], model: ServedModel, observe: Observer | None) -> Iterator[tuple[Job, Result]]:
    """The result of each job. Jobs that fail together are divided in halves, until those that do not fail are found.

    Faults of the server are logged, and jobs are not divided any more after `MAX_FAULTS` of them.
    """
    groups, faults = [jobs], 0
    while groups:
        group = groups.pop()
        try:
            predictions = model.predict(_joined(group), group[0].job.request.options, observe)
        except FAILURES as error:  # every request gets an answer
            is_fault = not isinstance(error, NncliError | ProblemError)
            faults += is_fault
            if len(group) > 1 and not (is_fault and faults > MAX_FAULTS):
                middle = len(group) // 2
                groups += [group[middle:], group[:middle]]
                continue
            problem = _problem(error, model, group[0].table)
            yield from ((one.job, ProblemError(problem)) for one in group)
            continue
        start = 0
        for one in group:
            is_alone, end = len(group) == 1, start + len(one.table)
            part = predictions if is_alone else PredictedRows(predictions.frame[start:end], predictions.anomalies)
            start = end
            yield one.job, _written(one, part, model, is_alone=is_alone)


def _joined(jobs: Sequence[ReadJob]) -> Table:
    first = jobs[0].table
    if len(jobs) == 1:
        return first
    return replace(first, frame=pl.concat([one.table.frame for one in jobs]), notes=(), details=())


def _answer_in_parts(one: ReadJob, model: ServedModel, observe: Observer | None) -> None:
    """Answer a job of many rows, unless its client leaves."""
    parts: list[PredictedRows] = []
    most = _rows_at_once(one, model)
    for start in range(0, len(one.table), most):
        if one.job.is_over:
            return
        try:
            rows = one.table.part(start, start + most)
            parts.append(model.predict(rows, one.job.request.options, observe))
        except FAILURES as error:  # every request gets an answer
            deliver([(one.job, ProblemError(_problem(error, model, one.table)))])
            return
    together = PredictedRows(
        pl.concat([part.frame for part in parts]), sum((part.anomalies for part in parts), Anomalies())
    )
    deliver([(one.job, _written(one, together, model, is_alone=True))])


def _problem(error: BaseException, model: ServedModel, table: Table) -> Problem:
    """The problem of an error in the rows of one request."""
    return problem_of_cells(error, model.model, table) if isinstance(error, CellError) else as_problem(error)


def _written(one: ReadJob, predictions: PredictedRows, model: ServedModel, *, is_alone: bool) -> Result:
    """The answer. Unless a job `is_alone`, the anomalies are those of a batch, and are counted again for its rows."""
    try:
        anomalies = predictions.anomalies
        if anomalies.columns and not is_alone:
            anomalies = model.model.anomalies(one.table)
        notes = one.table.notes if anomalies.note is None else (*one.table.notes, anomalies.note)
        return one.job.request.write(model, one.table, predictions.frame, notes)
    except FAILURES as error:  # every request gets an answer
        return ProblemError(as_problem(error))

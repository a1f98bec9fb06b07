"""Answers reach the event loops that wait for them, and errors become problems."""

from __future__ import annotations

import asyncio
from threading import Thread

import pytest

from nncli.base.errors import DataError, Location, RunError
from nncli.serving.batching import Job, PredictedBatch, as_problem, deliver, predicted_of, set_predicted
from nncli.serving.problems import ProblemError, busy
from tests.serving.fake_models import FakeRequest


def test_jobs_of_several_loops_are_answered_from_one_thread() -> None:
    jobs: list[Job] = []

    async def wait() -> bytes:
        job = Job(FakeRequest([1.0]))
        jobs.append(job)
        async with asyncio.timeout(20):
            while not job.is_over:
                await asyncio.sleep(0.001)
                if len(jobs) == 2 and jobs[1] is job:
                    deliver([(jobs[0], b"0"), (jobs[1], b"1")])
        return await job.future

    answers: list[bytes] = []
    threads = [Thread(target=lambda: answers.append(asyncio.run(wait()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [b"0", b"1"]


def test_the_first_answer_stays() -> None:
    async def run() -> bytes:
        job = Job(FakeRequest([1.0]))
        deliver([(job, b"first")])
        deliver([(job, ProblemError(busy("later")))])
        return await job.future

    assert asyncio.run(run()) == b"first"


def test_what_was_predicted_is_in_the_scope() -> None:
    scope: dict[str, object] = {}
    assert predicted_of(scope) is None
    set_predicted(scope, PredictedBatch("model", "version", 3))
    assert predicted_of(scope) == PredictedBatch("model", "version", 3)


@pytest.mark.parametrize(
    ("error", "status", "records"),
    [
        (ProblemError(busy("full")), 503, 0),
        (DataError("no table"), 422, 0),
        (RunError("damaged", location=Location(source="run")), 503, 1),
        (ZeroDivisionError(), 500, 1),
    ],
)
def test_faults_of_the_server_are_logged(
    error: Exception, status: int, records: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert as_problem(error).status == status
    assert len(caplog.records) == records

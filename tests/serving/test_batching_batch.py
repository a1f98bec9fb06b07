"""Jobs are read, predicted together where they are alike, and answered, each on its own if it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from nncli.serving.batching import PART_ROWS, Job, answer_jobs
from nncli.serving.models.served_model import PredictionOptions
from nncli.serving.problems import ProblemError
from tests.serving.fake_models import BAD_ROW, FakeModel, FakeRequest, fake_slot


def answered(requests: Sequence[FakeRequest]) -> tuple[list[bytes | int], list[Job], FakeModel]:
    """The answers to one batch or the status of their problems, the jobs, and the model that predicted them."""

    async def run() -> tuple[list[bytes | int], list[Job], FakeModel]:
        slot, model = fake_slot()
        jobs = [Job(request) for request in requests]
        answer_jobs(jobs, slot.current)
        results = await asyncio.gather(*(job.future for job in jobs), return_exceptions=True)
        answers: list[Any] = [x.problem.status.value if isinstance(x, ProblemError) else x for x in results]
        return answers, jobs, model

    return asyncio.run(run())


def test_rows_of_the_same_columns_and_options_are_predicted_together() -> None:
    proba = PredictionOptions(proba=True)
    requests = [
        FakeRequest([1.0, 2.0]),
        FakeRequest([3.0], extra=("a",)),
        FakeRequest([4.0]),
        FakeRequest([5.0], options=proba),
        FakeRequest([6.0], extra=("a",)),
    ]
    answers, jobs, model = answered(requests)
    assert answers == [request.expected for request in requests]
    assert model.rows == [3, 2, 1]
    assert [(job.model_version, job.rows) for job in jobs] == [("1", len(request.x)) for request in requests]


def test_each_answer_has_the_notes_of_its_own_rows() -> None:
    requests = [FakeRequest([1.0]), FakeRequest([2000.0]), FakeRequest([3000.0, 4000.0])]
    answers, _, model = answered(requests)
    assert model.rows == [4]
    assert answers == [request.expected for request in requests]
    assert len({request.expected for request in requests}) == 3


def test_the_notes_of_parts_add_up() -> None:
    request = FakeRequest([2000.0] + [1.0] * PART_ROWS + [3000.0])
    answers, _, model = answered([request])
    assert model.rows == [PART_ROWS, 2]
    assert answers == [request.expected]


@pytest.mark.parametrize(
    "bad", [FakeRequest([1.0], fails_to_read=True), FakeRequest([1.0], fails_to_write=True), FakeRequest([BAD_ROW])]
)
def test_a_request_fails_alone(bad: FakeRequest) -> None:
    requests = [FakeRequest([2.0]), bad, FakeRequest([3.0])]
    assert answered(requests)[0] == [request.expected for request in requests]


def test_a_request_that_is_over_is_not_read() -> None:
    async def run() -> Job:
        slot, model = fake_slot()
        job = Job(FakeRequest([1.0]))
        job.future.cancel()
        answer_jobs([job], slot.current)
        assert model.rows == []
        return job

    assert asyncio.run(run()).rows is None

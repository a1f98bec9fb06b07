"""Small requests do not wait for large ones, nor large ones for ever."""

from __future__ import annotations

import asyncio

from nncli.serving.batching import MAX_BATCH, PART_ROWS, SMALL, Job, ModelQueue
from nncli.serving.models.served_model import PredictionOptions
from tests.serving.fake_models import FakeModel, FakeRequest, fake_slot

LARGE = FakeRequest([1.0] * 3 * PART_ROWS, size=SMALL + 1)


def rows_of(*requests: FakeRequest) -> list[int]:
    """The rows of the calls of the model by one thread, which begins when all requests wait."""

    async def run() -> FakeModel:
        slot, model = fake_slot(is_open=False)
        queue = ModelQueue(slot, 100, threads=1)
        jobs = [Job(request) for request in (FakeRequest([1.0]), *requests)]
        queue.add(jobs[0])
        while not model.is_reached.is_set():
            await asyncio.sleep(0.001)
        for job in jobs[1:]:
            queue.add(job)
        model.gate.set()
        async with asyncio.timeout(20):
            await asyncio.gather(*(job.future for job in jobs))
        queue.close()
        queue.join()
        return model

    return asyncio.run(run()).rows[1:]


def answers_while_held(held: FakeRequest, other: FakeRequest, model: FakeModel) -> bytes:
    """The answer to another request while the model is busy with one."""

    async def run() -> bytes:
        slot, _ = fake_slot(model, is_open=False)
        queue = ModelQueue(slot, 100, threads=1)
        first, second = Job(held), Job(other)
        queue.add(first)
        while not model.is_reached.is_set():
            await asyncio.sleep(0.001)
        queue.add(second)
        async with asyncio.timeout(20):
            answer = await second.future
            model.gate.set()
            await first.future
        queue.close()
        queue.join()
        return answer

    return asyncio.run(run())


def test_a_small_request_does_not_wait_for_large_ones() -> None:
    small = FakeRequest([2.0])
    assert answers_while_held(LARGE, small, FakeModel(held_rows=2)) == small.expected


def test_a_large_request_does_not_wait_for_small_ones() -> None:
    large = FakeRequest([3.0] * 5, size=SMALL + 1)
    assert answers_while_held(FakeRequest([1.0] * 9), large, FakeModel(held_rows=6)) == large.expected


def test_a_request_that_may_take_long_is_a_large_one() -> None:
    effects = FakeRequest([3.0] * 5, may_be_large=True)
    assert answers_while_held(FakeRequest([1.0] * 9), effects, FakeModel(held_rows=6)) == effects.expected


def test_a_request_with_a_level_that_is_not_calibrated_yet_is_a_large_one() -> None:
    level = FakeRequest([3.0] * 5, options=PredictionOptions(interval=(0.9,)))
    assert answers_while_held(FakeRequest([1.0] * 9), level, FakeModel(held_rows=6)) == level.expected


def test_large_requests_are_answered_one_by_one() -> None:
    assert rows_of(*[FakeRequest([1.0] * 7, size=SMALL + 1)] * 3) == [7] * 3


def test_a_batch_of_small_requests_is_bounded_in_bytes() -> None:
    assert rows_of(*[FakeRequest([1.0], size=SMALL)] * 10) == [MAX_BATCH // SMALL, MAX_BATCH // SMALL, 2]


def test_a_batch_of_small_requests_is_bounded_in_rows() -> None:
    rows = PART_ROWS // 2 + 1
    assert rows_of(*[FakeRequest([1.0] * rows)] * 3) == [rows] * 3


def test_rows_with_effects_are_fewer_at_once() -> None:
    effects = PredictionOptions(effects=True)
    large = FakeRequest([1.0] * PART_ROWS, options=effects)
    assert rows_of(large, FakeRequest([2.0], options=effects)) == [PART_ROWS // 2, PART_ROWS // 2, 1]

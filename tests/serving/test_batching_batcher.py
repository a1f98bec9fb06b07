"""Every request gets the answer that it gets alone, whatever waits beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.data.table import Table
from nncli.serving.batching import PART_ROWS, SMALL, Batcher
from nncli.serving.models.reload import ModelSlot
from nncli.serving.models.served_model import PredictedRows, PredictionOptions
from nncli.serving.problems import ProblemError
from tests.serving.fake_models import BAD_CELL, BAD_ROW, FAULT, PANIC, FakeModel, FakeRequest, fake_slot

pytestmark = pytest.mark.filterwarnings("error")


@contextmanager
def batching(*slots: ModelSlot, limit: int = 1000, threads: int = 2) -> Iterator[Batcher]:
    batcher = Batcher(slots, limit, threads=threads)
    try:
        yield batcher
    finally:
        batcher.close()


async def result(batcher: Batcher, slot: ModelSlot, request: FakeRequest) -> bytes | int:
    """The answer, or the status of the problem."""
    try:
        return await batcher.answer(slot, request)
    except ProblemError as error:
        return error.problem.status.value


async def results(batcher: Batcher, slot: ModelSlot, requests: Sequence[FakeRequest]) -> list[bytes | int]:
    async with asyncio.timeout(20):
        return await asyncio.gather(*(result(batcher, slot, request) for request in requests))


async def until(event: object) -> None:
    """Wait for a threading event that another thread sets."""
    async with asyncio.timeout(20):
        while not event.is_set():  # type: ignore[attr-defined]
            await asyncio.sleep(0.001)


requests = st.builds(
    FakeRequest,
    st.one_of(
        st.lists(st.sampled_from([0.0, 1.5, -0.0, 1e300, BAD_ROW, FAULT, PANIC]), max_size=3),
        st.lists(st.floats(3, 9), max_size=5),
        st.builds(lambda n, last: [1.0] * n + [last], st.integers(PART_ROWS - 2, 2 * PART_ROWS), st.just(2.0)),
    ),
    extra=st.sampled_from([(), ("a",), ("a", "b")]),
    options=st.sampled_from([PredictionOptions(), PredictionOptions(proba=True)]),
    size=st.sampled_from([10, SMALL, SMALL + 1]),
    fails_to_read=st.sampled_from([False, False, False, True]),
    fails_to_write=st.sampled_from([False, False, False, True]),
)


@pytest.mark.slow
@pytest.mark.hypothesis
@settings(deadline=None)
@given(st.lists(st.tuples(requests, st.sampled_from([0.0, 0.0, 0.0, 0.001])), max_size=30), st.integers(1, 3))
def test_any_requests_in_any_order_get_the_answers_that_they_get_alone(
    waits: list[tuple[FakeRequest, float]], threads: int
) -> None:
    async def run() -> None:
        slot, _ = fake_slot()
        tasks = []
        with batching(slot, threads=threads) as batcher:
            for request, pause in waits:
                tasks.append(asyncio.create_task(result(batcher, slot, request)))
                await asyncio.sleep(pause)
            async with asyncio.timeout(30):
                assert await asyncio.gather(*tasks) == [request.expected for request, _ in waits]

    asyncio.run(run())


def test_what_waits_is_predicted_at_once() -> None:
    async def run() -> None:
        slot, model = fake_slot(is_open=False)
        with batching(slot, threads=1) as batcher:
            first = asyncio.create_task(result(batcher, slot, FakeRequest([1.0])))
            await until(model.is_reached)
            others = asyncio.create_task(results(batcher, slot, [FakeRequest([float(i)]) for i in range(9)]))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert batcher.waiting == 9
            model.gate.set()
            assert await others == [FakeRequest([float(i)]).expected for i in range(9)]
            assert await first == FakeRequest([1.0]).expected
        assert model.rows == [1, 9]

    asyncio.run(run())


@pytest.mark.parametrize("bad", [BAD_ROW, BAD_CELL, FAULT, PANIC])
def test_a_row_that_fails_is_found_by_halves_and_fails_its_request_alone(bad: float) -> None:
    async def run() -> None:
        slot, model = fake_slot(is_open=False)
        wanted = [FakeRequest([1.0])] * 63 + [FakeRequest([2.0, bad])]
        with batching(slot, threads=1) as batcher:
            first = asyncio.create_task(result(batcher, slot, FakeRequest([1.0])))
            await until(model.is_reached)
            others = asyncio.create_task(results(batcher, slot, wanted))
            await asyncio.sleep(0.01)
            model.gate.set()
            assert await others == [request.expected for request in wanted]
            await first
        assert len(model.rows) == 1 + 13  # 64, then two for each halving

    asyncio.run(run())


class UnlikeParts(FakeModel):
    """A model whose predictions of parts cannot be put together."""

    def predict(self, table: Table, options: PredictionOptions, observe: object = None) -> PredictedRows:
        frame, anomalies = super().predict(table, options)
        return PredictedRows(frame.rename({"prediction": f"prediction {len(self.rows)}"}), anomalies)


@pytest.mark.parametrize("bad", [FakeRequest([1.0] * 2 * PART_ROWS), FakeRequest([BAD_CELL])])
def test_a_thread_outlives_what_it_does_not_expect(bad: FakeRequest, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        slot, _ = fake_slot(UnlikeParts())
        with batching(slot, threads=1) as batcher:
            for _ in range(3):
                assert await results(batcher, slot, [bad]) == [422 if BAD_CELL in bad.x else 500]
            assert isinstance((await results(batcher, slot, [FakeRequest([1.0])]))[0], bytes)

    asyncio.run(run())
    assert len(caplog.records) == 3


def test_a_batch_with_many_faults_is_not_predicted_one_by_one(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        slot, model = fake_slot(is_open=False)
        with batching(slot, threads=1) as batcher:
            first = asyncio.create_task(result(batcher, slot, FakeRequest([1.0])))
            await until(model.is_reached)
            others = asyncio.create_task(results(batcher, slot, [FakeRequest([FAULT])] * 64))
            await asyncio.sleep(0.01)
            model.gate.set()
            assert await others == [500] * 64
            await first
        assert len(model.rows) <= 20
        assert len(caplog.records) <= 20

    asyncio.run(run())


def test_a_full_queue_refuses_at_once_and_says_when_to_try_again() -> None:
    async def run() -> None:
        slot, model = fake_slot(is_open=False)
        with batching(slot, limit=2, threads=1) as batcher:
            first = asyncio.create_task(result(batcher, slot, FakeRequest([1.0])))
            await until(model.is_reached)
            waiting = asyncio.create_task(results(batcher, slot, [FakeRequest([1.0])] * 2))
            await asyncio.sleep(0.01)
            with pytest.raises(ProblemError) as caught:
                await batcher.answer(slot, FakeRequest([1.0]))
            assert caught.value.problem.status == 503
            assert caught.value.problem.retry_after == 1
            model.gate.set()
            assert all(isinstance(answer, bytes) for answer in [await first, *await waiting])

    asyncio.run(run())


def test_a_request_whose_time_is_over_no_longer_waits() -> None:
    async def run() -> None:
        slot, model = fake_slot(is_open=False)
        with batching(slot, limit=1, threads=1) as batcher:
            first = asyncio.create_task(result(batcher, slot, FakeRequest([1.0])))
            await until(model.is_reached)
            for _ in range(3):  # each would be refused if the one before still waited
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await batcher.answer(slot, FakeRequest([5.0]))
            assert batcher.waiting == 0
            model.gate.set()
            await first
        assert model.rows == [1]

    asyncio.run(run())


def test_a_cancelled_request_of_many_rows_is_not_predicted_to_the_end() -> None:
    async def run() -> None:
        slot, model = fake_slot(is_open=False)
        with batching(slot, threads=1) as batcher:
            task = asyncio.create_task(result(batcher, slot, FakeRequest([1.0] * 9 * PART_ROWS, size=SMALL + 1)))
            await until(model.is_reached)
            task.cancel()
            await asyncio.sleep(0)
            model.gate.set()
        assert model.rows == [PART_ROWS]

    asyncio.run(run())


def test_closing_answers_what_waits_and_refuses_what_comes_later() -> None:
    async def run() -> None:
        slot, model = fake_slot(is_open=False)
        batcher = Batcher([slot], 100)
        waiting = asyncio.create_task(results(batcher, slot, [FakeRequest([1.0])] * 20))
        await until(model.is_reached)
        closing = asyncio.get_running_loop().run_in_executor(None, batcher.close)
        await asyncio.sleep(0.01)
        assert await result(batcher, slot, FakeRequest([1.0])) == 503
        model.gate.set()
        assert await waiting == [FakeRequest([1.0]).expected] * 20
        await closing

    asyncio.run(run())


def test_an_answer_for_a_loop_that_has_ended_is_dropped() -> None:
    slot, model = fake_slot(is_open=False)
    batcher = Batcher([slot], 100, threads=1)

    async def leave() -> None:
        task = asyncio.create_task(result(batcher, slot, FakeRequest([1.0])))
        await until(model.is_reached)
        task.cancel()

    asyncio.run(leave())
    model.gate.set()
    batcher.close()
    assert model.rows == [1]


def test_a_slow_model_does_not_block_another() -> None:
    async def run() -> None:
        (slow, slow_model), (fast, _) = fake_slot(is_open=False), fake_slot()
        with batching(slow, fast) as batcher:
            stuck = asyncio.create_task(results(batcher, slow, [FakeRequest([1.0])] * 10))
            await until(slow_model.is_reached)
            assert await result(batcher, fast, FakeRequest([1.0])) == FakeRequest([1.0]).expected
            slow_model.gate.set()
            await stuck

    asyncio.run(run())

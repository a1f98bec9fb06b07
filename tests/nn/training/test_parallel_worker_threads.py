"""A crew does every task once, hands on what went wrong, and leaves no thread behind."""

from __future__ import annotations

import threading
import time
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.nn.training.parallel import WorkerThreads


def helpers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "nncli part"]


@given(threads=st.integers(1, 4), counts=st.lists(st.integers(0, 9), max_size=5))
@settings(max_examples=30, deadline=None)
def test_every_task_is_done_once(threads: int, counts: list[int]) -> None:
    with WorkerThreads(threads) as crew:
        for count in counts:
            done = [0] * count

            def work(i: int, done: list[int] = done) -> None:
                done[i] += 1

            crew.run([partial(work, i) for i in range(count)])
            assert done == [1] * count


def test_a_run_ends_when_the_slowest_task_has_ended() -> None:
    done: list[int] = []

    def work(i: int) -> None:
        time.sleep(0.02 * i)
        done.append(i)

    with WorkerThreads(3) as crew:
        for _ in range(3):
            done.clear()
            crew.run([partial(work, i) for i in (2, 0, 1)])
            assert sorted(done) == [0, 1, 2]


def test_a_thread_that_is_not_awake_is_not_waited_for() -> None:
    busy, free = threading.Event(), threading.Event()
    seen: list[int] = []

    def keep_busy() -> None:
        busy.set()
        free.wait(timeout=10)

    def work() -> None:
        seen.append(threading.get_ident())

    with WorkerThreads(2) as crew:
        crew._waiting.put((0, keep_busy))
        assert busy.wait(timeout=10)
        crew.run([work, work, work])  # ends though the only helper is at something else
        assert seen == [threading.get_ident()] * 3
        free.set()
        crew._done.get()


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [{0}, {1}, {2}, {0, 1}, {1, 2}, {0, 1, 2}, {3}, {1, 4}], ids=str)
@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_an_error_reaches_the_caller_after_the_others_ended_and_the_crew_goes_on(
    wrong: set[int], kind: type[BaseException]
) -> None:
    ended: list[int] = []

    def work(i: int) -> None:
        if i in wrong:
            raise kind(i)
        time.sleep(0.01)
        ended.append(i)

    with WorkerThreads(3) as crew:
        for _ in range(3):
            ended.clear()
            with pytest.raises(kind):
                crew.run([partial(work, i) for i in range(3)] if max(wrong) < 3 else [partial(work, i) for i in wrong])
            assert set(ended) == ({0, 1, 2} if max(wrong) < 3 else wrong) - wrong
            done: list[int] = []

            def late(i: int, done: list[int] = done) -> None:
                time.sleep(0.01)
                done.append(i)

            crew.run([partial(late, i) for i in range(3)])
            assert sorted(done) == [0, 1, 2]
    assert helpers() == []


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_threads_end_with_the_context(threads: int) -> None:
    with WorkerThreads(threads) as crew:
        crew.run([lambda: None] * 5)
        assert len(helpers()) == threads - 1
    assert helpers() == []
    with pytest.raises(ZeroDivisionError), WorkerThreads(threads):
        raise ZeroDivisionError
    assert helpers() == []


def test_a_crew_of_one_works_in_the_thread_of_the_caller() -> None:
    seen: list[int] = []
    with WorkerThreads(1) as crew:
        assert helpers() == []
        crew.run([lambda: seen.append(threading.get_ident())] * 4)
    assert seen == [threading.get_ident()] * 4


def test_what_overflows_in_a_thread_is_not_warned_of() -> None:
    huge = np.full(4, 1e30, np.float32)

    def overflow() -> None:
        np.multiply(huge, huge)

    with WorkerThreads(2) as crew, np.errstate(all="ignore"):
        crew.run([overflow, overflow])


def test_the_work_of_the_threads_overlaps() -> None:
    met = threading.Barrier(2)

    def meet() -> None:
        met.wait(timeout=10)

    with WorkerThreads(2) as crew:
        crew.run([meet, meet])

"""Tasks in processes: each is done once, whatever happens to a process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base import plugins
from nncli.fitting.parallel import task_stream
from nncli.fitting.parallel.task_stream import TaskStream, Workers


@pytest.fixture(autouse=True, scope="module")
def _no_plugins() -> None:
    """Plugins that a test before has loaded would be handed to the executor, too."""
    plugins.reset()


@dataclass(frozen=True)
class Task:
    """A number to double; its process is killed `kills` times before, as files in `folder` count."""

    number: int
    folder: str
    kills: int = 0


def double(task: Task) -> int | None:
    """Twice the number, unless the process is killed; -1 has no result."""
    if task.number < -1:
        raise ValueError(task.number)
    begun = len(list(Path(task.folder).glob(f"{task.number}-*")))
    Path(task.folder, f"{task.number}-{begun}").touch()
    if begun < task.kills:
        os.kill(os.getpid(), signal.SIGKILL)
    return None if task.number == -1 and not begun else 2 * task.number


def results(tasks: Sequence[Task], workers: int) -> dict[Task, int | None]:
    """What each task led to; None if its process was always lost."""
    with TaskStream[Task, int | None](double, lambda task: None, len(tasks), Workers(workers), queued=1) as stream:
        return dict(stream.results(tasks))


@pytest.mark.slow
def test_each_task_has_its_result_after_its_process_was_killed(tmp_path: Path) -> None:
    tasks = [Task(number, str(tmp_path), kills=2 if number == 3 else 0) for number in range(9)]
    assert results(tasks, 2) == {task: 2 * task.number for task in tasks}


@pytest.mark.slow
def test_a_task_that_always_ends_its_process_is_given_up_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_stream, "MAX_LOSSES", 2)
    tasks = [Task(number, str(tmp_path), kills=99 if number == 0 else 0) for number in range(4)]
    assert results(tasks, 2) == dict(zip(tasks, [None, 2, 4, 6], strict=True))
    assert len(list(tmp_path.glob("0-*"))) == 3


@pytest.mark.slow
def test_a_task_whose_process_had_to_leave_is_started_again(tmp_path: Path) -> None:
    tasks = [Task(number, str(tmp_path)) for number in (-1, 1)]
    assert results(tasks, 1) == dict(zip(tasks, [-2, 2], strict=True))


@pytest.mark.slow
def test_an_error_of_a_task_ends_all(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="-2"):
        results([Task(number, str(tmp_path)) for number in (1, -2, 3)], 1)


class DeadExecutor(ThreadPoolExecutor):
    """An executor that takes no task: its processes have ended at once."""

    def submit(self, *args: object, **options: object) -> NoReturn:
        raise BrokenExecutor


@pytest.mark.parametrize("opens", [True, False])
def test_tasks_that_no_executor_takes_are_given_up(opens: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    executors = iter(range(20))

    @contextmanager
    def executor(self: Workers, count: int) -> Iterator[Executor]:
        assert next(executors, None) is not None, "it does not end"
        if not opens:
            raise BrokenExecutor
        with DeadExecutor(count) as dead:
            yield dead

    monkeypatch.setattr(Workers, "executor", executor)
    tasks = [Task(number, "") for number in range(3)]
    assert results(tasks, 2) == dict.fromkeys(tasks)


@dataclass
class Pool:
    """A pool of processes that are lost with some tasks; it says which tasks it had at a time."""

    kills: dict[int, int]
    in_flight: list[set[int]] = field(default_factory=list)
    pending: dict[Future[int], int] = field(default_factory=dict)
    is_broken: bool = False

    @contextmanager
    def open(self, count: int) -> Iterator[Pool]:
        assert not self.pending
        self.is_broken = False
        yield self

    def submit(self, work: object, number: int) -> Future[int]:
        if self.is_broken:
            raise BrokenExecutor
        future = Future[int]()
        self.pending[future] = number
        return future

    def wait(self, futures: Iterable[Future[int]], *args: object) -> tuple[set[Future[int]], set[Future[int]]]:
        """The outcome of the first task; if its process is lost, all of the pool's are."""
        self.in_flight.append({*self.pending.values()})
        first = next(iter(self.pending))
        number = self.pending[first]
        if not self.kills.get(number):
            first.set_result(number)
            return {self.forget(first)}, {*futures}
        self.kills[number] -= 1
        self.is_broken = True
        lost = {*self.pending}
        for future in lost:
            self.forget(future).set_exception(BrokenExecutor())
        return lost, set()

    def forget(self, future: Future[int]) -> Future[int]:
        del self.pending[future]
        return future


def same(number: int) -> int:
    return number


@given(
    kills=st.lists(st.integers(0, 6), min_size=1, max_size=8),
    workers=st.integers(1, 4),
    queued=st.integers(0, 1),
    canceled=st.sets(st.integers(0, 7), max_size=2),
)
def test_each_task_ends_once_and_a_loss_harms_no_other(
    kills: list[int], workers: int, queued: int, canceled: set[int]
) -> None:
    pool, actual = Pool(dict(enumerate(kills))), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Workers, "executor", lambda self, count: pool.open(count))
        patch.setattr(task_stream, "wait", pool.wait)
        with TaskStream[int, int](same, lambda task: -1, len(kills), Workers(workers), queued=queued) as stream:
            for number in range(len(kills)):
                stream.submit(number)
            actual += stream.wait()
            ended = {result.job for result in actual}
            stream.cancel(lambda task: task in canceled)
            while not stream.has_ended:
                actual += stream.wait()
    assert sorted(result.job for result in actual) == sorted(ended | {*range(len(kills))} - canceled)
    # Before a task is suspected, others may have ended its process.
    often = task_stream.MAX_LOSSES - task_stream.LOSSES_OF_A_SUSPECT
    given_up = {result.job for result in actual if result.outcome == -1}
    assert given_up <= {number for number, times in enumerate(kills) if times > often}
    assert given_up >= {number for number, times in enumerate(kills) if times > task_stream.MAX_LOSSES} - canceled
    assert max(map(len, pool.in_flight)) <= workers + queued


@pytest.mark.slow
def test_tasks_start_in_the_order_of_submission_and_the_first_one_before_those_that_wait() -> None:
    stream = TaskStream[int, int](same, lambda task: -1, 4, Workers(1))
    for number in range(3):
        stream.submit(number)
    stream.submit(9, first=True)
    with stream:
        actual: list[int] = []
        while not stream.has_ended:
            actual += [result.job for result in stream.wait()]
    assert actual == [9, 0, 1, 2]


def test_tasks_that_wait_do_not_start_after_a_stop() -> None:
    with TaskStream[int, int](same, lambda task: -1, 1, Workers(1), stop=lambda: True) as stream:
        stream.submit(1)
        assert stream.has_ended
        assert stream.wait() == []

"""Short tasks in processes: each is done once, whatever happens to a process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from nncli.fitting.parallel import independent_tasks
from nncli.fitting.parallel.executor import Workers
from nncli.fitting.parallel.independent_tasks import IndependentTasks


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


def test_each_task_has_its_result_after_its_process_was_killed(tmp_path: Path) -> None:
    tasks = [Task(number, str(tmp_path), kills=2 if number == 3 else 0) for number in range(9)]
    results = list(IndependentTasks(double, 2).run(tasks))
    assert sorted((task.number, result) for task, result in results) == [(n, 2 * n) for n in range(9)]


def test_a_task_that_always_ends_its_process_is_given_up_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(independent_tasks, "MAX_LOSSES", 2)
    tasks = [Task(number, str(tmp_path), kills=99 if number == 0 else 0) for number in range(4)]
    results = {task.number: result for task, result in IndependentTasks(double, 2).run(tasks)}
    assert results == {0: None, 1: 2, 2: 4, 3: 6}
    assert len(list(tmp_path.glob("0-*"))) == 3


def test_a_task_whose_process_had_to_leave_is_started_again(tmp_path: Path) -> None:
    tasks = [Task(number, str(tmp_path)) for number in (-1, 1)]
    results = {task.number: result for task, result in IndependentTasks(double, 1).run(tasks)}
    assert results == {-1: -2, 1: 2}


def test_an_error_of_a_task_ends_all(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="-2"):
        list(IndependentTasks(double, 1).run([Task(number, str(tmp_path)) for number in (1, -2, 3)]))


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
    assert dict(IndependentTasks(double, 2).run(tasks)) == dict.fromkeys(tasks)

"""Tasks that are submitted one after another: each comes back once, whoever is killed."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nncli import train
from nncli.base.errors import NncliError
from nncli.fitting.parallel import task_stream as module
from nncli.fitting.parallel.control_dir import ControlDirectory
from nncli.fitting.parallel.executor import Workers
from nncli.fitting.parallel.task import TaskStatus, TrainingTask
from nncli.fitting.parallel.task_stream import TaskResult, TaskStream
from nncli.nn.training.epoch import DivergedError
from tests.api.ensembles import config_of
from tests.assertions import raises
from tests.cli.support import SECONDS
from tests.runs.support import outcome

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals")
LONG = ("members=1", "epochs=4000", "checkpoint={every: 500 steps}")
"""Long enough for a signal to meet it."""


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """What the long training leads to that nothing meets."""
    folder = tmp_path_factory.mktemp("whole")
    return outcome(train(config_of(folder, *LONG), output=folder / "run").run)


def tasks(folder: Path, n: int, *assignments: str) -> list[TrainingTask]:
    config = config_of(folder, *(assignments or ("members=1",)))
    return [TrainingTask(i, config, str(folder / "runs" / str(i))) for i in range(n)]


def stream(folder: Path, workers: int, stop: Callable[[], bool] = lambda: False, n: int = 4) -> TaskStream:
    (folder / "runs").mkdir(exist_ok=True)
    return TaskStream(n, ControlDirectory(folder / "work"), Workers(workers), stop)


def results(tasks: TaskStream) -> Iterator[TaskResult]:
    """The results of all tasks that were submitted."""
    end = time.monotonic() + 2 * SECONDS
    while len(tasks):
        assert time.monotonic() < end
        yield from tasks.wait()


def wait_for_checkpoint(tasks: TaskStream, folder: Path) -> None:
    """Wait until every task that runs has saved something."""
    end = time.monotonic() + SECONDS
    while not tasks.is_running or len(list(folder.glob("runs/*/checkpoints"))) < len(tasks):
        assert tasks.wait() == []
        assert time.monotonic() < end


@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_comes_back_once(tmp_path: Path, workers: int) -> None:
    with stream(tmp_path, workers) as open_stream:
        for task in tasks(tmp_path, 4):
            open_stream.submit(task)
        found = {result.task.number: result.outcome for result in results(open_stream)}
        assert open_stream.wait() == []
    assert found == dict.fromkeys(range(4), TaskStatus("done", 3, 3))
    assert not (tmp_path / "work").exists()
    assert not multiprocessing.active_children()


def test_one_worker_trains_in_the_order_of_submission(tmp_path: Path) -> None:
    with stream(tmp_path, 1) as open_stream:
        for task in reversed(tasks(tmp_path, 3)):
            open_stream.submit(task)
        assert [result.task.number for result in results(open_stream)] == [2, 1, 0]


def test_there_is_room_for_as_many_tasks_as_workers(tmp_path: Path) -> None:
    with stream(tmp_path, 2) as open_stream:
        assert open_stream.workers == 2
        for number, task in enumerate(tasks(tmp_path, 2)):
            assert open_stream.has_room
            open_stream.submit(task)
            assert len(open_stream) == number + 1
        assert not open_stream.has_room
        open_stream.cancel(range(2))
        assert open_stream.has_room


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_is_the_result_of_its_task_alone(tmp_path: Path, workers: int) -> None:
    bad = replace(tasks(tmp_path, 1, "members=1", "learning_rate=1e30", "optimizer=sgd", "loss=cross_entropy")[0])
    with stream(tmp_path, workers) as open_stream:
        open_stream.submit(bad)
        for task in tasks(tmp_path, 2)[1:]:
            open_stream.submit(task)
        found = {result.task.number: type(result.outcome) for result in results(open_stream)}
    assert found == {0: DivergedError, 1: TaskStatus}


def test_a_task_whose_process_is_killed_starts_again_and_has_the_same_bits(
    tmp_path: Path, expected: tuple[object, ...]
) -> None:
    with stream(tmp_path, 2) as open_stream:
        for task in tasks(tmp_path, 2, *LONG):
            open_stream.submit(task)
        wait_for_checkpoint(open_stream, tmp_path)
        for child in multiprocessing.active_children():
            child.kill()
        found = [result.task.number for result in results(open_stream)]
    assert sorted(found) == [0, 1]
    for number in range(2):
        assert outcome(tmp_path / "runs" / str(number)) == expected


def test_a_task_whose_process_is_terminated_goes_on_in_another(tmp_path: Path, expected: tuple[object, ...]) -> None:
    with stream(tmp_path, 2) as open_stream:
        open_stream.submit(tasks(tmp_path, 1, *LONG)[0])
        wait_for_checkpoint(open_stream, tmp_path)
        for child in multiprocessing.active_children():
            child.terminate()
        assert [result.task.number for result in results(open_stream)] == [0]
    assert outcome(tmp_path / "runs" / "0") == expected


def test_a_task_that_is_lost_again_and_again_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LOSSES", 1)
    kills = 0
    with raises(NncliError, mentions="--workers 1"), stream(tmp_path, 2) as open_stream:
        open_stream.submit(tasks(tmp_path, 1, *LONG)[0])
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            assert open_stream.wait() == []
            for child in multiprocessing.active_children():
                child.kill()
                kills += 1
    assert kills >= 2
    assert not multiprocessing.active_children()


def test_after_a_stop_running_tasks_are_saved_and_waiting_ones_do_not_start(
    tmp_path: Path, expected: tuple[object, ...]
) -> None:
    stopping = False
    with stream(tmp_path, 2, lambda: stopping) as open_stream:
        for task in tasks(tmp_path, 3, *LONG):
            open_stream.submit(task)
        open_stream.wait()
        wait_for_running(open_stream, tmp_path, 2)
        stopping = True
        found: list[TaskResult] = []
        while open_stream.is_running:
            found += open_stream.wait()
        assert open_stream.wait() == []
    assert sorted(result.task.number for result in found) == [0, 1]
    assert {result.outcome.status for result in found if isinstance(result.outcome, TaskStatus)} == {"stopped"}
    assert not (tmp_path / "runs" / "2").exists()
    with stream(tmp_path, 1) as again:  # what was saved goes on to the same bits
        again.submit(tasks(tmp_path, 1, *LONG)[0])
        assert len(list(results(again))) == 1
    assert outcome(tmp_path / "runs" / "0") == expected


def wait_for_running(tasks: TaskStream, folder: Path, n: int) -> None:
    end = time.monotonic() + SECONDS
    while len(list(folder.glob("runs/*/checkpoints"))) < n:
        tasks.wait()
        assert time.monotonic() < end


def test_with_one_worker_a_stop_ends_the_training_at_once(tmp_path: Path) -> None:
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        return calls > 30

    with stream(tmp_path, 1, stop) as open_stream:
        for task in tasks(tmp_path, 2, *LONG):
            open_stream.submit(task)
        found: list[TaskResult] = []
        while not found:
            found = open_stream.wait()
        (result,) = found
        assert isinstance(result.outcome, TaskStatus)
        assert result.outcome.status == "stopped"
        assert open_stream.wait() == []
        assert open_stream.stopped()


def test_canceled_tasks_are_saved_and_have_no_result_and_others_go_on(
    tmp_path: Path, expected: tuple[object, ...]
) -> None:
    with stream(tmp_path, 2) as open_stream:
        for task in tasks(tmp_path, 3, *LONG):
            open_stream.submit(task)
        wait_for_running(open_stream, tmp_path, 2)
        open_stream.cancel([0, 2])
        assert [result.task.number for result in results(open_stream)] == [1]
    assert TaskStatus.read(tasks(tmp_path, 1, *LONG)[0]).status == "stopped"
    assert not (tmp_path / "runs" / "2").exists()
    assert outcome(tmp_path / "runs" / "1") == expected


def test_with_one_worker_a_long_training_returns_now_and_then(tmp_path: Path, expected: tuple[object, ...]) -> None:
    with stream(tmp_path, 1) as open_stream:
        open_stream.submit(tasks(tmp_path, 1, *LONG)[0])
        assert open_stream.wait() == []
        assert open_stream.is_running
        assert not open_stream.has_room
    assert TaskStatus.read(tasks(tmp_path, 1, *LONG)[0]).status == "stopped"
    with stream(tmp_path, 1) as again:
        again.submit(tasks(tmp_path, 1, *LONG)[0])
        assert len(list(results(again))) == 1
    assert outcome(tmp_path / "runs" / "0") == expected


def test_an_error_of_the_caller_saves_all_tasks_and_ends_all_processes(tmp_path: Path) -> None:
    def fail() -> None:
        with stream(tmp_path, 2) as open_stream:
            for task in tasks(tmp_path, 3, *LONG):
                open_stream.submit(task)
            wait_for_running(open_stream, tmp_path, 2)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not multiprocessing.active_children()
    assert [TaskStatus.read(task).status for task in tasks(tmp_path, 3, *LONG)] == ["stopped"] * 3
    assert not (tmp_path / "runs" / "2").exists()

"""Trainings as tasks: the same bits however often they are begun and whoever is killed, and nobody left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nncli import train
from nncli.api.cross_validate import cross_validate
from nncli.api.train import train_events
from nncli.base.errors import ConfigError, DataError, NncliError, RunError, RunLockedError, in_terminal
from nncli.base.findings import FindingCode, note, warning
from nncli.config.loading import load_config
from nncli.fitting.parallel import task_stream
from nncli.fitting.parallel.control_dir import ControlDirectory
from nncli.fitting.parallel.task_stream import Workers
from nncli.fitting.parallel.trainings import (
    TrainingResult,
    TrainingStream,
    TrainingTask,
    removed_if_untrained,
    run_task,
    task_events,
    update_progress,
)
from nncli.fitting.train.events import Finished, HealthWarning, MembersProgress, Progress, Started
from nncli.nn.training.epoch import DivergedError
from nncli.nn.training.loop import EpochReport, LearningRateHalved
from nncli.run_directory.run import Run
from tests.api.ensembles import bits, config_of, written
from tests.assertions import raises
from tests.cli.support import ROOT, SECONDS, on_terminal, start
from tests.run_directory.support import outcome, stop_at
from tests.thorough import in_turn, partly

without_signals = pytest.mark.skipif(os.name == "nt", reason="signals")
losing_workers = pytest.mark.filterwarnings("ignore:Exception in thread:pytest.PytestUnhandledThreadExceptionWarning")
"""Of the pool of the standard library: the thread that ends it iterates over its processes while `submit` adds one."""


@pytest.fixture
def control(tmp_path: Path) -> ControlDirectory:
    control = ControlDirectory(tmp_path / "work")
    control.open()
    return control


def task_in(tmp_path: Path, *assignments: str) -> TrainingTask:
    return TrainingTask(0, config_of(tmp_path, "members=1", *assignments), str(tmp_path / "run"))


@pytest.mark.slow
def test_a_task_trains_a_new_run_skips_a_finished_one_and_extends_a_shorter_one(
    tmp_path: Path, control: ControlDirectory
) -> None:
    assert run_task(task_in(tmp_path), control) == Progress(epoch=3, best_epoch=3, done=True)
    before = (tmp_path / "run" / "manifest.json").read_bytes()
    assert run_task(task_in(tmp_path), control) == Progress(epoch=3, best_epoch=3, done=True)
    assert (tmp_path / "run" / "manifest.json").read_bytes() == before
    longer = task_in(tmp_path, "epochs=5", "checkpoint={every: 1 epoch}", "memory_limit=1 GB")
    assert run_task(longer, control).epoch == 5
    assert outcome(tmp_path / "run") == outcome(train(longer.config, output=tmp_path / "at once").run)


@pytest.mark.slow
def test_a_run_of_fewer_epochs_is_not_done_until_it_is_extended(tmp_path: Path, control: ControlDirectory) -> None:
    run_task(task_in(tmp_path), control)
    longer = task_in(tmp_path, "epochs=5")
    assert longer.saved() == Progress(epoch=3, best_epoch=3)
    run_task(longer, control)
    assert longer.saved() == Progress(epoch=5, best_epoch=5, done=True)


def test_a_run_of_more_cycles_is_done(tmp_path: Path, control: ControlDirectory) -> None:
    run_task(task_in(tmp_path, "epochs=5"), control)
    assert replace(task_in(tmp_path), by_cycles=True).saved().done
    assert not task_in(tmp_path).saved().done


@pytest.mark.slow
def test_a_stopped_task_resumes_to_the_same_bits(tmp_path: Path, control: ControlDirectory) -> None:
    task = task_in(tmp_path)
    progress = list(task_events(task, control, stop_at(25)))
    assert not progress[-1].done
    assert task.saved() == Progress(epoch=1, best_epoch=1)
    assert run_task(task, control).done
    assert outcome(tmp_path / "run") == outcome(train(task.config, output=tmp_path / "at once").run)


def test_a_stopped_task_does_not_begin(tmp_path: Path, control: ControlDirectory) -> None:
    control.stop()
    assert run_task(task_in(tmp_path), control) == Progress()
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_locked_run_is_waited_for(tmp_path: Path, control: ControlDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_in(tmp_path)
    train(task.config, output=tmp_path / "run", stop=stop_at(25))
    tries = 0

    def nap(_: float) -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            monkeypatch.setattr("nncli.fitting.parallel.trainings.LOCK_TIMEOUT", 0.0)

    monkeypatch.setattr("nncli.fitting.parallel.trainings.time.sleep", nap)
    with Run(tmp_path / "run").locked():
        monkeypatch.setattr("nncli.fitting.parallel.trainings.LOCK_TIMEOUT", 0.2)
        with pytest.raises(RunLockedError):
            run_task(task, control)
    assert tries >= 1
    assert run_task(task, control).done


NOTE = note(FindingCode.EXECUTION, "a note")


def test_progress_is_that_of_the_best_epoch() -> None:
    def report(epoch: int, *, is_best: bool, metric: float | None) -> EpochReport:
        return EpochReport(epoch, 1.0 / epoch, 0.0, None, metric, 0.1, is_best, 0.0)

    started = Started(Path("run"), 1, 1, 1, 1, 9, 2, "accuracy", (NOTE,), monitor="val_accuracy")
    progress = update_progress(Progress(epochs=9), started)
    assert (progress.epoch, progress.metric, progress.findings) == (2, "val_accuracy", (NOTE,))
    progress = update_progress(progress, report(3, is_best=True, metric=0.5))
    progress = update_progress(progress, report(4, is_best=False, metric=0.25))
    assert (progress.epoch, progress.best_epoch, progress.value) == (4, 3, 0.5)
    assert update_progress(progress, LearningRateHalved(9, 1, 0.5, "why")).epoch == 1
    dead = warning(FindingCode.DEAD_UNITS, "dead")
    assert update_progress(progress, HealthWarning(dead)).findings == (*progress.findings, dead)
    assert update_progress(Progress(), report(4, is_best=True, metric=None)).value == 0.25


# --- trainings that are submitted one after another

LONG_TRAINING = ("members=1", "epochs=1000", "checkpoint={every: 250 steps}")
"""Long enough for a signal to meet it."""


@pytest.fixture(scope="module")
def expected_training(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """What the long training leads to that nothing meets."""
    folder = tmp_path_factory.mktemp("whole")
    return outcome(train(config_of(folder, *LONG_TRAINING), output=folder / "run").run)


def tasks(folder: Path, n: int, *assignments: str) -> list[TrainingTask]:
    config = config_of(folder, *(assignments or ("members=1",)))
    return [TrainingTask(i, config, str(folder / "runs" / str(i))) for i in range(n)]


def stream(folder: Path, workers: int, stop: Callable[[], bool] = lambda: False, n: int = 4) -> TrainingStream:
    (folder / "runs").mkdir(exist_ok=True)
    return TrainingStream(n, ControlDirectory(folder / "work"), Workers(workers), stop)


def results(tasks: TrainingStream) -> Iterator[TrainingResult]:
    """The results of all tasks that were submitted."""
    end = time.monotonic() + 2 * SECONDS
    while len(tasks):
        assert time.monotonic() < end
        yield from tasks.wait()


def wait_for_checkpoint(tasks: TrainingStream, folder: Path) -> None:
    """Wait until every task that runs has saved something."""
    end = time.monotonic() + SECONDS
    while not tasks.running or len(list(folder.glob("runs/*/checkpoints"))) < len(tasks):
        assert tasks.wait() == []
        assert time.monotonic() < end


@pytest.mark.slow
@without_signals
@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_comes_back_once(tmp_path: Path, workers: int) -> None:
    with stream(tmp_path, workers) as open_stream:
        for task in tasks(tmp_path, 4):
            open_stream.submit(task)
        actual = {result.job.number: result.outcome for result in results(open_stream)}
        assert open_stream.wait() == []
    assert actual == dict.fromkeys(range(4), Progress(epoch=3, best_epoch=3, done=True))
    assert not (tmp_path / "work").exists()
    assert not multiprocessing.active_children()


@pytest.mark.slow
@without_signals
def test_one_worker_trains_in_the_order_of_submission(tmp_path: Path) -> None:
    with stream(tmp_path, 1) as open_stream:
        for task in reversed(tasks(tmp_path, 3)):
            open_stream.submit(task)
        assert [result.job.number for result in results(open_stream)] == [2, 1, 0]


@without_signals
def test_there_is_room_for_as_many_tasks_as_workers(tmp_path: Path) -> None:
    with stream(tmp_path, 2) as open_stream:
        assert open_stream.workers == 2
        for number, task in enumerate(tasks(tmp_path, 2)):
            assert open_stream.has_room
            open_stream.submit(task)
            assert len(open_stream) == number + 1
        assert not open_stream.has_room
        open_stream.cancel(lambda task: True)
        assert open_stream.has_room


@pytest.mark.slow
@without_signals
@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_is_the_result_of_its_task_alone(tmp_path: Path, workers: int) -> None:
    bad = replace(tasks(tmp_path, 1, "members=1", "learning_rate=1e30", "optimizer=sgd", "loss=cross_entropy")[0])
    with stream(tmp_path, workers) as open_stream:
        open_stream.submit(bad)
        for task in tasks(tmp_path, 2)[1:]:
            open_stream.submit(task)
        actual = {result.job.number: type(result.outcome) for result in results(open_stream)}
    assert actual == {0: DivergedError, 1: Progress}


@pytest.mark.slow
@losing_workers
@without_signals
def test_a_task_whose_process_is_killed_starts_again_and_has_the_same_bits(
    tmp_path: Path, expected_training: tuple[object, ...]
) -> None:
    with stream(tmp_path, 2) as open_stream:
        for task in tasks(tmp_path, 2, *LONG_TRAINING):
            open_stream.submit(task)
        wait_for_checkpoint(open_stream, tmp_path)
        for child in multiprocessing.active_children():
            child.kill()
        actual = [result.job.number for result in results(open_stream)]
    assert sorted(actual) == [0, 1]
    for number in range(2):
        assert outcome(tmp_path / "runs" / str(number)) == expected_training


@pytest.mark.slow
@without_signals
def test_a_task_whose_process_is_terminated_goes_on_in_another(
    tmp_path: Path, expected_training: tuple[object, ...]
) -> None:
    with stream(tmp_path, 2) as open_stream:
        open_stream.submit(tasks(tmp_path, 1, *LONG_TRAINING)[0])
        wait_for_checkpoint(open_stream, tmp_path)
        for child in multiprocessing.active_children():
            child.terminate()
        assert [result.job.number for result in results(open_stream)] == [0]
    assert outcome(tmp_path / "runs" / "0") == expected_training


@pytest.mark.slow
@losing_workers
@without_signals
def test_a_task_that_is_lost_again_and_again_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_stream, "MAX_LOSSES", 1)
    result: list[TrainingResult] = []
    kills = 0
    with stream(tmp_path, 2) as open_stream:
        open_stream.submit(tasks(tmp_path, 1, *LONG_TRAINING)[0])
        end = time.monotonic() + SECONDS
        while not result:
            assert time.monotonic() < end
            result = open_stream.wait()
            for child in multiprocessing.active_children():
                child.kill()
                kills += 1
    assert kills >= 2
    assert isinstance(result[0].outcome, NncliError)
    assert "--set workers=1" in result[0].outcome.on(in_terminal)
    assert not multiprocessing.active_children()


@pytest.mark.slow
@without_signals
def test_after_a_stop_running_tasks_are_saved_and_waiting_ones_do_not_start(
    tmp_path: Path, expected_training: tuple[object, ...]
) -> None:
    stopping = False
    with stream(tmp_path, 2, lambda: stopping) as open_stream:
        for task in tasks(tmp_path, 3, *LONG_TRAINING):
            open_stream.submit(task)
        open_stream.wait()
        wait_for_running(open_stream, tmp_path, 2)
        stopping = True
        actual: list[TrainingResult] = []
        while open_stream.running:
            actual += open_stream.wait()
        assert open_stream.wait() == []
    assert sorted(result.job.number for result in actual) == [0, 1]
    assert {result.outcome.done for result in actual if isinstance(result.outcome, Progress)} == {False}
    assert not (tmp_path / "runs" / "2").exists()
    with stream(tmp_path, 1) as again:  # what was saved goes on to the same bits
        again.submit(tasks(tmp_path, 1, *LONG_TRAINING)[0])
        assert len(list(results(again))) == 1
    assert outcome(tmp_path / "runs" / "0") == expected_training


def wait_for_running(tasks: TrainingStream, folder: Path, n: int) -> None:
    end = time.monotonic() + SECONDS
    while len(list(folder.glob("runs/*/checkpoints"))) < n:
        tasks.wait()
        assert time.monotonic() < end


@pytest.mark.slow
@without_signals
def test_with_one_worker_a_stop_ends_the_training_at_once(tmp_path: Path) -> None:
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        return calls > 30

    with stream(tmp_path, 1, stop) as open_stream:
        for task in tasks(tmp_path, 2, *LONG_TRAINING):
            open_stream.submit(task)
        actual: list[TrainingResult] = []
        while not actual:
            actual = open_stream.wait()
        (result,) = actual
        assert isinstance(result.outcome, Progress)
        assert not result.outcome.done
        assert open_stream.wait() == []
        assert open_stream.stopped()


@pytest.mark.slow
@without_signals
def test_canceled_tasks_are_saved_and_have_no_result_and_others_go_on(
    tmp_path: Path, expected_training: tuple[object, ...]
) -> None:
    with stream(tmp_path, 2) as open_stream:
        for task in tasks(tmp_path, 3, *LONG_TRAINING):
            open_stream.submit(task)
        wait_for_running(open_stream, tmp_path, 2)
        open_stream.cancel(lambda task: task.number != 1)
        assert [result.job.number for result in results(open_stream)] == [1]
    assert not tasks(tmp_path, 1, *LONG_TRAINING)[0].saved().done
    assert not (tmp_path / "runs" / "2").exists()
    assert outcome(tmp_path / "runs" / "1") == expected_training


@pytest.mark.slow
@without_signals
def test_with_one_worker_a_long_training_returns_now_and_then(
    tmp_path: Path, expected_training: tuple[object, ...]
) -> None:
    with stream(tmp_path, 1) as open_stream:
        open_stream.submit(tasks(tmp_path, 1, *LONG_TRAINING)[0])
        assert open_stream.wait() == []
        assert open_stream.running
        assert not open_stream.has_room
    assert not tasks(tmp_path, 1, *LONG_TRAINING)[0].saved().done
    with stream(tmp_path, 1) as again:
        again.submit(tasks(tmp_path, 1, *LONG_TRAINING)[0])
        assert len(list(results(again))) == 1
    assert outcome(tmp_path / "runs" / "0") == expected_training


@pytest.mark.slow
@without_signals
def test_an_error_of_the_caller_saves_all_tasks_and_ends_all_processes(tmp_path: Path) -> None:
    def fail() -> None:
        with stream(tmp_path, 2) as open_stream:
            for task in tasks(tmp_path, 3, *LONG_TRAINING):
                open_stream.submit(task)
            wait_for_running(open_stream, tmp_path, 2)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not multiprocessing.active_children()
    assert not any(task.saved().done for task in tasks(tmp_path, 3, *LONG_TRAINING))
    assert not (tmp_path / "runs" / "2").exists()


# --- the members of an ensemble

LONG_MEMBERS = ("epochs=300", "checkpoint={every: 100 steps}", "members=2", "workers=2")
"""Long enough for a signal to meet it."""


@pytest.fixture(scope="module")
def expected_members(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    """What the training leads to that nothing meets, in one process."""
    folder = tmp_path_factory.mktemp("whole")
    return bits(train(config_of(folder, *LONG_MEMBERS, "workers=1"), output=folder / "run").run)


def statuses(run: Path) -> list[str]:
    return [Run.open(member).load_manifest().status for member in (run / "members").iterdir()]


@pytest.mark.slow
@losing_workers
@without_signals
def test_killed_workers_are_replaced_and_the_bits_stay_the_same(
    tmp_path: Path, expected_members: tuple[Any, ...]
) -> None:
    killed = 0
    for event in train_events(config_of(tmp_path, *LONG_MEMBERS), output=tmp_path / "run"):
        if isinstance(event, MembersProgress) and event.epochs and not killed:
            for child in multiprocessing.active_children():
                child.kill()
                killed += 1
    assert killed
    assert isinstance(event, Finished)
    assert bits(event.run) == expected_members
    assert not multiprocessing.active_children()
    assert not list(event.run.rglob(".*nncli-tmp")) + list(event.run.glob(".work"))


@pytest.mark.slow
@without_signals
def test_a_terminated_worker_saves_and_is_replaced(tmp_path: Path, expected_members: tuple[Any, ...]) -> None:
    terminated = False
    for event in train_events(config_of(tmp_path, *LONG_MEMBERS), output=tmp_path / "run"):
        if isinstance(event, MembersProgress) and event.epochs and not terminated:
            terminated = True
            for child in multiprocessing.active_children():
                child.terminate()
    assert isinstance(event, Finished)
    assert bits(event.run) == expected_members


@pytest.mark.slow
@without_signals
def test_stopped_members_are_saved_and_resume_to_the_same_bits(
    tmp_path: Path, expected_members: tuple[Any, ...]
) -> None:
    run = tmp_path / "run"
    finished = train(
        config_of(tmp_path, *LONG_MEMBERS),
        output=run,
        stop=lambda: any(run.glob("members/*/checkpoints/*.safetensors")),
    )
    assert finished.status == "stopped"
    assert "running" not in statuses(run)
    assert train(resume=run).status == "done"
    assert bits(run) == expected_members


@pytest.mark.slow
@without_signals
def test_closing_the_events_saves_all_members(tmp_path: Path, expected_members: tuple[Any, ...]) -> None:
    events = train_events(config_of(tmp_path, *LONG_MEMBERS), output=tmp_path / "run")
    for event in events:
        if isinstance(event, MembersProgress) and event.epochs:
            break
    events.close()
    assert not multiprocessing.active_children()
    assert Run.open(tmp_path / "run").load_manifest().status == "stopped"
    assert "running" not in statuses(tmp_path / "run")
    assert train(resume=tmp_path / "run").status == "done"
    assert bits(tmp_path / "run") == expected_members


@losing_workers
@without_signals
def test_repeatedly_lost_processes_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_stream, "MAX_LOSSES", 0)

    def kill_all() -> bool:
        for child in multiprocessing.active_children():
            child.kill()
        return False

    with raises(NncliError, mentions="workers=1"):
        train(config_of(tmp_path, *LONG_MEMBERS), output=tmp_path / "run", stop=kill_all)
    assert Run.open(tmp_path / "run").load_manifest().status == "failed"


@pytest.mark.slow
@without_signals
def test_a_diverging_member_ends_the_others_and_is_named(tmp_path: Path) -> None:
    config = config_of(tmp_path, *LONG_MEMBERS, "learning_rate=1e30", "optimizer=sgd", "loss=cross_entropy")
    with pytest.raises(DivergedError) as caught:
        train(config, output=tmp_path / "run")
    assert f"{tmp_path}/run/members/" in str(caught.value)
    assert Run.open(tmp_path / "run").load_manifest().status == "failed"
    assert not multiprocessing.active_children()


# --- from the command line


def children_of(pid: int) -> list[int]:
    return [int(word) for file in Path(f"/proc/{pid}/task").glob("*/children") for word in file.read_text().split()]


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_for_members(run: Path) -> None:
    """Wait until a member has saved something."""
    end = time.monotonic() + SECONDS
    while not list(run.glob("members/*/checkpoints/*.safetensors")):
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.slow
@without_signals
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc")
def test_workers_end_with_a_killed_parent_and_the_run_resumes_to_the_same_bits(
    tmp_path: Path, expected_members: tuple[Any, ...]
) -> None:
    with start("train", written(tmp_path, *LONG_MEMBERS), "-o", "run", cwd=tmp_path) as process:
        wait_for_members(tmp_path / "run")
        children = children_of(process.pid)
        process.kill()
        process.wait()
    assert len(children) >= 2
    assert train(resume=tmp_path / "run").status == "done"  # at once: it waits for whoever still writes
    assert bits(tmp_path / "run") == expected_members
    end = time.monotonic() + SECONDS
    while any(map(is_there, children)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(is_there, children))


@pytest.mark.slow
@without_signals
def test_a_signal_to_the_parent_saves_all_members(tmp_path: Path, expected_members: tuple[Any, ...]) -> None:
    with start("train", written(tmp_path, *LONG_MEMBERS), "-o", "run", cwd=tmp_path) as process:
        wait_for_members(tmp_path / "run")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + signal.SIGTERM
    assert out == b"run\n"
    assert b"all networks are saved" in err
    assert b"nncli train --resume run" in err
    assert b"Traceback" not in err
    assert Run.open(tmp_path / "run").load_manifest().status == "stopped"
    train(resume=tmp_path / "run", set=["workers=1"])
    assert bits(tmp_path / "run") == expected_members


@pytest.mark.slow
@without_signals
def test_ctrl_c_at_a_terminal_saves_all_members(tmp_path: Path, expected_members: tuple[Any, ...]) -> None:
    path = written(tmp_path, *LONG_MEMBERS)
    code, seen = on_terminal("train", path, "-o", "run", cwd=tmp_path, typed=b"\x03")
    assert code == 130
    assert "nncli train --resume run" in seen
    assert "Traceback" not in seen
    code, seen = on_terminal("train", "--resume", "run", cwd=tmp_path)
    assert code == 0
    assert "members 2/2" in seen
    assert bits(tmp_path / "run") == expected_members


@pytest.mark.slow
@without_signals
def test_a_second_signal_stops_at_once_and_the_run_still_resumes(
    tmp_path: Path, expected_members: tuple[Any, ...]
) -> None:
    with start("train", written(tmp_path, *LONG_MEMBERS), "-o", "run", cwd=tmp_path) as process:
        wait_for_members(tmp_path / "run")
        process.send_signal(signal.SIGTERM)
        time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode in (128 + signal.SIGTERM, -signal.SIGTERM)
    assert b"Traceback" not in err or b"Exception ignored in" in err
    train(resume=tmp_path / "run", set=["workers=1"])
    assert bits(tmp_path / "run") == expected_members


@pytest.mark.slow
@without_signals
def test_a_script_that_trains_needs_no_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    path = written(tmp_path, "members=2", "workers=2", "epochs=1")
    script.write_text(f"import nncli\nprint('once')\nprint(nncli.train({str(path)!r}, output='run').status)\n")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "once\ndone\n"), done.stderr


# --- a directory of trainings that never started

MISTAKES = {
    "no such metric": "metric: accuracy",
    "no features": "data: {path: t.csv, target: y, drop: [x, word]}",
    "no such kind": "data: {path: t.csv, target: y, columns: {x: date}}",
    "a loss that does not fit": "loss: poisson",
    "a class weight for a number": "class_weight: balanced",
    "a layer that Numba lacks": "backend: numba\noptimizer: lion",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    frame = pl.DataFrame(
        {"x": [i / 7 for i in range(60)], "word": ["u", "v"] * 30, "y": [i % 9 - 4.5 for i in range(60)]}
    )
    frame.write_csv("t.csv")
    return tmp_path


@pytest.mark.slow
@partly
@pytest.mark.parametrize(
    ("mistake", "members", "command"),
    [
        pytest.param(MISTAKES[name], members, command, id=f"{name}, {members}, {command.__name__}")
        for (name, (members, command)) in in_turn([*MISTAKES], [*product((1, 2), (train, cross_validate))])
    ],
)
def test_a_mistake_leaves_no_directory(folder: Path, command: object, members: int, mistake: str) -> None:
    data = "" if mistake.startswith("data") else "data: {path: t.csv, target: y}\n"
    Path("c.yaml").write_text(f"{data}layers: [2]\nepochs: 1\nmembers: {members}\nworkers: 1\n{mistake}\n")
    options = {"folds": 2} if command is cross_validate else {}
    with pytest.raises((ConfigError, DataError)):
        command("c.yaml", output="new/folder/run", **options)  # type: ignore[operator]
    assert {path.name for path in folder.iterdir()} == {"t.csv", "c.yaml"}


def test_folders_that_existed_stay(tmp_path: Path) -> None:
    run = tmp_path / "old" / "new" / "run"
    run.mkdir(parents=True)
    with pytest.raises(DataError), removed_if_untrained(run, "members/*", tmp_path / "old"):
        raise DataError("wrong")
    assert [path.name for path in tmp_path.rglob("*")] == ["old"]


@pytest.mark.parametrize("error", [DataError("wrong"), RunError("wrong"), KeyboardInterrupt()])
def test_a_training_that_has_started_and_other_errors_leave_the_directory(
    tmp_path: Path, error: NncliError | KeyboardInterrupt
) -> None:
    run = tmp_path / "run"
    started = run / "members" / "1" if isinstance(error, DataError) else run
    started.mkdir(parents=True)
    with pytest.raises(type(error)), removed_if_untrained(run, "members/*", tmp_path):
        raise error
    assert started.is_dir()


def test_a_neighbor_keeps_its_folder(folder: Path) -> None:
    Path("runs/other").mkdir(parents=True)
    Path("c.yaml").write_text("data: {path: t.csv, target: y}\nlayers: [2]\nmembers: 2\nloss: poisson\n")
    with pytest.raises(DataError):
        train(load_config("c.yaml"), output="runs/run")
    assert [path.name for path in Path("runs").iterdir()] == ["other"]

"""How many processes there are, what they are told of their surroundings, and what stays once all were killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from nncli.base.errors import UsageError
from nncli.fitting.parallel import task_stream as executors
from nncli.fitting.parallel.task_stream import SEMAPHORES, Workers, _namespace, remove_abandoned_semaphores
from tests.assertions import raises
from tests.cli.support import ROOT


def surroundings() -> tuple[str, str, bool, bool]:
    """What a process of the pool sees."""
    deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    blocked = bool(signal.pthread_sigmask(signal.SIG_BLOCK, [])) if hasattr(signal, "pthread_sigmask") else False
    return os.environ["OPENBLAS_NUM_THREADS"], os.environ["OMP_NUM_THREADS"], deaf, blocked


@pytest.mark.parametrize(
    ("tasks", "wanted", "expected"), [(8, "auto", 4), (3, "auto", 3), (8, 6, 6), (3, 6, 3), (0, "auto", 1)]
)
def test_the_number_of_workers_is_limited_by_cores_and_tasks(
    monkeypatch: pytest.MonkeyPatch, tasks: int, wanted: int | Literal["auto"], expected: int
) -> None:
    monkeypatch.setattr(executors, "available_cpus", lambda: 4)
    assert Workers(wanted).count(tasks) == expected


@pytest.mark.slow
def test_a_worker_has_one_blas_thread_and_ignores_ctrl_c(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    main = sys.modules["__main__"]
    with Workers().executor(1) as executor:
        future = executor.submit(surroundings)
        wait([future], 60)
        assert future.result() == ("1", "1", True, False)
    assert "OPENBLAS_NUM_THREADS" not in os.environ
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert sys.modules["__main__"] is main


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="processes start under the lock that a broken pool needs")
def test_a_pool_that_breaks_while_a_process_starts_is_no_other_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with Workers().executor(2) as executor:
        assert isinstance(executor, executors._Pool)
        first, start = executor.submit(time.sleep, 60), executors._Process.start

        def start_late(process: executors._Process) -> None:
            for other in [*executor._processes.values()]:
                other.kill()
            end = time.monotonic() + 60
            while not vars(executor)["_call_queue"]._reader.closed:
                assert time.monotonic() < end
                time.sleep(0.01)
            start(process)

        monkeypatch.setattr(executors._Process, "start", start_late)
        with pytest.raises(BrokenExecutor, match="another one was started"):
            executor.submit(int)
        with pytest.raises(BrokenExecutor):
            first.result(60)


def test_a_scheduler_without_dask_installed_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with raises(UsageError, mentions="nncli-train[dask]"), Workers(scheduler="tcp://127.0.0.1:1").executor(1):
        pass


HOLD_A_POOL = """
import sys, time
from nncli.fitting.parallel.task_stream import Workers
if __name__ == "__main__":
    with Workers().executor(1):
        print("open", flush=True)
        time.sleep(60)
"""


def semaphores_of(process: int) -> list[Path]:
    return [*SEMAPHORES.glob(f"sem.nncli-{_namespace()}-{process}-*")]


@contextmanager
def process_with_a_pool() -> Iterator[int]:
    """The id of a process, and of its group, that holds a pool until it is killed."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_A_POOL], env=env, stdout=subprocess.PIPE, start_new_session=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        yield process.pid


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/shm")
def test_the_semaphores_of_a_killed_process_group_are_removed_by_the_next_training() -> None:
    with process_with_a_pool() as first:
        remove_abandoned_semaphores()
        assert semaphores_of(first)  # it is running
        os.killpg(first, signal.SIGKILL)
    assert semaphores_of(first)
    with process_with_a_pool() as second:
        assert semaphores_of(second)
        assert semaphores_of(first) == []
        os.killpg(second, signal.SIGKILL)
    remove_abandoned_semaphores()
    assert semaphores_of(second) == []


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/shm")
def test_other_files_are_left_alone(tmp_path: Path) -> None:
    names = ["sem.mp-abc", "sem.nncli-1-999999999-x", f"sem.nncli-{_namespace()}-me-x", "psm_1"]
    for name in names:
        (tmp_path / name).touch()
    ended = tmp_path / f"sem.nncli-{_namespace()}-999999999-x"
    ended.touch()
    remove_abandoned_semaphores(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)

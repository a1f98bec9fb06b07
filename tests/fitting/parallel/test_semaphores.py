"""Semaphores of the worker pool after all processes were killed at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nncli.fitting.parallel.semaphores import FOLDER, _namespace, remove_abandoned_semaphores
from tests.cli.support import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/dev/shm")

HOLD_A_POOL = """
import sys, time
from nncli.fitting.parallel.executor import Workers
if __name__ == "__main__":
    with Workers().executor(1):
        print("open", flush=True)
        time.sleep(60)
"""


def semaphores_of(process: int) -> list[Path]:
    return [*FOLDER.glob(f"sem.nncli-{_namespace()}-{process}-*")]


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


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    names = ["sem.mp-abc", "sem.nncli-1-999999999-x", f"sem.nncli-{_namespace()}-me-x", "psm_1"]
    for name in names:
        (tmp_path / name).touch()
    ended = tmp_path / f"sem.nncli-{_namespace()}-999999999-x"
    ended.touch()
    remove_abandoned_semaphores(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)

"""Semaphores of the worker pool after all processes were killed at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nncli.pipeline.parallel.executor import open_executor
from nncli.pipeline.parallel.semaphores import FOLDER, _namespace, remove_abandoned_semaphores
from tests.cli.support import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/dev/shm")

HOLD_A_POOL = """
import sys, time
from nncli.pipeline.parallel.executor import open_executor
if __name__ == "__main__":
    with open_executor(1):
        print("open", flush=True)
        time.sleep(60)
"""


def semaphores_of(process: int) -> list[Path]:
    return [*FOLDER.glob(f"sem.nncli-{_namespace()}-{process}-*")]


def test_the_semaphores_of_a_killed_process_group_are_removed_by_the_next_training() -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_A_POOL], env=env, stdout=subprocess.PIPE, start_new_session=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        remove_abandoned_semaphores()
        assert semaphores_of(process.pid)  # it is running
        os.killpg(process.pid, signal.SIGKILL)
    assert semaphores_of(process.pid)
    with open_executor(1):
        assert semaphores_of(os.getpid())
    assert semaphores_of(process.pid) == []
    assert semaphores_of(os.getpid()) == []


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    names = ["sem.mp-abc", "sem.nncli-1-999999999-x", f"sem.nncli-{_namespace()}-me-x", "psm_1"]
    for name in names:
        (tmp_path / name).touch()
    ended = tmp_path / f"sem.nncli-{_namespace()}-999999999-x"
    ended.touch()
    remove_abandoned_semaphores(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)

"""How many processes there are, and what they are told of their surroundings."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import wait
from pathlib import Path
from typing import Literal

import pytest

from nncli.base.errors import UsageError
from nncli.fitting.parallel import executor as executors
from nncli.fitting.parallel.executor import Workers
from tests.assertions import raises


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


def test_a_scheduler_without_dask_installed_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with raises(UsageError, mentions="nncli-train[dask]"), Workers(scheduler="tcp://127.0.0.1:1").executor(1):
        pass

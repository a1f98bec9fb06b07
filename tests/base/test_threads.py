"""The CPUs of a process, and limits of BLAS threads."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from nncli.base.threads import ConcurrentCalls, available_cpus, limit_blas_threads


def threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.mark.parametrize("wanted", [1, 2])
def test_the_number_is_held_within_the_block_and_given_back(wanted: int) -> None:
    with threadpool_limits(3 - wanted, user_api="blas"):
        with limit_blas_threads(wanted):
            assert threads() == {wanted}
            np.ones((300, 300)) @ np.ones((300, 300))
            assert threads() == {wanted}
        assert threads() == {3 - wanted}


def test_of_threads_that_hold_it_at_a_time_the_last_to_end_gives_back_what_was_before_the_first() -> None:
    with threadpool_limits(2, user_api="blas"):
        first, second, third = limit_blas_threads(1), limit_blas_threads(1), limit_blas_threads(2)
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert threads() == {1}
        third.__enter__()
        assert threads() == {2}
        third.__exit__(None, None, None)
        assert threads() == {1}
        second.__exit__(None, None, None)
        assert threads() == {2}


@pytest.mark.slow
def test_every_thread_can_hold_it_and_each_sees_it() -> None:
    """threadpoolctl itself lets the first thread alone set it while it lives."""
    seen = set[int]()

    def work() -> None:
        with limit_blas_threads(1):
            seen.update(threads())

    with threadpool_limits(2, user_api="blas"):
        with limit_blas_threads(1):
            assert threads() == {1}
        for _ in range(2):
            worker = Thread(target=work)
            worker.start()
            worker.join()
            assert threads() == {2}
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: work(), range(200)))
        assert threads() == {2}
        with threadpool_limits(1, user_api="blas"):  # who uses threadpoolctl itself may go on
            assert threads() == {1}
    assert seen == {1}


def test_it_is_given_back_after_an_error() -> None:
    before = threads()
    with pytest.raises(ZeroDivisionError), limit_blas_threads(2):
        raise ZeroDivisionError
    assert threads() == before


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 64),
        ({"cpu.max": "max 100000\n"}, 64),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "9900000 100000\n"}, 64),
        ({"cpu.max": "what"}, 64),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 64),
        ({"cpu/cpu.cfs_quota_us": "1\n", "cpu/cpu.cfs_period_us": "0\n"}, 64),
    ],
)
def test_cores_are_those_of_the_process_and_no_more_than_its_container_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], expected: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(64)), raising=False)
    for name, text in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert available_cpus(tmp_path) == expected


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="OpenBLAS with kernels for several processors")
def test_the_blas_kernel_is_the_one_that_computes() -> None:
    script = "import numpy; from nncli.base.threads import blas_kernel; print(blas_kernel())"
    names = []
    for kernel in ("Haswell", "Nehalem"):
        env = {**os.environ, "OPENBLAS_CORETYPE": kernel}
        done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
        names.append(done.stdout.strip())
    if not names[0].startswith("openblas"):
        pytest.skip("NumPy has another BLAS")
    assert [name.split()[-1] for name in names] == ["Haswell", "Nehalem"]


def test_a_call_learns_how_many_others_are_in_progress() -> None:
    calls = ConcurrentCalls()
    with calls.begin() as first, calls.begin() as second:
        assert (first, second) == (0, 1)
    with pytest.raises(ValueError, match="failed"), calls.begin():
        raise ValueError("failed")
    with calls.begin() as others:
        assert others == 0

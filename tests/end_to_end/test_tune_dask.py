"""A search on a Dask cluster: the bytes of one process, also when a worker is killed half-way."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nncli.api.tune import TuneEvent
from nncli.tuning.search import SearchStarted, TrialFinished
from tests.end_to_end.test_tune_workers import PENGUINS
from tests.tuning.searches import loaded, results, resume_search, run_search

pytest.importorskip("optuna")
distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A scheduler here, and three workers with a process of their own."""
    with distributed.LocalCluster(
        n_workers=3, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """The results of one process."""
    folder = tmp_path_factory.mktemp("one")
    run_search(loaded(folder, PENGUINS), folder / "found")
    return results(folder / "found")


def test_a_cluster_gives_the_same_bytes_when_workers_are_killed(
    cluster: Any, tmp_path: Path, expected: tuple[bytes, bytes]
) -> None:
    killed: list[int] = []

    def kill(event: TuneEvent) -> None:
        if isinstance(event, SearchStarted):
            assert event.workers == 4  # as many as the lag allows
        if isinstance(event, TrialFinished) and event.trial.number in (0, 4):
            killed.append(event.trial.number)
            os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)  # its nanny starts another one

    config, address = loaded(tmp_path, PENGUINS), cluster.scheduler_address
    run_search(config, tmp_path / "found", scheduler=address, on_event=kill)
    assert sorted(killed) == [0, 4]
    assert results(tmp_path / "found") == expected
    assert not (tmp_path / "found" / ".work").exists()


def test_a_search_that_is_stopped_on_a_cluster_is_resumed_here(
    cluster: Any, tmp_path: Path, expected: tuple[bytes, bytes]
) -> None:
    path = tmp_path / "found"
    ended = run_search(
        loaded(tmp_path, PENGUINS),
        path,
        scheduler=cluster.scheduler_address,
        stop=lambda: (path / "trials" / "0001.json").exists(),
    )
    assert ended.stopped
    resume_search(path)
    assert results(path) == expected

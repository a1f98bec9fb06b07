"""Files predicted on a Dask cluster of several processes: the bytes of this machine, also when a worker is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nncli import predict_files
from nncli.api.prediction.many_files.record import FilesProgress
from nncli.base.errors import UsageError
from tests.assertions import raises
from tests.cli.support import DATA, run, start

distributed = pytest.importorskip("distributed")
FILES = 12
REPEATS = 100
"""So many times the rows of the table, so that a file takes a while."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A scheduler here, and two workers with a process of their own."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        yield cluster


@pytest.fixture
def inputs(here: Path) -> Path:
    """Files of different rows, and one that is no table of the model."""
    header, *lines = (DATA / "penguins.csv").read_text().splitlines(keepends=True)
    Path("in").mkdir()
    for i in range(FILES):
        Path(f"in/{i:02}.csv").write_text(header + "".join(lines[i : i + 200] * REPEATS))
    Path("in/none.csv").write_text("other\n1\n")
    return here


def contents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.suffix == ".csv"}


def kill_one(cluster: Any) -> None:
    """Kill a worker, which its nanny starts again."""
    os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)


def test_a_cluster_gives_the_bytes_of_this_machine_when_a_worker_is_killed(
    cluster: Any, penguins: Path, inputs: Path
) -> None:
    killed: list[int] = []

    def kill(progress: FilesProgress) -> None:
        if progress.done in (1, 6) and progress.done not in killed:
            killed.append(progress.done)
            kill_one(cluster)

    there = predict_files(penguins, "in", "there", proba=True, scheduler=cluster.scheduler_address, on_progress=kill)
    here = predict_files(penguins, "in", "here", proba=True, workers=1)
    assert killed == [1, 6]
    assert [Path(file.name).name for file in there.failed] == ["none.csv"]
    assert type(there.failed[0].error) is type(here.failed[0].error)
    assert len(there.done) == FILES
    assert there.summary == here.summary
    assert contents("there") == contents("here")
    assert predict_files(penguins, "in", "there", proba=True, scheduler=cluster.scheduler_address).done == ()


def test_a_stopped_command_is_continued_elsewhere(cluster: Any, penguins: Path, inputs: Path) -> None:
    words = ("predict", penguins, "in/[0-9]*.csv", "-o", "out/")
    with start(*words, "--scheduler", cluster.scheduler_address, cwd=Path.cwd()) as process:
        while not contents("out") if Path("out").exists() else True:
            time.sleep(0.02)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    run(*words, "--workers", 2, cwd=Path.cwd()).check()
    predict_files(penguins, "in/[0-9]*.csv", "here", workers=1)
    assert contents("out") == contents("here")


def test_a_scheduler_that_does_not_answer_is_an_error(
    penguins: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.fitting.parallel.task_stream.SECONDS_TO_CONNECT", 0.5)
    with raises(UsageError, mentions="tcp://127.0.0.1:9"):
        predict_files(penguins, "in", "out", scheduler="tcp://127.0.0.1:9")

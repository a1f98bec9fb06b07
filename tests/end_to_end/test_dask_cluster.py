"""Members on a Dask cluster: the bits of one process, also when a worker is killed half-way."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nncli import train
from nncli.api.train import train_events
from nncli.base import plugins
from nncli.base.errors import UsageError
from nncli.fitting.train.events import Finished, MembersProgress
from tests.api.ensembles import bits, config_of
from tests.assertions import raises
from tests.cli.support import ROOT

distributed = pytest.importorskip("distributed")
LONG = ("epochs=150", "checkpoint={every: 100 steps}", "members=3")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A scheduler here, and two workers with a process of their own."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        yield cluster


def test_a_cluster_trains_the_bits_of_one_process_when_a_worker_is_killed(cluster: Any, tmp_path: Path) -> None:
    here = train(config_of(tmp_path, *LONG), output=tmp_path / "here").run
    killed = False
    address = cluster.scheduler_address
    for event in train_events(config_of(tmp_path, *LONG), output=tmp_path / "there", scheduler=address):
        if isinstance(event, MembersProgress) and event.epochs and not killed:
            killed = True
            os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
    assert killed
    assert isinstance(event, Finished)
    assert event.status == "done"
    assert bits(event.run) == bits(here)


def test_a_training_on_a_cluster_can_be_stopped(cluster: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"

    def begun() -> bool:
        return any(run.glob("members/*/checkpoints/*"))

    finished = train(config_of(tmp_path, *LONG), output=run, scheduler=cluster.scheduler_address, stop=begun)
    assert finished.status == "stopped"
    assert not (run / ".work").exists()


def test_a_scheduler_that_does_not_answer_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.fitting.parallel.task_stream.SECONDS_TO_CONNECT", 0.5)
    with raises(UsageError, mentions="tcp://127.0.0.1:9"):
        train(config_of(tmp_path), output=tmp_path / "run", scheduler="tcp://127.0.0.1:9")


METRIC = """
from nncli.extend import Metric


def half_right(y, scores, weight=None):
    return float(np.average(scores.argmax(axis=1) == y, weights=weight)) / 2.0


HALF = Metric("half_right", "classification", half_right, "half the accuracy", "half", higher_is_better=True)
"""


@pytest.mark.parametrize("where", ["cluster", "processes"])
def test_workers_load_the_files_of_code(cluster: Any, tmp_path: Path, where: str) -> None:
    file = tmp_path / "metric.py"
    file.write_text((ROOT / "examples" / "plugins" / "nncli-focal" / "nncli_focal.py").read_text() + METRIC)
    plugins.load_code([file])
    try:
        config = config_of(tmp_path, "metric=half_right", "loss=focal", *LONG, "workers=2")
        scheduler = cluster.scheduler_address if where == "cluster" else None
        finished = train(config, output=tmp_path / "run", scheduler=scheduler)
    finally:
        plugins.reset()

    assert finished.status == "done"
    assert (tmp_path / "run" / "members" / "1" / "code" / "metric.py").read_bytes() == file.read_bytes()


def test_a_worker_without_the_file_of_code_says_so(cluster: Any, tmp_path: Path) -> None:
    file = tmp_path / "focal.py"
    file.write_text((ROOT / "examples" / "plugins" / "nncli-focal" / "nncli_focal.py").read_text())
    plugins.load_code([file])
    try:
        config = config_of(tmp_path, "loss=focal", *LONG)
        file.unlink()
        with raises(UsageError, mentions="focal.py"):
            train(config, output=tmp_path / "run", scheduler=cluster.scheduler_address)
    finally:
        plugins.reset()

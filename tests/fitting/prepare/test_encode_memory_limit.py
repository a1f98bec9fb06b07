"""Trainings whose encoded rows stand in a file: the same bits, resumed too, and a full disk is a message."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nncli.api.train import train
from nncli.base.errors import NncliError
from nncli.base.memory import free_memory
from nncli.base.scratch import Scratch
from nncli.config.schema import Config
from nncli.config.yaml.writer import dump
from nncli.fitting.prepare.encode import AUTO_SHARE, memory_limit
from nncli.fitting.prepare.prepare import prepare
from nncli.nn.batches.memmap import MatrixFile
from nncli.run_directory.manifest import (
    CHECKPOINTS,
    CONFIG,
    HEALTH,
    HELD_OUT,
    HISTORY,
    MANIFEST,
    METRICS,
    MODEL,
    REFERENCE,
    TRAINING_ROWS,
    WEIGHTS,
)
from tests.assertions import raises
from tests.cli.support import SECONDS, start
from tests.fitting.prepare.test_load import TABLE


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.nn.batches.disk_shuffle.WINDOW_BYTES", 4000)
    monkeypatch.setattr("nncli.nn.batches.dataset.CHUNK_BYTES", 1)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    TABLE.write_csv(tmp_path / "t.csv", null_value="NA")
    return tmp_path / "t.csv"


def config(csv: Path, limit: str, **more: Any) -> Config:
    given = {
        "data": {
            "path": str(csv),
            "target": "y",
            "drop": ["unused", "label"],
            "sample_weight": "w",
            "missing_values": ["NA"],
        },
        "layers": [{"type": "dense", "units": 6}, {"type": "dropout", "rate": 0.3}],
        "epochs": 5,
        "batch_size": 16,
        "memory_limit": limit,
        "backend": "numpy",
        **more,
    }
    return Config.model_validate(given)


def results(run: Path) -> list[bytes]:
    """All that a training leaves, but the seconds."""
    history = [line.rpartition(",")[0] for line in (run / HISTORY).read_text().splitlines()]
    return [*((run / name).read_bytes() for name in (MODEL, WEIGHTS, METRICS)), "\n".join(history).encode()]


WAYS = [
    {},
    {"threads": 2},
    {"layers": [{"type": "dense", "units": 6}], "data": {"target": "y", "features": ["number", "few"]}},
    {"data": {"target": "label", "drop": ["unused", "y"]}, "loss": {"type": "cross_entropy"}, "validation": 0.0},
]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_the_memory_limit_does_not_change_the_weights(csv: Path, tmp_path: Path, way: dict[str, Any]) -> None:
    more = {**way, "data": {"path": str(csv), "missing_values": ["NA"], **way["data"]}} if "data" in way else way
    with Scratch() as scratch:
        prepared = prepare(config(csv, "0 B", **more), scratch)
        assert prepared.training.dataset.storage is not None
    for limit, name in (("1 GiB", "memory"), ("0 B", "file")):
        train(config(csv, limit, **more), output=tmp_path / name)
    assert results(tmp_path / "file") == results(tmp_path / "memory")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "memory", "t.csv"]


@pytest.mark.slow
def test_compiled_loops_train_from_a_file_to_the_same_bits(csv: Path, tmp_path: Path) -> None:
    pytest.importorskip("numba")
    more: dict[str, Any] = {"layers": [{"type": "dense", "units": 6}], "backend": "numba"}
    more["data"] = {"path": str(csv), "missing_values": ["NA"], "target": "y", "features": ["number", "few"]}
    for limit, name in (("1 GiB", "memory"), ("0 B", "file")):
        train(config(csv, limit, **more), output=tmp_path / name)
    assert results(tmp_path / "file") == results(tmp_path / "memory")


def after(steps: int) -> Callable[[], bool]:
    left = iter(range(steps))
    return lambda: next(left, None) is None


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 20, 37])
def test_a_training_resumes_with_another_memory_limit_to_the_same_bits(csv: Path, tmp_path: Path, steps: int) -> None:
    train(config(csv, "1 GiB"), output=tmp_path / "whole")
    train(config(csv, "0 B", checkpoint={"every": "7 steps"}), output=tmp_path / "cut", stop=after(steps))
    train(resume=tmp_path / "cut", set=["memory_limit=1 GiB"], stop=after(11))
    train(resume=tmp_path / "cut", set=["memory_limit=0 B"])
    assert results(tmp_path / "cut") == results(tmp_path / "whole")


@pytest.mark.slow
def test_a_disk_that_fills_up_ends_the_training_which_can_be_resumed(
    csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(config(csv, "1 GiB"), output=tmp_path / "whole")
    written, write = iter(range(60)), MatrixFile._write

    def filling_up(self: MatrixFile, rows: Any) -> None:
        with self.scratch.translate_os_errors():
            if next(written, None) is None:
                raise OSError(errno.ENOSPC, "No space left on device")
        write(self, rows)

    with monkeypatch.context() as broken:
        broken.setattr(MatrixFile, "_write", filling_up)
        with raises(NncliError, mentions="No space left on device"):
            train(config(csv, "0 B", checkpoint={"every": "1 epoch"}), output=tmp_path / "run")
    train(resume=tmp_path / "run")
    assert results(tmp_path / "run") == results(tmp_path / "whole")


@pytest.mark.slow
def test_a_killed_training_leaves_no_file_behind_and_is_resumed(csv: Path, tmp_path: Path) -> None:
    endless = config(csv, "0 B", epochs=100_000, checkpoint={"every": "1 epoch"})
    (tmp_path / "c.yaml").write_text(dump(endless.model_dump(mode="json")))
    with start("train", tmp_path / "c.yaml", "-q", "-o", tmp_path / "run") as process:
        until = time.monotonic() + SECONDS
        while not list(tmp_path.glob(f"run/{CHECKPOINTS}/*")) and time.monotonic() < until:
            time.sleep(0.01)
        process.kill()
        process.communicate()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.yaml", "run", "t.csv"]
    train(resume=tmp_path / "run", stop=after(30))
    assert (tmp_path / "run" / WEIGHTS).exists()
    files = {CONFIG, WEIGHTS, MODEL, HISTORY, METRICS, MANIFEST, TRAINING_ROWS, HELD_OUT, REFERENCE, HEALTH}
    expected = {*files, CHECKPOINTS, ".lock"}
    assert {path.name for path in (tmp_path / "run").iterdir()} <= expected


def test_batch_size_full_keeps_the_rows_in_memory(csv: Path) -> None:
    with Scratch() as scratch:
        assert prepare(config(csv, "0 B", batch_size="full"), scratch).training.dataset.storage is None


def test_auto_is_half_of_the_free_memory(csv: Path) -> None:
    assert 0 < memory_limit(config(csv, "auto")) < 2 * AUTO_SHARE * free_memory() + 2**30
    assert memory_limit(config(csv, "1 KiB")) == 1024


def test_free_memory_is_the_minimum_of_machine_and_container(tmp_path: Path) -> None:
    group = tmp_path / "sys/fs/cgroup"
    (tmp_path / "proc").mkdir()
    (group / "memory").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    4000 kB\n")
    assert free_memory(tmp_path) == 4000 * 1024
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("5\n")
    assert free_memory(tmp_path) == 4000 * 1024
    (group / "memory.max").write_text("1005\n")
    assert free_memory(tmp_path) == 1000
    (group / "memory/memory.limit_in_bytes").write_text("700")
    (group / "memory/memory.usage_in_bytes").write_text("900")
    assert free_memory(tmp_path) == 0

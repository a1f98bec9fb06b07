"""Whether worker processes pay off."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from nncli.api.options import PredictFilesOptions
from nncli.api.prediction.many_files.file_task import FileState, FileToPredict
from nncli.api.prediction.many_files.job import PredictionJob, is_quick
from nncli.data.sources.table_source import TableSource
from tests.cli.support import DATA

MEGABYTE = 1 << 20


def files(*sizes: int) -> list[FileToPredict]:
    return [
        FileToPredict(str(i), TableSource(path=str(i)), FileState(size=size, mtime_ns=0), str(i))
        for i, size in enumerate(sizes)
    ]


@pytest.mark.parametrize(
    ("sizes", "done", "seconds", "expected"),
    [
        ([9_000, 9_000], 0, 0.0, True),  # few bytes
        ([MEGABYTE, MEGABYTE], 0, 0.0, False),  # none is small enough for a measurement
        ([MEGABYTE] * 20, 0, 0.0, True),
        ([MEGABYTE] * 19, MEGABYTE, 0.1, True),  # 2 seconds are left
        ([MEGABYTE] * 19, MEGABYTE, 1.0, False),
    ],
)
def test_processes_start_for_what_takes_longer_than_their_start(
    sizes: list[int], done: int, seconds: float, expected: bool
) -> None:
    assert is_quick(files(*sizes), done, seconds) == expected


@pytest.mark.parametrize("scheduler", [None, "tcp://host:8786"])
def test_the_log_counts_workers_of_this_machine_alone(
    scheduler: str | None,
    penguins: Path,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (here / "a.csv").write_bytes((DATA / "penguins.csv").read_bytes())
    sources = [TableSource(path="a.csv")]
    options = PredictFilesOptions(workers=1, scheduler=scheduler)
    job = PredictionJob.prepare(penguins, sources, here / "out", options)
    monkeypatch.setattr(PredictionJob, "_predict_elsewhere", lambda *args: iter(()))
    with caplog.at_level(logging.INFO, "nncli"):
        list(job.outcomes())
    assert ("1 at a time" in caplog.text) == (scheduler is None)

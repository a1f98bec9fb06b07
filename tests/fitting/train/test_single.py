from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nncli.base.errors import ConfigError, DataError
from nncli.config.schema import Config
from nncli.fitting.train.events import Finished, Started
from nncli.fitting.train.single import resume_network, train_network
from nncli.nn.training.loop import EpochReport
from nncli.run_directory.manifest import WEIGHTS
from nncli.run_directory.run import Run
from tests.assertions import raises


@pytest.fixture
def config(tmp_path: Path) -> Config:
    pl.DataFrame({"x": range(40), "y": [0.5 * i for i in range(40)]}).write_csv(tmp_path / "t.csv")
    return Config.model_validate(
        {"data": {"path": str(tmp_path / "t.csv"), "target": "y"}, "layers": [4], "epochs": 3, "batch_size": 8}
    )


def test_the_events_are_a_start_a_report_per_epoch_and_an_end(config: Config, tmp_path: Path) -> None:
    started, *reports, finished = train_network(config, tmp_path / "run")
    assert isinstance(started, Started)
    assert [report.epoch for report in reports if isinstance(report, EpochReport)] == [1, 2, 3]
    assert isinstance(finished, Finished)
    assert (finished.status, finished.epochs, finished.run) == ("done", 3, tmp_path / "run")


@pytest.mark.slow
def test_a_stopped_training_resumes_to_the_weights_of_an_uninterrupted_one(config: Config, tmp_path: Path) -> None:
    *_, finished = train_network(config, tmp_path / "whole")
    calls = iter([False] * 5)
    *_, stopped = train_network(config, tmp_path / "cut", stop=lambda: next(calls, True))
    assert isinstance(stopped, Finished)
    assert stopped.status == "stopped"
    *_, resumed = resume_network(Run.open(stopped.run), ())
    assert isinstance(finished, Finished)
    assert isinstance(resumed, Finished)
    assert (resumed.run / WEIGHTS).read_bytes() == (finished.run / WEIGHTS).read_bytes()


def test_a_changed_table_or_key_cannot_be_resumed(config: Config, tmp_path: Path) -> None:
    *_, _ = train_network(config, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    with pytest.raises(ConfigError) as caught:
        list(resume_network(run, ["seed=5"]))
    assert [issue.location and issue.location.key for issue in caught.value.issues] == ["seed"]
    (tmp_path / "t.csv").write_text("x,y\n1,2\n")
    with raises(DataError, file="t.csv"):
        list(resume_network(run, ["epochs=9"]))


@pytest.mark.slow
def test_resuming_with_another_blas_kernel_gives_a_warning(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = "openblas 0.3.31 Haswell"
    monkeypatch.setattr("nncli.fitting.train.provenance.blas_kernel", lambda: kernel)
    monkeypatch.setattr("nncli.fitting.train.single.blas_kernel", lambda: kernel)
    *_, finished = train_network(config, tmp_path / "run")
    assert isinstance(finished, Finished)
    run = Run.open(finished.run)
    assert run.load_manifest().machine.blas == kernel

    def notes_of_resume(epochs: int) -> list[str]:
        started, *_ = resume_network(run, [f"epochs={epochs}"])
        assert isinstance(started, Started)
        return [finding.message for finding in started.findings if "BLAS" in finding.message]

    assert notes_of_resume(4) == []
    kernel = "openblas 0.3.31 SkylakeX"
    (note,) = notes_of_resume(5)
    assert "Haswell" in note
    assert "SkylakeX" in note
    assert run.load_manifest().machine.blas == kernel

"""What the faults of reliability/faults.py have found, each as a test of its own."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from nncli import train
from nncli.api.generate_data import generate_data
from nncli.base.errors import NncliError, RunError, in_terminal
from nncli.run_directory.run import Run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose training takes a moment."""
    generate_data(rows=40, path=tmp_path / "table.csv")
    path = tmp_path / "config.yaml"
    path.write_text("data: {path: table.csv, target: y}\nlayers: [4]\nepochs: 3\ncheckpoint: {every: 1 epoch}\n")
    return path


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_folder_that_cannot_be_synced_makes_no_second_run(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.run_directory.run.sync_folder", full)
    with pytest.raises(NncliError, match="No space left"):
        train(config, output=tmp_path / "runs" / "a")
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize("second", [NncliError("the second"), OSError("the second"), MemoryError("the second")])
def test_the_error_told_is_the_one_that_ended_the_training(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: Exception
) -> None:
    """Not the one met while what there is was saved."""

    def fail(*_: object, **__: object) -> None:
        raise NncliError("the first")

    def fail_again(*_: object) -> None:
        raise second

    monkeypatch.setattr("nncli.fitting.train.session.save_checkpoint", fail)
    monkeypatch.setattr(Run, "save_history", fail_again)
    with pytest.raises(NncliError, match="the first"):
        train(config, output=tmp_path / "a")


def test_a_divergence_does_not_claim_to_have_saved_what_could_not_be(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise NncliError("the disk is full")

    monkeypatch.setattr(Run, "save_history", fail)
    with pytest.raises(NncliError, match="the disk is full"):
        train(config, output=tmp_path / "a", set=["learning_rate=1e30", "optimizer=sgd", "on_divergence=stop"])


def test_files_that_cannot_be_read_back_are_told(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train(config, output=tmp_path / "a").run
    manifest = Run.open(run).load_manifest()
    monkeypatch.setattr("nncli.run_directory.run.read_regular", full)
    with pytest.raises(NncliError, match="read back: No space left") as caught:
        Run.open(run).save_manifest(manifest)
    assert f"--resume {run}" in caught.value.on(in_terminal)


@pytest.mark.parametrize(("code", "hint"), [(errno.EACCES, "make them readable"), (None, "Train again")])
def test_checkpoints_that_cannot_be_read_are_not_called_damaged(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | None, hint: str
) -> None:
    run = train(config, output=tmp_path / "a").run

    def refuse(*_: object) -> None:
        raise ValueError("damaged") if code is None else OSError(code, os.strerror(code))

    monkeypatch.setattr("nncli.run_directory.checkpoints.read_checkpoint", refuse)
    with pytest.raises(RunError, match=hint):
        train(resume=run, set=["epochs=4"])


def test_a_run_that_cannot_be_locked_is_told_so(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train(config, output=tmp_path / "a").run
    monkeypatch.setattr("filelock.FileLock.acquire", full)
    with pytest.raises(NncliError, match="cannot be locked: No space left"):
        train(resume=run)

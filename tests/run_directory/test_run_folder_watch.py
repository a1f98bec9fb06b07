"""A run directory that is moved, deleted or replaced while a training writes it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

import pytest

from nncli.api.cross_validate import cross_validation_events
from nncli.api.generate_data import generate_data
from nncli.api.load import load
from nncli.api.train import train, train_events
from nncli.base.errors import Location, RunError
from nncli.config.loading import load_config
from nncli.fitting.train.events import Finished, MembersProgress
from nncli.nn.training.loop import EpochReport
from nncli.run_directory.manifest import CONFIG, METRICS, MODEL
from nncli.run_directory.run import FolderIdentity, Run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    generate_data(rows=60, path=tmp_path / "table.csv")
    path = tmp_path / "config.yaml"
    path.write_text("data: {path: table.csv, target: y}\nlayers: [4]\nepochs: 4\ncheckpoint: {every: 1 epoch}\n")
    return path


def move(run: Path) -> None:
    run.rename(run.with_name("moved"))


def move_parent(run: Path) -> None:
    run.parent.rename(run.parent.with_name("moved-parent"))


def replace_by_another(run: Path) -> None:
    move(run)
    run.mkdir()


def follow(events: Generator[object, None, None], change: Callable[[Path], None], run: Path, epoch: int = 2) -> None:
    """Train, and change the directory after an epoch."""
    with closing(events):
        for event in events:
            if isinstance(event, EpochReport) and event.epoch == epoch:
                change(run)
            if isinstance(event, MembersProgress) and run.exists():
                change(run)


CHANGES = [move, move_parent, shutil.rmtree, replace_by_another]


@pytest.mark.parametrize("change", CHANGES)
def test_a_training_whose_directory_is_gone_ends_with_an_error_and_makes_no_other(
    config: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    run = tmp_path / "runs" / "a"
    with pytest.raises(RunError) as caught:
        follow(train_events(config, output=run), change, run)
    assert caught.value.location == Location(source=str(run))
    assert not run.exists() or list(run.iterdir()) == []
    assert run.parent.exists() == (change is not move_parent)


@pytest.mark.slow
def test_a_moved_run_resumes_at_its_new_place(config: Path, tmp_path: Path) -> None:
    run, moved = tmp_path / "a", tmp_path / "moved"
    with pytest.raises(RunError):
        follow(train_events(config, output=run), move, run)
    train(resume=moved)
    whole = train(config, output=tmp_path / "whole").run
    assert (moved / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_a_resumed_training_is_watched_too(config: Path, tmp_path: Path) -> None:
    run = train(config, output=tmp_path / "a").run
    with pytest.raises(RunError):
        follow(train_events(resume=run, set=["epochs=8"]), shutil.rmtree, run, epoch=6)
    assert not run.exists()


@pytest.mark.slow
@pytest.mark.parametrize("change", [move, shutil.rmtree])
def test_an_ensemble_and_a_cross_validation_are_watched_too(
    config: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    ensemble = train_events(config, set=["members=2", "workers=1"], output=tmp_path / "ensemble")
    folds = cross_validation_events(config, set=["workers=1"], folds=2, output=tmp_path / "folds")
    for path, events in ((tmp_path / "ensemble", ensemble), (tmp_path / "folds", folds)):
        with pytest.raises(RunError) as caught:
            follow(events, change, path)
        assert caught.value.location is not None
        assert str(caught.value.location.source).startswith(str(path))
        assert not path.exists()
        shutil.rmtree(tmp_path / "moved", ignore_errors=True)


@pytest.mark.parametrize("name", [CONFIG, MODEL, METRICS])
def test_a_file_deleted_during_the_training_leaves_a_run_that_predicts(config: Path, tmp_path: Path, name: str) -> None:
    run = tmp_path / "a"
    for event in train_events(config, output=run):
        if isinstance(event, EpochReport):
            (run / name).unlink(missing_ok=True)
        last = event
    assert isinstance(last, Finished)
    load(run)
    assert load_config(run / CONFIG).epochs == 4


def test_writing_through_a_run_that_is_not_locked_needs_no_identity(config: Path, tmp_path: Path) -> None:
    run = train(config, output=tmp_path / "a").run
    Run(run).check_in_place()
    assert not Run(run).watched(lambda: False)()


def test_a_fault_of_the_file_system_is_not_taken_for_a_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = FolderIdentity.of(tmp_path)

    def stale(path: Path) -> FolderIdentity:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(FolderIdentity, "of", stale)
    identity.check(tmp_path)


def test_the_folder_is_checked_a_few_times_a_second_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = []
    monkeypatch.setattr(FolderIdentity, "check", lambda self, path: checks.append(path))
    stop = Run(tmp_path, FolderIdentity.of(tmp_path)).watched(lambda: True)
    assert all(stop() for _ in range(100))
    assert checks == [tmp_path]

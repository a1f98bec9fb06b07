"""`nncli.track`, and trainings that are tracked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nncli import track, train
from nncli.api.track import Tracked
from nncli.base.errors import NncliError, RunError, UsageError
from tests.cli.support import ROOT
from tests.tracking.support import config, scalars


@pytest.mark.slow
def test_a_run_is_written_to_every_tracker(tmp_path: Path, penguins: Path, line: Path) -> None:
    words = [f"tensorboard={tmp_path / name}" for name in ("a", "b")]
    written = track(penguins, line, to=words)
    assert written == tuple(Tracked(run, word, "run") for run in (penguins, line) for word in words)
    assert len(scalars(tmp_path / "a" / "run")["loss"]) == len(scalars(tmp_path / "b" / "run")["loss"]) > 0


@pytest.mark.slow
def test_writing_it_twice_changes_nothing(tmp_path: Path, penguins: Path) -> None:
    word = f"tensorboard={tmp_path}"
    track(penguins, to=[word])
    before = scalars(tmp_path / "run")
    track(penguins, to=[word])
    assert scalars(tmp_path / "run") == before
    assert len([*tmp_path.iterdir()]) == 1


@pytest.mark.parametrize("to", [[], ["wandb"]])
def test_a_tracker_must_be_named(penguins: Path, to: list[str]) -> None:
    with pytest.raises(UsageError):
        track(penguins, to=to)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        track(tmp_path, to=[f"tensorboard={tmp_path / 'logs'}"])


def test_a_log_directory_that_cannot_be_made_is_an_error(tmp_path: Path, penguins: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NncliError) as failed:
        track(penguins, to=[f"tensorboard={tmp_path / 'file' / 'logs'}"])
    assert failed.value.exit_code == 1


def test_an_unknown_tracker_is_refused_before_the_training(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        train(config(tmp_path), output=tmp_path / "run", track=["wandb"])
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_log_directory_that_cannot_be_made_does_not_end_a_training(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    finished = train(config(tmp_path), output=tmp_path / "run", track=[f"tensorboard={tmp_path / 'file' / 'logs'}"])
    assert finished.status == "done"


@pytest.mark.slow
def test_a_training_without_a_tracker_imports_none() -> None:
    program = "import sys, nncli; nncli.train; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    assert not {"nncli.tracking.training_tracker", "tensorboardX", "mlflow"} & {*done.stdout.split()}

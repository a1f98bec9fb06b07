"""A mistake in the configuration or the table leaves no directory of trainings that never started."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nncli.api.cross_validate import cross_validate
from nncli.api.train import train
from nncli.base.errors import ConfigError, DataError, NncliError, RunError
from nncli.config.loading import load_config
from nncli.fitting.parallel.untrained import removed_if_untrained

MISTAKES = {
    "no such metric": "metric: accuracy",
    "no features": "data: {path: t.csv, target: y, drop: [x, word]}",
    "no such kind": "data: {path: t.csv, target: y, columns: {x: date}}",
    "a loss that does not fit": "loss: poisson",
    "a class weight for a number": "class_weight: balanced",
    "a layer that Numba lacks": "backend: numba\noptimizer: lion",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    frame = pl.DataFrame(
        {"x": [i / 7 for i in range(60)], "word": ["u", "v"] * 30, "y": [i % 9 - 4.5 for i in range(60)]}
    )
    frame.write_csv("t.csv")
    return tmp_path


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("command", [train, cross_validate])
def test_a_mistake_leaves_no_directory(folder: Path, command: object, members: int, mistake: str) -> None:
    data = "" if mistake.startswith("data") else "data: {path: t.csv, target: y}\n"
    Path("c.yaml").write_text(f"{data}layers: [2]\nepochs: 1\nmembers: {members}\nworkers: 1\n{mistake}\n")
    options = {"folds": 2} if command is cross_validate else {}
    with pytest.raises((ConfigError, DataError)):
        command("c.yaml", output="new/folder/run", **options)  # type: ignore[operator]
    assert {path.name for path in folder.iterdir()} == {"t.csv", "c.yaml"}


def test_folders_that_existed_stay(tmp_path: Path) -> None:
    run = tmp_path / "old" / "new" / "run"
    run.mkdir(parents=True)
    with pytest.raises(DataError), removed_if_untrained(run, "members/*", tmp_path / "old"):
        raise DataError("wrong")
    assert [path.name for path in tmp_path.rglob("*")] == ["old"]


@pytest.mark.parametrize("error", [DataError("wrong"), RunError("wrong"), KeyboardInterrupt()])
def test_a_training_that_has_started_and_other_errors_leave_the_directory(
    tmp_path: Path, error: NncliError | KeyboardInterrupt
) -> None:
    run = tmp_path / "run"
    started = run / "members" / "1" if isinstance(error, DataError) else run
    started.mkdir(parents=True)
    with pytest.raises(type(error)), removed_if_untrained(run, "members/*", tmp_path):
        raise error
    assert started.is_dir()


def test_a_neighbor_keeps_its_folder(folder: Path) -> None:
    Path("runs/other").mkdir(parents=True)
    Path("c.yaml").write_text("data: {path: t.csv, target: y}\nlayers: [2]\nmembers: 2\nloss: poisson\n")
    with pytest.raises(DataError):
        train(load_config("c.yaml"), output="runs/run")
    assert [path.name for path in Path("runs").iterdir()] == ["other"]

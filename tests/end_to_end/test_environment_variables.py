"""Variables such as NNCLI_EPOCHS stand above the file that a person wrote, and touch nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli import cross_validate, predict, train
from nncli.config.loading import load_config
from nncli.run_directory.manifest import CONFIG, member_folder
from tests.cli.support import DATA

TEXT = f"data: {{path: {DATA / 'xor.csv'}, target: label}}\nlayers: [3]\nepochs: 2\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(TEXT)
    return path


def test_environment_variables_apply_to_training_but_not_to_its_run(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNCLI_EPOCHS", "3")
    run = train(config, output=tmp_path / "run", set=["seed=1"]).run
    assert load_config(run / CONFIG).epochs == 3
    monkeypatch.setenv("NNCLI_EPOCHS", "1")
    monkeypatch.setenv("NNCLI_NONSENSE", "1")
    assert train(resume=run, set=["epochs=4"]).epochs == 4
    assert len(predict(run, DATA / "xor.csv")) > 0


def test_environment_variables_do_not_change_a_config(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = load_config(config)
    monkeypatch.setenv("NNCLI_EPOCHS", "1")
    assert train(read, output=tmp_path / "run").epochs == 2


def test_members_and_folds_inherit_environment_variables(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNCLI_EPOCHS", "1")
    monkeypatch.setenv("NNCLI_WORKERS", "1")
    done = cross_validate(config, folds=2, output=tmp_path / "cv")
    assert done is not None
    folds = (tmp_path / "cv").glob(f"folds/*/{CONFIG}")
    assert [load_config(path).epochs for path in folds] == [1, 1]
    monkeypatch.setenv("NNCLI_MEMBERS", "2")
    run = train(config, output=tmp_path / "two").run
    assert [load_config(run / member_folder(i) / CONFIG).members for i in range(2)] == [1, 1]

"""Reading a cross-validation from its folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nncli import cross_validate
from nncli.analysis.evaluation.run_summary import summarize_cross_validation
from nncli.base.errors import RunError
from nncli.run_directory.cross_validation import is_cross_validation
from tests.cli.support import DATA


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished cross-validation."""
    path = tmp_path_factory.mktemp("cv")
    (path / "c.yaml").write_text(f"data: {{path: {DATA}/penguins.csv, target: species}}\nlayers: [4]\nepochs: 1\n")
    cross_validate(path / "c.yaml", folds=3, output=path / "cv")
    return path / "cv"


@pytest.mark.slow
def test_the_scores_are_those_of_its_files(folder: Path) -> None:
    assert is_cross_validation(folder)
    assert not is_cross_validation(folder / "folds" / "1")
    result = summarize_cross_validation(folder)
    recorded = json.loads((folder / "metrics.json").read_text())
    assert (result.folds, result.repeats, result.rows, result.is_done) == (3, 1, 344, True)
    assert result.out_of_fold["accuracy"] == recorded["out_of_fold"]["metrics"]["accuracy"]
    assert [fold.rows for fold in result.scored] == [fold["rows"] for fold in recorded["folds"]]
    assert result.json()["mean"]["log_loss"] == recorded["mean"]["log_loss"]
    assert dict(result.facts())["target"] == "species"


@pytest.mark.slow
def test_an_unfinished_one_says_how_to_go_on(folder: Path, tmp_path: Path) -> None:
    for name in ("cross-validation.json", "config.yaml"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    result = summarize_cross_validation(tmp_path)
    assert not result.is_done
    assert result.resume == f"nncli cross-validate --resume {tmp_path}"


@pytest.mark.slow
def test_a_damaged_file_is_an_error(folder: Path, tmp_path: Path) -> None:
    for name in ("cross-validation.json", "config.yaml"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "metrics.json").write_text("[]")
    with pytest.raises(RunError):
        summarize_cross_validation(tmp_path)

"""What trackers get from a run directory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from nncli.base.errors import RunError
from nncli.run_directory.cross_validation import CrossValidationRecord, is_cross_validation
from nncli.tracking.run_files import RunFiles, read_cross_validation
from nncli.version import __version__
from tests.tracking.support import trained


def test_a_run_has_its_name_its_parameters_and_where_they_come_from(penguins: Path) -> None:
    run = RunFiles.read(penguins).run
    manifest = json.loads((penguins / "manifest.json").read_text())
    assert (run.name, run.parent) == ("run", None)
    assert dict(run.parameters)["optimizer.momentum"] == 0.9
    tags = dict(run.tags)
    assert tags["nncli.version"] == __version__
    assert tags["nncli.data.sha256"] == manifest["data"]["sha256"]


@pytest.mark.slow
def test_the_key_is_the_same_for_a_copy_and_another_for_another_training(tmp_path: Path, penguins: Path) -> None:
    first = trained(tmp_path)
    copy = shutil.copytree(first, tmp_path / "elsewhere" / "run")
    assert RunFiles.read(copy).run == RunFiles.read(first).run
    assert RunFiles.read(penguins).run.key != RunFiles.read(first).run.key


def test_a_cross_validation_without_folds_is_refused(tmp_path: Path, penguins: Path) -> None:
    shutil.copy(penguins / "config.yaml", tmp_path)
    record = CrossValidationRecord(folds=3, repeats=1, epochs=5, fingerprint="a", data_sha256="b")
    (tmp_path / "cross-validation.json").write_text(record.model_dump_json())
    assert is_cross_validation(tmp_path)
    with pytest.raises(RunError):
        read_cross_validation(tmp_path)


@pytest.mark.parametrize("content", ["[1]", "{", ""])
def test_a_damaged_cross_validation_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "cross-validation.json").write_text(content)
    with pytest.raises(RunError) as refused:
        read_cross_validation(tmp_path)
    assert refused.value.location is not None
    assert refused.value.location.source == str(tmp_path / "cross-validation.json")

"""A run directory that is replaced in any way looks different, and one that is only read does not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from nncli.serving.models.reload import file_states


def replace_folder(path: Path) -> None:
    shutil.copytree(path, path.with_name("new"))
    path.rename(path.with_name("old"))
    path.with_name("new").rename(path)


def change_member(path: Path) -> None:
    file = path / "members/2/model.safetensors"
    file.write_bytes(file.read_bytes() + b"x")


def touch_manifest(path: Path) -> None:
    os.utime(path / "manifest.json", ns=(1, 1))


def switch_link(path: Path) -> None:
    shutil.copytree(path.resolve(), path.with_name("other"))
    path.unlink()
    path.symlink_to(path.with_name("other"))


@pytest.mark.parametrize("change", [replace_folder, change_member, touch_manifest])
def test_a_change_is_seen(change: Callable[[Path], None], runs: Mapping[str, Path], tmp_path: Path) -> None:
    path = shutil.copytree(runs["number"], tmp_path / "run")
    before = file_states(path)
    assert file_states(path) == before != ()
    change(path)
    assert file_states(path) not in (before, ())


def test_a_link_that_leads_elsewhere_is_seen(runs: Mapping[str, Path], tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to(runs["number"])
    before = file_states(tmp_path / "run")
    switch_link(tmp_path / "run")
    assert file_states(tmp_path / "run") != before


def test_without_a_manifest_there_is_nothing(tmp_path: Path) -> None:
    assert file_states(tmp_path / "missing") == ()
    assert file_states(tmp_path) == ()


def test_a_cross_validation_looks_different_once_a_fold_was_trained_again(
    runs: Mapping[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "cv" / "folds").mkdir(parents=True)
    (tmp_path / "cv" / "cross-validation.json").write_text("{}")
    shutil.copytree(runs["number"], tmp_path / "cv" / "folds" / "1")
    before = file_states(tmp_path / "cv")
    assert any("members" in state[0] for state in before)
    change_member(tmp_path / "cv" / "folds" / "1")
    assert file_states(tmp_path / "cv") != before != ()

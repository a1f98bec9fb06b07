"""The section `teacher`: what it is combined with, and where its path leads."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from nncli.config.loading import load_config
from nncli.config.schema import Config
from nncli.config.schema.training import Teacher

DATA = {"path": "t.csv", "target": "y"}


@pytest.mark.parametrize("other", [{"members": 2}, {"members": "auto"}, {"class_weight": "balanced"}])
def test_a_teacher_teaches_one_network_which_has_no_class_weights_of_its_own(other: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="teacher"):
        Config.model_validate({"data": DATA, "teacher": {"path": "runs/t"}, **other})


@pytest.mark.parametrize("wrong", [{"members": []}, {"members": [0]}, {"swapped_rows": -1}, {"swapped_rows": 0.5}])
def test_what_no_teacher_has_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Teacher.model_validate({"path": "runs/t", **wrong})


def test_its_path_is_relative_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("data: {path: t.csv, target: y}\nlayers: [4]\nteacher: {path: runs/t}\n")
    teacher = load_config(path).teacher
    assert teacher is not None
    assert teacher.path == str(tmp_path / "runs/t")

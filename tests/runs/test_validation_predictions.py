"""The predictions of the validation rows that a run keeps."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nncli.errors import RunError
from nncli.evaluation.held_out import predict_held_out
from nncli.runs.manifest import VALIDATION
from nncli.runs.run import Run
from nncli.runs.validation_predictions import read_validation
from tests.assertions import raises


@pytest.fixture
def copy(penguins: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(penguins, tmp_path / "copy"))


def test_predictions_are_read_as_they_were_kept(copy: Path) -> None:
    held_out = predict_held_out(copy)
    run = Run(copy)
    shares = replace(held_out.predictions, values=np.full((len(held_out), 3), 1 / 3))
    run.save_validation(shares)
    run.save_manifest(run.load_manifest())
    kept = read_validation(copy, run.load_manifest(), held_out.predictions.target, len(held_out), "float32")
    assert kept is not None
    assert kept.values.tobytes() == shares.values.tobytes()
    assert predict_held_out(copy).scores == replace(held_out, predictions=kept).scores


def test_a_run_of_an_older_version_has_none_and_is_optimistic(copy: Path) -> None:
    (copy / VALIDATION).unlink()
    run = Run(copy)
    document = (copy / "metrics.json").read_text().replace('"optimistic": false', '"unknown": 0')
    (copy / "metrics.json").write_text(document)
    run.save_manifest(run.load_manifest())
    held_out = predict_held_out(copy)
    assert read_validation(copy, run.load_manifest(), held_out.predictions.target, len(held_out), "float32") is None
    assert held_out.optimistic


def test_predictions_of_other_rows_are_damage(copy: Path) -> None:
    run, held_out = Run(copy), predict_held_out(copy)
    with raises(RunError, file=VALIDATION):
        read_validation(copy, run.load_manifest(), held_out.predictions.target, len(held_out) + 1, "float32")
    (copy / VALIDATION).write_bytes(b"predictions")
    with raises(RunError, file=VALIDATION):
        read_validation(copy, run.load_manifest(), held_out.predictions.target, len(held_out), "float32")
    run.save_manifest(run.load_manifest())
    with raises(RunError, file=VALIDATION):
        read_validation(copy, run.load_manifest(), held_out.predictions.target, len(held_out), "float32")

"""A finished cross-validation predicts the mean of the models of its folds, as an ensemble does."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import compare, cross_validate, evaluate, explain, load, predict
from nncli.analysis.evaluation.held_out import predict_held_out
from nncli.api.export import export
from nncli.base.errors import RunError
from nncli.models.ensemble import Ensemble
from nncli.run_directory.cross_validation import FoldsManifest
from nncli.run_directory.filenames import HELD_OUT, METRICS
from nncli.run_directory.run import Run
from nncli.targets.classes import ClassificationTarget
from tests.api.ensembles import written
from tests.assertions import raises
from tests.cli.support import DATA

TABLE = DATA / "penguins.csv"


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folds of one network each; not to be changed."""
    folder = tmp_path_factory.mktemp("networks")
    cross_validate(written(folder, "members=1", "calibration=temperature"), folds=3, output=folder / "cv")
    return folder / "cv"


@pytest.fixture(scope="module")
def ensembles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folds of an ensemble of three networks each, with temperatures."""
    folder = tmp_path_factory.mktemp("ensembles")
    cross_validate(written(folder, "calibration=temperature"), folds=2, output=folder / "cv")
    return folder / "cv"


def probabilities(run: Path) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return predict(run, TABLE, proba=True).select(pl.selectors.starts_with("proba_")).to_numpy().astype(np.float64)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["networks", "ensembles"])
def test_it_predicts_the_mean_of_the_models_of_its_folds(kind: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(kind)
    each = [probabilities(fold) for fold in sorted((path / "folds").iterdir())]
    np.testing.assert_allclose(probabilities(path), np.mean(each, axis=0), atol=3e-7)


@pytest.mark.slow
def test_networks_of_fold_ensembles_are_members_with_the_temperature_of_their_fold(ensembles: Path) -> None:
    model, manifest = load(ensembles).model, Run.open(ensembles).load_manifest()
    assert isinstance(model, Ensemble)
    assert isinstance(manifest, FoldsManifest)
    assert manifest.networks == (3, 3)
    assert len(model.members) == manifest.members == len(manifest.member_folders) == 6
    temperatures = [load(ensembles / "folds" / name).model.spec.temperature for name in ("1", "2")]
    assert [member.spec.temperature for member in model.members] == [T for T in temperatures for _ in range(3)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["networks", "ensembles"])
def test_its_out_of_fold_predictions_are_scored_calibrate_sets_and_are_explained(
    kind: str, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(kind)
    held_out = predict_held_out(path)
    assert len(held_out) == 344
    assert held_out.oof_mask is not None
    assert held_out.oof_mask.any(axis=0).all()
    assert not held_out.optimistic
    sets = predict(path, TABLE, prediction_set=0.9)["set_90"]
    assert sets.list.contains(pl.read_csv(TABLE)["species"]).mean() == pytest.approx(0.9, abs=0.1)
    assert len(explain(path, permutations=1, top=1).importances or ()) == 7


@pytest.mark.slow
def test_it_is_compared_with_runs_on_the_rows_that_both_held_out(networks: Path, ensembles: Path) -> None:
    result = compare([networks, ensembles, networks / "folds" / "1"])
    assert not any(run.problems for run in result.runs)
    assert [run.out_of_fold for run in result.runs] == [True, True, False]
    inner = predict_held_out(networks / "folds" / "1")
    assert sorted(pair.rows for pair in result.pairs) == sorted([344, len(inner)])
    assert all(pair.test is not None for pair in result.pairs)


@pytest.mark.slow
def test_an_evaluation_tells_that_it_was_trained_on_the_rows_and_a_program_is_exported(
    networks: Path, tmp_path: Path
) -> None:
    matches = evaluate(networks, TABLE).training_rows
    assert matches is not None
    assert matches.trained_rows == 344
    assert export(networks, tmp_path / "cv.onnx").path.is_file()


@pytest.mark.slow
def test_an_unfinished_one_tells_how_to_resume_it(networks: Path, tmp_path: Path) -> None:
    path = shutil.copytree(networks, tmp_path / "cv")
    (path / METRICS).unlink()
    with raises(RunError, file="cv") as caught:
        predict(path, TABLE)
    assert f"nncli cross-validate --resume {path}" in (caught.value.hint or "")
    result = compare([networks, path])
    assert "--resume" in result.runs[1].problems[0]


def test_a_fold_that_was_trained_again_and_damaged_rows_are_refused(networks: Path, tmp_path: Path) -> None:
    path = shutil.copytree(networks, tmp_path / "cv")
    (path / HELD_OUT).write_bytes(b"")
    with raises(RunError, file=HELD_OUT):
        Run.open(path).load_held_out()
    shutil.rmtree(path / "folds" / "1")
    shutil.copytree(path / "folds" / "2", path / "folds" / "1")
    with raises(RunError, file="1"):
        load(path)


def test_a_joint_target_has_the_classes_of_all_in_the_order_of_a_table() -> None:
    targets = [
        ClassificationTarget(name="y", labels=labels, label_type="integer") for labels in (("2", "10"), ("2", "3"))
    ]
    joint = targets[0].joint(targets, None)
    assert joint.task == "classification"
    assert (joint.labels, joint.label_type) == (("2", "3", "10"), "integer")
    assert targets[0].joint(targets[:1] * 2, None) == targets[0]

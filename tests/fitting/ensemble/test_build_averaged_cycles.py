"""The networks at the ends of several cycles are averaged, where out-of-fold rows cannot tell which is best."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from nncli import evaluate, predict, train
from nncli.data.sources.read_table import read_table
from nncli.fitting.ensemble import build
from nncli.fitting.ensemble.build import read_snapshot
from nncli.fitting.ensemble.out_of_fold import averages_cycles
from nncli.models.ensemble import Ensemble
from nncli.models.predictions import Predictions
from nncli.run_directory.manifest import HELD_OUT
from nncli.run_directory.run import Run
from nncli.tracking.run_files import RunFiles
from tests.api.ensembles import bits, config_of, written
from tests.cli.support import DATA

CYCLES = ("learning_rate={type: coslog, peak: 0.02, first_cycle: 2}", "epochs=6", "members=3", "average_cycles=true")
EPOCHS = (2, 6)
TABLE = DATA / "penguins.csv"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three members, averaged at the ends of both cycles; not to be changed."""
    folder = tmp_path_factory.mktemp("averaged")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "MAX_STANDARD_ERRORS", np.inf)
        return train(written(folder, *CYCLES), output=folder / "run").run


def ensemble(run: Path) -> Ensemble:
    model = Run(run).load_model()
    assert isinstance(model, Ensemble)
    return model


@pytest.mark.slow
def test_the_members_are_the_networks_at_the_ends_of_the_cycles(run: Path) -> None:
    model = ensemble(run)
    manifests = [Run(run / "members" / str(i)).load_manifest() for i in range(1, 7)]
    epochs = [manifest.best_epoch for manifest in manifests]
    assert sorted(epochs) == [2, 2, 2, 6, 6, 6]
    assert epochs[0] == Run(run).load_manifest().best_epoch
    assert len(model.members) == model.spec.members == Run(run).load_manifest().members == 6
    for i, (member, epoch) in enumerate(zip(model.members, epochs, strict=True)):
        snapshot = read_snapshot(run / "members" / str(i % 3 + 1), epoch, member.spec)
        assert member.parameters.theta.tobytes() == snapshot.theta.tobytes()


@pytest.mark.slow
def test_a_prediction_is_the_mean_of_all_networks(run: Path) -> None:
    model = ensemble(run)
    table = read_table(str(TABLE), missing_values=model.spec.missing_values)
    of_networks: list[Predictions] = [member.predict(table) for member in model.members]
    expected = np.mean([item.with_temperature(model.spec.temperature).values for item in of_networks], axis=0)
    np.testing.assert_allclose(model.predict(table).values, expected, rtol=1e-6)


@pytest.mark.slow
def test_the_out_of_fold_scores_are_those_of_the_mean(run: Path) -> None:
    model, held_out = ensemble(run), Run(run).load_held_out()
    assert held_out is not None
    assert len(held_out.members) == 6
    of_row = [member for member in range(6) if held_out.oof_mask[member, 0]]
    assert [member % 3 for member in of_row] == [of_row[0]] * 2  # the networks of the member that held the row out
    predictions = [held_out.members[member] for member in of_row]
    values = [item.predictions.with_temperature(1.0).values[item.rows == 0] for item in predictions]
    uncalibrated = np.mean(values, axis=0)
    calibrated = held_out.predictions.with_temperature(1.0).values[:1]
    assert np.argmax(uncalibrated) == np.argmax(calibrated)
    if model.spec.temperature == 1.0:
        np.testing.assert_allclose(uncalibrated, calibrated, rtol=1e-6)


@pytest.mark.slow
def test_the_gain_of_averaging_is_that_of_members_not_of_their_networks(tmp_path: Path) -> None:
    """Three members hold out other rows each: no row tells what averaging gains, though two networks predict it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "MAX_STANDARD_ERRORS", np.inf)
        alone = train(written(tmp_path, *CYCLES), output=tmp_path / "alone")
        shared = train(written(tmp_path, *CYCLES, "members=6"), output=tmp_path / "shared")
    assert alone.validation is not None
    assert alone.validation.averaging is None
    assert shared.validation is not None
    assert shared.validation.averaging is not None
    assert shared.validation.averaging.rows < alone.validation.rows


@pytest.mark.slow
def test_networks_of_a_clearly_worse_cycle_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "MAX_STANDARD_ERRORS", -np.inf)
    alone = train(written(tmp_path, *CYCLES), output=tmp_path / "alone").run
    best = train(written(tmp_path, *CYCLES, "average_cycles=false"), output=tmp_path / "best").run
    assert bits(alone) == bits(best)
    assert ensemble(alone).spec.members == 3


def test_a_schedule_without_cycles_has_no_average(tmp_path: Path) -> None:
    assert averages_cycles(config_of(tmp_path, *CYCLES))
    assert not averages_cycles(config_of(tmp_path, *CYCLES, "learning_rate=0.1"))


@pytest.mark.slow
def test_resuming_chooses_anew_and_removes_the_copies(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "MAX_STANDARD_ERRORS", np.inf)
        train(resume=copy)
    assert bits(copy) == bits(run)
    train(resume=copy)  # with the usual limit the worse cycle is left out
    assert sorted(path.name for path in (copy / "members").iterdir()) == ["1", "2", "3"]
    assert ensemble(copy).spec.members == 3
    assert len(predict(copy, TABLE)) == len(read_table(str(TABLE)))


def test_a_copied_member_is_a_whole_run_with_its_own_held_out_rows(run: Path) -> None:
    last = run / "members" / "6"
    assert (last / HELD_OUT).exists()
    assert not (last / "snapshots").exists()
    assert evaluate(last, TABLE).scores


def test_trackers_get_the_trained_members_without_their_copies(run: Path) -> None:
    assert [int(member.path.name) for member in RunFiles.read(run).children()] == [1, 2, 3]

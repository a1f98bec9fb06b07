"""One epoch for all members, and scores of rows that chose neither it nor the temperature."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from nncli import train
from nncli.analysis.evaluation.held_out import predict_held_out
from nncli.base.scratch import Scratch
from nncli.config.loading import load_config
from nncli.data.splitting.folds import Fold
from nncli.fitting.ensemble.build import (
    Candidate,
    EpochChoice,
    _row_losses,
    build_ensemble,
    read_candidates,
    read_snapshot,
    snapshot_epochs,
)
from nncli.fitting.ensemble.out_of_fold import EnsembleData, LabeledRows
from nncli.models.scores import headlines
from nncli.nn.losses import SurvivalLoss
from nncli.run_directory.history_and_metrics import read_history, read_metrics
from nncli.run_directory.manifest import CONFIG, HELD_OUT
from nncli.run_directory.run import Run
from nncli.targets.survival import SurvivalTarget
from tests.api.ensembles import written

MEMBERS = 6


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six members on five folds; not to be changed."""
    folder = tmp_path_factory.mktemp("joint")
    return train(written(folder, "members=6", "epochs=6", "learning_rate=0.1"), output=folder / "run").run


@pytest.fixture(scope="module")
def chosen(run: Path) -> Iterator[tuple[EnsembleData, list[Candidate]]]:
    with Scratch() as scratch:
        data = EnsembleData.of(load_config(run / CONFIG), scratch)
        yield data, read_candidates(run, data)


def folders(run: Path) -> list[Path]:
    return [run / "members" / str(i + 1) for i in range(MEMBERS)]


@pytest.mark.slow
def test_two_members_hold_out_the_first_of_one_fold_fewer(run: Path) -> None:
    folds = [load_config(folder / CONFIG).validation for folder in folders(run)]
    assert folds == [Fold(folds=5, fold=i % 5, seed=0) for i in range(MEMBERS)]


@pytest.mark.slow
def test_all_members_have_the_weights_of_the_same_epoch(run: Path) -> None:
    epochs = {Run(folder).load_manifest().best_epoch for folder in folders(run)}
    assert epochs == {Run(run).load_manifest().best_epoch}
    (epoch,) = epochs
    model = Run(run).load_model()
    for folder, member in zip(folders(run), model.members, strict=True):  # type: ignore[union-attr]
        assert read_snapshot(folder, epoch, member.spec).theta.tobytes() == member.parameters.theta.tobytes()
        history = read_history(folder, Run(folder).load_manifest())
        assert history.best is not None
        assert history.best.epoch == epoch


@pytest.mark.slow
def test_the_epoch_has_the_best_value_on_all_out_of_fold_rows(
    run: Path, chosen: tuple[EnsembleData, list[Candidate]]
) -> None:
    data, candidates = chosen
    assert (
        [candidate.epoch for candidate in candidates] == sorted(snapshot_epochs(folders(run)[0])) == [1, 2, 3, 4, 5, 6]
    )
    built = build_ensemble(data, candidates)
    choice = EpochChoice.of(data, candidates)
    assert choice is not None
    every = np.ones(choice.n_rows, np.bool_)
    values = [choice._value(item, every) for item in choice.actual]
    assert values[built.candidates[0]] == min(values)
    assert candidates[built.candidates[0]].epoch == Run(run).load_manifest().best_epoch


@pytest.mark.slow
def test_rows_of_a_fold_are_predicted_at_the_epoch_that_the_others_choose(
    chosen: tuple[EnsembleData, list[Candidate]],
) -> None:
    data, candidates = chosen
    built = build_ensemble(data, candidates)
    choice = EpochChoice.of(data, candidates)
    assert choice is not None
    assert built.held_out is not None
    for fold in range(5):
        in_fold = choice.parts == fold
        values = [choice._value(item, ~in_fold) for item in choice.actual]
        best = len(values) - 1 - int(np.argmin(values[::-1]))
        temperature = 1.0 if built.ensemble.spec.temperature == 1.0 else choice.actual[best].temperature(~in_fold)
        predicted = choice.actual[best].predicted(temperature)
        np.testing.assert_array_equal(built.held_out.predictions.values[in_fold], predicted.values[in_fold])


@pytest.mark.slow
def test_the_recorded_scores_are_those_of_the_kept_predictions_with_the_gain_of_averaging(run: Path) -> None:
    recorded = read_metrics(run, Run(run).load_manifest()).validation
    held_out = predict_held_out(run)
    assert recorded is not None
    assert not recorded.optimistic
    assert recorded.averaging is not None
    assert recorded.averaging.rows == round(len(held_out) / 5)
    assert held_out.averaging == recorded.averaging
    assert {score.name: score.value for score in recorded.scores} == dict(headlines(held_out.scores))
    assert (run / HELD_OUT).exists()


def test_the_intervals_are_recorded_around_the_scores(run: Path) -> None:
    card = json.loads((run / "metrics.json").read_text())["validation"]
    for name, (low, high) in card["intervals"].items():
        assert low <= card["metrics"][name] <= high
    assert {"accuracy", "log_loss"} <= card["intervals"].keys()


@pytest.mark.slow
def test_an_ensemble_of_an_older_version_keeps_the_best_epoch_of_each_member(
    run: Path, tmp_path: Path, chosen: tuple[EnsembleData, list[Candidate]]
) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    for folder in folders(copy):
        shutil.rmtree(folder / "snapshots")
        (folder / HELD_OUT).unlink()
        member = Run(folder)
        member.save_manifest(member.load_manifest())
    data = chosen[0]
    (candidate,) = read_candidates(copy, data)
    assert (candidate.epoch, candidate.recorded) == (0, None)
    scores = build_ensemble(data, [candidate]).validation_scores
    assert scores is not None
    assert scores.optimistic


@pytest.mark.slow
def test_members_with_early_stopping_keep_their_own_epochs_and_are_scored_honestly(tmp_path: Path) -> None:
    config = written(tmp_path, "epochs=6", "early_stopping={patience: 2}")
    run = train(config, output=tmp_path / "run").run
    assert snapshot_epochs(run / "members" / "1") == set()
    recorded = read_metrics(run, Run(run).load_manifest()).validation
    assert recorded is not None
    assert not recorded.optimistic
    assert recorded.averaging is None


@pytest.mark.parametrize("names", [("months", "died"), ("months", "died", "entered")])
def test_the_loss_of_a_curve_is_that_of_the_bins_of_its_event(names: tuple[str, ...]) -> None:
    target, S = SurvivalTarget(names=names, edges=(2.0, 4.0)), np.array([[0.8, 0.4], [0.5, 0.3]])
    rows = LabeledRows(np.array([[3.0, 1.0, 0.0], [5.0, 0.0, 1.0]])[:, : len(names)], None)
    members = [SimpleNamespace(spec=SimpleNamespace(target=target))]
    ensemble = SimpleNamespace(members=members, spec=SimpleNamespace(loss=SurvivalLoss(event="died")))
    losses = _row_losses(cast("Any", SimpleNamespace(ensemble=ensemble)), rows, cast("Any", SimpleNamespace(points=S)))
    before_entry = 0.5**0.5 if len(names) > 2 else 1.0
    assert losses == pytest.approx([-np.log(0.8 - 0.4), -np.log(0.3 / before_entry)])

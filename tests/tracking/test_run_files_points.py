"""Epochs, scores and configurations as points and parameters."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from nncli.config.loading import load_config
from nncli.models.scores import ScoreWithInterval
from nncli.nn.training.loop import EpochReport
from nncli.run_directory.history_and_metrics import RecordedMetrics, RecordedScores
from nncli.tracking.run_files import (
    MAX_TEXT,
    epoch_points,
    json_scores,
    named_points,
    parameters,
    score_points,
    tracker_name,
    tracker_names,
)
from nncli.tracking.tracker import TrackedRun
from nncli.tracking.training_tracker import EpochLog
from tests.tracking.support import Memory, config


def report(epoch: int, loss: float = 1.0, penalty: float = 0.0, val_loss: float | None = None) -> EpochReport:
    return EpochReport(epoch, loss, penalty, val_loss, val_loss, 0.1, False, 2.0)


def test_parameters_are_what_differs_from_the_defaults_and_what_runs_are_compared_by(tmp_path: Path) -> None:
    text = (
        "data: {path: t.csv, target: y, drop: [a, b]}\noptimizer: {type: sgd, momentum: 0.5}\noutput: x\nworkers: 2\n"
    )
    values = dict(parameters(load_config(config(tmp_path, text))))
    assert values["data.drop"] == '["a","b"]'
    assert values["optimizer.type"] == "sgd"
    assert values["optimizer.momentum"] == 0.5
    assert values["seed"] == 0
    assert "layers" in values
    assert "epochs" in values
    assert values["clip_norm"] == "auto"
    assert not values.keys() & {"output", "workers", "precision", "l2", "l1"}


def test_a_long_parameter_is_cut(tmp_path: Path) -> None:
    names = ", ".join(f"column{i}" for i in range(200))
    values = dict(parameters(load_config(config(tmp_path, f"data: {{path: t.csv, target: y, drop: [{names}]}}"))))
    assert len(str(values["data.drop"])) == MAX_TEXT


def test_an_epoch_has_the_names_of_the_history(tmp_path: Path) -> None:
    points = epoch_points(report(3, loss=0.5, penalty=0.1, val_loss=0.7), "accuracy", 9.0)
    assert {point.metric: point.value for point in points} == {
        "loss": 0.5,
        "penalty": 0.1,
        "val_loss": 0.7,
        "val_accuracy": 0.7,
        "learning_rate": 0.1,
    }
    assert {(point.step, point.time) for point in points} == {(3, 9.0)}


def test_what_an_epoch_does_not_have_is_no_point() -> None:
    assert [point.metric for point in epoch_points(report(1), None, 0.0)] == ["loss", "learning_rate"]


def test_the_time_of_an_epoch_is_that_of_the_start_and_what_was_trained() -> None:
    memory, run = Memory(), TrackedRun("key", "run", started=100.0)
    memory.start(run)
    epochs = EpochLog(memory, run, None)
    epochs.set((report(1), report(2), report(3)), ())
    epochs.flush()
    assert [point.time for point in memory.points["run"].values() if point.metric == "loss"] == [102.0, 104.0, 106.0]


def test_a_loss_that_is_no_number_stays_so() -> None:
    (loss, _) = epoch_points(report(1, loss=math.nan), None, 0.0)
    assert math.isnan(loss.value)


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("validation", "rmse"), "validation/rmse"),
        (("validation", "a/b c", "rmse"), "validation/a_b_c/rmse"),
        (("validation", "..", "rmse"), "validation/__/rmse"),
        (("validation", "", "rmse"), "validation/_/rmse"),
        (("länge",), "länge"),
    ],
)
def test_names_have_letters_that_every_tracker_allows(parts: tuple[str, ...], name: str) -> None:
    assert tracker_name(*parts) == name


def test_scores_are_points_after_the_last_epoch() -> None:
    scores = (
        ScoreWithInterval(None, "rmse", 1.5, None, 3.0, None),
        ScoreWithInterval("y", "r2", None, None, 0.0, None),
    )
    validation = RecordedScores(9, scores)
    training = RecordedScores(20, (ScoreWithInterval("y", "rmse", 1.0, None, None, None),))
    points = score_points(RecordedMetrics(training, validation), "out_of_fold", best_epoch=4, step=7, time=1.0)
    assert {point.metric: point.value for point in points} == {
        "out_of_fold/rmse": 1.5,
        "training/y/rmse": 1.0,
        "baseline/out_of_fold/rmse": 3.0,
        "baseline/out_of_fold/y/r2": 0.0,
        "best_epoch": 4.0,
    }
    assert {(point.step, point.time) for point in points} == {(7, 1.0)}


def test_scores_of_json_are_its_numbers() -> None:
    document = {"accuracy": 1, "confusion": [[1]], "ok": True, "none": None, "targets": {"y": {"rmse": 2.0}}}
    assert json_scores(document, "mean") == {("mean", "accuracy"): 1.0, ("mean", "y", "rmse"): 2.0}


def test_names_that_trackers_refuse_are_cleaned_and_stay_distinct() -> None:
    names = [("layers.*.units",), ("layers._.units",), ("layers[1].1.rate",), ("x" * 300,), ("x" * 301,)]
    cleaned = list(tracker_names(names).values())
    assert cleaned[:3] == ["layers._.units", "layers._.units_2", "layers_1_.1.rate"]
    assert len({*cleaned}) == 5
    assert max(map(len, cleaned)) <= 250


def test_scores_of_targets_with_similar_names_stay_distinct() -> None:
    values: dict[tuple[str, ...], float] = {("mean", "a$", "rmse"): 1.0, ("mean", "a%", "rmse"): 2.0}
    points = named_points(values, 3, 9.0)
    assert [(point.metric, point.value) for point in points] == [("mean/a_/rmse", 1.0), ("mean/a_/rmse_2", 2.0)]

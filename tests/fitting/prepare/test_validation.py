"""What chooses the best epoch, by the key, the task, and whether there are validation rows and class weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.config.schema import Config
from nncli.fitting.prepare.prepare import prepare
from nncli.nn.training.arguments import TrainingArguments


def arguments(path: Path, target: str, **more: Any) -> TrainingArguments:
    path.write_text("x,y,kind\n" + "".join(f"{i},{i * 0.5},{'ab'[i % 3 == 0]}\n" for i in range(40)), "utf-8")
    drop = [{"y": "kind", "kind": "y"}[target]]
    return prepare(
        Config.model_validate({"data": {"path": str(path), "target": target, "drop": drop}, "layers": [2], **more})
    ).arguments


@pytest.mark.parametrize(
    ("target", "more", "watched"),
    [
        ("kind", {}, "val_calibrated_log_loss"),
        ("kind", {"class_weight": "balanced"}, "val_loss"),
        ("kind", {"validation": 0.0}, "loss"),
        ("y", {}, "val_loss"),
        ("y", {"validation": 0.0}, "loss"),
    ],
)
def test_calibrated_log_loss_is_lower_than_log_loss_where_a_temperature_helps(
    tmp_path: Path, target: str, more: dict[str, Any], watched: str
) -> None:
    assert arguments(tmp_path / "t.csv", target, metric="calibrated_log_loss", **more).monitor == watched


@pytest.mark.parametrize(("metric", "watched"), [("auto", "val_loss"), ("loss", "loss"), ("accuracy", "val_accuracy")])
def test_an_explicit_metric_is_kept(tmp_path: Path, metric: str, watched: str) -> None:
    assert arguments(tmp_path / "t.csv", "kind", metric=metric).monitor == watched


def test_of_many_classes_evenly_spaced_rows_are_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{i},{'abc'[i % 3]}\n" for i in range(60)), "utf-8")
    config = {"data": {"path": str(path), "target": "y"}, "layers": [2], "metric": "accuracy", "validation": 0.5}
    validation_set = prepare(Config.model_validate(config)).validation_set
    assert validation_set is not None
    y = validation_set.dataset.y
    Z = np.where(np.arange(30)[:, None] % 3 == 0, np.eye(3)[y], -np.eye(3)[y])  # every third row is right
    assert validation_set.score(Z) == pytest.approx(1 / 3)
    monkeypatch.setattr("nncli.fitting.prepare.validation.MANY_CLASSES", 3)
    monkeypatch.setattr("nncli.fitting.prepare.validation.MAX_SCORED_CELLS", 30)
    assert validation_set.score(Z) == 1.0
    rows = np.arange(1, 30)
    assert validation_set.score(Z[rows], rows) == 0.0

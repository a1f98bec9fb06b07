"""What chooses the best epoch, by the key, the task, and whether there are validation rows and class weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nncli.config.schema import Config
from nncli.pipeline.prepare.prepare import prepare
from nncli.training.arguments import TrainingArguments


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
    assert arguments(tmp_path / "t.csv", target, metric="calibrated_loss", **more).monitor == watched


@pytest.mark.parametrize(("metric", "watched"), [("auto", "val_loss"), ("loss", "loss"), ("accuracy", "val_accuracy")])
def test_an_explicit_metric_is_kept(tmp_path: Path, metric: str, watched: str) -> None:
    assert arguments(tmp_path / "t.csv", "kind", metric=metric).monitor == watched

"""A few steps say how long one takes and whether the loss falls, and leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.base.findings import Finding
from nncli.config.loading import load_config
from nncli.fitting.dry_run import MIN_TIMED_STEPS, DryRun, dry_run
from nncli.fitting.prepare.execution import choose_execution
from nncli.fitting.prepare.prepare import prepare
from tests.cli.support import CONFIGS, DATA

LINEAR = f"data: {{path: {DATA}/linear.csv, target: y}}\n"


def tried(folder: Path, more: str, layers: str = "[8]") -> tuple[DryRun, Finding | None]:
    (folder / "c.yaml").write_text(f"{LINEAR}layers: {layers}\n{more}")
    return tried_of(folder / "c.yaml")


def tried_of(path: Path) -> tuple[DryRun, Finding | None]:
    prepared = prepare(load_config(path))
    with choose_execution(prepared)[0].activate(prepared) as ready:
        return dry_run(ready)


@pytest.mark.slow
@pytest.mark.parametrize("config", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_loss_decreases_for_every_shipped_configuration(config: Path) -> None:
    trial, finding = tried_of(config)
    assert finding is None
    assert trial.loss_after < trial.loss_before
    assert trial.timed_steps >= MIN_TIMED_STEPS
    assert 0.0 < trial.seconds_per_step < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("layers", ["[8, batch_norm, 8]", "[8, {type: dropout, rate: 0.5}]", "[]"])
def test_the_loss_decreases_with_batch_norm_and_with_dropout(tmp_path: Path, layers: str) -> None:
    trial, finding = tried(tmp_path, "", layers)
    assert finding is None
    assert trial.loss_decreases


def test_a_learning_rate_that_is_too_high_is_found_and_a_lower_one_suggested(tmp_path: Path) -> None:
    trial, finding = tried(tmp_path, "learning_rate: 30.0\n", layers="[]")
    assert finding is not None
    assert (finding.code, finding.location.key) == ("loss-not-decreasing", "learning_rate")
    assert "=3," in finding.hint
    assert trial.loss_after > trial.loss_before


def test_divergence_is_found_with_its_likely_cause(tmp_path: Path) -> None:
    trial, finding = tried(tmp_path, "optimizer: sgd\nlearning_rate: 1000.0\n")
    assert finding is not None
    assert finding.code == "divergence"
    assert "1000" in finding.hint
    assert trial.as_json["loss_after"] is None


def test_a_schedule_is_tried_at_its_mean_learning_rate(tmp_path: Path) -> None:
    rest = "learning_rate: {type: cosine, peak: 0.02, warmup_steps: 100}\nepochs: 50\n"
    trial, finding = tried(tmp_path, rest)
    assert finding is None
    assert 0.005 < trial.learning_rate < 0.015


def test_a_table_of_two_rows_can_be_tried(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,y\n1,2\n2,1\n")
    (tmp_path / "c.yaml").write_text("data: {path: t.csv, target: y}\nlayers: []\nvalidation: 0\nepochs: 1\n")
    trial, _ = tried_of(tmp_path / "c.yaml")
    assert trial.rows == 2
    assert trial.validation_seconds == 0.0

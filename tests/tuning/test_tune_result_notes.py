"""Notes before a search begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.config.loading import load
from nncli.config.schema.tune import TuneSection
from nncli.tuning.trials import create_directory, new_record
from nncli.tuning.tune_result import notes_before
from tests.cli.support import DATA

BASE = f"data: {{path: {DATA}/penguins.csv, target: species}}\n"
RATES = "tune: {search: {%s: {from: 0.001, to: 0.1, scale: log}}}\n"


def notes(folder: Path, text: str, wanted: str = "t") -> list[str]:
    (folder / "c.yaml").write_text(BASE + text)
    loaded = load(folder / "c.yaml")
    return [finding.line for finding in notes_before(loaded.config, loaded.tune or TuneSection(), folder / wanted)]


def test_one_plain_network_has_no_notes(tmp_path: Path) -> None:
    assert notes(tmp_path, f"layers: [4]\nlearning_rate: 0.1\n{RATES % 'learning_rate'}") == []


def test_the_members_of_an_ensemble_are_not_trained_in_trials(tmp_path: Path) -> None:
    (said,) = notes(tmp_path, "layers: [4]\nmembers: 3\n")
    assert "one network for each fold; best.yaml keeps members: 3" in said
    (said,) = notes(tmp_path, "layers: [4]\nmembers: 3\ntune: {folds: holdout}\n")
    assert "one network; best.yaml" in said


@pytest.mark.parametrize("schedule", ["coslog", "cosine"])
def test_a_schedule_that_numbers_replace_is_named_with_the_key_that_keeps_it(tmp_path: Path, schedule: str) -> None:
    config = f"layers: [4]\nlearning_rate: {{type: {schedule}, peak: 0.1}}\n"
    (said,) = notes(tmp_path, config + RATES % "learning_rate")
    assert said.endswith("To keep it, search learning_rate.peak")
    assert notes(tmp_path, config + RATES % "learning_rate.peak") == []
    assert notes(tmp_path, f"{config}tune: {{search: {{learning_rate: {{choices: [{{type: coslog}}]}}}}}}\n") == []


def test_a_stopped_search_in_the_directory_can_be_resumed(tmp_path: Path) -> None:
    assert notes(tmp_path, "layers: [4]\n") == []
    config = load(tmp_path / "c.yaml").config
    path = create_directory(tmp_path / "t", config, TuneSection(), new_record(config, TuneSection(), "0" * 64))
    (said,) = notes(tmp_path, "layers: [4]\n")
    assert said.endswith(f"nncli tune --resume {path}")
    (path / "metrics.json").write_text("{}")
    assert notes(tmp_path, "layers: [4]\n") == []

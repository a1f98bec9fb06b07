"""The number of models that held-out rows chose from."""

from __future__ import annotations

import shutil
from dataclasses import replace
from math import log
from pathlib import Path

import pytest

from nncli import train
from nncli.analysis.evaluation.held_out import predict_held_out
from nncli.analysis.run_comparison import log_choices
from tests.cli.support import DATA

SMALL = "layers: []\nepochs: 4\nbatch_size: 64\nworkers: 1\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("", log(4)),
        ("epochs: 1\n", 0.0),
        ("metric: loss\n", 0.0),
        ("validation: 0\n", 0.0),
        ("calibration: temperature\n", log(4) + 0.5 * log(69)),
        ("members: 2\n", 2 * log(4)),
    ],
)
def test_the_choices_of_a_run_are_counted(tmp_path: Path, settings: str, expected: float) -> None:
    shutil.copy(DATA / "penguins.csv", tmp_path / "penguins.csv")
    small = SMALL.replace("epochs: 4\n", "") if settings.startswith("epochs") else SMALL
    (tmp_path / "c.yaml").write_text(f"data: {{path: penguins.csv, target: species}}\n{small}{settings}")
    run = train(tmp_path / "c.yaml", output=tmp_path / "run").run
    held_out = predict_held_out(run)
    assert log_choices(run, held_out) == 0.0  # other rows chose the epoch of each row
    older = replace(held_out, optimistic=held_out.split == "validation")
    assert log_choices(run, older) == pytest.approx(expected)

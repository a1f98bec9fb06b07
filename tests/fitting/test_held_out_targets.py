"""With `metric: loss`, nothing of a network depends on the targets of the rows that it does not train on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import train
from nncli.run_directory.manifest import WEIGHTS, member_folder
from nncli.run_directory.run import Run

ROWS = 60
CONFIG = "data: {path: DATA, target: y}\nmetric: loss\nepochs: 2\n"
SMALL = "layers: [4]\n"


def write_table(path: Path, changed: np.ndarray | None = None) -> None:
    """A table of numbers, with other targets in the rows `changed` (row numbers, from 1)."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=ROWS)
    y = 2.0 * x + rng.normal(size=ROWS)
    if changed is not None:
        y[changed - 1] = 100.0 * rng.random(len(changed))
    pl.DataFrame({"x": x, "y": y}).write_csv(path)


def run_before_and_after(folder: Path, config: str) -> tuple[Path, Path]:
    """Train twice: on a table, and on it with other targets in the held-out rows of the first member."""
    path = folder / "config.yaml"
    path.write_text(config.replace("DATA", str(folder / "table.csv")))
    write_table(folder / "table.csv")
    before = train(path, output=folder / "before").run
    rows = Run(before).load_held_out()
    assert rows is not None
    write_table(folder / "table.csv", rows.row_numbers[rows.members[0].rows])
    return before, train(path, output=folder / "after").run


@pytest.mark.slow
@pytest.mark.parametrize("more", [SMALL, SMALL + "bagging: bootstrap\n", "preset: tabular\n"])
def test_members_do_not_depend_on_the_targets_of_their_held_out_rows(tmp_path: Path, more: str) -> None:
    before, after = run_before_and_after(tmp_path, CONFIG + "members: 2\n" + more)
    first, second = (member_folder(i) + "/" + WEIGHTS for i in (0, 1))
    assert (before / first).read_bytes() == (after / first).read_bytes()
    assert (before / second).read_bytes() != (after / second).read_bytes()


@pytest.mark.parametrize(
    "more",
    ["", "early_stopping: {patience: 1}\n", "learning_rate: {type: reduce_on_plateau, peak: 1.0, patience: 1}\n"],
)
def test_one_network_does_not_depend_on_the_targets_of_its_validation_rows(tmp_path: Path, more: str) -> None:
    before, after = run_before_and_after(tmp_path, CONFIG + SMALL + "validation: 0.3\n" + more)
    assert (before / WEIGHTS).read_bytes() == (after / WEIGHTS).read_bytes()


def test_otherwise_the_held_out_targets_choose_the_epoch(tmp_path: Path) -> None:
    config = CONFIG.replace("metric: loss", "learning_rate: 0.3").replace("epochs: 2", "epochs: 12")
    before, after = run_before_and_after(tmp_path, config + SMALL + "validation: 0.3\n")
    assert (before / WEIGHTS).read_bytes() != (after / WEIGHTS).read_bytes()

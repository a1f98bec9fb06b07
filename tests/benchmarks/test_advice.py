"""The benchmark of advice: what it counts, and a small sample of its trainings, followed in a shell."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from advice import LEAK, RARE, SPOILINGS, Measured, cases, healthy, report, spoiled

BY_NAME = {spoiling.name: spoiling for spoiling in SPOILINGS}


def measured(name: str, before: float, after: float | None, usual: float) -> Measured:
    return Measured("t", name, "code", "nncli train" if after is not None else "", before, after, usual)


@pytest.mark.parametrize(
    ("result", "is_harmed", "is_fixed"),
    [
        (measured("3 epochs", 1.0, 0.7, 0.5), True, True),
        (measured("3 epochs", 1.0, 0.8, 0.5), True, False),
        (measured("3 epochs", 1.0, None, 0.5), True, False),
        (measured("3 epochs", 1.0, 0.5, 0.99), False, True),
        (measured(LEAK, 1.0, 0.0, 0.0), True, True),
        (measured(LEAK, 1.0, 1.0, 0.0), True, False),
        (measured(RARE, 0.0, 0.5, 1.0), True, True),
        (measured(RARE, 0.0, 0.1, 1.0), True, False),
    ],
)
def test_a_training_is_fixed_if_it_is_nearer_to_one_that_is_not_spoiled(
    result: Measured, is_harmed: bool, is_fixed: bool
) -> None:
    assert (result.is_harmed, result.is_fixed) == (is_harmed, is_fixed)


def test_goals_are_missed_by_a_default_that_is_made_worse_and_by_trainings_that_are_not_mended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    good = measured("default", 1.0, 1.005, 1.0), measured("3 epochs", 1.0, 0.5, 0.5)
    assert report([good[0]], [good[1]])
    assert report([measured("plain", 1.0, 1.5, 1.0)], [good[1]])
    assert not report([measured("default", 1.0, 1.02, 1.0)], [good[1]])
    assert not report([good[0]], [good[1], measured("3 epochs", 1.0, 1.0, 0.5)])
    assert capsys.readouterr().out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 240 rows with a number as its target, and as many test rows."""
    path = tmp_path_factory.mktemp("tables") / "made"
    path.mkdir()
    rng = np.random.default_rng(0)
    X = rng.normal(size=(480, 3))
    y = np.sin(X[:, 0]) + 0.5 * X[:, 1] + 0.1 * rng.normal(size=480)
    frame = pl.DataFrame({**{f"x{j}": X[:, j] for j in range(3)}, "y": y})
    frame[:240].write_csv(path / "train.csv")
    frame[240:].write_csv(path / "test.csv")
    (path / "meta.json").write_text(json.dumps({"target": "y", "task": "regression"}))
    return path


def test_every_spoiling_has_its_tables(folder: Path) -> None:
    found = [spoiling.name for _, spoiling in cases([folder], None)]
    assert found == [spoiling.name for spoiling in SPOILINGS if "regression" in spoiling.tasks]


@pytest.mark.parametrize("name", [LEAK, "rate / 1,000"])
def test_the_first_advice_mends_a_spoiled_training(folder: Path, tmp_path: Path, name: str) -> None:
    result = spoiled(folder, BY_NAME[name], tmp_path)
    assert result.is_harmed
    assert result.is_fixed


def test_advice_to_a_healthy_default_makes_it_no_worse(folder: Path, tmp_path: Path) -> None:
    assert healthy(folder, "default", tmp_path).ratio <= 1.01

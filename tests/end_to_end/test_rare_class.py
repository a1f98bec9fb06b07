"""A table with 31 positives in 8,000 rows: every command says what an accuracy of 99.6 % is worth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.cli.support import Cli

ROWS, POSITIVES = 8_000, 31
SMALL = (
    "--set",
    "preset=textbook",
    "--set",
    "layers=[]",
    "--set",
    "epochs=8",
    "--set",
    "learning_rate=0.02",
    "--set",
    "workers=1",
)


@pytest.fixture
def table(here: Path) -> Path:
    rng = np.random.default_rng(1)
    fraud = np.zeros(ROWS, np.int64)
    fraud[rng.choice(ROWS, POSITIVES, replace=False)] = 1
    columns = {f"x{i}": rng.normal(size=ROWS).round(4) for i in range(4)}
    columns["x0"] += 1.5 * fraud  # some signal, far too little for a probability above one half
    pl.DataFrame({**columns, "fraud": fraud}).write_csv(here / "fraud.csv")
    return here / "fraud.csv"


def warnings_on(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith("warning: ")]


@pytest.mark.parametrize("members", [1, 2])
def test_a_training_warns_of_a_class_that_is_rare_and_never_predicted(nncli: Cli, table: Path, members: int) -> None:
    done = nncli("train", table.name, "-t", "fraud", "-q", "-o", "run", *SMALL, "--set", f"members={members}").check()
    imbalance, never, *_ = warnings_on(done.err)
    assert "0.39 %" in imbalance
    assert "never predicts class '1'" in never
    stored = json.loads(Path("run/metrics.json").read_text())["findings"]
    assert [finding["code"] for finding in stored][:2] == ["class-imbalance", "class-never-predicted"]


def test_a_cross_validation_warns_of_the_same(nncli: Cli, table: Path) -> None:
    done = nncli("cross-validate", table.name, "-t", "fraud", "-q", "--folds", "2", "--json", *SMALL).check()
    imbalance, never, *_ = warnings_on(done.err)
    assert "0.39 %" in imbalance
    assert "31 of the out-of-fold rows" in never
    assert [f["code"] for f in json.loads(done.out)["findings"]][:2] == ["class-imbalance", "class-never-predicted"]


def test_the_events_carry_the_findings_with_their_codes(nncli: Cli, table: Path) -> None:
    done = nncli("train", table.name, "-t", "fraud", "--json", *SMALL).check()
    first, *_, last = map(json.loads, done.out.splitlines())
    assert "class-imbalance" in [finding["code"] for finding in first["findings"]]
    assert [finding["code"] for finding in last["findings"]][:1] == ["class-never-predicted"]

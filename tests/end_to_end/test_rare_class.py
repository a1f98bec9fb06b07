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
    assert warnings_on(nncli("show", "run").check().out) == warnings_on(done.err)
    assert json.loads(nncli("show", "run", "--json").check().out)["findings"] == stored


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


def test_the_summary_begins_with_what_a_model_without_a_hit_cannot_do_well(nncli: Cli, table: Path) -> None:
    err = nncli("train", table.name, "-t", "fraud", *SMALL).check().err
    order = [err.index(f"\n{name} ") for name in ("0", "1", "balanced_accuracy", "average_precision", "f1", "accuracy")]
    assert order == sorted(order)
    assert "\nf1 of 1 " in err
    assert nncli("runs", "runs", "--json").check().out.count("balanced_accuracy") == 1


CLASSES = """\
data: {path: t.csv, target: y}
layers: [4]
learning_rate: 0.05
epochs: 4
validation: 0.3
"""


@pytest.fixture
def classes(here: Path) -> Path:
    rng = np.random.default_rng(2)
    x = rng.normal(size=300).round(4)
    y = np.where(x + rng.normal(size=300) > 0.5, "fraud", "legit")
    pl.DataFrame({"x": x, "y": y, "z": rng.choice(["a", "b", "c"], 300), "n": x}).write_csv(here / "t.csv")
    (here / "c.yaml").write_text(CLASSES)
    return here / "c.yaml"


@pytest.mark.parametrize("members", [1, 2])
def test_the_positive_class_can_be_named_and_f1_chooses_the_epoch(nncli: Cli, classes: Path, members: int) -> None:
    f1 = {}
    for positive in ("fraud", "legit"):
        words = ("--set", f"positive_class={positive}", "--set", "metric=f1", "--set", f"members={members}")
        nncli("train", classes, "-q", "-o", positive, "--set", "workers=1", *words).check()
        metrics = json.loads(Path(positive, "metrics.json").read_text())["validation"]["metrics"]
        assert metrics["labels"][1] == positive
        f1[positive] = metrics["f1"]
        assert metrics["f1"] == next(c["f1"] for c in metrics["per_class"] if c["label"] == positive)
    assert f1["fraud"] != f1["legit"]
    if members == 1:
        history = pl.read_csv("fraud/history.csv")
        chosen = history.filter(pl.col("is_best"))["val_f1"]
        assert chosen.to_list()[-1] == history["val_f1"].max()


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("metric=f1", "data.target=z"), "metric"),
        (("positive_class=other",), "positive_class"),
        (("positive_class=a", "data.target=z"), "positive_class"),
        (("positive_class=a", "data.target=n"), "positive_class"),
        (("metric=f1", "data.target=n"), "metric"),
    ],
)
@pytest.mark.parametrize("members", [1, 2])
def test_what_two_classes_need_is_an_error_of_its_key_and_leaves_nothing(
    nncli: Cli, classes: Path, words: tuple[str, ...], key: str, members: int
) -> None:
    sets = [word for text in (*words, f"members={members}") for word in ("--set", text)]
    done = nncli("train", classes, "-o", "run", *sets).check(3)
    assert f"{key}: " in done.err
    assert {path.name for path in Path().iterdir()} == {"t.csv", "c.yaml"}

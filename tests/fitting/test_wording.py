"""The wording of errors and notes of the pipeline. It is pinned here alone: other tests check keys and locations."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nncli.api.train import train
from nncli.base.errors import NncliError
from nncli.config.loading import load_config
from nncli.fitting.prepare.prepare import prepare
from tests.assertions import lines

CONFIG = "data: {path: t.csv, target: y}\nlayers: [4]\nepochs: 2\n"
CASES: dict[str, tuple[str, str]] = {
    "bagging in folds without validation rows": (
        "members=3 validation=0 bagging=folds",
        (
            "validation: each member holds out another fold: with members and bagging folds no other validation is "
            "possible\n"
            "  Leave validation out, or use set='bagging=seeds'."
        ),
    ),
    "bagging with a validation file": (
        "members=3 validation={path:t.csv} bagging=folds",
        (
            "validation: each member holds out another fold, so the rows cannot come from a file of their "
            "own\n"
            "  Leave validation out, or use set='bagging=seeds'."
        ),
    ),
    "more folds than rows": (
        "members=100",
        (
            "FOLDER/t.csv: found 40 rows, too few for 99 folds\n"
            "  Add rows, or use fewer folds: an ensemble has one per network, or one fewer. "
            "For example set='members=3'."
        ),
    ),
    "a metric without validation rows": (
        "validation=0 metric=rmse",
        "metric: rmse needs validation rows, and validation is 0\n  Use set='validation=0.2', or set='metric=loss'.",
    ),
    "calibration of a regression": (
        "calibration=temperature",
        "calibration: the target is a number, which has no probabilities of classes\n  Remove the key.",
    ),
    "backend numba in float64": (
        "backend=numba precision=float64",
        "backend: the compiled loops do not support precision float64\n  Use backend: auto, or numpy.",
    ),
    "a residual of another width": (
        "layers=[{type:residual,layers:[3]}]",
        (
            "layers.0: the layers of a residual must have as many outputs as inputs: 2 in, 3 out\n"
            "  Change the units, or add a dense layer."
        ),
    ),
    "a network beyond memory": (
        "layers=[10000000,10000000]",
        "layers: the network would have 1e+14 parameters\n  Use fewer units.",
    ),
    "an unknown column": (
        "data.drop=[nothing]",
        "FOLDER/t.csv: there is no column 'nothing'\n  The columns are 'x', 'w' and 'y'.",
    ),
    "an unknown value": (
        "encoding.numeric=ranks",
        (
            "--set encoding.numeric=ranks, encoding.numeric: unknown numeric 'ranks'\n"
            "  Expected one of 'standard', 'min_max', 'robust', 'quantile' and 'none'."
        ),
    ),
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    pl.DataFrame({"x": range(40), "w": [i % 7 for i in range(40)], "y": [i / 3 for i in range(40)]}).write_csv(
        tmp_path / "t.csv"
    )
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path / "c.yaml"


@pytest.mark.parametrize(("assignments", "text"), CASES.values(), ids=CASES)
def test_the_wording_of_an_error(config: Path, assignments: str, text: str) -> None:
    with pytest.raises(NncliError) as caught:
        train(config, output=config.parent / "run", set=[part.replace(":", ": ") for part in assignments.split()])
    assert str(caught.value).replace(str(config.parent), "FOLDER") == text


RESUMED: dict[str, tuple[str, str]] = {
    "another seed": ("seed=1", ("seed: this would change what has been trained already\n  Train a new run instead.")),
    "fewer epochs": (
        "epochs=1",
        "epochs: 2 epochs have been trained already; epochs may only grow\n  Set a larger number.",
    ),
}


@pytest.mark.parametrize(("assignment", "text"), RESUMED.values(), ids=RESUMED)
def test_the_wording_of_a_refused_resume(config: Path, assignment: str, text: str) -> None:
    run = train(config, output=config.parent / "run").run
    with pytest.raises(NncliError) as caught:
        train(resume=run, set=[assignment])
    assert str(caught.value) == text


def test_the_wording_of_a_changed_table(config: Path) -> None:
    run = train(config, output=config.parent / "run").run
    with (config.parent / "t.csv").open("a") as file:
        file.write("1,2,3\n")
    with pytest.raises(NncliError) as caught:
        train(resume=run, set=["epochs=3"])
    assert str(caught.value).replace(str(config.parent), "FOLDER") == (
        "FOLDER/t.csv: the table has changed since the training began\n  Restore it, or train a new run."
    )


def test_the_wording_of_notes(config: Path) -> None:
    frame = pl.read_csv(config.parent / "t.csv").with_columns(
        id=pl.Series([f"id{i}" for i in range(40)]),
        empty=pl.lit(None, pl.String),
        price=pl.Series([f"${i}" for i in range(40)]),
        y=pl.when(pl.col("x") > 2).then("y"),
    )
    frame.write_csv(config.parent / "t.csv")
    notes = lines(prepare(load_config(config)).findings)
    assert "\n".join(notes).replace(str(config.parent), "FOLDER") == (
        "'id' has a different value in every row and carries no information. Drop it: "
        "--drop id. If its words matter: --set data.columns.id=text.\n"
        "FOLDER/t.csv: left out 3 of 40 rows, which have no 'y'\n"
        "ignored 'empty': no value in any training row\n"
        "'price' is read as numbers without their $"
    )

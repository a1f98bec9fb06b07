"""The wording of messages and hints of the commands. It is pinned here alone: other tests check locations and names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import polars as pl
import pytest

from nncli import compare, cross_validate, evaluate, explain, predict, train
from nncli.api.prediction.tables import ON_ERROR_HINT
from nncli.base.errors import NncliError, in_terminal
from nncli.config.schema import Config
from tests.cli.support import DATA

FRAME = pl.read_csv(DATA / "penguins.csv", null_values=["NA"])
LINEAR = pl.read_csv(DATA / "linear.csv")
CONFIG = Config.model_validate({"data": {"path": str(DATA / "linear.csv"), "target": "y"}, "layers": []})
Command: TypeAlias = Callable[[Path, Path, Path], object]
"""A call with a run for classification, a run for regression and an empty folder."""


def configured(target: str, rest: str) -> Command:
    """Train with a configuration of three lines."""

    def call(penguins: Path, line: Path, folder: Path) -> object:
        table = "linear" if target == "y" else "penguins"
        (folder / "c.yaml").write_text(
            f"data: {{path: {DATA}/{table}.csv, target: {target}}}\nlayers: [4]\nepochs: 2\n{rest}"
        )
        return train(folder / "c.yaml", output=folder / "run")

    return call


def with_cell(cell: str) -> Command:
    """Predict a table with this cell in row 1 of x1."""
    return lambda penguins, line, folder: predict(line, pl.DataFrame({"x1": [cell, "1"], "x2": ["0", "1"]}))


def with_label(label: str) -> Command:
    """Evaluate a table with this class in all rows."""
    return lambda penguins, line, folder: evaluate(penguins, FRAME.with_columns(species=pl.lit(label)))


CASES: dict[str, tuple[Command, str]] = {
    "compare one run": (
        lambda penguins, line, folder: compare(penguins),
        "there is only one run to compare\n  Name two or more: nncli compare RUN RUN. List them with nncli runs.",
    ),
    "compare a folder without runs": (
        lambda penguins, line, folder: compare(folder),
        "there is no run to compare\n  Name two or more: nncli compare RUN RUN. List them with nncli runs.",
    ),
    "cross-validate with one fold": (
        lambda penguins, line, folder: cross_validate(CONFIG, folds=1),
        "cross-validation needs 2 folds or more, and 1 repeat or more",
    ),
    "explain an unknown class": (
        lambda penguins, line, folder: explain(penguins, FRAME, attributions=True, class_label="Dodo"),
        "the model has no class 'Dodo'\n  The model predicts 'Adelie', 'Chinstrap' and 'Gentoo'.",
    ),
    "explain no rows": (
        lambda penguins, line, folder: explain(penguins, FRAME.head(0)),
        "the frame: the table has no rows\n  Is this the right file?",
    ),
    "explain with zero repeats": (
        lambda penguins, line, folder: explain(penguins, FRAME, permutations=0),
        "rows and permutations must be at least 1, and top at least 0",
    ),
    "predict probabilities of a regression": (
        lambda penguins, line, folder: predict(line, LINEAR, proba=True),
        "--proba needs a classification model; this one is for regression\n  Leave it out.",
    ),
    "predict without a column": (
        lambda penguins, line, folder: predict(line, LINEAR.drop("x2")),
        (
            "the frame: the model needs 'x2'; this table has no such column\n"
            "  Add the column to the table. Its columns that the model does not use are 'y'."
        ),
    ),
    "predict with a column in another case": (
        lambda penguins, line, folder: predict(penguins, FRAME.rename({"sex": "Sex"})),
        (
            "the frame: the model needs 'sex'; this table has 'Sex'\n"
            "  The names differ in upper and lower case. Rename the column to 'sex'."
        ),
    ),
    "predict with a misspelled column": (
        lambda penguins, line, folder: predict(penguins, FRAME.rename({"sex": "sx"})),
        (
            "the frame: the model needs 'sex'; this table has no such column\n"
            "  If 'sx' is the column, rename it to 'sex'."
        ),
    ),
    "predict text for a number": (
        with_cell("large"),
        (
            "the frame, row 1, column 'x1': 'large' is not a number\n"
            "  The model reads numbers such as 1234.5. Correct the cell, or leave it empty. " + ON_ERROR_HINT
        ),
    ),
    "predict a decimal comma": (
        with_cell("1,5"),
        (
            "the frame, row 1, column 'x1': '1,5' is not a number\n"
            "  The model reads numbers such as 1234.5. Correct the cell, or leave it empty. " + ON_ERROR_HINT
        ),
    ),
    "predict infinity": (
        with_cell("inf"),
        (
            "the frame, row 1, column 'x1': 'inf' is not a finite number\n"
            "  Correct the cell, or leave it empty. " + ON_ERROR_HINT
        ),
    ),
    "predict beyond float32": (
        with_cell("1e300"),
        (
            "the frame, row 1, column 'x1': '1e300' is too far from the training values: its scaled value "
            "overflows float32\n"
            "  Correct the cell, or leave it empty. " + ON_ERROR_HINT
        ),
    ),
    "evaluate without labels": (
        lambda penguins, line, folder: evaluate(penguins, FRAME.drop("species")),
        ("the frame: the table has no target column 'species'\n  Evaluation needs labels; `nncli predict` does not."),
    ),
    "evaluate an unknown class": (
        with_label("Dodo"),
        (
            "the frame, row 1, column 'species': the class 'Dodo' did not occur in the training rows\n"
            "  The classes of the model are 'Adelie', 'Chinstrap' and 'Gentoo'."
        ),
    ),
    "train for an unknown metric": (
        configured("species", "metric: acuracy"),
        "metric: there is no metric 'acuracy' for classification\n  Did you mean 'accuracy'?",
    ),
    "train with early stopping and no validation": (
        configured("y", "validation: 0\nearly_stopping: {patience: 3}"),
        (
            "early_stopping: waiting for val_loss needs validation rows, and validation is 0\n"
            "  Use --set validation=0.2, or --set metric=loss."
        ),
    ),
    "train a regression with calibration": (
        configured("y", "calibration: temperature"),
        "calibration: the target is a number, which has no probabilities of classes\n  Remove the key.",
    ),
    "train at a huge learning rate": (
        configured("y", "optimizer: sgd\nlearning_rate: 1e30"),
        (
            "FOLDER/run: the loss became inf at step 2 (epoch 1), first in output; nothing was kept; the first step "
            "changed output by 2.2e+31 times the size of its weights, and the norm of the gradient was 27\n"
            "  Most likely the learning rate, 1e+30, is too high: lower learning_rate, or use --set clip_norm=1 "
            "or --set on_divergence=halve_learning_rate."
        ),
    ),
}


@pytest.mark.parametrize(("command", "text"), CASES.values(), ids=CASES)
def test_the_wording_of_an_error(command: Command, text: str, penguins: Path, line: Path, tmp_path: Path) -> None:
    with pytest.raises(NncliError) as caught:
        command(penguins, line, tmp_path)
    assert caught.value.on(in_terminal).replace(str(tmp_path), "FOLDER").replace(str(DATA), "DATA") == text


def test_the_wording_of_unexpected_values(penguins: Path) -> None:
    notes: list[str] = []
    predict(penguins, FRAME.with_columns(island=pl.lit("Atlantis"), body_mass_g=pl.lit(1e6)), on_note=notes.append)
    assert "\n".join(notes) == (
        "344 cells hold a category that training never saw ('island': 344); 346 values lie outside the "
        "training range ('body_mass_g': 344 (new maximum 1e+06), 'bill_depth_mm': 1 (new maximum 21.5), "
        "'flipper_length_mm': 1 (new minimum 172))"
    )

"""Every configuration that ships runs, and reaches what it says it does."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nncli import evaluate, train
from nncli.api.train import train_events
from nncli.data.synthetic import generate
from nncli.fitting.train.events import Finished, Started
from nncli.targets.metrics.classification import ClassificationScores
from nncli.targets.metrics.regression import RegressionScores
from tests.assertions import lines
from tests.cli.support import CONFIGS


def regression(scores: object) -> RegressionScores:
    assert isinstance(scores, tuple)
    (single,) = scores
    assert isinstance(single, RegressionScores)
    return single


def trained(name: str, output: Path) -> Finished:
    return train(CONFIGS / f"{name}.yaml", output=output)


def test_every_configuration_is_tested_here() -> None:
    names = {path.stem for path in CONFIGS.iterdir()}
    assert names == {"linear", "linear-regression", "penguins", "spirals", "tabular", "xor"}


@pytest.mark.slow
def test_tabular_needs_nothing_but_a_table_and_a_target(tmp_path: Path) -> None:
    finished = trained("tabular", tmp_path / "run")
    assert finished.validation is not None  # by the members that held a row out
    assert isinstance(finished.validation.model, ClassificationScores)
    assert finished.validation.rows == 344
    assert finished.validation.model["accuracy"] > 0.98
    assert finished.validation.model["log_loss"] < 0.06


def test_linear_runs_the_textbook_job_and_warns_that_a_sigmoid_cannot_reach_it(tmp_path: Path) -> None:
    started, *_, finished = train_events(CONFIGS / "linear.yaml", output=tmp_path / "run")
    assert isinstance(started, Started)
    assert isinstance(finished, Finished)
    assert any("sigmoid" in note for note in lines(started.findings))
    assert started.parameters == 3
    assert finished.epochs == 1000


def test_linear_regression_is_as_good_as_any_model_can_be(tmp_path: Path) -> None:
    run = trained("linear-regression", tmp_path / "run").run
    held_out = generate("linear", 5000, seed=123)
    assert regression(evaluate(run, held_out).scores)["rmse"] ** 2 <= 0.09


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("penguins", 0.97), ("xor", 0.97)])
def test_the_accuracy_on_validation_rows(tmp_path: Path, name: str, least: float) -> None:
    card = trained(name, tmp_path / "run").validation
    assert card is not None
    assert isinstance(card.model, ClassificationScores)
    assert card.model["accuracy"] >= least


@pytest.mark.slow
def test_spirals_are_classified_on_new_rows(tmp_path: Path) -> None:
    run = trained("spirals", tmp_path / "run").run
    fresh: pl.DataFrame = generate("spirals", 2000, seed=99)
    scores = evaluate(run, fresh).scores
    assert isinstance(scores, ClassificationScores)
    assert scores["accuracy"] >= 0.98

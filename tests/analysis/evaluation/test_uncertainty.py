"""`nncli.evaluate` with prediction intervals and sets."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import evaluate, load, train
from nncli.analysis.evaluation.uncertainty import CoverageEvaluation
from nncli.api.evaluate import Evaluation
from nncli.base.errors import DataError, RunError, UsageError
from nncli.run_directory.manifest import CONFIG
from tests.assertions import raises
from tests.cli.support import DATA

ROWS = 400
HONEST = """
data: {path: TABLE, target: y}
layers: []
metric: loss
learning_rate: 0.05
epochs: 20
members: 4
"""


def noisy_line(rows: int, seed: int) -> pl.DataFrame:
    """A line with normal noise of standard deviation 1, and three groups."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    return pl.DataFrame({"x": x, "y": 2 * x + rng.normal(size=rows), "shop": rng.choice(["a", "b", "c"], rows)})


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Members by folds whose held-out rows chose nothing."""
    folder = tmp_path_factory.mktemp("honest")
    noisy_line(ROWS, 0).write_csv(folder / "train.csv")
    (folder / "config.yaml").write_text(
        HONEST.replace("TABLE", str(folder / "train.csv")).replace("y}", "y, drop: [shop]}")
    )
    return train(folder / "config.yaml", output=folder / "run").run


def evaluations(evaluation: Evaluation) -> tuple[CoverageEvaluation, ...]:
    assert evaluation.uncertainty is not None
    return evaluation.uncertainty.evaluations


@pytest.mark.slow
def test_new_rows_are_covered_as_often_as_the_level_says(honest: Path) -> None:
    half, most = evaluations(evaluate(honest, noisy_line(2_000, 1), interval=[0.5, 0.9]))
    assert half.scores.coverage.share == pytest.approx(0.5, abs=0.06)
    assert most.scores.coverage.share == pytest.approx(0.9, abs=0.04)
    assert most.scores.coverage.size > 2 * half.scores.coverage.size
    outside = half.scores.figures["below"].value + half.scores.figures["above"].value
    assert outside + half.scores.coverage.share == pytest.approx(1.0)


@pytest.mark.slow
def test_held_out_rows_that_chose_nothing_have_the_guarantee_of_cv_plus(honest: Path) -> None:
    (result,) = evaluations(evaluate(honest, noisy_line(50, 1), interval=[0.9]))
    assert (result.guarantee.method, result.guarantee.rows, result.guarantee.folds) == ("CV+", ROWS, 4)
    assert result.guarantee.coverage == pytest.approx(1 - 0.2 - 1.8 * 3 / 404)


def test_rows_that_chose_the_epoch_have_none(line: Path) -> None:
    (result,) = evaluations(evaluate(line, DATA / "linear.csv", interval=[0.9]))
    assert (result.guarantee.method, result.guarantee.coverage) == ("split conformal", None)
    assert "epoch" in str(result.guarantee.reason)


@pytest.mark.slow
def test_a_changed_configuration_has_none(honest: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(honest, changed)
    config = changed / CONFIG
    config.write_text(config.read_text().replace("metric: loss", "metric: val_loss"))
    (result,) = evaluations(evaluate(changed, noisy_line(50, 1), interval=[0.9]))
    assert result.guarantee.coverage is None


def test_each_group_has_its_coverage(honest: Path) -> None:
    table = noisy_line(300, 2)
    (result,) = evaluations(evaluate(honest, table, interval=[0.9], by="shop"))
    assert [(part.name, part.rows) for part in result.scores.parts["by_group"]] == [
        (name, int((table["shop"] == name).sum())) for name in "abc"
    ]


def test_rows_that_are_calibrated_together_are_evaluated_together(honest: Path) -> None:
    table = noisy_line(60, 2).with_columns(shop=pl.Series(["a", " a", "b ", "x", "x", None] * 10))
    (result,) = evaluations(evaluate(honest, table, interval=[0.9], by="shop"))
    assert [(part.name, part.rows) for part in result.scores.parts["by_group"]] == [
        ("(missing)", 10),
        ("a", 20),
        ("b", 10),
        ("x", 20),
    ]


def test_sets_have_their_coverage_by_size_and_class(penguins: Path) -> None:
    (result,) = evaluations(evaluate(penguins, DATA / "penguins.csv", prediction_set=[0.9]))
    scores = result.scores
    assert 0.8 <= scores.coverage.share <= 1.0
    assert sum(part.rows for part in scores.parts["by_size"]) == 344
    assert [part.name for part in scores.parts["by_class"]] == ["Adelie", "Chinstrap", "Gentoo"]


def test_several_targets_each_have_intervals(pair: Path) -> None:
    result = evaluations(evaluate(pair, DATA / "linear.csv", interval=[0.5, 0.9]))
    assert [(item.target, item.scores.level) for item in result] == [("x2", 0.5), ("x2", 0.9), ("y", 0.5), ("y", 0.9)]


def test_without_levels_the_evaluation_is_as_before(line: Path) -> None:
    result = evaluate(line, DATA / "linear.csv")
    assert result.uncertainty is None
    assert {"intervals", "sets"}.isdisjoint(result.json())


def test_the_scores_are_those_without_intervals(line: Path) -> None:
    with_intervals = evaluate(line, DATA / "linear.csv", interval=[0.9])
    assert with_intervals.scores == evaluate(line, DATA / "linear.csv").scores


def test_options_that_do_not_fit_are_errors(line: Path, penguins: Path) -> None:
    with raises(UsageError, mentions="prediction_set"):
        evaluate(line, DATA / "linear.csv", prediction_set=[0.9])
    with raises(UsageError, mentions="interval"):
        evaluate(penguins, DATA / "penguins.csv", interval=[0.9])
    with raises(UsageError, mentions="90"):
        evaluate(line, DATA / "linear.csv", interval=[90.0])
    with raises(DataError, mentions="'nothing'"):
        evaluate(penguins, DATA / "penguins.csv", prediction_set=[0.9], by="nothing")


def test_a_run_without_calibration_rows_says_how_to_get_them(tmp_path: Path) -> None:
    noisy_line(50, 0).write_csv(tmp_path / "t.csv")
    config = HONEST.replace("TABLE", str(tmp_path / "t.csv")).replace("members: 4", "validation: 0.0")
    (tmp_path / "c.yaml").write_text(config)
    run = train(tmp_path / "c.yaml", output=tmp_path / "run").run
    with raises(RunError, mentions="calibrate"):
        evaluate(run, noisy_line(50, 1), interval=[0.9])


def test_a_loaded_model_gets_the_same_scores(honest: Path) -> None:
    table = noisy_line(50, 1)
    assert load(honest).evaluate(table, interval=0.9).json() == evaluate(honest, table, interval=0.9).json()

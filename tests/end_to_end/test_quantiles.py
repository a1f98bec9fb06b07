"""A run that predicts several quantiles: training, held-out rows, scores, answers, explanations and comparisons."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import mean_pinball_loss

from nncli import cross_validate, evaluate, explain, load, predict, train
from nncli.analysis.evaluation.held_out import HeldOutPredictions, predict_held_out
from nncli.analysis.evaluation.pairwise import comparable_run, compare_pairwise
from nncli.analysis.inspection.attribution import attribute
from nncli.analysis.inspection.encoded_rows import EncodedRows
from nncli.api.report import report
from nncli.base.errors import ConfigError
from nncli.data.sources.read_table import read_table
from nncli.models.predictions import Predictions, stack_predictions
from nncli.nn.losses import QuantilesLoss
from nncli.run_directory.run import Run
from nncli.sklearn import NNRegressor
from nncli.targets.number import RegressionTarget
from tests.analysis.report.support import section_of
from tests.assertions import raises

LEVELS = (0.1, 0.5, 0.9)
CONFIG = """
data: {path: table.csv, target: [y, u]}
loss: {type: quantiles, levels: [0.1, 0.5, 0.9]}
encoding: {clip_target: true}
layers: [8]
learning_rate: 0.02
epochs: 6
members: 3
bagging: folds
workers: 1
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of changing spread, a run of three members on it, and one of one network; read only."""
    folder = tmp_path_factory.mktemp("quantiles")
    rng = np.random.default_rng(0)
    x = rng.uniform(-1.0, 1.0, 240)
    y = x + (0.1 + np.abs(x)) * rng.normal(size=240)
    pl.DataFrame({"x": x, "y": y, "u": 100.0 + 10.0 * y}).write_csv(folder / "table.csv")
    config = folder / "config.yaml"
    config.write_text(CONFIG.replace("table.csv", str(folder / "table.csv")))
    train(config, output=folder / "run")
    train(config, output=folder / "one", set=["members=1", "validation=0.2", "bagging=seeds"])
    return folder


@pytest.fixture(scope="module")
def held_out(folder: Path) -> HeldOutPredictions:
    return predict_held_out(folder / "run")


def quantiles_of(frame: pl.DataFrame) -> np.ndarray:
    columns = [f"quantile_{level}_{name}" for name in ("y", "u") for level in (10, 50, 90)]
    return frame.select(columns).to_numpy().reshape(len(frame), 2, 3)


def test_answers_have_ascending_quantiles_of_which_the_prediction_is_the_median(folder: Path) -> None:
    frame = predict(folder / "run", folder / "table.csv")
    assert frame.columns[:3] == ["prediction_y", "prediction_u", "quantile_10_y"]
    quantiles = quantiles_of(frame)
    assert (np.diff(quantiles, axis=2) >= 0).all()
    np.testing.assert_array_equal(quantiles[:, :, 1], frame.select("prediction_y", "prediction_u").to_numpy())
    table = pl.read_csv(folder / "table.csv")
    below = (table.select("y", "u").to_numpy()[:, :, None] <= quantiles).mean(axis=0)
    assert (np.abs(below - LEVELS) < 0.15).all()
    ends = table["y"].min(), table["y"].max()
    assert ends[0] <= quantiles[:, 0].min()  # clipped to the training range
    assert quantiles[:, 0].max() <= ends[1]


def test_the_quantiles_of_an_ensemble_are_the_means_of_those_of_its_members(folder: Path) -> None:
    members = [load(folder / "run" / "members" / str(i)).predict(folder / "table.csv") for i in (1, 2, 3)]
    mean = np.mean([quantiles_of(frame) for frame in members], axis=0)
    np.testing.assert_allclose(quantiles_of(predict(folder / "run", folder / "table.csv")), mean, rtol=1e-12)


@pytest.mark.parametrize(("name", "members"), [("run", 3), ("one", 1)])
def test_a_run_keeps_the_quantiles_of_its_held_out_rows(folder: Path, name: str, members: int) -> None:
    kept = Run(folder / name).load_held_out()
    assert kept is not None
    assert kept.predictions.levels == LEVELS
    assert len(kept.members) == members
    model = load(folder / name).model
    for i, member in enumerate(kept.members):
        table = read_table(folder / "table.csv").take(kept.row_numbers[member.rows] - 1)
        of_member = (getattr(model, "members", None) or (model,))[i].predict(table)
        np.testing.assert_array_equal(member.predictions.quantiles, of_member.quantiles)
        np.testing.assert_array_equal(member.predictions.values, of_member.values)


def test_the_score_is_the_mean_pinball_loss_beside_that_of_the_quantiles_of_the_targets(
    held_out: HeldOutPredictions,
) -> None:
    predictions = held_out.predictions
    assert predictions.quantiles is not None
    expected = np.mean(
        [mean_pinball_loss(held_out.y[:, 1], predictions.quantiles[:, 1, k], alpha=q) for k, q in enumerate(LEVELS)]
    )
    assert held_out.scored_rows.with_intervals(0).scores[-1].name == "pinball"
    score = held_out.scored_rows.with_intervals(0).scores[-1]
    assert score.value is not None
    factor = 1.0 if held_out.averaging is None else held_out.averaging.factors[1] ** 0.5
    assert score.value == pytest.approx(expected * factor)
    constants = np.quantile(held_out.y[:, 1], LEVELS, method="inverted_cdf")
    of_baseline = [
        mean_pinball_loss(held_out.y[:, 1], np.full(len(held_out), c), alpha=q)
        for c, q in zip(constants, LEVELS, strict=True)
    ]
    assert score.baseline == pytest.approx(np.mean(of_baseline))
    assert score.interval is not None
    assert score.interval.low < score.value < score.interval.high


def test_runs_are_compared_by_all_quantiles(held_out: HeldOutPredictions) -> None:
    run = comparable_run(held_out)
    assert run is not None
    wide = run.predictions.points + np.array([-50.0, 0.0, 50.0])
    worse = comparable_run(held_out)
    assert worse is not None
    (pair,) = compare_pairwise([run, replace(worse, predictions=replace(worse.predictions, points=wide))])
    assert (pair.measure, pair.favored) == ("pinball loss", 0)
    assert pair.is_significant
    unit = held_out.y.std(axis=0)
    loss = QuantilesLoss(levels=LEVELS)
    expected = loss.per_row(wide / unit[:, None], held_out.y / unit) - loss.per_row(
        run.predictions.points / unit[:, None], held_out.y / unit
    )
    factor = 1.0 if run.averaging is None else np.mean(run.averaging.factors) ** 0.5
    assert pair.test is not None
    assert pair.test.mean == pytest.approx(expected.mean() * factor)


@pytest.mark.parametrize("levels", ["[0.05, 0.95]", "[0.5, 0.5]", "[0.9, 0.5]", "[0.5]", "0.5"])
def test_levels_that_cannot_be_are_an_error_at_the_key(tmp_path: Path, levels: str) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"data: {{path: table.csv, target: y}}\nloss: {{type: quantiles, levels: {levels}}}\n")
    with raises(ConfigError, file="c.yaml", line=2, key="loss.levels"):
        train(config)


def test_blocks_of_predictions_are_stacked_with_their_quantiles() -> None:
    target = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))
    quantiles = np.arange(15.0).reshape(5, 1, 3)
    whole = Predictions(target, quantiles, "float32", levels=LEVELS)
    stacked = stack_predictions([whole.take(np.arange(2)), whole.take(np.arange(2, 5))], 5)
    assert stacked is not None
    np.testing.assert_array_equal(stacked.quantiles, quantiles)
    np.testing.assert_array_equal(stacked.values, quantiles[:, :, 1])
    assert (stacked.precision, stacked.levels) == ("float32", LEVELS)
    assert stack_predictions([], 0) is None
    swapped = whole.with_rows(np.array([0, 4]), whole.take(np.array([4, 0])))
    np.testing.assert_array_equal(swapped.points, quantiles[[4, 1, 2, 3, 0]])
    np.testing.assert_array_equal(swapped.values, quantiles[[4, 1, 2, 3, 0], :, 1])
    np.testing.assert_array_equal(whole.quantiles, quantiles)


def test_a_column_that_moves_the_spread_alone_is_important(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, z = rng.uniform(-1.0, 1.0, (2, 400))
    pl.DataFrame({"x": x, "z": z, "y": (1.05 + x) * rng.normal(size=400)}).write_csv(tmp_path / "table.csv")
    config = tmp_path / "c.yaml"
    config.write_text(f"data: {{path: {tmp_path}/table.csv, target: y}}\nloss: quantiles\nlayers: [8]\nepochs: 20\n")
    train(config, output=tmp_path / "run", set=["learning_rate=0.02", "validation=0.3"])
    explained, kept = explain(tmp_path / "run"), Run(tmp_path / "run").load_held_out()
    assert explained.importances is not None
    assert explained.importances[0].column == "x"
    assert explained.importances[0].low > 0.0
    assert kept is not None
    loss = QuantilesLoss().per_row(kept.members[0].predictions.points, kept.y).mean()
    assert explained.loss == pytest.approx(loss)


def test_contributions_add_up_to_the_median(folder: Path) -> None:
    model, table = load(folder / "run").model, read_table(folder / "table.csv").take(np.arange(5))
    rows = EncodedRows.of(model, table)
    result = attribute(rows, rows, "u")
    np.testing.assert_allclose(result.values.sum(axis=1) + result.base, model.predict(table).values[:, 1], atol=0.2)


def test_the_report_says_how_many_values_are_below_each_quantile(held_out: HeldOutPredictions) -> None:
    section = section_of(held_out, "residuals")
    table = section.parts[0]
    assert [row[0] for row in table.rows] == ["0.1", "0.5", "0.9"]  # type: ignore[union-attr]
    assert len(table.rows[0]) == 3  # type: ignore[union-attr]


def test_every_command_takes_such_a_run(folder: Path, tmp_path: Path) -> None:
    assert evaluate(folder / "run", folder / "table.csv").scores
    assert report(folder / "run", tmp_path / "report.html").html.exists()
    importances = explain(folder / "run", permutations=1).importances
    assert importances is not None
    assert [importance.column for importance in importances] == ["x"]


def test_cross_validation_keeps_the_quantiles(folder: Path, tmp_path: Path) -> None:
    single = ["members=1", "bagging=seeds"]
    result = cross_validate(folder / "config.yaml", folds=2, output=tmp_path / "cv", set=single)
    assert result is not None
    quantiles = quantiles_of(result.predictions)
    assert (np.diff(quantiles, axis=2) >= 0).all()
    np.testing.assert_array_equal(quantiles[:, 0, 1], result.predictions["prediction_y"])
    assert "pinball_y" in result.means


def test_the_estimator_predicts_the_median_and_the_quantiles() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    Y = X + rng.normal(size=(60, 2))
    flat = NNRegressor(layers=[4], epochs=2, loss="quantiles", random_state=0).fit(X, Y[:, 0])
    assert flat.predict(X).shape == (60,)
    np.testing.assert_array_equal(flat.predict_quantiles(X)[:, 1], flat.predict(X))
    two = NNRegressor(layers=[4], epochs=2, loss="quantiles", random_state=0).fit(X, Y)
    np.testing.assert_array_equal(two.predict_quantiles(X)[:, :, 1], two.predict(X))
    with pytest.raises(ValueError, match="quantiles"):
        NNRegressor(layers=[4], epochs=2, random_state=0).fit(X, Y).predict_quantiles(X)

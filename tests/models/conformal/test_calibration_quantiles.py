"""Conformalized quantile regression: against its definition, and its coverage where the spread changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from nncli import train
from nncli.data.sources.read_table import read_table
from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.models.ensemble import predict_members
from nncli.models.held_out_rows import HeldOutRows
from nncli.models.predictions import Predictions
from nncli.nn.losses import QuantilesLoss
from nncli.run_directory.run import Run
from nncli.targets.conformal import Interval, IntervalMethod, quantile_pair
from nncli.targets.metrics.conformal import rank

Floats = NDArray[np.float64]
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
CONFIG = """
data: {path: PATH, target: y}
loss: {type: quantiles, levels: [0.05, 0.25, 0.5, 0.75, 0.95]}
layers: [16]
learning_rate: 0.02
batch_size: 32
epochs: 12
workers: 1
"""
BAGGING = {"folds": ["members=3", "bagging=folds"], "bootstrap": ["members=4", "bagging=bootstrap"]}
BAGGING["seeds"] = ["members=2", "bagging=seeds", "validation=0.3"]
BAGGING["one"] = ["members=1", "validation=0.3"]
THREE_LEVELS = [*BAGGING["folds"], "loss.levels=[0.05, 0.5, 0.95]"]


def write_made(path: Path, rows: int, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.0, 1.0, rows)
    pl.DataFrame({"x": x, "y": x + (0.05 + 2.0 * x) * rng.normal(size=rows)}).write_csv(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table whose spread grows with x, another one of such rows, and a run for each way to bag."""
    folder = tmp_path_factory.mktemp("cqr")
    write_made(folder / "new.csv", 4000, 1)
    (folder / "c.yaml").write_text(CONFIG.replace("PATH", str(write_made(folder / "table.csv", 600, 0))))
    for name, assignments in BAGGING.items():
        train(folder / "c.yaml", output=folder / name, set=assignments)
    train(folder / "c.yaml", output=folder / "three", set=THREE_LEVELS)
    return folder


def held_out(folder: Path, name: str) -> HeldOutRows:
    rows = Run(folder / name).load_held_out()
    assert rows is not None
    return rows


@pytest.mark.parametrize(
    ("level", "pair"), [(0.9, (0, 4)), (0.5, (1, 3)), (0.99, (0, 4)), (0.1, (1, 3)), (0.7, (0, 4)), (0.6, (1, 3))]
)
def test_the_nearest_levels_beside_the_median_are_used_and_of_two_the_outer_one(
    level: float, pair: tuple[int, int]
) -> None:
    assert quantile_pair(LEVELS, level) == pair
    assert quantile_pair((0.5, 0.9), 0.8) == (0, 1)
    assert quantile_pair((0.5,), 0.8) == (0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", BAGGING)
@pytest.mark.parametrize(("level", "is_scaled"), [(0.9, False), (0.5, False), (0.8, True), (0.2, True)])
def test_bounds_are_those_of_the_definition(folder: Path, name: str, level: float, is_scaled: bool) -> None:
    rows, model = held_out(folder, name), Run(folder / name).load_model()
    table = read_table(folder / "new.csv").take(np.arange(20))
    predictor = ConformalPredictor.of(model, rows, UncertaintyOptions(interval=(level,)))
    (interval,) = predictor.predict(table).of_type(Interval)
    members = [predict_member.quantiles for predict_member in predict_members(model, table)]
    low, high = quantile_pair(LEVELS, level)
    predicted_quantiles = rows.predictions.quantiles
    assert predicted_quantiles is not None
    n, k = len(rows), rank(level, len(rows))
    least = 0.01 * (predicted_quantiles[:, 0, high] - predicted_quantiles[:, 0, low]).mean()

    def bounds(quantiles: Floats) -> tuple[float, float, float]:
        if not is_scaled:
            return quantiles[low], quantiles[high], 1.0
        return quantiles[2], quantiles[2], max(quantiles[high] - quantiles[low], least)

    scores = []
    for row in range(n):
        own_low, own_high, own_scale = bounds(predicted_quantiles[row, 0])
        scores.append(max(own_low - rows.y[row, 0], rows.y[row, 0] - own_high) / own_scale)
    for i in range(len(table)):
        lower, upper = [], []
        for row in range(n):
            of_row = [q for q, out in zip(members, rows.oof_mask[:, row], strict=True) if out and q is not None]
            below, above, scale = bounds(np.mean([q[i, 0] for q in of_row], axis=0))
            lower.append(below - scale * scores[row])
            upper.append(above + scale * scores[row])
        ends = [sorted(lower)[n - k], sorted(upper)[k - 1]]
        ends = ends if ends[0] <= ends[1] else [np.mean(ends)] * 2
        assert interval.lower[i, 0] == pytest.approx(ends[0], rel=1e-9)
        assert interval.upper[i, 0] == pytest.approx(ends[1], rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.3, 0.5, 0.7, 0.8])
def test_levels_below_that_of_the_quantiles_are_covered_without_empty_intervals(folder: Path, level: float) -> None:
    model, table = Run(folder / "three").load_model(), read_table(folder / "new.csv")
    predictor = ConformalPredictor.of(model, held_out(folder, "three"), UncertaintyOptions(interval=(level,)))
    interval = predictor.predict(table).of_type(Interval)[0]
    x, y = (table.frame[name].cast(pl.Float64).to_numpy() for name in "xy")
    width = (interval.upper - interval.lower)[:, 0]
    assert (width > 0.0).all()
    assert level - 0.04 < ((interval.lower[:, 0] <= y) & (y <= interval.upper[:, 0])).mean() < level + 0.1
    assert width[x > 0.8].mean() > 2.0 * width[x < 0.2].mean()


@pytest.mark.slow
@pytest.mark.parametrize("name", BAGGING)
def test_new_rows_are_covered_and_the_width_follows_the_spread(folder: Path, name: str) -> None:
    model, table = Run(folder / name).load_model(), read_table(folder / "new.csv")
    predictor = ConformalPredictor.of(model, held_out(folder, name), UncertaintyOptions(interval=(0.9,)))
    interval = predictor.predict(table).of_type(Interval)[0]
    x, y = table.frame["x"].cast(pl.Float64).to_numpy(), table.frame["y"].cast(pl.Float64).to_numpy()
    covered = (interval.lower[:, 0] <= y) & (y <= interval.upper[:, 0])
    assert 0.85 < covered.mean() < 0.95
    width = interval.upper[:, 0] - interval.lower[:, 0]
    assert width[x > 0.8].mean() > 2.0 * width[x < 0.2].mean()
    assert covered[x > 0.8].mean() > 0.8
    assert covered[x < 0.2].mean() > 0.8


def test_the_median_alone_has_the_intervals_of_absolute_errors(folder: Path) -> None:
    rows = held_out(folder, "folds")
    assert rows.predictions.quantiles is not None
    median = Predictions(rows.predictions.target, rows.predictions.quantiles[:, :, 2:3], levels=(0.5,))
    score = IntervalMethod().fitted(0.9, median, QuantilesLoss())
    np.testing.assert_array_equal(score.scores(median, rows.y), np.abs(rows.y - median.values))
    assert score.bounds(median.values, median.quantiles).scale is None


def test_equal_quantiles_have_a_least_width(folder: Path) -> None:
    target, levels = held_out(folder, "folds").predictions.target, (0.05, 0.5, 0.95)
    quantiles = np.array([[[0.0, 0.0, 0.0]], [[-100.0, 0.0, 100.0]]])
    predictions = Predictions(target, quantiles, levels=levels)
    scores = IntervalMethod().fitted(0.5, predictions, QuantilesLoss()).scores(predictions, np.array([[0.0], [100.0]]))
    assert scores.tolist() == [[0.0], [0.5]]
    scale = IntervalMethod().fitted(0.5, predictions, QuantilesLoss()).bounds(predictions.values, quantiles).scale
    assert scale is not None
    assert scale[:, 0].tolist() == pytest.approx([1.0, 200.0])
    flat = Predictions(target, quantiles[:1], levels=levels)
    assert IntervalMethod().fitted(0.5, flat, QuantilesLoss()).scores(flat, np.array([[3.0]])).tolist() == [[3.0]]


def test_bounds_that_cross_become_their_mean(folder: Path) -> None:
    rows, model = held_out(folder, "one"), Run(folder / "one").load_model()
    assert rows.predictions.quantiles is not None
    far = rows.predictions.quantiles + np.array([-99.0, -1, 0, 1, 99])
    wide = replace(rows, predictions=Predictions(rows.predictions.target, far, levels=LEVELS))
    table = read_table(folder / "new.csv").take(np.arange(9))
    predictor = ConformalPredictor.of(model, wide, UncertaintyOptions(interval=(0.9,)))
    (interval,) = predictor.predict(table).of_type(Interval)
    np.testing.assert_array_equal(interval.lower, interval.upper)
    quantiles = model.predict(table).quantiles
    assert quantiles is not None
    np.testing.assert_allclose(interval.lower, (quantiles[:, :, 0] + quantiles[:, :, 4]) / 2.0)

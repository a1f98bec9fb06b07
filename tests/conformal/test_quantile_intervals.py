"""Conformalized quantile regression: against its definition, and its coverage where the spread changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from nncli import train
from nncli.conformal.interval_scores import conformity_scores, group_endpoints, quantile_pair
from nncli.conformal.member_groups import MemberGroups
from nncli.conformal.options import UncertaintyOptions
from nncli.conformal.predictor import ConformalPredictor
from nncli.data.sources.read_table import read_table
from nncli.ensemble import predict_members
from nncli.metrics.conformal import rank
from nncli.predictions import Predictions
from nncli.runs.held_out_rows import HeldOutRows
from nncli.runs.run import Run

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
        train(folder / "c.yaml", output=folder / name, assignments=assignments)
    return folder


def held_out(folder: Path, name: str) -> HeldOutRows:
    rows = Run(folder / name).load_held_out()
    assert rows is not None
    return rows


@pytest.mark.parametrize(
    ("level", "pair"), [(0.9, (0, 4)), (0.5, (1, 3)), (0.99, (0, 4)), (0.1, (2, 2)), (0.7, (0, 4)), (0.6, (1, 3))]
)
def test_the_nearest_levels_are_used_and_of_two_the_outer_one(level: float, pair: tuple[int, int]) -> None:
    assert quantile_pair(LEVELS, level) == pair
    assert quantile_pair((0.5, 0.9), 0.8) == (0, 1)


@pytest.mark.parametrize("name", BAGGING)
@pytest.mark.parametrize("level", [0.9, 0.5])
def test_bounds_are_those_of_the_definition(folder: Path, name: str, level: float) -> None:
    rows, model = held_out(folder, name), Run(folder / name).load_model()
    table = read_table(folder / "new.csv").take(np.arange(20))
    interval = ConformalPredictor.of(model, rows, UncertaintyOptions(intervals=(level,))).predict(table).intervals[0]
    members = [one.quantiles for one in predict_members(model, table)]
    low, high = quantile_pair(LEVELS, level)
    assert rows.predictions.quantiles is not None
    n, k = len(rows), rank(level, len(rows))
    for i in range(len(table)):
        lower, upper = [], []
        for row in range(n):
            own = [q for q, out in zip(members, rows.oof_mask[:, row], strict=True) if out and q is not None]
            y, known = rows.y[row, 0], rows.predictions.quantiles[row, 0]
            score = max(known[low] - y, y - known[high])
            lower.append(np.mean([q[i, 0, low] for q in own]) - score)
            upper.append(np.mean([q[i, 0, high] for q in own]) + score)
        assert interval.lower[i, 0] == pytest.approx(sorted(lower)[n - k], rel=1e-9)
        assert interval.upper[i, 0] == pytest.approx(sorted(upper)[k - 1], rel=1e-9)


@pytest.mark.parametrize("name", BAGGING)
def test_new_rows_are_covered_and_the_width_follows_the_spread(folder: Path, name: str) -> None:
    model, table = Run(folder / name).load_model(), read_table(folder / "new.csv")
    predictor = ConformalPredictor.of(model, held_out(folder, name), UncertaintyOptions(intervals=(0.9,)))
    interval = predictor.predict(table).intervals[0]
    x, y = table.frame["x"].cast(pl.Float64).to_numpy(), table.frame["y"].cast(pl.Float64).to_numpy()
    covered = (interval.lower[:, 0] <= y) & (y <= interval.upper[:, 0])
    assert 0.85 < covered.mean() < 0.95
    width = interval.upper[:, 0] - interval.lower[:, 0]
    assert width[x > 0.8].mean() > 2.0 * width[x < 0.2].mean()
    assert covered[x > 0.8].mean() > 0.8
    assert covered[x < 0.2].mean() > 0.8


def test_at_the_median_alone_they_are_the_intervals_of_absolute_errors(folder: Path) -> None:
    rows, model = held_out(folder, "folds"), Run(folder / "folds").load_model()
    errors = np.abs(rows.y - rows.predictions.values)
    np.testing.assert_array_equal(conformity_scores(rows.predictions, rows.y, 0.1), errors)
    members = predict_members(model, read_table(folder / "new.csv").take(np.arange(9)))
    groups = MemberGroups.of(rows)
    lower, upper = group_endpoints(groups, model, members).at(0.1)
    np.testing.assert_array_equal(lower, upper)
    np.testing.assert_allclose(lower, groups.predict(model, members), rtol=1e-12)


def test_bounds_that_cross_become_their_mean(folder: Path) -> None:
    rows, model = held_out(folder, "one"), Run(folder / "one").load_model()
    assert rows.predictions.quantiles is not None
    far = rows.predictions.quantiles + np.array([-99.0, -1, 0, 1, 99])
    wide = replace(rows, predictions=Predictions.of_quantiles(rows.predictions.target, far, LEVELS, "float64"))
    table = read_table(folder / "new.csv").take(np.arange(9))
    interval = ConformalPredictor.of(model, wide, UncertaintyOptions(intervals=(0.9,))).predict(table).intervals[0]
    np.testing.assert_array_equal(interval.lower, interval.upper)
    quantiles = model.predict(table).quantiles
    assert quantiles is not None
    np.testing.assert_allclose(interval.lower, (quantiles[:, :, 0] + quantiles[:, :, 4]) / 2.0)

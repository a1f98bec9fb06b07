"""A target with two modes by `loss: mixture`, through training, scores, intervals, exports, a server and estimators."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import cross_validate, evaluate, explain, export, load, predict, report, train
from nncli.analysis.inspection.attribution import attribute
from nncli.analysis.inspection.encoded_rows import EncodedRows
from nncli.data.sources.read_table import read_table
from nncli.exporters.formats import ExportFormat
from nncli.nn.losses import MixtureLoss
from nncli.sklearn import NNRegressor
from tests.exporters.support import EXPORT_FORMATS

CONFIG = """\
data: {path: table.csv, target: y, features: [x, z]}
loss: {type: mixture, components: 2}
layers: [8]
learning_rate: 0.02
epochs: 40
members: 2
bagging: folds
workers: 1
"""
LEVELS = MixtureLoss().levels


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two tables whose target is near -3 or 3, whichever the features are, and a run; read only."""
    folder = tmp_path_factory.mktemp("mixture")
    for seed, name, n_rows in ((0, "table.csv", 400), (1, "fresh.csv", 2_000)):
        rng = np.random.default_rng(seed)
        x, z = rng.normal(size=(2, n_rows))
        y = rng.choice([-3.0, 3.0], n_rows) + 0.3 * rng.normal(size=n_rows) + 0.2 * x
        kind = np.where(x + z > 0.0, "up", "down")
        pl.DataFrame({"x": x, "z": z, "y": y, "kind": kind}).write_csv(folder / name)
    (folder / "config.yaml").write_text(CONFIG.replace("table.csv", str(folder / "table.csv")))
    train(folder / "config.yaml", output=folder / "run")
    return folder


def quantiles_of(frame: pl.DataFrame) -> np.ndarray:
    return frame.select(name for name in frame.columns if name.startswith("quantile_")).to_numpy()


def test_the_quantiles_show_both_modes(folder: Path) -> None:
    frame = predict(folder / "run", folder / "table.csv")
    quantiles = quantiles_of(frame)
    assert (np.diff(quantiles, axis=1) >= 0.0).all()
    np.testing.assert_array_equal(quantiles[:, LEVELS.index(0.5)], frame["prediction"].to_numpy())
    low, high = (np.median(quantiles[:, LEVELS.index(level)]) for level in (0.25, 0.75))
    assert (low, high) == pytest.approx((-3.0, 3.0), abs=1.0)
    y = pl.read_csv(folder / "table.csv")["y"].to_numpy()
    below = (y[:, None] <= quantiles).mean(axis=0)
    np.testing.assert_allclose(below, LEVELS, atol=0.1)


def test_the_score_is_that_of_the_told_distribution_and_lower_than_that_of_a_normal_one(
    folder: Path, tmp_path: Path
) -> None:
    rows = pl.read_csv(folder / "table.csv")
    quantiles = quantiles_of(predict(folder / "run", rows))
    score = evaluate(folder / "run", rows).json()["metrics"]["crps"]
    expected = MixtureLoss().per_row(quantiles[:, None], rows["y"].to_numpy()[:, None]).mean()
    assert score == pytest.approx(expected, rel=1e-9)
    normal = train(folder / "config.yaml", output=tmp_path / "normal", set=["loss=normal"]).run
    assert score < 0.95 * evaluate(normal, rows).json()["metrics"]["crps"]


def test_intervals_hold_their_share_of_fresh_rows(folder: Path) -> None:
    (interval,) = evaluate(folder / "run", folder / "fresh.csv", interval=(0.9,)).json()["intervals"]
    assert 0.85 < interval["coverage"] < 0.97


def test_a_training_that_goes_on_has_the_bits_of_one_that_never_stopped(folder: Path, tmp_path: Path) -> None:
    single = ["members=1", "validation=0.2", "bagging=seeds"]
    whole = train(folder / "config.yaml", output=tmp_path / "whole", set=[*single, "epochs=4"]).run
    half = train(folder / "config.yaml", output=tmp_path / "half", set=[*single, "epochs=2"]).run
    train(resume=half, set=["epochs=4"])
    assert predict(half, folder / "table.csv").equals(predict(whole, folder / "table.csv"))


def test_a_mixture_is_learned_beside_a_class(folder: Path, tmp_path: Path) -> None:
    loss = "loss={y: {type: mixture, levels: [0.1, 0.5, 0.9]}, kind: cross_entropy}"
    settings = ["data.target=[y, kind]", loss, "epochs=3"]
    frame = predict(train(folder / "config.yaml", output=tmp_path / "run", set=settings).run, folder / "table.csv")
    assert "sd_y" in frame.columns
    columns = [name for name in frame.columns if name.startswith("quantile_")]
    assert columns == ["quantile_10_y", "quantile_50_y", "quantile_90_y"]
    assert (np.diff(frame.select(columns).to_numpy(), axis=1) >= 0.0).all()


def test_what_explains_a_run_takes_the_median(folder: Path, tmp_path: Path) -> None:
    assert "Calibration of the distributions" in report(folder / "run", tmp_path / "report.html").html.read_text()
    importances = explain(folder / "run", permutations=1).importances
    assert importances is not None
    assert {importance.column for importance in importances} == {"x", "z"}
    model, table = load(folder / "run").model, read_table(folder / "table.csv").take(np.arange(5))
    rows = EncodedRows.of(model, table)
    result = attribute(rows, rows, "y")
    np.testing.assert_allclose(result.values.sum(axis=1) + result.base, model.predict(table).values[:, 0], atol=0.5)


@pytest.mark.parametrize("target", EXPORT_FORMATS, ids=lambda target: target.name)
def test_exports_give_the_quantiles_and_intervals(folder: Path, tmp_path: Path, target: ExportFormat) -> None:
    if (missing := target.load_runner().missing()) is not None:
        pytest.skip(missing)
    export(folder / "run", tmp_path / f"model{target.suffix}", to=target.name, interval=(0.9,))


def test_cross_validation_keeps_the_distributions(folder: Path, tmp_path: Path) -> None:
    single = ["members=1", "bagging=seeds", "epochs=3"]
    result = cross_validate(folder / "config.yaml", folds=2, output=tmp_path / "cv", set=single)
    assert result is not None
    assert {"quantile_05", "sd"} < {*result.predictions.columns}
    assert "crps" in result.means


def test_the_estimator_predicts_the_quantiles() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    fitted = NNRegressor(layers=[4], epochs=2, loss="mixture", random_state=0).fit(X, X[:, 0] + rng.normal(size=60))
    quantiles = fitted.predict_quantiles(X)
    assert quantiles.shape == (60, len(LEVELS))
    np.testing.assert_array_equal(quantiles[:, LEVELS.index(0.5)], fitted.predict(X))


def test_one_row_has_the_bits_of_many(folder: Path) -> None:
    rows, model = pl.read_csv(folder / "table.csv"), load(folder / "run")
    assert model.predict(rows)[7:8].equals(model.predict(rows[7:8]))

"""Numbers are learned relative to a column, wherever rows are trained on, predicted, explained or exported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import cross_validate, distill, evaluate, explain, export, load, predict, report, train
from nncli.analysis.evaluation.held_out import predict_held_out
from nncli.analysis.evaluation.linear_model import linear_benchmark
from nncli.base.errors import CellError, ConfigError, DataError
from nncli.data.table import Table
from nncli.models.scores import headlines
from nncli.run_directory.manifest import METRICS
from nncli.sklearn import NNRegressor
from nncli.targets.number import RegressionTarget
from tests.assertions import raises
from tests.end_to_end.test_exposure import client_of
from tests.exporters.support import assert_equal_predictions

KEYS = "data: {path: t.csv, target: price, offset: last}\nlayers: [6]\nepochs: 6\nbatch_size: 32\nseed: 1\n"
MODELS = {
    "mse": "loss: mse\n",
    "clipped": "loss: mse\nencoding: {clip_target: true}\n",
    "quantiles": "loss: quantiles\nmembers: 2\n",
    "normal": "loss: normal\n",
    "several": "loss: mae\nmembers: 2\n",
}


def frame_of(rows: int = 160) -> pl.DataFrame:
    """Prices that change by what x and the town say; the last one is far from 0."""
    rng = np.random.default_rng(0)
    x, last = rng.normal(size=rows), np.round(rng.uniform(500.0, 1500.0, rows), 1)
    town = rng.choice(["Oslo", "Rome"], rows)
    price = last + 3.0 * x + 5.0 * (town == "Rome") + rng.normal(size=rows)
    return pl.DataFrame({"x": x, "last": last, "town": town, "price": price})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("offset")
    frame_of().write_csv(folder / "t.csv")
    for name, keys in MODELS.items():
        (folder / f"{name}.yaml").write_text(KEYS + keys)
        train(folder / f"{name}.yaml", output=folder / name)
    return folder


@pytest.mark.parametrize("run", MODELS)
def test_the_offset_is_added_to_predictions_and_bounds(folder: Path, run: str, tmp_path: Path) -> None:
    export(folder / run, tmp_path / "model.py", interval=0.8)
    rows = frame_of().head(20)
    without = predict(folder / run, rows.with_columns(last=pl.lit(0.0)), interval=0.8)
    new = rows.select("x", "last", "town")
    new.write_csv(tmp_path / "new.csv")
    command = [sys.executable, str(tmp_path / "model.py"), str(tmp_path / "new.csv")]
    printed = subprocess.run(command, capture_output=True, check=True).stdout
    with client_of(folder / run) as client:
        answer = client.post_json("/predict?interval=0.8", {"rows": new.to_dicts()})
    assert {"prediction", "lower_80", "upper_80"} <= {*without.columns}
    for table in (predict(folder / run, new, interval=0.8), pl.DataFrame(answer.json["rows"]), pl.read_csv(printed)):
        for name in without.columns:
            expected = without[name] + (0.0 if name.startswith("sd") else rows["last"])
            np.testing.assert_allclose(table[name].to_numpy(), expected.to_numpy(), rtol=1e-15, err_msg=name)


@pytest.mark.parametrize("run", MODELS)
def test_the_program_of_exporters_computes_the_predictions(folder: Path, run: str) -> None:
    assert_equal_predictions(load(folder / run).model, Table(frame_of(), "t.csv"))


@pytest.mark.parametrize("run", MODELS)
def test_the_scale_is_that_of_the_changes_and_not_of_the_offset(folder: Path, run: str) -> None:
    held_out = predict_held_out(folder / run)
    frame = frame_of()
    spread = float((frame["price"] - frame["last"]).to_numpy().std())
    model = load(folder / run).model
    for member in getattr(model, "members", (model,)):
        assert isinstance(member.spec.target, RegressionTarget)
        assert member.spec.target.scales[0] < 1.5 * spread
    recorded = json.loads((folder / run / METRICS).read_text())["validation"]["metrics"]
    assert recorded["rmse"] == pytest.approx(dict(headlines(held_out.scores))["rmse"])
    assert recorded["rmse"] < 2.0 * spread


@pytest.mark.parametrize("run", ["mse", "several"])
def test_the_baseline_is_the_offset_and_the_usual_change(folder: Path, run: str) -> None:
    held_out = predict_held_out(folder / run)
    changes = held_out.baseline.values[:, 0] - held_out.table.column("last").to_numpy()
    np.testing.assert_allclose(changes, changes[0], atol=1e-9)
    frame = frame_of()
    assert abs(changes[0] - float((frame["price"] - frame["last"]).to_numpy().mean())) < 1.0


@pytest.mark.parametrize("run", ["mse", "quantiles"])
def test_another_table_is_scored_with_its_offsets(folder: Path, run: str) -> None:
    frame = frame_of()
    scores = evaluate(folder / run, frame, interval=0.8).scores
    error = (frame["price"] - predict(folder / run, frame)["prediction"]).to_numpy()
    assert dict(headlines(scores))["rmse"] == pytest.approx((error**2).mean() ** 0.5)


@pytest.mark.parametrize("run", ["mse", "several", "normal"])
def test_intervals_cover_the_level_and_are_as_wide_as_the_errors(folder: Path, run: str) -> None:
    frame = frame_of()
    table = predict(folder / run, frame, interval=0.8)
    covered = ((table["lower_80"] <= frame["price"]) & (frame["price"] <= table["upper_80"])).to_numpy()
    assert 0.65 < covered.mean() < 0.95
    spread = float((frame["price"] - frame["last"]).to_numpy().std())
    assert float((table["upper_80"] - table["lower_80"]).to_numpy().mean()) < 6.0 * spread


@pytest.mark.parametrize("run", ["several", "clipped"])
def test_contributions_add_up_to_the_prediction_with_that_of_the_offset(folder: Path, run: str) -> None:
    frame = frame_of()
    explanation = explain(folder / run, frame)
    mean = float(frame["last"].to_numpy().mean())
    for row, last in zip(explanation.explained_rows[:5], frame["last"], strict=False):
        each = {contribution.column: contribution.contribution for contribution in row.contributions}
        assert {*each} == {"x", "town", "last"}
        assert row.base + sum(each.values()) == pytest.approx(row.prediction, abs=0.01)
        assert abs(row.base - mean) < 100.0
        if run == "several":
            assert each["last"] == pytest.approx(last - mean, abs=60.0)


@pytest.mark.parametrize("run", ["mse", "several"])
def test_a_linear_model_learns_the_changes_too(folder: Path, run: str) -> None:
    linear = linear_benchmark(predict_held_out(folder / run))
    assert linear.scores is not None
    rmse = next(score.baseline for score in linear.scores.scores if score.name == "rmse")
    assert rmse is not None
    assert rmse < 1.5  # the noise has the standard deviation 1


def test_a_report_is_made(folder: Path, tmp_path: Path) -> None:
    report(folder / "quantiles", output=tmp_path / "r.html")
    assert "last" in (tmp_path / "r.html").read_text("utf-8")


@pytest.mark.parametrize("cell", [None, "?"])
def test_a_missing_or_unreadable_offset_is_refused_at_its_place(folder: Path, tmp_path: Path, cell: str | None) -> None:
    bad = frame_of().with_columns(last=pl.Series([*frame_of()["last"].cast(pl.String)[:-1], cell or "x"]))
    bad.with_columns(last=pl.when(pl.col("last") == "x").then(None).otherwise(pl.col("last"))).write_csv(
        tmp_path / "bad.csv"
    )
    with raises(CellError, file="bad.csv", row=160, column="last") as caught:
        predict(folder / "mse", tmp_path / "bad.csv")
    assert "missing_values" not in str(caught.value.hint)


def test_a_table_without_the_column_is_refused(folder: Path) -> None:
    with raises(DataError, mentions="last"):
        predict(folder / "mse", frame_of().drop("last"))


@pytest.mark.parametrize("loss", ["poisson", "cross_entropy"])
def test_a_loss_with_a_link_takes_no_offset(folder: Path, tmp_path: Path, loss: str) -> None:
    config = folder / "with_link.yaml"
    config.write_text(KEYS + f"loss: {loss}\n")
    with raises(ConfigError, key="data.offset", mentions="exposure"):
        train(config, output=tmp_path / "run")


def test_folds_and_students_have_the_offset(folder: Path, tmp_path: Path) -> None:
    cross_validate(folder / "mse.yaml", folds=2, output=tmp_path / "folds")
    distill(folder / "several", output=tmp_path / "student", set=["epochs=2"])
    rows = frame_of()
    first, moved = (
        predict(tmp_path / "student", table)["prediction"] for table in (rows, rows.with_columns(pl.col("last") + 64.0))
    )
    assert np.abs((first - rows["last"]).to_numpy()).max() < 20.0
    np.testing.assert_allclose(moved.to_numpy(), first.to_numpy() + 64.0, rtol=1e-12)


def test_an_estimator_names_the_column_in_its_configuration() -> None:
    frame = frame_of()
    model = NNRegressor(layers=[4], epochs=2, random_state=0, config={"data": {"offset": "last"}}).fit(
        frame.drop("price"), frame["price"]
    )
    rows = frame.drop("price").head(4)
    moved = model.predict(rows.with_columns(pl.col("last") + 64.0))
    np.testing.assert_allclose(moved, model.predict(rows) + 64.0, rtol=1e-12)

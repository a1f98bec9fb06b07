"""Counts and amounts are proportional to a column of exposures, wherever rows are trained on, predicted or exported."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import cross_validate, distill, evaluate, explain, export, load, predict, report, train
from nncli.analysis.evaluation.held_out import predict_held_out
from nncli.base.errors import CellError, ConfigError, DataError
from nncli.data.table import Table
from nncli.models.scores import headlines
from nncli.nn.losses.regression import AMOUNT_LOSSES
from nncli.run_directory.manifest import METRICS
from nncli.serving.app import build_app
from nncli.serving.columns.input_schema import InputSchema
from nncli.serving.models.reload import ModelSlot, ModelSlots
from nncli.serving.models.served_model import ServedModel
from nncli.serving.server_options import ServerOptions
from nncli.serving.state import ServerState
from nncli.sklearn import NNRegressor
from tests.assertions import raises
from tests.exporters.support import assert_equal_predictions
from tests.models.test_rates import is_proportional
from tests.serving.asgi_client import AsgiClient
from tests.thorough import in_turn, partly

ONE = "data: {path: t.csv, target: claims, exposure: years}\nlayers: [6]\nepochs: 6\nbatch_size: 32\nseed: 1\n"
SEVERAL = ONE + "members: 2\n"


def frame_of(rows: int = 160) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x, years = rng.normal(size=rows), np.round(rng.uniform(0.1, 4.0, rows), 3)
    town = rng.choice(["Oslo", "Rome"], rows)
    claims = rng.poisson(years * np.exp(0.3 * x + 0.5 * (town == "Rome")))
    return pl.DataFrame({"x": x, "years": years, "town": town, "claims": claims})


@contextmanager
def client_of(run: Path) -> Iterator[AsgiClient]:
    """A client of a server of one run."""
    state = ServerState(ModelSlots([ModelSlot(run, ServedModel.load("model", run))]), ServerOptions())
    yield AsgiClient(build_app(state))
    state.batcher.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exposure")
    frame_of().write_csv(folder / "t.csv")
    for name, text in (("one", ONE), ("several", SEVERAL)):
        (folder / f"{name}.yaml").write_text(text)
        train(folder / f"{name}.yaml", output=folder / name)
    return folder


@pytest.mark.parametrize("run", ["one", "several"])
def test_predictions_are_proportional_to_the_exposure(folder: Path, run: str) -> None:
    rows = frame_of().head(20)
    once = predict(folder / run, rows, interval=0.8)
    twice = predict(folder / run, rows.with_columns(pl.col("years") * 2.0), interval=0.8)
    for name in ("prediction", "lower_80", "upper_80"):
        assert twice[name].to_list() == (once[name] * 2.0).to_list()


@partly
@pytest.mark.parametrize(("loss", "members"), in_turn(AMOUNT_LOSSES, (1, 2)))
def test_clipped_rates_are_multiplied_by_the_exposure_in_python_over_http_and_in_exports(
    loss: str, members: int, folder: Path, tmp_path: Path
) -> None:
    frame = frame_of().with_columns(claims=pl.col("claims") + 1)  # gamma and log_normal are for amounts above 0
    frame.write_csv(tmp_path / "t.csv")
    text = ONE + f"members: {members}\nloss: {loss}\nencoding: {{clip_target: true}}\n"
    (tmp_path / "c.yaml").write_text(text.replace("epochs: 6", "epochs: 2"))
    run = train(tmp_path / "c.yaml", output=tmp_path / "run").run
    export(run, tmp_path / "model.py", interval=0.8)
    rates = (frame["claims"] / frame["years"]).to_numpy()
    rows = frame.head(12).with_columns(x=pl.Series(np.linspace(-9.0, 9.0, 12)))  # some are clipped
    exposures = (1.0, 10.0, 100.0, 0.3)
    new = pl.concat([rows.with_columns(years=pl.lit(exposure)) for exposure in exposures])
    new.write_csv(tmp_path / "new.csv")
    command = [sys.executable, str(tmp_path / "model.py"), str(tmp_path / "new.csv")]
    printed = subprocess.run(command, capture_output=True, check=True).stdout
    with client_of(run) as client:
        answer = client.post_json("/predict?interval=0.8", {"rows": new.select("x", "years", "town").to_dicts()})
    predicted = predict(run, new, interval=0.8)
    for table in (predicted, pl.DataFrame(answer.json["rows"]), pl.read_csv(printed)):
        for name in ("prediction", "lower_80", "upper_80"):
            at_one, *others = table[name].to_numpy().reshape(len(exposures), -1)
            for exposure, values in zip(exposures[1:], others, strict=True):
                assert is_proportional(values, at_one, exposure), name
    of_rate = predicted["prediction"].to_numpy()[: len(rows)]
    assert rates.min() <= of_rate.min()
    assert of_rate.max() <= rates.max()


@pytest.mark.parametrize("run", ["one", "several"])
def test_the_program_of_exporters_computes_the_predictions(folder: Path, run: str) -> None:
    assert_equal_predictions(load(folder / run).model, Table(frame_of(), "t.csv"))


@pytest.mark.parametrize("cell", [0.0, -1.0, None])
def test_a_cell_that_is_no_exposure_is_refused_at_its_place(folder: Path, tmp_path: Path, cell: float | None) -> None:
    bad = frame_of().with_columns(years=pl.Series([*frame_of()["years"][:-1], cell]))
    bad.write_csv(tmp_path / "bad.csv")
    with raises(CellError, file="bad.csv", row=160, column="years"):
        predict(folder / "one", tmp_path / "bad.csv")
    config = tmp_path / "c.yaml"
    config.write_text(ONE.replace("t.csv", "bad.csv") + "validation: 0\n")
    with raises(CellError, file="bad.csv", row=160, column="years"):
        train(config, output=tmp_path / "run")


def test_a_table_without_the_column_is_refused(folder: Path) -> None:
    with raises(DataError, mentions="years"):
        predict(folder / "one", frame_of().drop("years"))


def test_a_loss_without_a_log_link_takes_no_exposure(folder: Path, tmp_path: Path) -> None:
    config = folder / "mse.yaml"
    config.write_text(ONE + "loss: mse\n")
    with raises(ConfigError, key="data.exposure", mentions="poisson"):
        train(config, output=tmp_path / "run")


@pytest.mark.parametrize("run", ["one", "several"])
def test_the_baseline_is_the_rate_of_the_training_rows_times_the_exposure(folder: Path, run: str) -> None:
    held_out = predict_held_out(folder / run)
    exposure = held_out.predictions.exposure
    assert exposure is not None
    assert exposure.tolist() == held_out.table.column("years").to_list()
    rates = held_out.baseline.values[:, 0] / exposure
    np.testing.assert_allclose(rates, rates[0], rtol=1e-12)
    if run == "several":  # every row is a training row of some member
        frame = frame_of()
        expected = frame["claims"].to_numpy().sum() / frame["years"].to_numpy().sum()
        np.testing.assert_allclose(rates[0], expected, rtol=1e-12)
    recorded = json.loads((folder / run / METRICS).read_text())["validation"]["metrics"]
    assert recorded["rmse"] == pytest.approx(dict(headlines(held_out.scores))["rmse"])


def test_another_table_is_scored_with_its_exposure(folder: Path) -> None:
    frame = frame_of()
    scores = evaluate(folder / "several", frame).scores
    error = (frame["claims"] - predict(folder / "several", frame)["prediction"]).to_numpy()
    assert dict(headlines(scores))["rmse"] == pytest.approx((error**2).mean() ** 0.5)


def test_contributions_add_up_to_the_prediction(folder: Path) -> None:
    rows = explain(folder / "several", frame_of().head(5)).explained_rows
    assert {contribution.column for contribution in rows[0].contributions} == {"x", "town", "years"}
    for row in rows:
        total = row.base + sum(contribution.contribution for contribution in row.contributions)
        assert total == pytest.approx(row.prediction, abs=0.01)


def test_a_report_draws_the_order_of_the_rows_and_their_means(folder: Path, tmp_path: Path) -> None:
    report(folder / "several", output=tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "Lorenz curve" in page
    assert "Double lift" in page
    assert "claims per exposure" in page


def test_a_server_asks_for_the_exposure(folder: Path) -> None:
    (column,) = (each for each in InputSchema.of(load(folder / "one").model, None).features if each.name == "years")
    assert (column.input.kind, column.is_optional) == ("number", False)


def test_folds_and_students_have_the_exposure(folder: Path, tmp_path: Path) -> None:
    cross_validate(folder / "one.yaml", folds=2, output=tmp_path / "folds")
    distill(folder / "several", output=tmp_path / "student", set=["epochs=2"])
    rows = frame_of().head(3)
    once, twice = (
        predict(tmp_path / "student", table)["prediction"] for table in (rows, rows.with_columns(pl.col("years") * 2.0))
    )
    assert twice.to_list() == (once * 2.0).to_list()


def test_an_estimator_names_the_column_in_its_configuration() -> None:
    frame = frame_of()
    model = NNRegressor(
        layers=[4], loss="poisson", epochs=2, random_state=0, config={"data": {"exposure": "years"}}
    ).fit(frame.drop("claims"), frame["claims"])
    rows = frame.drop("claims").head(4)
    doubled = model.predict(rows.with_columns(pl.col("years") * 2.0))
    assert doubled.tolist() == (2.0 * model.predict(rows)).tolist()


def test_scores_have_the_deviance_and_the_order_of_rates(folder: Path) -> None:
    held_out = predict_held_out(folder / "several")
    constant = replace(held_out.scored_rows, predictions=held_out.baseline, averaging=None)
    scores, baseline = (dict(headlines(rows.scores)) for rows in (held_out.scored_rows, constant))
    assert list(scores)[-2:] == ["poisson_deviance", "gini"]
    assert baseline["gini"] == pytest.approx(0.0, abs=1e-9)


def test_counts_with_an_exposure_are_no_classes(folder: Path) -> None:
    assert load(folder / "one").model.spec.loss.type == "poisson"

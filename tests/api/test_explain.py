"""Explanations of a run on its validation rows or any table, with labels or without."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli import evaluate, explain, load, predict, report, train
from nncli.analysis.evaluation.held_out import predict_held_out
from nncli.analysis.inspection.attribution import Attributions
from nncli.analysis.inspection.encoded_rows import EncodedRows
from nncli.base.errors import CellError, DataError, RunError, UsageError
from nncli.models.scores import headlines, score
from nncli.run_directory.loader import read_model
from tests.api.ensembles import written
from tests.assertions import raises
from tests.cli.support import DATA

module = importlib.import_module("nncli.api.explain")
TABLE = DATA / "penguins.csv"
PENGUINS = pl.read_csv(TABLE, null_values=["NA"])


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ensemble")
    return train(written(folder), output=folder / "run").run


def test_without_a_table_the_validation_rows_are_explained(penguins: Path) -> None:
    result, held_out = explain(penguins, top=0), predict_held_out(penguins)
    assert (result.rows, result.table_rows, result.labeled_rows) == (len(held_out), len(held_out), len(held_out))
    of_model = score(held_out.model.predict(held_out.table), held_out.y, None, held_out.loss)
    figures = dict(headlines(of_model))
    assert result.score == pytest.approx(figures["accuracy"])
    assert result.loss == pytest.approx(figures["log_loss"])


@pytest.fixture(scope="module")
def weighted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of y by a and b, whose rows count by w: half of them next to nothing."""
    folder, rng = tmp_path_factory.mktemp("weighted"), np.random.default_rng(0)
    a, b = rng.normal(size=200), rng.normal(size=200)
    w = np.where(np.arange(200) % 2, 1.0, 1e-3)
    y = np.where(w == 1.0, 3.0 * a, 9.0 * b + 5.0)
    pl.DataFrame({"a": a, "b": b, "w": w, "y": y}).write_csv(folder / "t.csv")
    (folder / "c.yaml").write_text(
        "data: {path: t.csv, target: y, sample_weight: w}\nlayers: []\nepochs: 200\nlearning_rate: 0.05\n"
    )
    return train(folder / "c.yaml", output=folder / "run").run


@pytest.mark.slow
def test_the_validation_rows_of_the_run_are_weighted(weighted: Path) -> None:
    result, held_out = explain(weighted, top=1), predict_held_out(weighted)
    of_model = score(held_out.model.predict(held_out.table), held_out.y, held_out.weights, held_out.loss)
    assert result.score == pytest.approx(dict(headlines(of_model))["rmse"])
    assert any("'w'" in note for note in result.notes)
    assert result.importances is not None
    single = result.importances[0]
    assert single.column == "a"
    assert single.loss_increase == pytest.approx(18.0, rel=0.5)  # twice the square of 3, were the rows many


def test_rows_of_another_table_are_weighted_if_it_has_the_column_as_in_evaluate(weighted: Path) -> None:
    frame, scores = pl.read_csv(weighted.parent / "t.csv"), []
    for table in (frame, frame.drop("w")):
        result, evaluation = explain(weighted, table, top=0), evaluate(weighted, table)
        scores.append(dict(headlines(evaluation.scores))["rmse"])
        assert result.score == pytest.approx(scores[-1])
        assert any("'w'" in note for note in result.notes)
        assert any("'w'" in note for note in evaluation.notes)
        assert evaluation.weighted_by == evaluation.json()["weighted_by"] == ("w" if "w" in table.columns else None)
        assert load(weighted).evaluate(table).scores == evaluation.scores
    residual = (predict(weighted, frame)["prediction"] - frame["y"]).to_numpy()
    assert scores[0] == pytest.approx(np.sqrt(np.average(residual**2, weights=frame["w"])), rel=1e-5)
    assert scores[1] == pytest.approx(np.sqrt(np.mean(residual**2)), rel=1e-5)


def test_the_average_row_is_a_weighted_average(weighted: Path) -> None:
    result = explain(weighted, attributions=True, rows=3, top=0)
    frame = pl.read_csv(weighted.parent / "t.csv")
    usual = {name: [np.average(frame[name], weights=frame["w"])] for name in ("a", "b")}
    assert result.attributions is not None
    expected = predict(weighted, pl.DataFrame(usual)).to_numpy()[0, -1]
    assert result.attributions.base == pytest.approx(np.full(3, expected), rel=1e-4)


@pytest.mark.slow
def test_an_ensemble_is_explained_on_out_of_fold_predictions(ensemble: Path) -> None:
    result, held_out = explain(ensemble, top=0), predict_held_out(ensemble)
    assert result.rows == 344
    assert result.loss == pytest.approx(dict(headlines(held_out.scores))["log_loss"])
    assert result.loss != explain(ensemble, PENGUINS, top=0).loss


def test_every_column_of_the_run_has_an_importance_and_the_top_ones_a_dependence(penguins: Path) -> None:
    result = explain(penguins, TABLE, top=2)
    assert result.importances is not None
    names = [importance.column for importance in result.importances]
    assert sorted(names) == sorted(read_model(penguins).names)
    assert [item.column for item in result.partial_dependence] == names[:2]
    assert result.importances[0].low > 0.0
    assert result.attributions is None


def test_without_labels_there_is_a_note_instead_of_an_importance(penguins: Path) -> None:
    result = explain(penguins, PENGUINS.drop("species"), attributions=True, rows=5, top=3)
    assert result.importances is None
    assert (result.loss, result.score, result.labeled_rows) == (None, None, 0)
    assert result.notes
    assert len(result.partial_dependence) == 3
    assert result.attributions is not None


def test_unlabeled_rows_are_explained_but_not_scored(penguins: Path) -> None:
    some = PENGUINS.head(20).with_columns(
        pl.when(pl.int_range(20) < 4).then(None).otherwise(pl.col("species")).alias("species")
    )
    result = explain(penguins, some, attributions=True, top=0)
    assert (result.rows, result.labeled_rows) == (20, 16)
    assert result.attributed.tolist() == list(range(1, 21))


def test_a_sample_of_rows_is_drawn_with_the_seed_of_the_run_and_keeps_row_numbers(penguins: Path) -> None:
    result, again = (explain(penguins, TABLE, rows=10, attributions=True, top=0) for _ in range(2))
    assert result.rows == 10
    assert result.table_rows == 344
    assert (np.diff(result.attributed) > 0).all()
    assert result.attributed.tolist() == again.attributed.tolist()
    assert result.attributions is not None
    assert again.attributions is not None
    assert np.array_equal(result.attributions.values, again.attributions.values)
    assert any("10 of 344 rows" in note for note in result.notes)
    alone = PENGUINS[(result.attributed - 1).tolist()]
    alone_attributions = explain(penguins, alone, attributions=True, top=0).attributions
    assert alone_attributions is not None
    np.testing.assert_allclose(
        alone_attributions.values, result.attributions.values
    )  # the average row is that of the run's table


@pytest.mark.slow
def test_without_the_runs_table_the_average_row_is_of_the_given_rows(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    PENGUINS.write_csv(table)
    (tmp_path / "c.yaml").write_text("data: {path: t.csv, target: species}\nlayers: [4]\nepochs: 1")
    run = train(tmp_path / "c.yaml", output=tmp_path / "run").run
    here = explain(run, PENGUINS, attributions=True, rows=3, top=0).attributions
    table.unlink()
    result = explain(run, PENGUINS, attributions=True, rows=3, top=0)
    assert result.notes
    assert result.attributions is not None
    assert here is not None
    assert not np.allclose(result.attributions.base, here.base)
    with raises(DataError, file="t.csv", mentions="nncli evaluate"):
        explain(run)


def test_the_metric_is_the_one_that_the_run_monitored(tmp_path: Path, line: Path) -> None:
    assert explain(line, DATA / "linear.csv", top=0).metric == "rmse"
    config = f"data: {{path: {DATA}/linear.csv, target: y}}\nlayers: []\nepochs: 1\nmetric: r2"
    (tmp_path / "c.yaml").write_text(config)
    result = explain(train(tmp_path / "c.yaml", output=tmp_path / "run").run, top=0)
    assert result.metric == "r2"
    assert result.importances is not None
    assert result.importances[0].metric_worsening > 0.0


def test_a_run_with_two_targets_is_explained(pair: Path) -> None:
    result = explain(pair, DATA / "linear.csv", attributions=True, target="y", rows=20)
    assert result.partial_dependence[0].outputs == ("x2", "y")
    assert result.attributions is not None
    assert set(result.attributions.outputs) == {"y"}
    assert result.attributions.missed == 0


def test_unexpected_values_are_a_note(penguins: Path) -> None:
    unexpected = PENGUINS.head(5).with_columns(pl.lit("Atlantis").alias("island"))
    assert any("'island': 5" in note for note in explain(penguins, unexpected, top=0).notes)


def test_invalid_cells_are_missing_or_their_rows_left_out_if_asked_for(penguins: Path) -> None:
    text = PENGUINS.head(3).with_columns(pl.Series("body_mass_g", ["3750", "heavy", "3250"]))
    with raises(CellError, mentions="on_error='missing'", row=2):
        explain(penguins, text)
    whole = explain(penguins, text, on_error="missing")
    assert [part.value for part in whole.explained_rows[1].contributions if part.column == "body_mass_g"] == [None]
    assert any("'body_mass_g': 1" in note for note in whole.notes)
    assert [row.row for row in explain(penguins, text, on_error="skip").explained_rows] == [1, 3]


@pytest.mark.parametrize("rows", [1, module.FEW_ROWS])
def test_a_few_rows_have_contributions_that_add_up_instead_of_an_importance(penguins: Path, rows: int) -> None:
    result = explain(penguins, PENGUINS.head(rows))
    assert (result.importances, result.partial_dependence, result.permutations) == (None, (), 0)
    document = json.loads(json.dumps(result.json(), allow_nan=False))
    assert [item["row"] for item in document["explained_rows"]] == [*range(1, rows + 1)]
    predicted = predict(penguins, PENGUINS.head(rows), proba=True)
    for i, item in enumerate(document["explained_rows"]):
        assert item["output"] == predicted["prediction"][i]
        assert item["prediction"] == pytest.approx(predicted[f"proba_{item['output']}"][i], abs=1e-6)
        sizes = [part["contribution"] for part in item["contributions"]]
        assert item["base"] + sum(sizes) == pytest.approx(item["prediction"], abs=1e-3)
        assert sizes == sorted(sizes, key=abs, reverse=True)
        by_column = {part["column"]: part["value"] for part in item["contributions"]}
        assert by_column["island"] == PENGUINS["island"][i]
    assert {part["column"]: part["value"] for part in document["explained_rows"][-1]["contributions"]}.keys() == {
        *PENGUINS.columns
    } - {"species", "year"}


def test_more_rows_have_an_importance_and_no_row_of_them_is_explained(penguins: Path) -> None:
    result = explain(penguins, PENGUINS.head(module.FEW_ROWS + 1), top=0)
    assert (result.importances is None, result.explained_rows, result.attributions) == (False, (), None)
    with raises(UsageError):
        explain(penguins, PENGUINS, class_label="Gentoo")


def test_a_missing_cell_has_no_value_and_a_row_without_label_is_explained(penguins: Path) -> None:
    row = PENGUINS.head(1).drop("species").with_columns(pl.lit(None, pl.String).alias("sex"))
    (explained,) = explain(penguins, row, class_label="Gentoo").explained_rows
    assert explained.output == "Gentoo"
    assert [part.value for part in explained.contributions if part.column == "sex"] == [None]


def test_the_json_holds_everything_but_the_attributions(penguins: Path) -> None:
    document = json.loads(json.dumps(explain(penguins, TABLE, top=1, permutations=1).json(), allow_nan=False))
    assert document["rows"] == 344
    assert document["loss_name"] == "log_loss"
    assert document["feature_importance"][0].keys() == {"column", "loss_increase", "low", "high", "metric_worsening"}
    (curve,) = document["partial_dependence"]
    assert curve.keys() == {"column", "points", "outputs", "description", "mean_predictions", "monotone"}
    assert curve["description"] == "mean probability that species is …"
    assert len(curve["points"]) == len(curve["mean_predictions"])


@pytest.mark.parametrize(("rows", "permutations", "top"), [(0, 5, 6), (None, 0, 6), (None, 5, -1)])
def test_options_that_are_too_small_are_errors(penguins: Path, rows: int | None, permutations: int, top: int) -> None:
    with raises(UsageError):
        explain(penguins, TABLE, rows=rows, permutations=permutations, top=top)


def test_invalid_input_is_refused(penguins: Path, tmp_path: Path) -> None:
    with raises(DataError, file="the frame"):
        explain(penguins, PENGUINS.head(0))
    with raises(DataError, file="the frame", mentions="'island'"):
        explain(penguins, PENGUINS.drop("island"))
    with raises(DataError, file="the frame", row=1, column="species", mentions="'Dodo'"):
        explain(penguins, PENGUINS.with_columns(pl.lit("Dodo").alias("species")))
    with raises(UsageError, mentions="'Dodo'"):
        explain(penguins, PENGUINS, attributions=True, class_label="Dodo")
    with raises(RunError, file="nothing"):
        explain(tmp_path / "nothing", PENGUINS)


def test_progress_is_reported(penguins: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    explain(penguins, PENGUINS, rows=4, attributions=True, top=1, on_progress=lambda *step: steps.append(step))
    assert {what for what, _, _ in steps} == {"feature importance", "partial dependence", "attributions"}
    assert all(done <= of for _, done, of in steps)
    assert steps[-1] == ("attributions", 4, 4)


def test_a_note_states_how_many_rows_are_attributed(penguins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ATTRIBUTED", 7)
    result = explain(penguins, TABLE, attributions=True, top=0, permutations=1)
    assert result.attributions is not None
    assert len(result.attributions.values) == len(result.attributed) == 7
    assert any("7" in note for note in result.notes)


@pytest.mark.parametrize(
    ("error", "rows"),
    [([0.5, 0.0, 0.25], "2 rows"), ([0.0, np.nan], "1 row")],
)
def test_rows_that_miss_completeness_are_a_note(
    penguins: Path, monkeypatch: pytest.MonkeyPatch, error: list[float], rows: str
) -> None:
    real: Callable[..., Attributions] = module.attribute

    def incomplete(encoded: EncodedRows, *rest: Any) -> Attributions:
        return replace(real(encoded, *rest), error=np.array(error), tolerance=0.1)

    monkeypatch.setattr(module, "attribute", incomplete)
    result = explain(penguins, TABLE, attributions=True, rows=3, top=0, permutations=1)
    assert any(rows in note and "0.1" in note for note in result.notes)


@pytest.mark.slow
def test_rows_of_a_table_with_typed_dates_are_explained_and_reported(tmp_path: Path) -> None:
    days = [date(2024, 1, 1) + timedelta(days=i) for i in range(60)]
    columns = {"day": days, "x": [i % 5 for i in range(60)], "y": [float(i % 7) for i in range(60)]}
    pl.DataFrame(columns).write_parquet(tmp_path / "t.parquet")
    sets = ["layers=[4]", "epochs=2", "validation=0.5"]
    run = train(tmp_path / "t.parquet", target="y", output=tmp_path / "run", set=sets).run
    (row,) = explain(run, pl.read_parquet(tmp_path / "t.parquet")[:1]).explained_rows
    assert {part.column: part.value for part in row.contributions} == {"day": "2024-01-01", "x": "0"}
    assert report(run).html.is_file()

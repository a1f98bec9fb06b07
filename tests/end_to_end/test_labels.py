"""Several labels of a row, from a table to predictions: every command takes them, and missing ones teach nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli import (
    clear_threshold,
    compare,
    cross_validate,
    diagnose,
    distill,
    drift,
    evaluate,
    explain,
    export,
    load,
    predict,
    report,
    show,
    threshold,
    train,
)
from nncli.base.errors import ConfigError, DataError, UsageError
from nncli.exporters.parity_check import ParityCheck
from nncli.run_directory.run import Run
from nncli.targets.decision import LabelThresholds

NAMES = ["drama", "crime", "comedy", "sci-fi"]
ROWS = 240
NETWORK = "layers: [8]\nepochs: 12\nlearning_rate: 0.02\nbatch_size: 16\nloss: binary_cross_entropy\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tags.csv, whose labels are separated, and columns.csv, with yes, no and empty cells."""
    path, rng = tmp_path_factory.mktemp("labels"), np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 3))
    of_rows = np.column_stack([x[:, 0] > 0, x[:, 1] > 0.5, x[:, 0] + x[:, 2] > 0.3, x.sum(axis=1) > 1.5])
    of_rows ^= rng.random(of_rows.shape) < 0.05
    features = {name: column.round(3) for name, column in zip("abc", x.T, strict=True)}
    tags = ["; ".join(name for name, has in zip(NAMES, row, strict=True) if has) for row in of_rows]
    pl.DataFrame({**features, "tags": tags}).write_csv(path / "tags.csv")
    words = np.where(of_rows, "yes", "no").astype(object)
    words[rng.random(of_rows.shape) < 0.15] = None
    columns = dict(zip(NAMES, words.T.tolist(), strict=True))
    pl.DataFrame({**features, **columns}).write_csv(path / "columns.csv")
    return path


def trained(folder: Path, name: str, table: str = "tags", more: str = "") -> Path:
    target = "tags" if table == "tags" else f"[{', '.join(NAMES)}]"
    config = folder / f"{name}.yaml"
    config.write_text(f"data: {{path: {table}.csv, target: {target}}}\n{NETWORK}{more}")
    return train(config, output=folder / name).run


@pytest.fixture(scope="module")
def network(folder: Path) -> Path:
    """A network of tags.csv, calibrated; not to be changed."""
    return trained(folder, "network", more="calibration: temperature\n")


@pytest.fixture(scope="module")
def ensemble(folder: Path) -> Path:
    """An ensemble of three of columns.csv, some of whose labels are missing; not to be changed."""
    return trained(folder, "ensemble", "columns", "members: 3\ncalibration: temperature\n")


def test_predictions_are_the_labels_and_the_probability_of_each(folder: Path, network: Path, ensemble: Path) -> None:
    tags = predict(network, folder / "tags.csv", proba=True)
    assert tags.columns == ["prediction", *(f"proba_{name}" for name in sorted(NAMES))]
    columns = predict(ensemble, folder / "columns.csv", proba=True)
    assert columns.columns == ["prediction", *(f"proba_{name}" for name in NAMES)]
    for row in columns.head(20).iter_rows(named=True):
        assert row["prediction"] == "|".join(name for name in NAMES if row[f"proba_{name}"] >= 0.5)
    truth = pl.read_csv(folder / "tags.csv")["tags"].fill_null("").str.replace_all("; ", ";")
    sorted_truth = [";".join(sorted(text.split(";"))) for text in truth]
    assert np.mean([a == b for a, b in zip(tags["prediction"], sorted_truth, strict=True)]) > 0.6


def test_both_forms_of_a_table_are_the_same_target(folder: Path, network: Path) -> None:
    """Without missing labels, columns of 0 and 1 in the order of the labels are learned to the same bits."""
    tags = pl.read_csv(folder / "tags.csv")
    labels = sorted(NAMES)
    of_rows = [set(text.split("; ")) if text else set() for text in tags["tags"].fill_null("")]
    columns = {name: [int(name in row) for row in of_rows] for name in labels}
    table = tags.drop("tags").with_columns(**{name: pl.Series(cells) for name, cells in columns.items()})
    table.write_parquet(folder / "indicators.parquet")
    config = folder / "indicators.yaml"
    config.write_text(
        f"data: {{path: indicators.parquet, target: [{', '.join(labels)}]}}\n{NETWORK}calibration: temperature\n"
    )
    run = train(config, output=folder / "indicators").run
    ours, theirs = (predict(path, folder / "tags.csv", proba=True).drop("prediction") for path in (run, network))
    assert ours.equals(theirs)


def test_a_missing_label_is_not_learned(folder: Path) -> None:
    """What stands in the other columns of a row decides, so a label without any cell leaves the network as it is."""
    table = pl.read_csv(folder / "columns.csv")
    table.with_columns(pl.Series("crime", [None] * ROWS, dtype=pl.String)).write_csv(folder / "none.csv")
    config = folder / "none.yaml"
    target = "[drama, comedy, sci-fi, crime]"
    config.write_text(f"data: {{path: none.csv, target: {target}}}\n{NETWORK}validation: 0\n")
    run = train(config, output=folder / "none").run
    predictions = predict(run, folder / "none.csv", proba=True)
    assert predictions["proba_crime"].is_between(0.0, 1.0).all()
    assert load(run).model.spec.target.labels[3] == "crime"


def test_scores_and_resamples_of_missing_labels_are_of_the_others(folder: Path, ensemble: Path) -> None:
    document = json.loads(json.dumps(evaluate(ensemble, folder / "columns.csv").json()))
    scores = document["metrics"]
    table = pl.read_csv(folder / "columns.csv")
    present = table.select(NAMES).select(pl.all().is_not_null().sum()).row(0)
    of_label = {each["label"]: each for each in scores["per_label"]}
    assert all(of_label[name]["support"] <= count for name, count in zip(NAMES, present, strict=True))
    assert 0.7 < scores["micro_f1"] < 1.0
    recorded = json.loads((ensemble / "metrics.json").read_text())["validation"]
    assert recorded["metrics"]["log_loss"] > 0.0
    assert recorded["intervals"]["micro_f1"][0] < recorded["metrics"]["micro_f1"]


@pytest.mark.parametrize("name", ["network", "ensemble"])
def test_a_program_has_the_predictions_of_the_run(name: str, folder: Path, request: pytest.FixtureRequest) -> None:
    run = request.getfixturevalue(name)
    table = folder / "tags.csv"
    exported = export(run, folder / f"{name}.py", to="python", force=True, check=table)
    assert exported.comparison is not None
    assert exported.comparison.is_match
    assert exported.comparison.numbers == 8 * ROWS
    assert isinstance(ParityCheck, type)


def test_thresholds_are_chosen_saved_followed_and_removed(folder: Path) -> None:
    run = trained(folder, "decided")
    before = evaluate(run, folder / "tags.csv").json()["metrics"]
    analysis = threshold(run, f1=True, save=True)
    decision = analysis.decision
    assert isinstance(decision, LabelThresholds)
    assert decision.labels == tuple(sorted(NAMES))
    assert all(label.f1 >= label.f1_before - 1e-12 for label in analysis.by_label)
    figures = {figure.name: figure for figure in analysis.achieved}
    assert figures["macro_f1"].value <= figures["macro_f1"].apparent  # which the rows themselves chose
    predicted = predict(run, folder / "tags.csv", proba=True)
    for row in predicted.head(30).iter_rows(named=True):
        words = zip(decision.labels, decision.thresholds, strict=True)
        assert row["prediction"] == ";".join(name for name, at in words if row[f"proba_{name}"] >= at)
    after = evaluate(run, folder / "tags.csv").json()["metrics"]
    assert after["log_loss"] == before["log_loss"]
    assert after["micro_f1"] != before["micro_f1"]
    assert export(run, folder / "decided.py", to="python", force=True, check=folder / "tags.csv").comparison is not None
    assert show(run).decision == decision
    assert clear_threshold(run) == decision
    assert evaluate(run, folder / "tags.csv").json()["metrics"] == before


@pytest.mark.parametrize("goal", [{"at": 0.3}, {"recall": 0.9}, {"precision": 0.8}, {"cost": (1.0, 5.0)}])
def test_every_goal_chooses_thresholds(network: Path, goal: dict[str, Any]) -> None:
    analysis = threshold(network, **goal)
    assert isinstance(analysis.decision, LabelThresholds)
    assert [figure.name == "cost" for figure in analysis.achieved[4:]] == [True] * ("cost" in goal)
    if "at" in goal:
        assert set(analysis.decision.thresholds) == {0.3}
        assert all(figure.value == figure.apparent for figure in analysis.achieved)
    if "cost" in goal:
        rows = Run.open(network).load_held_out()
        assert rows is not None
        codes, cost = analysis.decision.classes(rows.predictions.values, analysis.decision.labels), analysis.achieved[4]
        wrong = 1.0 * ((codes == 1) & (rows.y == 0.0)).sum() + 5.0 * ((codes == 0) & (rows.y == 1.0)).sum()
        assert cost.apparent == pytest.approx(wrong / len(rows))
        assert cost.apparent <= analysis.most_probable[4].apparent
    if "recall" in goal:
        assert all(label.recall >= 0.9 for label in analysis.by_label)


def test_what_makes_no_sense_for_labels_says_so(folder: Path, network: Path) -> None:
    with pytest.raises(UsageError, match="any number of"):
        predict(network, folder / "tags.csv", prediction_set=0.9)
    with pytest.raises(UsageError, match="labels"):
        predict(network, folder / "tags.csv", interval=0.9)
    with pytest.raises(UsageError, match="labels"):
        threshold(network, positive="crime", f1=True)
    with pytest.raises(UsageError, match="labels"):
        export(network, folder / "m.py", to="python", proba=True, force=True)
    with pytest.raises(UsageError, match="no target"):
        explain(network, folder / "tags.csv", target="drame")
    for key in ("class_weight: balanced", "positive_class: drama", "metric: accuracy"):
        with pytest.raises(ConfigError):
            trained(folder, "refused", more=f"{key}\n")
    config = folder / "one.yaml"
    config.write_text(f"data: {{path: columns.csv, target: drama}}\n{NETWORK}")
    with pytest.raises(DataError, match="several labels") as caught:
        train(config, output=folder / "one")
    assert "cross_entropy" in str(caught.value.hint)


def test_a_resumed_training_has_the_same_bits(folder: Path) -> None:
    whole, part = trained(folder, "whole", "columns", "checkpoint: {every: 1 epoch}\n"), folder / "part"
    config = folder / "part.yaml"
    config.write_text((folder / "whole.yaml").read_text())
    calls = iter([*[False] * 40, *[True] * 1000])
    train(config, output=part, stop=lambda: next(calls))
    train(resume=part)
    files = ("model.safetensors", "held_out.safetensors")
    assert all((whole / name).read_bytes() == (part / name).read_bytes() for name in files)


def test_every_other_command_takes_labels(folder: Path, network: Path, ensemble: Path) -> None:
    explained = explain(network, folder / "tags.csv")
    of_rows = explain(network, pl.read_csv(folder / "tags.csv")[:3], target="crime").explained_rows
    assert {row.output for row in of_rows} == {"crime"}
    assert explained.importances
    assert "label" in report(ensemble, folder / "r.html", force=True).html.read_text()
    assert diagnose(network).run == network
    (batch,) = drift(ensemble, folder / "columns.csv").batches
    assert {part.bins.name for part in batch.comparison.predictions} == {*NAMES}
    assert batch.comparison.errors is not None
    (actual,) = batch.comparison.errors.actual.values()
    scores = evaluate(ensemble, folder / "columns.csv").json()["metrics"]
    assert actual == pytest.approx({name: scores[name] for name in ("log_loss", "micro_f1", "macro_f1")})
    other = trained(folder, "other", more="calibration: temperature\nseed: 3\n")
    assert compare([network, other]).pairs[0].measure == "log loss"
    student = distill(network, output=folder / "student", set=["epochs=2"]).run
    assert load(student).model.spec.target.labels == tuple(sorted(NAMES))
    config = folder / "network.yaml"
    cross_validated = cross_validate(config, folds=2, output=folder / "cv")
    assert cross_validated is not None
    assert Run.open(ensemble).load_held_out() is not None

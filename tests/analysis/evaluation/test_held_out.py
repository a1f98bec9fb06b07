"""What a run says of the rows that it did not train on, found again from its directory."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import train
from nncli.analysis.evaluation.held_out import HeldOutPredictions, predict_held_out
from nncli.base.errors import DataError, RunError
from nncli.config.loading import load_config
from nncli.models.scores import score, to_json
from nncli.run_directory.manifest import CONFIG, METRICS
from nncli.run_directory.run import Run
from tests.assertions import raises

SMALL = "layers: [4]\nepochs: 2\nbatch_size: 16\n"
ENSEMBLE = SMALL + "members: 3\nworkers: 1\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Classes, numbers, missing cells, missing targets, groups, times, weights, an id and a code with leading zeros."""
    rng = np.random.default_rng(3)
    n = 90
    x, kind = rng.normal(size=n), rng.integers(0, 3, n)
    frame = pl.DataFrame(
        {
            "id": [f"{i:03}" for i in range(n)],
            "x": [None if i % 11 == 0 else round(v, 3) for i, v in enumerate(x.tolist())],
            "colour": [["red", "green", "blue"][k] for k in kind],
            "whole": rng.integers(0, 50, n),
            "w": rng.integers(1, 4, n),
            "owner": [10 * (i // 5) for i in range(n)],
            "day": range(n),
            "answer": [None if i % 29 == 5 else "yes" if x[i] + kind[i] > 1 else "no" for i in range(n)],
            "y": x * 3 + kind + rng.normal(size=n),
        }
    )
    frame.write_csv(tmp_path / "t.csv")
    frame.tail(40).write_csv(tmp_path / "other.csv")
    return tmp_path / "t.csv"


def trained(table: Path, text: str, *, target: str = "answer", data: str = "") -> Path:
    unused = "[id, y]" if target == "answer" else "[id, answer]"
    config = table.with_name("c.yaml")
    config.write_text(f"data: {{path: {table.name}, target: {target}, drop: {unused}{data}}}\n{text}")
    return train(config, output=table.with_name("run")).run


def written(run: Path, rows: str = "validation") -> tuple[int, object]:
    card = json.loads((run / METRICS).read_text())[rows]
    return card["rows"], card["metrics"]


def baseline(run: Path, rows: str = "validation") -> object:
    return json.loads((run / METRICS).read_text())[rows]["baseline"]


def guessed(held_out: HeldOutPredictions) -> object:
    scores = score(held_out.baseline, held_out.y, held_out.weights, held_out.loss)
    return json.loads(json.dumps(to_json(scores)))


def found(held_out: HeldOutPredictions) -> tuple[int, object]:
    return len(held_out), json.loads(json.dumps(to_json(held_out.scores)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "options"),
    [
        (SMALL, {}),
        (SMALL, {"target": "y"}),
        (SMALL, {"target": "[y, whole]"}),
        (SMALL + "calibration: temperature", {}),
        (SMALL, {"data": ", sample_weight: w"}),
        (SMALL + "class_weight: balanced", {}),
        (SMALL, {"data": ", group: owner"}),
        (SMALL, {"data": ", time: day"}),
        (SMALL + "validation: {folds: 4, fold: 1}", {"data": ", leave_out: {folds: 3, fold: 0}"}),
        (SMALL + "validation: {bootstrap: 5}", {}),
        (SMALL + "validation: {path: other.csv}", {"data": ", sample_weight: w"}),
        (ENSEMBLE, {}),
        (ENSEMBLE + "calibration: temperature", {"data": ", group: owner, sample_weight: w"}),
        (ENSEMBLE + "bagging: seeds", {"target": "y"}),
        (ENSEMBLE + "bagging: bootstrap", {"data": ", leave_out: {folds: 3, fold: 0}"}),
        (ENSEMBLE + "validation: {path: other.csv}\ncalibration: temperature", {}),
    ],
)
def test_the_scores_are_those_of_the_run(table: Path, text: str, options: dict[str, str]) -> None:
    run = trained(table, text, **options)
    held_out = predict_held_out(run)
    assert held_out.split == "validation"
    assert found(held_out) == written(run)
    assert guessed(held_out) == baseline(run)


@pytest.mark.slow
@pytest.mark.parametrize("text", [SMALL, ENSEMBLE])
def test_without_validation_rows_the_training_rows_are_scored(table: Path, text: str) -> None:
    run = trained(table, f"{text}validation: 0")
    held_out = predict_held_out(run)
    assert held_out.split == "training"
    assert found(held_out) == written(run, "training")
    assert guessed(held_out) == baseline(run, "training")


def test_the_rows_come_with_their_numbers_and_all_their_columns(table: Path) -> None:
    held_out = predict_held_out(trained(table, SMALL))
    all_rows = pl.read_csv(table, infer_schema=False)
    rows = all_rows[held_out.row_numbers - 1]
    assert held_out.table.names == all_rows.columns
    assert held_out.table.frame["id"].to_list() == rows["id"].to_list()
    assert held_out.table.frame["answer"].to_list() == rows["answer"].to_list()
    assert held_out.table.frame["whole"].cast(pl.Int64).to_list() == rows["whole"].cast(pl.Int64).to_list()
    said = held_out.model.spec.target
    assert [said.labels[code] for code in held_out.y] == rows["answer"].to_list()


@pytest.mark.slow
def test_the_rows_of_a_validation_file_are_numbered_as_there(table: Path) -> None:
    held_out = predict_held_out(trained(table, SMALL + "validation: {path: other.csv}"))
    other = pl.read_csv(table.with_name("other.csv"), infer_schema=False)
    assert held_out.table.frame["id"].to_list() == other[held_out.row_numbers - 1]["id"].to_list()


@pytest.mark.slow
def test_ensemble_predictions_are_out_of_fold(table: Path) -> None:
    run = trained(table, ENSEMBLE, target="y")
    held_out = predict_held_out(run)
    assert held_out.row_numbers.tolist() == list(range(1, 91))
    for i in range(3):
        member = predict_held_out(run / "members" / str(i + 1))
        at = np.searchsorted(held_out.row_numbers, member.row_numbers)
        assert np.array_equal(held_out.predictions.values[at], member.predictions.values)


def test_a_moved_run_is_scored(table: Path) -> None:
    run = trained(table, SMALL)
    expected = written(run)
    there = table.with_name("elsewhere") / "run"
    there.parent.mkdir()
    run.rename(there)
    assert found(predict_held_out(there)) == expected


@pytest.mark.parametrize("harm", ["changed", "gone", "piped"])
def test_a_changed_table_is_refused_with_a_hint(table: Path, harm: str) -> None:
    run = trained(table, SMALL)
    if harm == "changed":
        table.write_text(table.read_text() + table.read_text().splitlines()[-1] + "\n")
    elif harm == "gone":
        table.unlink()
    else:
        piped(run)
    with raises(DataError, file="t.csv", mentions="nncli evaluate"):
        predict_held_out(run)


def piped(run: Path) -> None:
    """Let the manifest say that the table came from a pipe."""
    manifest = Run(run).load_manifest()
    data = manifest.data.model_copy(update={"sha256": None})
    Run(run).save_manifest(manifest.model_copy(update={"data": data}))


def test_a_validation_file_that_has_changed_is_refused(table: Path) -> None:
    run = trained(table, SMALL + "validation: {path: other.csv}")
    other = table.with_name("other.csv")
    other.write_text("\n".join(other.read_text().splitlines()[:-1]) + "\n")
    with raises(DataError, file="other.csv"):
        predict_held_out(run)


def test_a_configuration_that_has_changed_is_refused(table: Path) -> None:
    run = trained(table, SMALL)
    assert load_config(run / CONFIG).seed == 0
    (run / CONFIG).write_text((run / CONFIG).read_text().replace("\nseed: 0", "\nseed: 1"))
    with raises(RunError, file="config.yaml"):
        predict_held_out(run)

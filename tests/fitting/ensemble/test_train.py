"""An ensemble is its members: trained as any network, side by side or in turn, stopped and gone on with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import evaluate, predict, train
from nncli.analysis.evaluation.held_out import predict_held_out
from nncli.api.train import train_events
from nncli.base.errors import ConfigError, DataError, RunError, UsageError
from nncli.config.loading import load_config
from nncli.data.sources.read_table import read_table
from nncli.data.splitting.folds import Bootstrap, Fold
from nncli.fitting.prepare import auto_values
from nncli.fitting.train import run_writer
from nncli.fitting.train.events import Finished, MembersProgress, MembersStarted
from nncli.models import scores
from nncli.models.scores import headlines
from nncli.run_directory.loader import read_model
from nncli.run_directory.manifest import CONFIG, HISTORY, METRICS, MODEL, WEIGHTS
from nncli.run_directory.run import Run
from tests.api.ensembles import bits, config_of, written
from tests.assertions import raises
from tests.cli.support import DATA
from tests.run_directory.support import stop_at

TABLE = DATA / "penguins.csv"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three members on folds; not to be changed."""
    folder = tmp_path_factory.mktemp("ensemble")
    return train(written(folder), output=folder / "run").run


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "copy"))


def members(run: Path) -> list[Path]:
    return sorted((run / "members").iterdir())


@pytest.mark.slow
def test_an_ensemble_predicts_the_mean_of_its_members(run: Path) -> None:
    together = predict(run, TABLE, proba=True).drop("prediction").to_numpy()
    each = [predict(member, TABLE, proba=True).drop("prediction").to_numpy() for member in members(run)]
    np.testing.assert_allclose(together, np.mean(each, axis=0), rtol=2e-7)
    assert np.ptp(each, axis=0).max() > 0.01


@pytest.mark.slow
def test_a_member_is_an_ordinary_run_on_its_fold_with_its_seed(run: Path, tmp_path: Path) -> None:
    for i, member in enumerate(members(run)):
        config = load_config(member / CONFIG)
        assert config.validation == Fold(folds=3, fold=i, seed=0)
        assert (config.members, config.seed, config.threads) == (1, i, 1)
        assert Run.open(member).load_manifest().status == "done"
    again = train(members(run)[1] / CONFIG, output=tmp_path / "again").run
    alone, together = (pl.read_csv(path / HISTORY).drop("seconds", "is_best") for path in (again, members(run)[1]))
    assert alone.equals(together)  # the ensemble chooses the epoch, nothing else


@pytest.mark.slow
@pytest.mark.parametrize(("limits", "bagging"), [(((1_000, 2),), "auto"), ((), "seeds")])
def test_an_automatic_number_of_members_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: tuple[tuple[int, int], ...], bagging: str
) -> None:
    monkeypatch.setattr(auto_values, "MEMBERS", limits)
    monkeypatch.setattr(auto_values, "HELD_OUT_ROWS", 50)
    run = train(written(tmp_path), set=["members=auto", "epochs=1", "workers=1"], output=tmp_path / "run").run
    config = load_config(run / CONFIG)
    assert (config.members, config.bagging) == (2 if limits else auto_values.MIN_MEMBERS, bagging)
    assert len(members(run)) == Run.open(run).load_manifest().members == config.members
    if not limits:
        assert [Run.open(member).load_manifest().validation_rows for member in members(run)] == [50] * 3


@pytest.mark.slow
def test_a_moved_ensemble_predicts_the_same(run: Path, copy: Path) -> None:
    assert predict(copy, TABLE, proba=True).equals(predict(run, TABLE, proba=True))


def test_validation_scores_are_out_of_fold(run: Path) -> None:
    metrics = json.loads((run / METRICS).read_text())
    held = metrics["validation"]
    assert held["rows"] == 344
    assert held["predicted_by"] == "the members that held the row out"
    alone = [json.loads((member / METRICS).read_text())["validation"] for member in members(run)]
    assert [card["rows"] for card in alone] == [115, 115, 114]
    right = sum(round(card["metrics"]["accuracy"] * card["rows"]) for card in alone)
    assert held["metrics"]["accuracy"] == pytest.approx(right / 344)
    assert metrics["training"]["metrics"] == json.loads(json.dumps(evaluate(run, TABLE).json()))["metrics"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bagging", "validation"),
    [("seeds", 0.2), ("bootstrap", None)],
)
def test_bagging_sets_the_rows_of_each_member(tmp_path: Path, bagging: str, validation: float | None) -> None:
    finished = train(config_of(tmp_path, f"bagging={bagging}", "epochs=1"), output=tmp_path / "run")
    configs = [load_config(member / CONFIG) for member in members(finished.run)]
    assert [config.seed for config in configs] == [0, 1, 2]
    expected = [validation or Bootstrap(bootstrap=i) for i in range(3)]
    assert [config.validation for config in configs] == expected
    assert finished.validation
    assert 0 < finished.validation.rows < 344


@pytest.mark.slow
def test_bagging_seeds_allows_a_validation_file_or_none(tmp_path: Path) -> None:
    path = f"validation={{path: {TABLE}}}"
    finished = train(config_of(tmp_path, "bagging=seeds", "epochs=1", path), output=tmp_path / "run")
    assert finished.validation
    result, expected = headlines(finished.validation.model), headlines(evaluate(finished.run, TABLE).scores)
    assert dict(result) == pytest.approx(dict(expected), rel=1e-3)  # a row is scored with the temperature of others
    recorded = json.loads((finished.run / METRICS).read_text())["validation"]
    assert recorded["predicted_by"] == "all members"
    none = train(config_of(tmp_path, "bagging=seeds", "epochs=1", "validation=0"), output=tmp_path / "none")
    assert none.validation is None


@pytest.mark.slow
def test_a_regression_ensemble_predicts_in_the_units_of_the_targets(tmp_path: Path) -> None:
    config = config_of(tmp_path, "data.target=[body_mass_g, flipper_length_mm]", "members=2")
    run = train(config, output=tmp_path / "run").run
    together = predict(run, TABLE)
    each = [predict(member, TABLE).to_numpy() for member in members(run)]
    np.testing.assert_allclose(together.to_numpy(), np.mean(each, axis=0), rtol=1e-12)
    assert together.columns == ["prediction_body_mass_g", "prediction_flipper_length_mm"]


@pytest.mark.parametrize(
    ("assignments", "key"),
    [
        (["validation=0", "bagging=folds"], "validation"),
        ([f"validation={{path: {TABLE}}}", "bagging=folds"], "validation"),
        (["validation={folds: 3, fold: 0}", "bagging=folds"], "validation"),
        (["validation=0", "bagging=bootstrap"], "validation"),
        (["data.time=year", "bagging=folds"], "bagging"),
    ],
)
def test_keys_that_exclude_members_are_refused_before_a_directory_is_made(
    tmp_path: Path, assignments: list[str], key: str
) -> None:
    with raises(ConfigError, key=key, mentions="seeds"):
        train(config_of(tmp_path, *assignments), output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_more_members_than_rows_are_refused(tmp_path: Path) -> None:
    pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "y": [1.0, 2.0, 3.0, 5.0]}).write_csv(tmp_path / "t.csv")
    config = config_of(tmp_path, f"data={{path: {tmp_path}/t.csv, target: y}}", "members=5")
    with raises(DataError, file="t.csv", mentions="4 rows"):
        train(config, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_events_report_the_progress_of_all_members(tmp_path: Path) -> None:
    started, *between, last = train_events(config_of(tmp_path), output=tmp_path / "run")
    assert isinstance(started, MembersStarted)
    assert (started.members, started.workers) == (3, 1)
    assert isinstance(last, Finished)
    seen = [event for event in between if isinstance(event, MembersProgress)]
    assert len(seen) == len(between)
    assert [event.done for event in seen] == sorted(event.done for event in seen)
    assert seen[-1].done == 3
    assert seen[-1].epochs == seen[-1].epochs_of_all == 9
    assert seen[-1].mean
    assert seen[-1].mean[0] == "val_loss"


def test_a_scheduler_needs_several_members(tmp_path: Path) -> None:
    with raises(UsageError, mentions="scheduler"):
        train(config_of(tmp_path, "members=1"), output=tmp_path / "run", scheduler="tcp://nowhere:1")


# --- stopped and gone on with


@pytest.mark.slow
def test_a_stopped_ensemble_does_not_predict_and_resumes_to_the_same_bits(run: Path, tmp_path: Path) -> None:
    left = 30

    def stop() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    finished = train(written(tmp_path), output=tmp_path / "run", stop=stop)
    assert finished.status == "stopped"
    assert finished.training is None
    assert Run.open(finished.run).load_manifest().status == "stopped"
    with raises(RunError, file="run"):
        predict(finished.run, TABLE)
    assert train(resume=finished.run).status == "done"
    assert bits(finished.run) == bits(run)


@pytest.mark.slow
def test_a_stopped_member_is_not_scored(tmp_path: Path) -> None:
    config = config_of(tmp_path, "members=2", "bagging=seeds", "validation=0.2")
    finished = train(config, output=tmp_path / "run", stop=stop_at(3))
    metrics = [json.loads((member / METRICS).read_text()) for member in members(finished.run)]
    assert [(scores["training"], scores["validation"]) for scores in metrics] == [(None, None)]
    done = train(resume=finished.run)
    assert (done.status, done.training is None) == ("done", False)


@pytest.mark.slow
def test_at_most_a_sample_of_the_training_rows_is_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "MAX_TRAINING_ROWS", 50)
    monkeypatch.setattr(run_writer, "MAX_TRAINING_ROWS", 50)
    for members_ in (1, 3):
        finished = train(config_of(tmp_path, f"members={members_}"), output=tmp_path / f"run-{members_}")
        assert finished.training is not None
        assert finished.training.rows == 50


@pytest.mark.slow
def test_stopping_once_ends_all_members(run: Path, tmp_path: Path) -> None:
    finished = train(written(tmp_path), output=tmp_path / "run", stop=stop_at(30))
    assert finished.status == "stopped"
    assert [path.name for path in members(finished.run)] == ["1"]
    train(resume=finished.run)
    assert bits(finished.run) == bits(run)


@pytest.mark.slow
def test_members_can_be_trained_longer(run: Path, copy: Path, tmp_path: Path) -> None:
    train(resume=copy, set=["epochs=5", "workers=1"])
    longer = train(config_of(tmp_path, "epochs=5"), output=tmp_path / "longer").run
    assert bits(copy) == bits(longer)
    assert load_config(copy / CONFIG).epochs == 5
    with raises(ConfigError, key="epochs"):
        train(resume=copy, set=["epochs=4"])
    with raises(ConfigError, key="members"):
        train(resume=copy, set=["members=4"])


@pytest.mark.slow
def test_resuming_a_finished_ensemble_changes_nothing(run: Path, copy: Path) -> None:
    times = [(member / "manifest.json").stat().st_mtime_ns for member in members(copy)]
    train(resume=copy)
    assert bits(copy) == bits(run)
    assert [(member / "manifest.json").stat().st_mtime_ns for member in members(copy)] == times


@pytest.mark.slow
def test_a_missing_member_is_trained_again(run: Path, copy: Path) -> None:
    shutil.rmtree(copy / "members" / "2")
    train(resume=copy)
    assert bits(copy) == bits(run)


@pytest.mark.slow
def test_an_ensemble_with_a_member_resumed_separately_is_refused(copy: Path) -> None:
    train(resume=copy / "members" / "2", set=["epochs=4"])
    with raises(RunError, file="2", mentions="resume"):
        predict(copy, TABLE)


# --- damage


@pytest.mark.parametrize("name", [MODEL, WEIGHTS])
def test_a_damaged_member_is_refused_by_name(copy: Path, name: str) -> None:
    path = copy / "members" / "3" / name
    path.write_bytes(path.read_bytes()[:-1])
    with raises(RunError, file=name, mentions=str(path)):
        predict(copy, TABLE)


def test_a_missing_or_exchanged_member_is_refused(copy: Path) -> None:
    shutil.rmtree(copy / "members" / "3")
    with raises(RunError, file="manifest.json"):
        predict(copy, TABLE)
    shutil.copytree(copy / "members" / "2", copy / "members" / "3")
    with raises(RunError, file="3"):
        predict(copy, TABLE)


def test_a_damaged_model_json_is_refused(copy: Path) -> None:
    (copy / MODEL).write_bytes((copy / MODEL).read_bytes().replace(b"Adelie", b"Adolie"))
    with raises(RunError, file="model.json"):
        predict(copy, TABLE)


def test_a_members_folder_that_is_a_symbolic_link_is_refused(copy: Path, tmp_path: Path) -> None:
    (copy / "members").rename(tmp_path / "elsewhere")
    (copy / "members").symlink_to(tmp_path / "elsewhere")
    with raises(RunError, file="1"):
        predict(copy, TABLE)
    with raises(RunError, file="members"):
        train(resume=copy)


def test_chunks_of_a_table_get_the_same_predictions_as_the_table(run: Path) -> None:
    model = Run.open(run).load_model()
    table = read_table(TABLE, missing_values=("", "NA"))
    parts = [model.predict(table.part(start, start + 100)).values for start in range(0, 344, 100)]
    assert np.array_equal(np.concatenate(parts), model.predict(table).values)


# --- calibration


@pytest.mark.slow
@pytest.mark.parametrize("bagging", ["folds", "bootstrap"])
def test_one_temperature_for_all_members_is_kept_where_it_helps(tmp_path: Path, bagging: str) -> None:
    plain = train(config_of(tmp_path, f"bagging={bagging}"), output=tmp_path / "plain").run
    run = train(config_of(tmp_path, f"bagging={bagging}", "calibration=temperature"), output=tmp_path / "run").run
    metrics = json.loads((run / METRICS).read_text())
    T = json.loads((run / MODEL).read_text())["temperature"]
    assert metrics["calibration"]["temperature"] == T
    assert metrics["calibration"]["log_loss_after"] <= metrics["calibration"]["log_loss_before"]
    assert metrics["calibration"]["log_loss_after"] == pytest.approx(metrics["validation"]["metrics"]["log_loss"])
    before = json.loads((plain / METRICS).read_text())["validation"]["metrics"]
    assert metrics["calibration"]["log_loss_before"] == pytest.approx(before["log_loss"], rel=0.02)
    assert metrics["calibration"]["calibration_error_before"] == pytest.approx(before["calibration_error"])
    table = read_table(TABLE, missing_values=("", "NA"))
    each = [read_model(member).predict(table).with_temperature(T).values for member in members(plain)]
    np.testing.assert_allclose(Run.open(run).load_model().predict(table).values, np.mean(each, axis=0), rtol=2e-7)


@pytest.mark.parametrize("assignment", ["data.target=body_mass_g", "validation=0"])
def test_calibration_without_classes_or_validation_rows_is_refused(tmp_path: Path, assignment: str) -> None:
    config = config_of(tmp_path, "bagging=seeds", "calibration=temperature", assignment)
    with raises(ConfigError, key="calibration"):
        train(config, output=tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("keys", ["data.time=year", "validation={folds: 4, fold: 1}"])
def test_members_with_the_same_validation_rows_count_them_apart_from_the_training_rows(
    tmp_path: Path, keys: str
) -> None:
    assignments = [keys, "members=2", "bagging=seeds", "epochs=1", "workers=1"]
    finished = train(written(tmp_path), set=assignments, output=tmp_path / "run")
    manifest = Run.open(finished.run).load_manifest()
    rows = len(read_table(TABLE))
    assert manifest.held_out_kind == "validation"
    assert manifest.training_rows + manifest.validation_rows == rows
    assert not finished.out_of_fold
    assert finished.training is not None
    assert finished.validation is not None
    assert (finished.training.rows, finished.validation.rows) == (manifest.training_rows, manifest.validation_rows)
    assert not predict_held_out(finished.run).is_out_of_fold
    first = Run.open(members(finished.run)[0]).load_manifest()
    assert (first.training_rows, first.validation_rows) == (manifest.training_rows, manifest.validation_rows)


def test_rows_of_folds_stay_training_rows_of_other_members(run: Path) -> None:
    manifest = Run.open(run).load_manifest()
    assert manifest.held_out_kind == "out-of-fold"
    assert manifest.training_rows == manifest.validation_rows == len(read_table(TABLE))
    assert predict_held_out(run).is_out_of_fold

"""A trial is an ordinary cross-validation or run, whatever its table and its loss are: its score is the one written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli import cross_validate
from nncli.config.loading import load
from nncli.fitting.ensemble.cross_validation import open_record
from nncli.run_directory.filenames import FOLDS, HELD_OUT, METRICS
from nncli.run_directory.run import Run
from nncli.tuning.search import SearchEnded
from nncli.tuning.trials import folder_of
from tests.cli.support import DATA
from tests.tuning.searches import NUMBERS, loaded, resume_search, run_search

pytest.importorskip("optuna")
ONE_TRIAL = "tune: {trials: 1, folds: 2, lag: 1, search: {batch_size: {choices: [16, 32]}}%s}\n"
PENGUINS = f"data: {{path: {DATA}/penguins.csv, target: species%s}}\nlayers: []\nepochs: 2\nbatch_size: 64\n"


def search(folder: Path, text: str, tune: str = "") -> SearchEnded:
    return run_search(loaded(folder, text + ONE_TRIAL % tune), folder / "found")


def written(ended: SearchEnded, number: int) -> Mapping[str, Any]:
    document = json.loads((folder_of(ended.path, number) / METRICS).read_text())
    metrics: Mapping[str, Any] = document["out_of_fold"]["metrics"]
    return metrics


def scores(ended: SearchEnded) -> list[float]:
    assert {trial.state for trial in ended.trials} <= {"complete", "pruned"}
    return [trial.score for trial in ended.trials if trial.state == "complete" and trial.score is not None]


def made_table(folder: Path) -> Path:
    """Numbers y and classes c of x, with a weight, a group and a time for each row."""
    rng, n = np.random.default_rng(0), 90
    x = rng.random(n)
    columns = {"x": x, "y": x + 0.1 * rng.random(n), "w": rng.random(n) + 0.1}
    classes = np.where(x > 0.6, "c", np.where(x > 0.3, "b", "a"))
    pl.DataFrame({**columns, "c": classes, "g": rng.integers(0, 9, n), "t": rng.permutation(n)}).write_csv(
        folder / "made.csv"
    )
    return folder / "made.csv"


TABLES = {
    "classes": ("target: c, drop: [y, w, g, t]", "", "log_loss"),
    "accuracy": ("target: c, drop: [y, w, g, t]", ", metric: accuracy", "accuracy"),
    "weights of classes": ("target: c, sample_weight: w, drop: [y, g, t]", "", "log_loss"),
    "groups": ("target: c, group: g, drop: [y, w, t]", "", "log_loss"),
    "time": ("target: c, time: t, drop: [y, w, g]", "", "log_loss"),
    "numbers": ("target: y, drop: [c, w, g, t]", "", "rmse"),
    "weights of numbers": ("target: y, sample_weight: w, drop: [c, g, t]", ", metric: mae", "mae"),
    "groups in time": ("target: y, group: g, time: t, drop: [c, w]", ", metric: r2", "r2"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("table", "tune", "metric"), TABLES.values(), ids=TABLES)
def test_the_score_of_a_trial_is_that_of_its_cross_validation(
    tmp_path: Path, table: str, tune: str, metric: str
) -> None:
    text = f"data: {{path: {made_table(tmp_path)}, {table}}}\nlayers: []\nepochs: 2\nbatch_size: 64\n"
    ended = search(tmp_path, text, tune)
    assert scores(ended)[0] == written(ended, 0)[metric]


@pytest.mark.slow
def test_a_trial_is_what_cross_validate_makes_of_its_configuration(tmp_path: Path) -> None:
    ended = search(tmp_path, PENGUINS % "")
    trial = folder_of(ended.path, 0)
    cross_validate(load(tmp_path / "search.yaml").config, folds=2, output=tmp_path / "alone")
    for name in (METRICS, HELD_OUT):
        assert (trial / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    for fold in ("1", "2"):
        files, other = (Run(path / FOLDS / fold).load_manifest().files for path in (trial, tmp_path / "alone"))
        assert files["model.safetensors"] == other["model.safetensors"]


@pytest.mark.slow
def test_several_targets_are_scored_by_their_mean(tmp_path: Path) -> None:
    ended = search(tmp_path, NUMBERS.replace("target: y", "target: [x2, y]"))
    each = written(ended, 0)["targets"]
    assert scores(ended)[0] == pytest.approx((each["x2"]["rmse"] + each["y"]["rmse"]) / 2)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["quantiles", "{type: quantile, q: 0.9}"])
def test_quantiles_are_scored_by_their_pinball_loss(tmp_path: Path, loss: str) -> None:
    ended = search(tmp_path, NUMBERS + f"loss: {loss}\n")
    assert scores(ended)[0] == pytest.approx(written(ended, 0)["pinball"])


@pytest.mark.slow
@pytest.mark.parametrize("prune", ["true", "false"])
def test_rows_that_are_in_no_fold_are_not_scored(tmp_path: Path, prune: str) -> None:
    text = f"data: {{path: {made_table(tmp_path)}, target: y, time: t}}\nlayers: []\nepochs: 2\nbatch_size: 64\n"
    ended = search(tmp_path, text, f", prune: {prune}")
    document = json.loads((folder_of(ended.path, 0) / METRICS).read_text())
    assert document["out_of_fold"]["rows"] == sum(fold["rows"] for fold in document["folds"]) < 90
    assert scores(ended)[0] == document["out_of_fold"]["metrics"]["rmse"]


LOSSES = "tune: {trials: 2, folds: 2, lag: 1, prune: false, sampler: grid, search: {loss: {choices: [%s]}}%s}\n"


@pytest.mark.slow
def test_each_trial_is_trained_and_recorded_with_its_own_loss(tmp_path: Path) -> None:
    text = NUMBERS + LOSSES % ("mae, {type: huber, delta: 0.1}", ", metric: rmse")
    ended = run_search(loaded(tmp_path, text), tmp_path / "found")
    assert [trial.state for trial in ended.trials] == ["complete"] * 3
    for number, loss in enumerate(["mse", "mae", "huber"]):
        for fold in ("1", "2"):
            model = Run(folder_of(ended.path, number) / FOLDS / fold).load_model()
            assert model.spec.loss.type == loss
        assert scores(ended)[number] == written(ended, number)["rmse"]


@pytest.mark.slow
def test_a_loss_with_other_quantiles_fails_where_trials_are_compared_by_quantiles(tmp_path: Path) -> None:
    text = NUMBERS + "loss: quantiles\n" + LOSSES % ("mse, {type: quantiles, levels: [0.2, 0.5, 0.8]}", "")
    ended = run_search(loaded(tmp_path, text), tmp_path / "found")
    assert [trial.state for trial in ended.trials] == ["complete", "failed", "failed"]
    text = NUMBERS + "loss: quantiles\n" + LOSSES % ("mse, {type: quantiles, levels: [0.2, 0.5, 0.8]}", ", metric: mae")
    ended = run_search(loaded(tmp_path, text), tmp_path / "medians")
    assert [trial.state for trial in ended.trials] == ["complete"] * 3


def rare_class(folder: Path) -> Path:
    """A table with a class of one row, which some folds cannot learn."""
    x = np.linspace(0.0, 1.0, 61)
    y = ["rare" if i == 30 else "low" if i < 30 else "high" for i in range(61)]
    pl.DataFrame({"x": x, "y": y}).write_csv(folder / "rare.csv")
    return folder / "rare.csv"


@pytest.mark.slow
def test_a_class_that_a_fold_cannot_learn_has_no_probability_there(tmp_path: Path) -> None:
    text = f"data: {{path: {rare_class(tmp_path)}, target: y}}\nlayers: []\nepochs: 2\nbatch_size: 8\n"
    ended = search(tmp_path, text)
    assert scores(ended)[0] == written(ended, 0)["log_loss"]


# --- holdout


HOLDOUT = "tune: {trials: 3, folds: holdout, lag: 2, search: {batch_size: {choices: [16, 32, 48]}}}\n"


@pytest.mark.slow
def test_with_holdout_a_trial_is_a_run_that_is_scored_on_its_validation_rows(tmp_path: Path) -> None:
    ended = run_search(loaded(tmp_path, PENGUINS % "" + "validation: 0.3\n" + HOLDOUT), tmp_path / "found")
    assert [trial.state for trial in ended.trials] == ["complete"] * 4
    for trial in ended.trials:
        held_out = Run.open(folder_of(ended.path, trial.number)).load_held_out()
        assert held_out is not None
        document = json.loads((folder_of(ended.path, trial.number) / METRICS).read_text())
        assert trial.score == pytest.approx(document["validation"]["metrics"]["log_loss"])
        assert len(trial.folds) == 1


@pytest.mark.slow
def test_the_rows_of_a_validation_file_are_scored_also_where_a_run_keeps_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validation = f"validation: {{path: {DATA}/penguins-test.csv}}\n"
    text = PENGUINS.replace("penguins.csv", "penguins-train.csv") % "" + validation + HOLDOUT
    whole = run_search(loaded(tmp_path, text), tmp_path / "whole")
    assert [trial.state for trial in whole.trials] == ["complete"] * 4
    monkeypatch.setattr("nncli.models.held_out_rows.MAX_ROWS", 20)
    sample = run_search(loaded(tmp_path, text), tmp_path / "sample")
    for item, other in zip(whole.trials, sample.trials, strict=True):
        assert item.score == pytest.approx(other.score)


@pytest.mark.slow
def test_a_search_with_holdout_resumes_to_the_same_results(tmp_path: Path) -> None:
    config = loaded(tmp_path, PENGUINS % "" + "validation: 0.3\n" + HOLDOUT)
    whole = run_search(config, tmp_path / "whole")
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        return calls > 20

    assert run_search(config, tmp_path / "stopped", stop=stop).stopped
    resumed = resume_search(tmp_path / "stopped")
    assert [trial.score for trial in resumed.trials] == [trial.score for trial in whole.trials]


@pytest.mark.slow
def test_a_trial_may_have_columns_that_the_configuration_drops(tmp_path: Path) -> None:
    text = PENGUINS % ", drop: [year, island]"
    text += "tune: {trials: 1, folds: 2, sampler: grid, prune: false, search: {data.drop: {choices: [[year]]}}}\n"
    ended = run_search(loaded(tmp_path, text), tmp_path / "found")
    assert [trial.state for trial in ended.trials] == ["complete"] * 2
    model = Run(folder_of(ended.path, 1) / FOLDS / "1").load_model()
    assert "island" in model.names


@pytest.mark.slow
def test_the_record_of_a_trial_is_that_of_a_cross_validation(tmp_path: Path) -> None:
    ended = search(tmp_path, PENGUINS % "")
    _, record, config = open_record(folder_of(ended.path, 0))
    assert config.n_members == 1
    assert (record.folds, record.repeats) == (2, 1)
    assert record.held_out is not None

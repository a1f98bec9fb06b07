"""The ensemble of the best trials: what is selected, and its cross-fitted score."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nncli import predict, train
from nncli.analysis.evaluation.held_out import predict_held_out
from nncli.analysis.evaluation.run_summary import summarize_run
from nncli.base.errors import RunError, UsageError
from nncli.run_directory.filenames import METRICS
from nncli.run_directory.run import Run
from nncli.targets.metrics.classification import log_loss
from nncli.tuning.selected_ensemble import CandidatePredictions, candidates_of, write_selected_ensemble
from tests.assertions import raises
from tests.tuning.conftest import Selected
from tests.tuning.trained_trials import NUMBERS


@pytest.fixture(params=["classes", "numbers", "quantiles"])
def selected(request: pytest.FixtureRequest) -> Selected:
    result: Selected = request.getfixturevalue(request.param)
    return result


@pytest.mark.slow
def test_trials_that_complete_each_other_are_selected(selected: Selected) -> None:
    result = selected.result
    assert len(result.picks) >= 2
    assert result.loss < result.best_loss
    assert result.loss <= result.cross_fitted_loss
    assert result.is_better == (result.cross_fitted_loss < result.best_loss)
    assert result.best_trial in dict(result.picks)
    assert [count for _, count in result.picks] == sorted((count for _, count in result.picks), reverse=True)


@pytest.mark.slow
def test_the_recorded_score_is_the_cross_fitted_one(classes: Selected, numbers: Selected, quantiles: Selected) -> None:
    def recorded(run: Path) -> dict[str, float]:
        scores: dict[str, float] = json.loads((run / METRICS).read_text())["validation"]["metrics"]
        return scores

    assert recorded(classes.path)["log_loss"] == pytest.approx(classes.result.cross_fitted_loss, rel=1e-5)
    assert recorded(numbers.path)["rmse"] ** 2 == pytest.approx(numbers.result.cross_fitted_loss)
    assert recorded(quantiles.path)["pinball"] == pytest.approx(quantiles.result.cross_fitted_loss)


@pytest.mark.slow
def test_the_rows_of_a_fold_are_predicted_by_what_the_other_folds_select(classes: Selected) -> None:
    from nncli.tuning.selected_ensemble import read_trials

    trials = read_trials(classes.trials)
    held_out, part = predict_held_out(classes.path), trials[0].parts
    expected = np.empty_like(held_out.predictions.values)
    for fold in range(3):
        picks = candidates_of(trials).pick(10, part != fold).picks
        each = [trials[pick].held_out.predictions.values[part == fold] for pick in picks]
        expected[part == fold] = np.mean(each, axis=0)
    np.testing.assert_allclose(held_out.predictions.values, expected, atol=1e-7)
    assert not held_out.optimistic
    assert log_loss(held_out.y, expected) == pytest.approx(classes.result.cross_fitted_loss)


@pytest.mark.slow
def test_an_equal_ensemble_is_not_written_again_and_another_one_has_another_name(numbers: Selected) -> None:
    before = (numbers.path / METRICS).stat()
    assert write_selected_ensemble(numbers.trials, numbers.path, 10) == numbers.result
    assert (numbers.path / METRICS).stat() == before
    other = write_selected_ensemble(numbers.trials, numbers.path, 2)
    assert other.path.name == f"{numbers.path.name}-2"
    assert not [path for path in numbers.path.parent.iterdir() if path.name.startswith(".")]


@pytest.mark.slow
def test_the_same_trials_lead_to_the_same_bytes(selected: Selected, tmp_path: Path) -> None:
    again = write_selected_ensemble(selected.trials, selected.path.parent.parent / "again" / "ensemble", 10)
    assert (again.picks, again.loss) == (selected.result.picks, selected.result.loss)
    files = sorted(path.relative_to(selected.path) for path in selected.path.rglob("*") if path.is_file())
    changed = [str(name) for name in files if (selected.path / name).read_bytes() != (again.path / name).read_bytes()]
    assert changed == ["config.yaml", "manifest.json"]  # the output, and its checksum


def test_a_single_network_is_the_run_of_its_trial(tmp_path: Path, numbers: Selected) -> None:
    text = NUMBERS.replace("TABLE", str(numbers.trials[0].parent / "numbers.csv"))
    (tmp_path / "c.yaml").write_text(text)
    train(tmp_path / "c.yaml", output=tmp_path / "a", set=["epochs=2"])
    result = write_selected_ensemble({4: tmp_path / "a"}, tmp_path / "best", 3)
    assert (result.path, result.picks) == (tmp_path / "a", ((4, 1),))
    assert not (tmp_path / "best").exists()


def test_one_cross_validation_is_an_ensemble_of_equal_weights(numbers: Selected, tmp_path: Path) -> None:
    result = write_selected_ensemble({2: numbers.trials[2]}, tmp_path / "best", 3)
    assert result.loss == result.cross_fitted_loss == result.best_loss
    assert "weights" not in (result.path / "model.json").read_text()
    assert Run.open(result.path).load_manifest().members == 3


def test_it_is_compared_with_the_trial_that_the_other_folds_select(numbers: Selected) -> None:
    from nncli.tuning.selected_ensemble import read_trials

    trials = read_trials(numbers.trials)
    assert numbers.result.best_loss == candidates_of(trials).cross_fit(1, trials[0].parts).loss
    worse = replace(numbers.result, cross_fitted_loss=numbers.result.best_loss)
    assert not worse.is_better
    assert "not better" in worse.sentence
    assert "not better" not in numbers.result.sentence


def test_it_is_selected_by_the_metric_of_the_search(numbers: Selected, classes: Selected) -> None:
    from nncli.tuning.selected_ensemble import read_trials

    trials, of_classes = read_trials(numbers.trials), read_trials(classes.trials)
    measures = {metric: candidates_of(trials, metric).loss.measure for metric in ("rmse", "mae", "r2")}
    assert measures == {"rmse": "squared error", "mae": "absolute error", "r2": "squared error"}
    errors = candidates_of(of_classes, "accuracy")
    assert errors.loss.measure == "classification error"
    first = of_classes[0].held_out
    every = np.ones(len(first), np.bool_)
    assert errors.mean_loss(errors.loss.values[0], every) == pytest.approx(
        np.mean(first.predictions.classes != first.y)
    )
    assert candidates_of(of_classes, "macro_f1").loss.measure == "log loss"


def test_no_pick_no_trial_and_predictions_that_are_not_finite_are_refused(
    numbers: Selected, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with raises(UsageError):
        write_selected_ensemble(numbers.trials, tmp_path / "best", 0)
    with raises(RunError):
        write_selected_ensemble({0: tmp_path}, tmp_path / "best")
    monkeypatch.setattr(CandidatePredictions, "mean_loss", lambda *_: np.inf)
    with raises(UsageError, file="0000"):
        write_selected_ensemble(numbers.trials, tmp_path / "best")


@pytest.mark.slow
@pytest.mark.parametrize("validation", ["validation=0.3", "validation.path=VALIDATION"])
def test_runs_with_the_same_validation_rows_are_selected_by_these(
    tmp_path: Path, numbers: Selected, validation: str
) -> None:
    table = numbers.trials[0].parent / "numbers.csv"
    lines = table.read_text().splitlines(keepends=True)
    (tmp_path / "t.csv").write_text("".join(lines[:150]))
    (tmp_path / "v.csv").write_text("".join([lines[0], *lines[150:]]))
    (tmp_path / "c.yaml").write_text(NUMBERS.replace("TABLE", str(tmp_path / "t.csv")))
    trials = {}
    for number, drop in enumerate("ab"):
        changes = [f"data.drop=[{drop}]", validation.replace("VALIDATION", str(tmp_path / "v.csv")), "epochs=20"]
        train(tmp_path / "c.yaml", output=tmp_path / drop, set=changes)
        trials[number] = tmp_path / drop
    result = write_selected_ensemble(trials, tmp_path / "best", 6)
    assert len(result.picks) == 2
    assert result.loss < result.best_loss
    held_out = predict_held_out(result.path)
    assert len(held_out) == (51 if "path" in validation else 45)
    summary = summarize_run(result.path)
    assert not summary.problems
    assert [number for number, _ in summary.histories] == [1, 2]
    assert len(predict(result.path, tmp_path / "v.csv", interval=0.8)) == 51

"""A run directory of selected trials, with two architectures and encoders, is an ordinary ensemble to every command."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

import nncli
from nncli.api.report import report
from nncli.base.errors import RunError
from nncli.data.sources.read_table import read_table
from nncli.data.splitting.folds import Fold
from nncli.data.table import Table
from nncli.models import label_predictor as classes_module
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.models.ensemble import Ensemble
from nncli.models.label_predictor import predict_classes
from nncli.models.read_table import table_of as as_table
from nncli.run_directory.filenames import CONFIG, HELD_OUT
from nncli.run_directory.run import Run
from nncli.serving.models.served_model import PredictionOptions, ServedModel
from tests.assertions import raises
from tests.cli.support import DATA
from tests.tuning.conftest import Selected

TARGETS = ("onnx", "js", "html", "c", "python")


def model_of(selected: Selected) -> Ensemble:
    model = Run.open(selected.path).load_model()
    assert isinstance(model, Ensemble)
    return model


def data_of(selected: Selected) -> Path:
    table = selected.path.parent.parent / "numbers.csv"
    return table if table.exists() else DATA / "penguins.csv"


def table_of(selected: Selected) -> Table:
    return read_table(data_of(selected), missing_values=("", "NA"))


def weighted_mean(selected: Selected, table: Table) -> npt.NDArray[np.float64]:
    """The mean of the selected trials by NumPy: every pick counts the same, every fold, and every network of it."""
    target, weights = model_of(selected).spec.target, 0.0
    total = np.zeros((len(table), model_of(selected).spec.target.n_outputs))
    for number, count in selected.result.picks:
        for fold in sorted((selected.trials[number] / "folds").iterdir()):
            model = Run.open(fold).load_model()
            members = model.members if isinstance(model, Ensemble) else (model,)
            T = model.spec.temperature if isinstance(model, Ensemble) else 1.0
            for member in members:
                values = target.align(member.predict(table).with_temperature(T).values, member.spec.target)
                weight = count * ((1 / (3 * len(members))) / smallest_share(selected))
                total += values * weight
                weights += weight
    mean = total / weights
    return np.asarray(mean.astype(np.float32).astype(np.float64) if target.task == "classification" else mean)


def smallest_share(selected: Selected) -> float:
    folds = [selected.trials[number] / "folds" / "1" for number, _ in selected.result.picks]
    return min(1 / (3 * Run.open(fold).load_manifest().members) for fold in folds)


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_it_predicts_the_weighted_mean_of_the_trials_to_the_bit(kind: str, request: pytest.FixtureRequest) -> None:
    selected: Selected = request.getfixturevalue(kind)
    model, table = model_of(selected), table_of(selected)
    assert model.spec.weights is not None
    assert len({member.spec.network for member in model.members}) >= 2
    assert len({tuple(member.names) for member in model.members}) >= 2
    expected = weighted_mean(selected, table)
    assert model.predict(table).values.tobytes() == expected.tobytes()
    for rows in ([0], [5, 3, 60], list(range(80, 150))):
        assert model.predict(table.take(np.array(rows))).values.tobytes() == expected[rows].tobytes()


def test_classes_of_many_rows_are_those_of_the_probabilities(
    classes: Selected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classes_module, "MIN_ROWS", 1)
    monkeypatch.setattr(classes_module, "MIN_WEIGHTS", 0)
    model, table = model_of(classes), table_of(classes)
    assert predict_classes(model, table).classes.tolist() == model.predict(table).classes.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("kind", ["classes", "numbers", "quantiles"])
def test_every_target_computes_the_same(kind: str, to: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    selected: Selected = request.getfixturevalue(kind)
    intervals = [] if kind == "classes" else [0.8]
    done = nncli.export(selected.path, tmp_path / "model", to=to, interval=intervals)
    if done.comparison is None:
        pytest.skip(done.unchecked or "")
    assert done.comparison.is_match


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classes", "numbers", "quantiles"])
def test_a_server_answers_what_predict_does_with_intervals_sets_and_effects(
    kind: str, request: pytest.FixtureRequest
) -> None:
    selected: Selected = request.getfixturevalue(kind)
    frame = pl.read_csv(data_of(selected), null_values="NA")[:9]
    served = ServedModel.load("best", selected.path)
    table, levels = as_table(served.model, frame), {"prediction_set": 0.9} if kind == "classes" else {"interval": 0.9}
    options = UncertaintyOptions(interval=levels.get("interval", ()), prediction_set=levels.get("prediction_set", ()))
    result = served.predict(
        table, PredictionOptions(interval=options.interval, prediction_set=options.prediction_set, effects=True)
    ).frame
    expected = nncli.predict(selected.path, frame, **levels)  # type: ignore[arg-type]
    assert result[:, : expected.width].equals(expected)
    assert len(served.effect_columns) == result.width - expected.width == len(served.model.names)
    assert served.profiler is not None


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classes", "numbers", "quantiles"])
def test_intervals_and_sets_hold_on_the_rows_that_calibrate_them(kind: str, request: pytest.FixtureRequest) -> None:
    selected: Selected = request.getfixturevalue(kind)
    frame = pl.read_csv(data_of(selected))
    if kind == "classes":
        inside = nncli.predict(selected.path, data_of(selected), prediction_set=0.8)["set_80"].list.contains(
            frame["species"]
        )
    else:
        result = nncli.predict(selected.path, frame, interval=0.8)
        inside = (result["lower_80"] <= frame["y"]) & (frame["y"] <= result["upper_80"])
    assert inside.mean() == pytest.approx(0.85, abs=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classes", "numbers", "quantiles"])
def test_it_is_explained_evaluated_compared_shown_and_reported(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    selected: Selected = request.getfixturevalue(kind)
    names = set(model_of(selected).names)
    explained = nncli.explain(selected.path, permutations=1, attributions=True, rows=20)
    assert explained.attributions is not None
    assert (explained.attributions.error <= explained.attributions.tolerance).all()
    assert {item.column for item in explained.importances or ()} == names
    matches = nncli.evaluate(selected.path, data_of(selected)).training_rows
    assert matches is not None
    assert matches.are_optimistic
    best = selected.trials[selected.result.best_trial]
    comparison = nncli.compare([selected.path, best])
    assert comparison.pairs[0].rows == comparison.runs[0].rows_scored
    assert not any(run.problems for run in comparison.runs)
    description = nncli.show(selected.path)
    assert description.members == len(model_of(selected).members)
    assert all(f"trial {number} ({count}/" in (description.selection or "") for number, count in selected.result.picks)
    assert nncli.runs(selected.path)[0].kind == "ensemble"
    report(selected.path, output=tmp_path / "report.html")
    assert "not available" not in (tmp_path / "report.html").read_text()
    assert not nncli.drift(selected.path, data_of(selected)).has_drift


@pytest.mark.slow
def test_it_cannot_be_trained_further_or_again_and_its_configuration_says_so(numbers: Selected) -> None:
    for command in (lambda path: nncli.train(resume=path), nncli.reproduce):
        with raises(RunError, file=numbers.path.name) as caught:
            command(numbers.path)
        assert "nncli tune" in str(caught.value)
    assert (numbers.path / CONFIG).read_text().startswith(f"# The configuration of trial {numbers.result.picks[0][0]}")


@pytest.mark.slow
def test_a_decision_is_saved_in_it(classes: Selected, tmp_path: Path) -> None:
    path = shutil.copytree(classes.path, tmp_path / "run")
    spec = model_of(classes).spec
    from nncli.run_directory.saved_decision import read_decision, save_decision
    from nncli.targets.decision import CostMatrix

    assert spec.target.task == "classification"
    costs = CostMatrix(labels=spec.target.labels, costs=((0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (5.0, 5.0, 0.0)))
    save_decision(Run.open(path), costs)
    assert read_decision(Run.open(path)) == costs
    loaded = Run.open(path).load_model().spec
    assert isinstance(loaded, type(spec))
    assert loaded.weights == spec.weights


def test_without_its_held_out_rows_it_predicts_but_is_not_scored(numbers: Selected, tmp_path: Path) -> None:
    from nncli.analysis.evaluation.held_out import predict_held_out

    path = shutil.copytree(numbers.path, tmp_path / "run")
    (path / HELD_OUT).unlink()
    assert len(nncli.predict(path, data_of(numbers))) == 200
    with raises(RunError, file="run"):
        predict_held_out(path)


@pytest.mark.parametrize("of", ["ensemble", "trial"])
def test_it_teaches_a_student_whose_validation_rows_are_a_fold_that_chose_nothing(classes: Selected, of: str) -> None:
    from nncli.fitting.prepare.distillation import LoadedTeacher
    from nncli.fitting.student_config import student_config

    path = classes.path if of == "ensemble" else classes.trials[0]
    config = student_config(path, 8, path.parent / "student")
    assert config.validation == Fold(folds=3, fold=0, seed=0)
    assert config.teacher is not None
    teacher = LoadedTeacher.of(config.teacher, config)
    assert not teacher.choosing
    names = Run.open(path).load_model().names
    assert set(config.data.drop).isdisjoint(names)
    assert set(teacher.names) == set(names)

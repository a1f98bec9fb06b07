"""`nncli.distill`: the student is a run like any other, and its scores are of rows that nobody was trained on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import cross_validate, drift, evaluate, explain, load, predict, reproduce, show, threshold, train
from nncli.analysis.evaluation.run_summary import summarize_run
from nncli.analysis.report.run_page import provenance
from nncli.analysis.report.sections.scores import overview_facts, scored_predictions
from nncli.analysis.reproduction.reproduction import ReproductionVerdict
from nncli.api.distill import distill_events
from nncli.base.errors import ConfigError, NncliError, RunError, UsageError
from nncli.cli.printer import summary
from nncli.fitting.prepare.distillation import weights_checksum
from nncli.fitting.train.events import Finished, Started
from nncli.run_directory.filenames import CONFIG, SCORED
from nncli.run_directory.manifest import METRICS
from nncli.run_directory.run import Run
from tests.cli.support import DATA
from tests.fitting.support import QUICK, number_teacher, student, teacher
from tests.run_directory.support import outcome, stop_at

PENGUINS = DATA / "penguins.csv"


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student of three members; not to be changed."""
    return student(teacher(tmp_path_factory.mktemp("taught")))


@pytest.fixture(scope="module")
def of_numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student of three members that predict a number; not to be changed."""
    return student(number_teacher(tmp_path_factory.mktemp("numbers")), "epochs=15")


@pytest.mark.slow
def test_it_is_one_network_beside_its_teacher_with_the_rows_of_the_fold_as_validation_rows(taught: Path) -> None:
    manifest, held_out = Run.open(taught).load_manifest(), Run.open(taught).load_held_out()
    assert taught.name == "teacher-student"
    assert held_out is not None
    assert (manifest.members, manifest.status, manifest.training_rows) == (1, "done", 344)
    assert manifest.validation_rows == len(held_out) == 115


@pytest.mark.slow
def test_the_scores_are_of_the_network_without_these_rows_and_its_teachers_without_them_too(taught: Path) -> None:
    scored, held_out = Run.open(taught / SCORED), Run.open(taught).load_held_out()
    held_out_of_scored = scored.load_held_out()
    assert held_out_of_scored is not None
    assert held_out is not None
    assert (held_out.predictions.values == held_out_of_scored.predictions.values).all()
    rows = pl.read_csv(PENGUINS)[(held_out.row_numbers - 1).tolist()]
    assert load(taught / SCORED).predict(rows, proba=True)["proba_Adelie"].to_numpy() == pytest.approx(
        held_out.predictions.values[:, 0]
    )
    metrics = json.loads((taught / METRICS).read_text())["validation"]
    assert metrics["metrics"] == json.loads((taught / SCORED / METRICS).read_text())["validation"]["metrics"]
    assert not metrics["optimistic"]


@pytest.mark.slow
def test_a_student_of_numbers_learns_what_its_teacher_predicts(of_numbers: Path) -> None:
    table = DATA / "linear.csv"
    ours, theirs = (predict(run, table)["prediction"].to_numpy() for run in (of_numbers, of_numbers.parent / "teacher"))
    assert np.corrcoef(ours, theirs)[0, 1] > 0.95


@pytest.mark.slow
def test_everything_else_works_on_it(taught: Path, of_numbers: Path, tmp_path: Path) -> None:
    assert set(predict(taught, PENGUINS)["prediction"]) <= {"Adelie", "Chinstrap", "Gentoo"}
    assert "lower_90" in predict(of_numbers, DATA / "linear.csv", interval=0.9).columns
    assert "set_90" in predict(taught, PENGUINS, prediction_set=0.9).columns
    assert evaluate(taught, PENGUINS) is not None
    assert explain(taught) is not None
    assert drift(taught, PENGUINS) is not None


@pytest.mark.slow
def test_it_says_who_taught_it_and_whose_scores_these_are(taught: Path) -> None:
    teacher_run, manifest = taught.parent / "teacher", Run.open(taught).load_manifest()
    assert manifest.teacher is not None
    assert manifest.teacher.sha256 == weights_checksum(Run.open(teacher_run).load_manifest())
    assert show(taught).teacher == manifest.teacher.path == str(teacher_run)
    summary = summarize_run(taught)
    assert summary.held_out is not None
    assert "without these rows" in scored_predictions(summary.held_out)
    assert "without these rows" in dict(overview_facts(summary))["scored on"]
    assert manifest.teacher.sha256 in str(provenance(summary))


@pytest.mark.slow
def test_a_threshold_is_chosen_by_the_held_out_rows(tmp_path: Path) -> None:
    table = tmp_path / "two.csv"
    pl.read_csv(PENGUINS).filter(pl.col("sex") != "NA").write_csv(table)
    run = student(teacher(tmp_path / "t", f"data.path={table}", "data.target=sex"))
    assert threshold(run) is not None


@pytest.mark.slow
def test_it_is_reproduced_to_the_bit(taught: Path) -> None:
    result = reproduce(taught)
    assert result is not None
    assert result.verdict is ReproductionVerdict.IDENTICAL


@pytest.mark.slow
@pytest.mark.parametrize("steps", [(1,), (30,), (40,), (50,)])  # the last two in the network for the scores
def test_a_stopped_distillation_is_resumed_to_the_same_bits(
    taught: Path, tmp_path: Path, steps: tuple[int, ...]
) -> None:
    shutil.copytree(taught.parent / "teacher", tmp_path / "teacher")
    finished = None
    for event in distill_events(tmp_path / "teacher", units=8, set=QUICK, stop=stop_at(*steps)):
        finished = event
    assert isinstance(finished, Finished)
    assert finished.status == "stopped"
    assert train(resume=finished.run).status == "done"
    assert outcome(finished.run) == outcome(taught)


@pytest.mark.slow
def test_a_run_that_is_stopped_before_its_scores_says_that_they_are_missing(taught: Path, tmp_path: Path) -> None:
    events = [*distill_events(taught.parent / "teacher", output=tmp_path / "s", units=8, set=QUICK, stop=stop_at(40))]
    started, finished = events[0], events[-1]
    assert isinstance(started, Started)
    assert isinstance(finished, Finished)
    assert "is not trained yet" in summary(started, finished)
    assert finished.validation is None


@pytest.mark.slow
def test_the_teacher_is_needed_to_resume_and_not_to_predict(taught: Path, tmp_path: Path) -> None:
    shutil.copytree(taught.parent / "teacher", tmp_path / "teacher")
    *_, finished = distill_events(tmp_path / "teacher", units=8, set=QUICK, stop=stop_at(1))
    assert isinstance(finished, Finished)
    shutil.rmtree(tmp_path / "teacher")
    assert len(predict(finished.run, PENGUINS)) == 344
    with pytest.raises(RunError) as caught:
        train(resume=finished.run)
    assert caught.value.location is not None
    assert caught.value.location.source == str(tmp_path / "teacher")


def test_what_explains_it_is_the_network_that_the_rows_were_kept_from(taught: Path) -> None:
    metrics = json.loads((taught / METRICS).read_text())["validation"]["metrics"]
    explained = explain(taught, top=0, permutations=1)
    assert explained.loss == pytest.approx(metrics["log_loss"], rel=1e-4)


def test_what_would_be_scored_too_well_or_chooses_rows_is_refused(taught: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        cross_validate(taught / CONFIG, folds=3, output=taught.with_name("cv"))
    assert caught.value.issues[0].location.key == "teacher"
    with pytest.raises(UsageError):
        train(taught / CONFIG, output=taught.with_name("limited"), time_limit="5s")


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "optimistic"), [(("members=1",), True), (("members=1", "metric=loss"), False)])
def test_rows_that_chose_the_epoch_of_the_teacher_make_the_scores_optimistic(
    tmp_path: Path, settings: tuple[str, ...], optimistic: bool
) -> None:
    run = student(teacher(tmp_path, *settings))
    assert json.loads((run / METRICS).read_text())["validation"]["optimistic"] is optimistic


def test_a_student_does_not_teach(taught: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        next(distill_events(taught, output=tmp_path / "second"))
    assert str(taught.parent / "teacher") in str(caught.value.hint)


def test_other_validation_rows_than_those_that_the_members_held_out_are_refused_at_once(taught: Path) -> None:
    assignments = (*QUICK, "validation=0.3")
    with pytest.raises(ConfigError):
        next(distill_events(taught.parent / "teacher", output=taught.with_name("other"), set=assignments))
    assert not taught.with_name("other").exists()


def test_a_run_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NncliError) as caught:
        next(distill_events(tmp_path / "none"))
    assert isinstance(caught.value, RunError)

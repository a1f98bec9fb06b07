"""The rows that a network is taught on, and their targets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nncli import predict
from nncli.base.scratch import Scratch
from nncli.config.schema.training import Teacher
from nncli.fitting.prepare.auto_values import MAX_SWAPPED_ROWS, swapped_rows
from nncli.fitting.prepare.distillation import count_copies
from nncli.fitting.prepare.prepare import PreparedTraining, prepare
from nncli.fitting.student_config import student_config
from nncli.nn.losses import MSELoss, PoissonLoss
from nncli.nn.losses.classification import SoftCrossEntropyLoss
from nncli.run_directory.config import read_config
from nncli.run_directory.run import Run
from tests.fitting.support import QUICK, number_teacher, teacher


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher of classes; not to be changed."""
    return teacher(tmp_path_factory.mktemp("classes"))


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher of numbers; not to be changed."""
    return number_teacher(tmp_path_factory.mktemp("numbers"))


def prepared(run: Path, *assignments: str, scratch: Scratch | None = None) -> PreparedTraining:
    return prepare(student_config(run, 8, run.with_name("s"), [*QUICK, *assignments]), scratch)


def out_of_fold(run: Path) -> npt.NDArray[np.float64]:
    held_out = Run.open(run).load_held_out()
    assert held_out is not None
    return held_out.predictions.values


def in_sample(run: Path, member: int | None = None) -> npt.NDArray[Any]:
    config, path = read_config(run), run if member is None else run / f"members/{member}"
    frame = predict(path, config.data.path, proba=config.data.target == ("species",))
    return frame.select(frame.columns[1:] or frame.columns).to_numpy()


def learned(training: PreparedTraining) -> npt.NDArray[Any]:
    """What the training rows learn, in the units of predictions."""
    assert training.distilled is not None
    y, loss, target = training.fitted.y[: len(training.training)], training.distilled.loss, training.spec.target
    if target.task == "regression":
        return target.decode(y)
    assert isinstance(loss, SoftCrossEntropyLoss)
    return np.asarray(loss.targets(len(target.labels), np.dtype(np.float32))[y])


@pytest.mark.slow
def test_a_refit_is_taught_on_all_rows_and_the_scored_network_without_the_fold(classes: Path) -> None:
    refit, scored = prepared(classes), prepared(classes, "teacher.refit=false")
    assert refit.validation is None
    assert scored.validation is not None
    assert len(refit.training) == len(scored.training) + len(scored.validation)
    assert len(refit.fitted) == 2 * len(refit.training)
    assert refit.config.validation == scored.config.validation


@pytest.mark.slow
@pytest.mark.parametrize("run", ["classes", "numbers"])
def test_a_row_learns_the_mean_of_its_out_of_fold_and_its_in_sample_prediction(
    run: str, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(run)
    expected = (out_of_fold(path) + in_sample(path)) / 2.0
    assert learned(prepared(path)) == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.slow
def test_the_scored_network_learns_nothing_from_members_that_saw_its_validation_rows(classes: Path) -> None:
    scored = prepared(classes, "teacher.refit=false")
    assert scored.training.row_numbers is not None
    expected = in_sample(classes, 1)[scored.training.row_numbers - 1]
    assert learned(scored) == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.slow
def test_rows_with_swapped_cells_have_the_row_numbers_and_weights_of_their_rows(classes: Path) -> None:
    training = prepared(classes, "teacher.swapped_rows=2", "data.sample_weight=year")
    assert training.distilled is not None
    assert training.fitted.weights is not None
    numbers, n = training.distilled.row_numbers, len(training.training)
    assert (numbers.reshape(3, n) == numbers[:n]).all()
    assert (training.fitted.weights.reshape(3, n) == training.training.dataset.weights).all()
    assert (training.fitted.X[:n] == training.training.dataset.X).all()
    assert (training.fitted.X[n:] != np.concatenate([training.fitted.X[:n]] * 2)).any(axis=1).mean() > 0.5


@pytest.mark.slow
def test_the_rows_are_the_same_every_time_and_in_files(classes: Path, tmp_path: Path) -> None:
    first, again = prepared(classes).fitted, prepared(classes).fitted
    with Scratch(tmp_path) as scratch:
        in_files = prepared(classes, "memory_limit=1 KB", scratch=scratch).fitted
        assert in_files.storage is not None
        for other in (again, in_files):
            assert (first.X == other.X).all()
            assert (first.codes == other.codes).all()
            assert (first.y == other.y).all()


@pytest.mark.slow
def test_numbers_are_learned_in_least_squares_unless_the_loss_has_a_link(tmp_path: Path, numbers: Path) -> None:
    plain = prepared(numbers)
    assert plain.distilled is not None
    assert plain.distilled.loss == MSELoss()
    counts = tmp_path / "counts.csv"
    counts.write_text("x,y\n" + "".join(f"{i % 7},{i % 5}\n" for i in range(60)))
    of_counts = prepared(number_teacher(tmp_path, "loss=poisson", f"data.path={counts}"))
    assert of_counts.distilled is not None
    assert of_counts.distilled.loss == PoissonLoss()


@pytest.mark.parametrize(("rows", "copies"), [(1, MAX_SWAPPED_ROWS), (10_000, 5), (10_000_000, 1)])
def test_a_small_table_has_more_rows_with_swapped_cells(rows: int, copies: int) -> None:
    assert swapped_rows(rows) == count_copies(Teacher(path="run"), rows) == copies
    assert count_copies(Teacher(path="run", swapped_rows=0), rows) == 0

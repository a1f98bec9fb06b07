"""The configuration of a student: its validation rows are those that its teachers were not trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli import distill, train
from nncli.base.errors import ConfigError, DataError, NncliError, RunError, UsageError
from nncli.config.schema.training import ValidationFile
from nncli.data.splitting.folds import Bootstrap, Fold
from nncli.fitting.student_config import embedding_of, student_config
from nncli.nn.layers.dense import Dense
from nncli.nn.losses import CrossEntropyLoss, PoissonLoss
from nncli.nn.numeric_embeddings import PiecewiseLinear
from tests.api.ensembles import written
from tests.cli.support import DATA
from tests.fitting.support import number_teacher, teacher
from tests.run_directory.support import change_manifest, changed, stop_at


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher of three members; not to be changed."""
    return teacher(tmp_path_factory.mktemp("folds"))


@pytest.mark.slow
def test_the_first_fold_is_kept_from_the_scored_network_and_taught_by_the_member_that_held_it_out(folds: Path) -> None:
    config = student_config(folds, 8, folds.with_name("s"))
    assert config.validation == Fold(folds=3, fold=0, seed=0)
    assert config.teacher is not None
    assert (config.teacher.members, config.teacher.refit) == ((1,), True)
    assert Path(config.teacher.path).is_absolute()


@pytest.mark.slow
def test_two_members_that_hold_out_the_same_fold_both_teach_it(tmp_path: Path) -> None:
    config = student_config(teacher(tmp_path, "members=6"), 8, tmp_path / "s")
    assert config.teacher is not None
    assert config.teacher.members == (1, 6)


@pytest.mark.slow
def test_members_that_draw_their_rows_teach_by_themselves(tmp_path: Path) -> None:
    config = student_config(teacher(tmp_path, "bagging=bootstrap"), 8, tmp_path / "s")
    assert config.validation == Bootstrap(bootstrap=0)
    assert config.teacher is not None
    assert (config.teacher.members, config.teacher.refit) == ((1,), True)


@pytest.mark.slow
def test_where_no_member_was_trained_on_the_validation_rows_all_teach_without_a_refit(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_bytes((DATA / "penguins.csv").read_bytes())
    config = student_config(teacher(tmp_path, f"validation={{path: {tmp_path}/v.csv}}"), 8, tmp_path / "s")
    assert isinstance(config.validation, ValidationFile)
    assert config.teacher is not None
    assert (config.teacher.members, config.teacher.refit) == (None, False)


def test_a_single_network_keeps_its_validation_rows(penguins: Path, tmp_path: Path) -> None:
    config = student_config(penguins, 8, tmp_path / "s")
    assert config.validation == 0.2
    assert config.teacher is not None
    assert (config.teacher.members, config.teacher.refit) == (None, False)


@pytest.mark.slow
def test_without_validation_rows_the_student_has_none_either(tmp_path: Path) -> None:
    config = student_config(teacher(tmp_path, "validation=0.0"), 8, tmp_path / "s")
    assert config.validation == 0.0
    assert config.teacher is not None
    assert not config.teacher.refit


@pytest.mark.slow
def test_the_units_are_those_asked_for_and_assignments_win(folds: Path) -> None:
    config = student_config(folds, 24, folds.with_name("s"), ["epochs=7"])
    assert [layer.units for layer in config.layers if isinstance(layer, Dense)] == [24, 24]
    assert (config.epochs, config.members, config.output) == (7, 1, str(folds.with_name("s")))


@pytest.mark.slow
def test_the_loss_of_classes_is_the_cross_entropy_and_a_link_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert (
        student_config(teacher(tmp_path, "loss=hinge", "metric=accuracy"), 8, tmp_path / "s").loss == CrossEntropyLoss()
    )
    counts = tmp_path / "counts.csv"
    counts.write_text("x,y\n" + "".join(f"{i % 7},{i % 5}\n" for i in range(60)))
    run = number_teacher(tmp_path / "a", "loss=poisson", f"data.path={counts}")
    assert student_config(run, 8, tmp_path / "s").loss == PoissonLoss()


@pytest.mark.parametrize(("columns", "width"), [(0, 16), (5, 12), (8, 8), (32, 4), (33, None)])
def test_few_columns_have_wide_embeddings_and_many_none(columns: int, width: int | None) -> None:
    embedding = embedding_of(PiecewiseLinear(bins=8, width="auto"), columns)
    assert (None if embedding is None else embedding.width) == width
    assert embedding_of(None, columns) is None


def refusal(run: Path, *assignments: str) -> NncliError:
    with pytest.raises(NncliError) as caught:
        student_config(run, 8, run.with_name("s"), assignments)
    return caught.value


@pytest.mark.slow
def test_several_quantiles_are_refused(tmp_path: Path) -> None:
    run = number_teacher(tmp_path, "loss={type: quantiles}")
    assert isinstance(refusal(run), UsageError)


def test_a_training_that_goes_on_is_refused(tmp_path: Path) -> None:
    run = train(written(tmp_path, "members=1"), output=tmp_path / "run", stop=stop_at(5)).run
    change_manifest(run, changed(status="running", files={}))
    assert isinstance(refusal(run), RunError)


def test_a_table_from_a_pipe_is_refused(tmp_path: Path) -> None:
    run = train(written(tmp_path, "members=1"), output=tmp_path / "run").run
    change_manifest(run, changed(data__sha256=None))
    assert isinstance(refusal(run), DataError)


@pytest.mark.slow
def test_an_ensemble_that_lost_its_out_of_fold_predictions_is_refused(tmp_path: Path) -> None:
    run = teacher(tmp_path)
    (run / "held_out.safetensors").unlink()
    assert isinstance(refusal(run), RunError)


@pytest.mark.slow
def test_a_wrong_assignment_is_refused(folds: Path) -> None:
    assert isinstance(refusal(folds, "members=2"), ConfigError)
    assert isinstance(refusal(folds, "epoch=2"), ConfigError)


@pytest.mark.parametrize("units", [0, -1, 1 << 20])
def test_units_that_no_layer_has_are_refused(folds: Path, units: int) -> None:
    with pytest.raises(UsageError):
        distill(folds, units=units)

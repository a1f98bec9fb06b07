"""A run that teaches: it must be the recorded one, on the same table, and its scored rows must be unseen."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from nncli.base.errors import ConfigError, DataError, NncliError, RunError
from nncli.config.loading import load_config
from nncli.config.schema import Config
from nncli.fitting.prepare.distillation import LoadedTeacher, chose_epoch, learned_values
from nncli.models.predictions import Predictions
from nncli.run_directory.config import read_config
from nncli.targets.classes import ClassificationTarget
from tests.api.ensembles import CONFIG
from tests.fitting.support import teacher


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher of three members; not to be changed."""
    return teacher(tmp_path_factory.mktemp("run"))


def config_of(folder: Path, run: Path, *assignments: str) -> Config:
    path = folder / "student.yaml"
    path.write_text(CONFIG)
    return load_config(path, ["members=1", f"teacher.path={run}", *assignments])


def refusal(folder: Path, run: Path, *assignments: str) -> NncliError:
    config = config_of(folder, run, *assignments)
    assert config.teacher is not None
    with pytest.raises(NncliError) as caught:
        LoadedTeacher.of(config.teacher, config)
    return caught.value


def loaded(folder: Path, run: Path, *assignments: str) -> LoadedTeacher:
    config = config_of(folder, run, *assignments)
    assert config.teacher is not None
    return LoadedTeacher.of(config.teacher, config)


@pytest.mark.slow
def test_a_teacher_that_is_gone_or_another_one_is_refused(tmp_path: Path, run: Path) -> None:
    for error in (refusal(tmp_path, tmp_path / "gone"), refusal(tmp_path, run, f"teacher.sha256={'0' * 64}")):
        assert isinstance(error, RunError)
        assert error.location is not None
        assert error.location.source in (str(tmp_path / "gone"), str(run))


@pytest.mark.slow
def test_its_checksum_is_that_of_what_it_teaches_not_of_its_place(tmp_path: Path, run: Path) -> None:
    shutil.copytree(run, tmp_path / "moved")
    sha256 = loaded(tmp_path, run).sha256
    assert loaded(tmp_path, tmp_path / "moved", f"teacher.sha256={sha256}").sha256 == sha256


@pytest.mark.slow
def test_another_table_another_target_or_no_such_member_is_refused(tmp_path: Path, run: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_bytes(Path(read_config(run).data.path).read_bytes() + b"\n")
    assert isinstance(refusal(tmp_path, run, f"data.path={other}"), DataError)
    assert isinstance(refusal(tmp_path, run, "data.target=island"), ConfigError)
    assert isinstance(refusal(tmp_path, run, "teacher.members=[4]"), ConfigError)


def test_validation_rows_that_a_teaching_member_was_trained_on_are_refused(tmp_path: Path, run: Path) -> None:
    everyone, first = loaded(tmp_path, run), loaded(tmp_path, run, "teacher.members=[1]")
    assert first.held_out is not None
    of_member = first.held_out.row_numbers[first.held_out.members[0].rows]
    first.check_validation(of_member, (1,))
    for members, numbers in (
        (None, of_member),
        ((1, 2), of_member),
        ((1,), of_member + 1),
        ((1,), np.append(of_member, 10**6)),
    ):
        with pytest.raises(ConfigError) as caught:
            everyone.check_validation(numbers, members)
        assert caught.value.issues[0].location.key == "validation"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["members=3"], False),
        (["members=1"], True),
        (["members=1", "metric=loss"], False),
        (["members=1", "validation=0.0"], False),
        (["members=3", "bagging=bootstrap"], True),
        (["members=3", "early_stopping={patience: 3}"], True),
        (["members=3", "bagging=bootstrap", "metric=loss"], False),
    ],
)
def test_validation_rows_that_alone_chose_an_epoch_make_scores_optimistic(
    tmp_path: Path, settings: list[str], expected: bool
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    assert chose_epoch(load_config(path, settings)) is expected


@pytest.mark.slow
def test_a_teacher_without_held_out_rows_saw_every_row(tmp_path: Path) -> None:
    run = teacher(tmp_path, "validation=0.0")
    single = loaded(tmp_path, run)
    assert single.held_out is None
    with pytest.raises(ConfigError):
        single.check_validation(np.array([1]), None)


def test_only_the_features_of_the_teaching_members_are_used(tmp_path: Path, run: Path) -> None:
    config = config_of(tmp_path, run, "data.features=[island, bill_length_mm]")
    assert loaded(tmp_path, run).restrict(config).data.features == ("island", "bill_length_mm")
    assert set(loaded(tmp_path, run).restrict(config_of(tmp_path, run)).data.features or ()) == set(
        loaded(tmp_path, run).names
    )


def test_a_class_that_the_student_does_not_know_is_left_out() -> None:
    of_member = ClassificationTarget(name="y", labels=("a", "b", "c"))
    P = np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
    values = learned_values(Predictions(of_member, P), ClassificationTarget(name="y", labels=("c", "b")), in_link=False)
    assert values.tolist() == [[0.5, 0.5], [0.0, 0.0]]

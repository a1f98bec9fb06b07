"""Trials are read with their folds, and such that cannot be averaged row by row are refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from nncli import train
from nncli.base.errors import RunError, UsageError
from nncli.run_directory.cross_validation import CrossValidationRecord
from nncli.run_directory.filenames import CROSS_VALIDATION, METRICS
from nncli.tuning.selected_ensemble import FinishedTrial, read_trials
from tests.assertions import raises
from tests.tuning.conftest import Selected
from tests.tuning.trained_trials import NUMBERS, numbers_table, trial


def test_parts_are_the_folds_of_the_first_repeat(numbers: Selected) -> None:
    single = FinishedTrial.read(0, numbers.trials[0])
    for fold, member in enumerate(single.held_out.members):
        assert np.flatnonzero(single.parts == fold).tolist() == member.rows.tolist()
    assert CrossValidationRecord.model_validate_json((single.path / CROSS_VALIDATION).read_bytes()).folds == 3


def test_every_fold_has_the_same_share_and_its_networks_equal_parts_of_it(classes: Selected) -> None:
    single, ensembles = FinishedTrial.read(0, classes.trials[0]), FinishedTrial.read(3, classes.trials[3])
    assert single.shares == (1 / 3,) * 3
    assert ensembles.shares == (1 / 6,) * 6
    assert [path.name for path in ensembles.folders] == ["1", "2"] * 3
    assert len(ensembles.load_networks()) == len(ensembles.held_out.members) == 6


def test_trials_are_read_in_the_order_of_their_numbers(numbers: Selected) -> None:
    read = read_trials({2: numbers.trials[2], 0: numbers.trials[0]})
    assert [item.number for item in read] == [0, 2]
    with raises(UsageError):
        read_trials({})


def test_a_trial_that_is_not_finished_tells_how_to_resume_it(numbers: Selected, tmp_path: Path) -> None:
    path = shutil.copytree(numbers.trials[0], tmp_path / "trial")
    (path / METRICS).unlink()
    with raises(RunError, file="trial") as caught:
        read_trials({0: path})
    assert "--resume" in (caught.value.hint or "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("assignments", "folds", "what"),
    [
        (["loss={type: quantile, q: 0.9}"], 3, "other predictions"),
        (["precision=float64"], 3, "another precision"),
        (["data.sample_weight=null", "data.drop=[w]"], 3, "other sample weights"),
        (["data.missing_values=[nothing]"], 3, "other missing_values"),
        (["data.target=a"], 3, "another target"),
        (["seed=1"], 3, "other folds"),
        ([], 2, "other folds"),
    ],
)
def test_a_trial_that_cannot_be_averaged_with_the_first_is_refused(
    tmp_path: Path, numbers: Selected, assignments: list[str], folds: int, what: str
) -> None:
    text = NUMBERS.replace("TABLE", str(numbers.trials[0].parent / "numbers.csv"))
    other = trial(tmp_path, text, 5, "epochs=1", *assignments, folds=folds)
    with pytest.raises(UsageError, match=what) as caught:
        read_trials({0: numbers.trials[0], 5: other})
    assert caught.value.location is not None
    assert caught.value.location.source == str(other)


@pytest.mark.slow
def test_a_trial_of_another_table_is_refused(tmp_path: Path, numbers: Selected) -> None:
    table = numbers_table(tmp_path)
    table.write_text(table.read_text().replace("u", "w"))
    other = trial(tmp_path, NUMBERS.replace("TABLE", str(table)), 5, "epochs=1")
    with pytest.raises(UsageError, match="another table"):
        read_trials({0: numbers.trials[0], 5: other})


@pytest.mark.slow
def test_runs_with_the_same_validation_rows_are_trials_too(tmp_path: Path, numbers: Selected) -> None:
    text = NUMBERS.replace("TABLE", str(numbers.trials[0].parent / "numbers.csv"))
    (tmp_path / "c.yaml").write_text(text)
    for name, change in {"a": "layers=[4]", "b": "layers=[6]"}.items():
        train(tmp_path / "c.yaml", output=tmp_path / name, set=[change, "epochs=2"])
    read = read_trials({0: tmp_path / "a", 1: tmp_path / "b"})
    assert [item.shares for item in read] == [(1.0,), (1.0,)]
    assert np.bincount(read[0].parts).tolist() == [8] * 5
    train(tmp_path / "c.yaml", output=tmp_path / "all", set=["validation=0", "epochs=1"])
    with raises(RunError, file="all"):
        read_trials({0: tmp_path / "all"})

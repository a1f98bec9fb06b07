"""The record of a cross-validation, and commands that a cross-validation is no run for."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from nncli import train
from nncli.api.reproduce import reproduce
from nncli.api.threshold import threshold
from nncli.base.errors import RunError
from nncli.run_directory.cross_validation import (
    MAX_TRAININGS,
    CrossValidationRecord,
    check_is_run,
    is_cross_validation,
    read_record,
)
from nncli.run_directory.filenames import CROSS_VALIDATION, MANIFEST
from tests.assertions import raises

RECORD = CrossValidationRecord(folds=3, repeats=2, epochs=4, fingerprint="f", data_sha256="0")


def unfinished(folder: Path) -> Path:
    (folder / CROSS_VALIDATION).write_text(RECORD.model_dump_json())
    return folder


def test_a_record_is_read_as_it_was_written_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    assert read_record(unfinished(tmp_path)) == RECORD
    (tmp_path / CROSS_VALIDATION).write_text("{}")
    with raises(RunError, file=CROSS_VALIDATION):
        read_record(tmp_path)


def test_trainings_are_folds_times_repeats_and_limited() -> None:
    assert RECORD.trainings == len(RECORD.of(0)) == 6
    with pytest.raises(ValidationError):
        CrossValidationRecord(folds=MAX_TRAININGS, repeats=2, epochs=4, fingerprint="f", data_sha256="0")


def test_a_folder_with_a_manifest_is_a_run(tmp_path: Path) -> None:
    assert not is_cross_validation(tmp_path)
    assert is_cross_validation(unfinished(tmp_path))
    with raises(RunError, file=tmp_path.name):
        check_is_run(tmp_path, "", "")
    (tmp_path / MANIFEST).write_text("{}")
    assert not is_cross_validation(tmp_path)
    check_is_run(tmp_path, "", "")


@pytest.mark.parametrize(
    "command", [lambda path: train(resume=path), reproduce, lambda path: threshold(path, f1=True, save=True)]
)
def test_it_is_not_trained_further_reproduced_or_changed_as_a_run(command: object, tmp_path: Path) -> None:
    assert callable(command)
    with raises(RunError, file=tmp_path.name) as caught:
        command(unfinished(tmp_path))
    assert caught.value.hint


def test_each_training_has_a_seed_of_its_own_unless_an_older_version_began_it() -> None:
    assert [RECORD.seed_of(7, i) for i in range(3)] == [7, 7, 7]
    record = RECORD.model_copy(update={"fold_seeds": True})
    assert [record.seed_of(7, i) for i in range(3)] == [7, 8, 9]

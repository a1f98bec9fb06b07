"""Checks of the number of rows: the batch size and the validation set."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.fitting.checks.rows import MIN_VALIDATION_ROWS
from tests.fitting.checks.support import ROWS, codes, found, sound


def test_a_batch_larger_than_the_training_set_is_a_warning(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, sound(), batch_size=512)
    assert codes([finding]) == ["warning batch-size"]
    assert finding.location.key == "batch_size"
    assert "512" in finding.message
    assert "240" in finding.message  # 300 rows, 20 % of them for validation


@pytest.mark.parametrize("batch_size", ["full", 240])
def test_a_batch_of_all_training_rows_is_not_a_finding(tmp_path: Path, batch_size: object) -> None:
    assert found(tmp_path, sound(), batch_size=batch_size) == []


@pytest.mark.parametrize(("rows", "expected"), [(MIN_VALIDATION_ROWS - 1, ["warning few-validation-rows"]), (30, [])])
def test_few_validation_rows_are_a_warning(tmp_path: Path, rows: int, expected: list[str]) -> None:
    findings = found(tmp_path, sound(), validation=rows / ROWS)
    assert codes(findings) == expected
    assert all(finding.location.key == "validation" for finding in findings)


def test_every_row_is_a_validation_row_of_some_member(tmp_path: Path) -> None:
    assert found(tmp_path, sound(), validation=0.05, members=5) == []
    seeds = found(tmp_path, sound(), validation=0.05, members=5, bagging="seeds")
    assert codes(seeds) == ["warning few-validation-rows"]


def test_no_validation_rows_are_a_note(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, sound(), validation=0.0)
    assert codes([finding]) == ["note no-validation"]
    assert finding.location.key == "validation"

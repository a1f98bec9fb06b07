"""Rows that stand on both sides of the split, or twice on one of them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.fitting.checks.support import codes, found, sound


def test_rows_in_both_splits_are_a_warning_with_two_equal_rows(tmp_path: Path) -> None:
    table = {name: [*cells, *cells[:60]] for name, cells in sound().items()}
    (finding,) = found(tmp_path, table)
    assert codes([finding]) == ["warning train-validation-overlap"]
    first, second = map(int, re.findall(r"row (\d+)", finding.message))
    assert abs(first - second) == 300


def test_duplicate_training_rows_are_a_note(tmp_path: Path) -> None:
    table = {name: [*cells, *cells[:60]] for name, cells in sound().items()}
    findings = found(tmp_path, table, validation=0.0)
    assert codes(findings) == ["note duplicate-rows", "note no-validation"]
    assert "60 training rows" in findings[0].message


def test_equal_features_with_different_targets_are_contradictory(tmp_path: Path) -> None:
    table = {name: [*cells, *cells[:60]] for name, cells in sound().items()}
    table["y"] = [*table["y"][:300], *("no" if y == "yes" else "yes" for y in table["y"][300:])]
    assert codes(found(tmp_path, table)) == ["note conflicting-targets"]


def test_a_single_duplicate_among_many_rows_is_only_a_note(tmp_path: Path) -> None:
    table = {name: [*cells, *cells[:8]] for name, cells in sound(6000).items()}
    assert codes(found(tmp_path, table)) == ["note train-validation-overlap"]


def test_a_validation_file_is_compared_too(tmp_path: Path) -> None:
    table = sound()
    text = "a,b,word,z,y\n" + "".join(f"{','.join(str(table[name][i]) for name in table)}\n" for i in range(50))
    (tmp_path / "v.csv").write_text(text)
    findings = found(tmp_path, table, validation={"path": str(tmp_path / "v.csv")})
    assert codes(findings) == ["warning train-validation-overlap"]
    assert "50 validation rows" in findings[0].message


def test_with_folds_all_rows_with_a_twin_are_counted(tmp_path: Path) -> None:
    table = {name: [*cells, *cells[:60]] for name, cells in sound().items()}
    (finding,) = found(tmp_path, table, members=4)
    assert codes([finding]) == ["warning train-validation-overlap"]
    assert finding.message.startswith("120 out-of-fold rows")
    first, second = map(int, re.findall(r"row (\d+)", finding.message))
    assert abs(first - second) == 300


def test_a_twin_in_the_same_group_is_in_the_same_fold(tmp_path: Path) -> None:
    table = {name: [*cells, *cells[:60]] for name, cells in sound().items()}
    table["g"] = [str(i % 300) for i in range(360)]
    findings = found(tmp_path, table, members=4, data={"group": "g"})
    assert "train-validation-overlap" not in " ".join(codes(findings))

"""Findings on single columns: each appears once, and only where it applies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fitting.checks.support import ROWS, codes, found, sound


def test_a_table_without_problems_has_no_findings(tmp_path: Path) -> None:
    assert found(tmp_path, sound()) == []
    assert found(tmp_path, sound(), target="z") == []


def test_missing_cells_are_listed_by_fraction(tmp_path: Path) -> None:
    table = sound()
    table["a"] = [None if i % 10 == 0 else x for i, x in enumerate(table["a"])]
    table["word"] = [None if i % 2 else x for i, x in enumerate(table["word"])]
    (finding,) = found(tmp_path, table)
    assert codes([finding]) == ["note missing-values"]
    assert "'word' 50 %, 'a' 10 %" in finding.message
    assert finding.location.column is None


def test_a_nearly_empty_column_has_its_own_finding(tmp_path: Path) -> None:
    table = {**sound(), "rest": [float(i) if i < 3 else None for i in range(ROWS)]}
    (finding,) = found(tmp_path, table)
    assert codes([finding]) == ["note nearly-empty-column"]
    assert "'rest' 99 %" in finding.message


def test_empty_and_constant_columns_are_listed_with_the_key_that_drops_them(tmp_path: Path) -> None:
    table = {**sound(), "empty": [None] * ROWS, "k": [1.5] * ROWS, "same": ["x"] * ROWS}
    findings = found(tmp_path, table)
    assert sorted(codes(findings)) == ["note constant-column", "note empty-column"]
    constant = next(finding for finding in findings if finding.code == "constant-column")
    assert "--drop k --drop same" in constant.hint
    empty = next(finding for finding in findings if finding.code == "empty-column")
    assert empty.location.column == "empty"


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("customer_id", range(1000, 1000 + ROWS)),
        ("n", range(1, ROWS + 1)),
        ("name", [f"person{i}" for i in range(ROWS)]),
        ("nearly", [f"w{i % 280}" for i in range(ROWS)]),
    ],
)
def test_an_id_column_is_one_warning(tmp_path: Path, name: str, cells: list[object]) -> None:
    (finding,) = found(tmp_path, {**sound(), name: list(cells)})
    assert codes([finding]) == ["warning id-like-column"]
    assert finding.location.column == name
    assert f"--drop {name}" in finding.hint


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("measured", [i * 0.37 for i in range(ROWS)]),
        ("city", [f"c{i % 20}" for i in range(ROWS)]),
        ("day", [f"2024-{i // 28 + 1:02}-{i % 28 + 1:02}" for i in range(ROWS)]),
        ("said", [f"the cat no {i} sat on mat {i * 7}" for i in range(ROWS)]),
    ],
)
def test_measurements_categories_dates_and_texts_are_not_ids(tmp_path: Path, name: str, cells: list[object]) -> None:
    assert found(tmp_path, {**sound(), name: cells}) == []


@pytest.mark.slow
def test_a_repeated_key_may_be_a_group_unless_data_group_is_set(tmp_path: Path) -> None:
    table = {**sound(), "patient_id": [f"p{i % 75}" for i in range(ROWS)]}
    (finding,) = found(tmp_path, table)
    assert codes([finding]) == ["note group-like-column"]
    assert "--set data.group=patient_id:" in finding.hint
    assert found(tmp_path, table, data={"group": "patient_id"}) == []


def test_a_duplicate_column_is_a_note_and_constant_columns_are_not_duplicates(tmp_path: Path) -> None:
    table = sound()
    findings = found(tmp_path, {"first": table["a"], **table, "k": [1] * ROWS, "l": [1] * ROWS})
    assert sorted(codes(findings)) == ["note constant-column", "note duplicate-column"]
    twin = next(finding for finding in findings if finding.code == "duplicate-column")
    assert twin.location.column == "a"
    assert "'first'" in twin.message


def test_columns_with_the_same_cells_in_another_order_are_not_duplicates(tmp_path: Path) -> None:
    table = sound()
    assert found(tmp_path, {**table, "turned": [*reversed(table["a"])]}) == []

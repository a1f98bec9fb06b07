"""The target: rare classes, imbalance, numbers out of reach; and how many rows there are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.fitting.checks.support import ROWS, codes, found, sound

rng = np.random.default_rng(3)


def shuffled(counts: dict[str, int]) -> list[str]:
    return rng.permutation([label for label, n in counts.items() for _ in range(n)]).tolist()  # type: ignore[no-any-return]


def test_a_rare_class_is_a_warning_without_one_of_imbalance(tmp_path: Path) -> None:
    findings = found(tmp_path, {**sound(), "y": shuffled({"a": 150, "b": 145, "c": 5})})
    assert codes(findings) == ["warning rare-class"]
    assert "'c' 4" in findings[0].message  # four of its five rows are training rows
    assert findings[0].location.column == "y"


def test_a_class_missing_from_some_folds_is_a_warning(tmp_path: Path) -> None:
    findings = found(tmp_path, {**sound(), "y": shuffled({"a": 286, "b": 14})}, validation={"folds": 20, "fold": 0})
    assert "20 folds" in findings[0].message


def test_class_imbalance_is_a_warning_until_weights_or_a_metric_address_it(tmp_path: Path) -> None:
    table = {**sound(600), "y": shuffled({"common": 580, "few": 20})}
    (finding,) = found(tmp_path, table)
    assert codes([finding]) == ["warning class-imbalance"]
    assert "class_weight: balanced" in finding.hint
    assert "roc_auc" in finding.hint
    assert found(tmp_path, table, class_weight="balanced") == []
    assert found(tmp_path, table, metric="roc_auc") == []


def test_many_classes_of_equal_size_are_balanced(tmp_path: Path) -> None:
    assert found(tmp_path, {**sound(900), "y": shuffled({f"c{i}": 30 for i in range(30)})}) == []


def test_a_constant_target_is_a_warning_and_a_single_class_an_error(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, {**sound(), "z": [2.5] * ROWS}, target="z")
    assert codes([finding]) == ["warning constant-target"]
    assert "'2.5'" in finding.message
    (finding,) = [f for f in found(tmp_path, {**sound(), "y": ["yes"] * ROWS}) if f.level == "error"]
    assert "'yes'" in finding.message
    assert finding.exit_code == 4

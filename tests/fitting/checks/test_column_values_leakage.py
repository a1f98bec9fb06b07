"""A feature that gives the target away is asked about; one that is merely strong is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.fitting.checks.support import ROWS, codes, found, sound

noise = np.random.default_rng(5)


@pytest.mark.parametrize(
    "give",
    [
        lambda y: ["paid" if answer == "yes" else "due" for answer in y],
        lambda y: [(7.0 if answer == "yes" else 3.0) + noise.random() for answer in y],
        lambda y: [noise.random() if answer == "yes" else None for answer in y],
        lambda y: [abs(noise.random() - (10.0 if answer == "yes" else 0.0)) for answer in y],
    ],
    ids=["word", "threshold", "missing", "apart"],
)
def test_a_column_that_determines_the_class_is_one_warning(
    tmp_path: Path, give: Callable[[object], list[object]]
) -> None:
    table = sound()
    findings = [
        finding for finding in found(tmp_path, {**table, "after": give(table["y"])}) if finding.level == "warning"
    ]
    assert codes(findings) == ["warning target-leakage"]
    assert findings[0].location.column == "after"


@pytest.mark.parametrize("of_z", [np.exp, lambda z: -3.0 * z, lambda z: np.sqrt(np.abs(z)) * np.sign(z)])
def test_a_column_monotonic_in_the_target_is_a_warning(
    tmp_path: Path, of_z: Callable[[np.ndarray], np.ndarray]
) -> None:
    table = sound()
    findings = found(tmp_path, {**table, "after": of_z(np.array(table["z"])).tolist()}, target="z")
    assert codes(findings) == ["warning target-leakage"]


def test_a_column_that_determines_the_target_without_order_is_a_warning(tmp_path: Path) -> None:
    table = sound(2000)
    root = np.sqrt(np.abs(np.array(table["z"]))) * noise.choice([-1.0, 1.0], 2000)
    table["z"] = np.abs(np.array(table["z"])).tolist()
    assert codes(found(tmp_path, {**table, "root": root.tolist()}, target="z")) == ["warning target-leakage"]


def test_categories_that_each_determine_the_target_are_a_warning(tmp_path: Path) -> None:
    table = sound()
    table["z"] = [{"red": 1.0, "green": 5.0, "blue": -2.0}[str(word)] for word in table["word"]]
    assert codes(found(tmp_path, table, target="z")) == ["warning target-leakage"]


def test_a_strong_feature_is_not_leakage(tmp_path: Path) -> None:
    table = sound()
    z = np.array(table["z"])
    strong = (z + 0.2 * z.std() * noise.normal(size=ROWS)).tolist()
    assert found(tmp_path, {**table, "strong": strong}, target="z") == []
    assert found(tmp_path, {**table, "strong": strong}) == []


def test_the_only_feature_is_not_leakage(tmp_path: Path) -> None:
    table = sound()
    assert found(tmp_path, {"a": np.exp(np.array(table["z"])).tolist(), "z": table["z"]}, target="z") == []


@pytest.mark.slow
def test_chance_in_a_small_table_is_not_leakage(tmp_path: Path) -> None:
    for seed in range(5):
        findings = found(tmp_path, sound(60, seed), validation=0.3)
        assert not [finding for finding in findings if finding.code == "target-leakage"]

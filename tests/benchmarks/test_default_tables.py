"""Trainings on a folder of tables go in rounds, are written down, and are not repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

import default_tables
from default_tables import Fit, Plan, measure_tables, read
from versions import Version


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was trained, instead of training it."""
    result: list[str] = []

    def fit_nncli(version: Version, folder: Path, seed: int, settings: tuple[str, ...]) -> Fit:
        result.append(f"{version.title} {folder.name} {seed}")
        return Fit(folder.name, version.commit, seed, settings, 1.0, 0.1, None, None)

    def fit_catboost(interpreter: str, folder: Path, seed: int) -> Fit:
        result.append(f"catboost {folder.name} {seed}")
        return Fit(folder.name, "catboost", seed, (), 1.0, 0.1, None, None)

    monkeypatch.setattr(default_tables, "fit_nncli", fit_nncli)
    monkeypatch.setattr(default_tables, "fit_catboost", fit_catboost)
    monkeypatch.setattr(default_tables, "has_catboost", lambda interpreter: interpreter == "python")
    return result


def plan(folder: Path, commit: str = "abc", interpreter: str = "python", rounds: int = 2) -> Plan:
    both = [Version("nncli", folder, commit), Version("baseline", folder, "old")]
    return Plan([folder / "t", folder / "u"], both, rounds, (), interpreter, folder / "fits.jsonl")


def test_everyone_is_measured_on_a_table_before_the_next(tmp_path: Path, asked: list[str]) -> None:
    result = measure_tables(plan(tmp_path))
    round_of = [f"{who} {table} 0" for table in "tu" for who in ("nncli", "baseline", "catboost")]
    assert asked == [*round_of, *(word.replace("0", "1") for word in round_of)]
    assert [(fit.folder, fit.seed) for fit in result["catboost"]] == [("t", 0), ("u", 0), ("t", 1), ("u", 1)]
    assert read(tmp_path / "fits.jsonl")[0] == result["nncli"][0]


def test_an_interrupted_run_continues(tmp_path: Path, asked: list[str]) -> None:
    measure_tables(plan(tmp_path, rounds=1))
    asked.clear()
    result = measure_tables(plan(tmp_path, rounds=2))
    assert len(result["nncli"]) == 4
    assert len(asked) == 6


def test_changed_files_are_measured_anew(tmp_path: Path, asked: list[str]) -> None:
    for _ in range(2):
        measure_tables(plan(tmp_path, commit="abc-changed", rounds=1))
    assert asked.count("nncli t 0") == 2
    assert asked.count("baseline t 0") == 1


def test_without_catboost_the_others_are_measured(tmp_path: Path, asked: list[str]) -> None:
    assert set(measure_tables(plan(tmp_path, interpreter="absent"))) == {"nncli", "baseline"}
    assert "catboost t 0" not in asked

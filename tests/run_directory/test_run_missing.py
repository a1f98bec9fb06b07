"""What is said about a path that is not a run directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nncli.base.errors import RunError
from nncli.run_directory.manifest import MANIFEST
from nncli.run_directory.run import Run


def hint_for(path: Path) -> str:
    with pytest.raises(RunError) as caught:
        Run.open(path)
    return str(caught.value.hint)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs, and a folder that is none."""
    monkeypatch.chdir(tmp_path)
    for name in ("churn", "houses"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / MANIFEST).touch()
    (tmp_path / "runs" / "houzes").mkdir()
    return tmp_path / "runs"


@pytest.mark.parametrize(("name", "near"), [("runs/chrun", "churn"), ("chrun", "churn"), ("runs/house", "houses")])
def test_a_misspelled_run_is_answered_with_the_nearest(runs: Path, name: str, near: str) -> None:
    assert f"Did you mean {os.path.join('runs', near)!r}?" in hint_for(Path(name))  # noqa: PTH118


def test_nothing_similar_is_no_suggestion(runs: Path) -> None:
    assert "Did you mean" not in hint_for(Path("runs/weather"))
    assert "Did you mean" not in hint_for(Path("x" * 5000))


def test_a_table_in_the_place_of_the_run_is_told_the_order(runs: Path) -> None:
    (runs / "new.csv").write_text("a\n1\n")
    assert "RUN runs/new.csv" in hint_for(Path("runs/new.csv"))
    (runs / "notes.md").touch()
    assert "RUN runs" not in hint_for(Path("runs/notes.md"))

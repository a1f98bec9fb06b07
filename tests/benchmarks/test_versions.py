"""Benchmarks run nncli as it was at another commit."""

from __future__ import annotations

import compileall
import subprocess

import pytest

from timing import ROOT, run
from versions import versions


def imported_from(folder: object) -> str:
    return run(["-P", "-c", "import nncli; print(nncli.__file__)"], PYTHONPATH=str(folder)).output.strip()


def test_without_a_baseline_there_is_this_working_copy() -> None:
    with versions(None) as [here]:
        assert here.folder == ROOT
        assert here.commit


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="wants a git repository")
def test_a_baseline_is_the_code_of_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compileall, "compile_dir", lambda *_, **__: True)  # takes seconds
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    with versions("HEAD") as [_, baseline]:
        assert head.startswith(baseline.commit)
        assert imported_from(baseline.folder) == str(baseline.folder / "nncli" / "__init__.py")
    assert not baseline.folder.exists()

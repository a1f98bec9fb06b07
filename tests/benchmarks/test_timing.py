"""What the benchmarks share works as it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from timing import FailedError, accepted, in_rounds, ratio, refusal, run, tree_mib


def test_a_ratio_is_the_median_of_the_rounds_and_not_of_the_medians() -> None:
    assert ratio([2.0, 40.0, 3.0], [1.0, 10.0, 3.0]) == 2.0


def test_rounds_go_from_task_to_task() -> None:
    asked: list[str] = []
    result = in_rounds({"a": lambda: asked.append("a"), "b": lambda: asked.append("b")}, 2)
    assert asked == ["a", "b", "a", "b"]
    assert result == {"a": [None, None], "b": [None, None]}


def test_a_setting_is_accepted_or_refused_with_a_reason() -> None:
    assert accepted("epochs=2") == ["--set", "epochs=2"]
    assert accepted("wings=2") == []
    assert "wings" in (refusal("wings=2") or "")


def test_a_run_is_told_by_its_time_memory_and_output() -> None:
    done = run(["-c", "x = bytes(60 << 20); print(len(x))"], threads=1)
    assert done.output == f"{60 << 20}\n"
    assert done.seconds > 0.0
    assert done.mib > 60.0


def test_what_slows_openblas_does_not_reach_a_measured_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    assert run(["-c", "import os; print('OPENBLAS_CORETYPE' in os.environ)"]).output == "False\n"


def test_nncli_is_not_compiled_by_the_measured_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    done = run(["-c", "import nncli.base.errors; print(nncli.base.errors.__spec__.cached)"])
    assert Path(done.output.strip()).is_file()


def test_a_failed_process_is_quoted() -> None:
    with pytest.raises(FailedError, match="no such luck"):
        run(["-c", "raise SystemExit('no such luck')"])


CHILD = "x = bytearray(60 << 20); import time; time.sleep(0.4)"
PARENT = f"x = bytearray(60 << 20); import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the peak of the process itself is measured")
def test_the_memory_of_a_tree_is_that_of_parent_and_child() -> None:
    assert run(["-c", PARENT], whole_tree=True).mib > 120.0


def test_a_process_that_has_ended_has_no_memory() -> None:
    assert tree_mib(2**22 + 1) == 0.0


def test_scripts_that_run_in_other_environments_need_no_psutil() -> None:
    blocked = "import sys; sys.modules['psutil'] = None; sys.path.insert(0, 'benchmarks'); import timing"
    subprocess.run([sys.executable, "-c", blocked], check=True, cwd=Path(__file__).parents[2])

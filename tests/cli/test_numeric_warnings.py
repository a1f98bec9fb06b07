"""A warning in a command that a test starts, or in a worker of that command, fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.support import DATA, run

METRIC = """
import warnings
from nncli.extend import Metric

def warning(y, prediction, sample_weight=None):
    warnings.warn("overflow encountered", RuntimeWarning)
    return 0.0

WARNING = Metric("warning", "regression", warning, "a metric that warns", "warning")
"""


@pytest.mark.parametrize("members", [1, 2])
def test_a_numeric_warning_fails_in_a_command_and_in_its_workers(tmp_path: Path, members: int) -> None:
    (tmp_path / "m.py").write_text(METRIC)
    (tmp_path / "c.yaml").write_text(
        f"code: [m.py]\ndata: {{path: {DATA}/linear.csv, target: y}}\nlayers: [2]\nepochs: 1\nmetric: warning\n"
        f"members: {members}\nworkers: {members}\n"
    )
    done = run("train", "c.yaml", "-o", "run", cwd=tmp_path)
    assert done.code == 1
    assert "RuntimeWarning: overflow encountered" in done.err

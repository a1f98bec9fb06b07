"""Numba's BLAS is imported alone, and scipy.linalg still imports whole afterwards."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.support import ROOT

pytest.importorskip("numba")
pytest.importorskip("scipy")


def run(program: str) -> str:
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.slow
def test_the_blas_is_imported_without_the_rest_of_scipys_linear_algebra() -> None:
    run("""
import sys
import numba
import numpy as np
from nncli.nn.training.compiled.support import load
assert load("numba") is None
dot = numba.njit(lambda A: A @ A)
assert (dot(2 * np.eye(3)) == 4 * np.eye(3)).all()
assert "scipy.linalg" not in sys.modules
import scipy.linalg.cython_blas as alone
import scipy.linalg
from scipy.linalg import cython_blas, solve
assert cython_blas is alone and solve(np.eye(2), np.ones(2)).tolist() == [1, 1]
""")


@pytest.mark.slow
def test_a_blas_that_is_not_found_is_imported_in_the_usual_way() -> None:
    program = "from types import SimpleNamespace\nimport nncli.nn.training.compiled.support as b\n"
    program += "b.PathFinder = SimpleNamespace(find_spec=lambda name, path: None)\n"
    program += "from nncli.nn.training.compiled.support import load\nprint(load('numba'))"
    assert run(program) == "None"

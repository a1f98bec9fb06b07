"""A warning of NumPy is a failure of whatever test it is in, and no person reads one."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from nncli.fitting.parallel.task_stream import TaskStream, Workers

OVERFLOW = "import numpy as np; np.array([1e308]) * 10.0"
HIDDEN = "from nncli.base.logs import hide_numeric_warnings; hide_numeric_warnings(); import warnings\n"
WARN = "warnings.warn_explicit('overflow', RuntimeWarning, '/secret/path.py', 1, module={module!r})"


def ended(code: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@dataclass(frozen=True)
class Product:
    """A number to multiply."""

    number: float


def multiplied(task: Product) -> float:
    """Ten times the number."""
    return float((np.array([task.number]) * 10.0)[0])


def test_it_is_an_error_in_the_process_of_the_tests() -> None:
    with pytest.raises(RuntimeWarning, match="overflow"):
        multiplied(Product(1e308))


def test_it_is_an_error_in_a_process_that_a_test_starts() -> None:
    done = ended(OVERFLOW)
    assert done.returncode == 1
    assert "RuntimeWarning: overflow" in done.stderr


@pytest.mark.slow
def test_it_is_an_error_in_a_worker() -> None:
    tasks = [Product(1.0), Product(1e308)]
    with (
        TaskStream[Product, float](multiplied, lambda task: np.nan, 2, Workers(1), queued=1) as stream,
        pytest.raises(RuntimeWarning, match="overflow"),
    ):
        dict(stream.results(tasks))


@pytest.mark.parametrize(("module", "is_hidden"), [("nncli.nn.losses", True), ("numpy.lib", True), ("mine", False)])
def test_without_the_tests_only_the_code_of_others_prints_it(module: str, is_hidden: bool) -> None:
    done = ended(HIDDEN + WARN.format(module=module), PYTHONWARNINGS="")
    assert done.returncode == 0
    assert ("/secret/path.py" not in done.stderr) == is_hidden


def test_with_the_tests_it_is_an_error_where_it_would_be_hidden() -> None:
    assert ended(HIDDEN + WARN.format(module="nncli.nn.losses")).returncode == 1

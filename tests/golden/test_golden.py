"""What any earlier nncli has written is read for ever, to the same bits, whatever the kernel of the BLAS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import predict
from nncli.models.model import FORMAT
from tests.golden.make import CONFIGS

HERE = Path(__file__).parent
HOMES = sorted(path for path in HERE.glob("format-*") if path.is_dir())

# A network trained in float64 is not rounded, and shows in its last place which kernel computed it.
ALL = """
import sys
from pathlib import Path
import numpy as np
from nncli import predict
for home in sorted(Path(sys.argv[1]).glob("format-*")):
    expected = (home / "expected.csv").read_text()
    found = predict(home / "run", home / "rows.csv", proba="proba_" in expected)
    if home.name.endswith("-double"):
        np.testing.assert_allclose(found["prediction"], np.loadtxt(home / "expected.csv", skiprows=1), rtol=1e-12)
    else:
        assert found.write_csv() == expected, home.name
"""


def test_the_present_format_has_its_golden_runs() -> None:
    assert {f"format-{FORMAT}-{name}" for name in CONFIGS} <= {home.name for home in HOMES}


@pytest.mark.slow
@pytest.mark.parametrize("kernel", [None, "Haswell", "Zen", "SkylakeX", "Nehalem"])
def test_golden_runs_predict_the_same_bits_with_any_kernel_this_machine_runs(kernel: str | None) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    if kernel is not None:
        environment["OPENBLAS_CORETYPE"] = kernel
    command = [sys.executable, "-c", ALL, str(HERE)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode == -signal.SIGILL:
        pytest.skip(f"this processor cannot run the {kernel} kernel")
    assert done.returncode == 0, done.stderr


def test_a_run_of_before_rates_keeps_its_clipped_numbers_and_the_bounds_of_its_intervals() -> None:
    home = HERE / "format-1-exposure"
    rows = pl.read_csv(home / "rows.csv").with_columns(pl.col("years") * 20.0)
    predicted = predict(home / "run", rows, interval=0.8)
    expected = pl.read_csv(home / "expected_intervals.csv")
    assert predicted["prediction"].max() == 33.0  # the largest count of its training rows
    assert predicted["prediction"].to_list() == expected["prediction"].to_list()
    np.testing.assert_allclose(predicted.to_numpy(), expected.to_numpy(), rtol=1e-13)

"""A server process, and a table for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.cli.support import ROOT
from tests.serving.server_process import serving
from tests.serving.trained import TARGETS, table_of

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def table() -> pl.DataFrame:
    """Rows without a target, with missing cells."""
    table = table_of(3)[:40].drop(TARGETS)
    assert table["rate"].null_count() > 0
    assert table["color"].null_count() > 0
    return table


@pytest.fixture(scope="session")
def address(runs: Mapping[str, Path]) -> Iterator[str]:
    """The host and the port of a server of two models."""
    with serving([f"{runs[name]}={name}" for name in ("number", "two")]) as server:
        yield server


@pytest.fixture(scope="session")
def call(address: str, table: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """What a script of this folder, which calls the server, prints.

    It is a process of its own, since such clients replace parts of the standard library, and warn when imported.
    """
    path = tmp_path_factory.mktemp("table") / "table.csv"
    table.write_csv(path)

    def run(script: str) -> Any:
        command = [sys.executable, str(HERE / script), address, str(path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run

"""Columns whose names are patterns to Polars, or hold quotes, line ends and spaces, through every command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.cli.support import Cli

NAMES = ["*", "^x.*$", "^.*$", "x1", 'a "quoted" name', "two\nlines", " ", "^", "secret"]
TARGET = "^y|n$"
CONFIG = """
data: {path: t.csv, target: "^y|n$"}
layers: [4]
epochs: 2
"""


@pytest.fixture
def table(here: Path) -> pl.DataFrame:
    """Numbers, some of them missing, and categories, dates, units and text."""
    n = 80
    numbers = np.random.default_rng(0).normal(size=(n, 3)).round(3)
    frame = pl.DataFrame(
        {
            "*": numbers[:, 0],
            "^x.*$": [f"{'abc'[i % 3]}" for i in range(n)],
            "^.*$": [None if i % 9 == 0 else x for i, x in enumerate(numbers[:, 1].tolist())],
            "x1": numbers[:, 2],
            'a "quoted" name': [i % 7 for i in range(n)],
            "two\nlines": [f"2024-01-{1 + i % 28:02}" for i in range(n)],
            " ": [f"€{i % 5}" for i in range(n)],
            "^": [f"word{i % 4} and word{i % 7}" for i in range(n)],
            "secret": range(n),
            TARGET: np.where(numbers[:, 0] > 0, "yes", "no"),
        }
    )
    frame.write_csv("t.csv")
    frame.write_parquet("t.parquet")
    frame.write_ndjson("t.jsonl")
    Path("c.yaml").write_text(CONFIG)
    return frame


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_names_that_are_patterns_are_columns_in_every_command(nncli: Cli, table: pl.DataFrame, suffix: str) -> None:
    file = f"t.{suffix}"
    nncli("train", "c.yaml", "-o", "run", "--set", f"data.path={file}").check()
    nncli("evaluate", "run", file).check()
    nncli("explain", "run", file).check()
    nncli("report", "run", "-o", f"{suffix}.html").check()
    nncli("init", file, "--target", TARGET, "-o", f"{suffix}.yaml").check()
    assert "internal-error" not in nncli("check", "c.yaml", "--set", f"data.path={file}").err
    nncli("predict", "run", file, "-o", "p.csv").check()
    assert len(pl.read_csv("p.csv")) == len(table)


@pytest.mark.parametrize("column", range(9))
def test_a_kept_column_is_that_column_alone(nncli: Cli, table: pl.DataFrame, column: int) -> None:
    nncli("train", "c.yaml", "-o", "run", "--set", "epochs=1").check()
    nncli("predict", "run", "t.csv", "--keep", NAMES[column], "-o", "p.parquet").check()
    kept = pl.read_parquet("p.parquet")
    assert kept.columns == [NAMES[column], "prediction"]
    cells = pl.read_csv("t.csv", infer_schema=False).to_series(column)
    assert kept.to_series(0).cast(pl.String).to_list() == cells.to_list()

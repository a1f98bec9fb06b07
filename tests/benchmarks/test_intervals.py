"""The benchmark of intervals and sets: a tiny split runs, and its tables show what the file holds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl

from tests.benchmarks.test_scripts import ran


def write_tables(folder: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=80)
    for name, task, target in (
        ("numbers", "regression", x + rng.normal(size=80)),
        ("words", "binary", np.where(x > 0, "a", "b")),
    ):
        frame = pl.DataFrame({"x": x, "y": target})
        (folder / name).mkdir()
        frame[:60].write_csv(folder / name / "train.csv")
        frame[60:].write_csv(folder / name / "test.csv")
        (folder / name / "meta.json").write_text(json.dumps({"target": "y", "task": task, "categorical": []}))


def test_a_split_of_each_task_is_measured_once(tmp_path: Path) -> None:
    write_tables(tmp_path)
    results = tmp_path / "results.jsonl"
    words = (tmp_path, "--splits", "1", "--parts", "coverage", "--results", results, "--set", "epochs=1")
    first = ran("intervals.py", *words)
    result = [json.loads(line) for line in results.read_text().splitlines()]
    assert {(item["table"], item["variant"]) for item in result} == {
        (table, variant) for table in ("numbers", "words") for variant in ("default", "metric: loss")
    }
    assert all(item["coverage"] <= 1.0 for item in result)
    assert "| numbers | 60 |" in first
    assert ran("intervals.py", *words) == first  # from the file
    assert len(results.read_text().splitlines()) == len(result)

"""The benchmark of a search around the default: a tiny table is measured, and the goals are counted."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.test_intervals import write_tables
from tests.benchmarks.test_scripts import ran
from tune_default import Measured, Scores, compared


def measured(ensemble: float, default: float) -> Measured:
    models = {"ensemble": Scores(ensemble, 2 * ensemble), "default": Scores(default, default)}
    return Measured("t", "rmse", 30, 10, models)


def test_tables_are_counted_where_the_ensemble_is_better() -> None:
    tables = [measured(1.0, 2.0), measured(1.0, 1.0), measured(3.0, 4.0)]
    assert compared(tables, "ensemble", "default", "out_of_fold").value == 2
    assert compared(tables, "ensemble", "default", "test").value == 0


def test_a_tiny_table_is_measured_once(tmp_path: Path) -> None:
    write_tables(tmp_path)
    sizes = ("--tables", "words", "--trials", "1", "--set", "quality=fast", "--set", "epochs=1")
    printed = ran("tune_default.py", tmp_path, *sizes, "--results", tmp_path / "results.jsonl")
    assert "| words | log_loss |" in printed
    assert ran("tune_default.py", tmp_path, *sizes, "--results", tmp_path / "results.jsonl") == printed

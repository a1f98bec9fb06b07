"""The benchmark of exported models: a tiny table is trained, exported, compared and measured."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.test_intervals import write_tables
from tests.benchmarks.test_scripts import ran


def test_the_files_of_each_target_are_compared_and_measured(tmp_path: Path) -> None:
    write_tables(tmp_path)
    words = ("--targets", "python", "--set", "epochs=1", "--set", "members=2", "--only", "numbers")
    lines = ran("export.py", tmp_path, *words).splitlines()
    assert "| numbers | python | 80 | 80 | 100.00000 % | 0 | 0 |" in lines
    assert "| all | python | 80 | 80 | 100.00000 % | 0 | 0 |" in lines
    (size,) = (line for line in lines if line.startswith("| python | "))
    assert float(size.split("|")[4]) > 1.0
    assert any(line.startswith("| nncli, from a frame | ") for line in lines)

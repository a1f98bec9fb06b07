"""The scripts of benchmarks/ run, at tiny sizes and without peers that must be installed. No figure is looked at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MARKERS = "before\n<!-- made by benchmarks/all.py from benchmarks/results.json -->\n<!-- end -->\nafter\n"


def ran(script: str, *words: str | Path) -> str:
    command = [sys.executable, str(ROOT / "benchmarks" / script), *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("script", "words", "shows"),
    [
        ("step.py", "--sizes 2-4-1/8 3-4-2/8 --seconds 0.01 --threads 1 --peers nncli --tables", "| 3-4-2 / 8 | 1 |"),
        ("preset_step.py", "--tables 40x2+1 --seconds 0.01 --rounds 1", "| 40x2+1 |"),
        (
            "end_to_end.py",
            "--sizes 3-4-3/30 --rows 100 --epochs 2 --threads 1 --peers nncli scikit-learn",
            "scikit-learn",
        ),
        ("textbook.py", "--peers PyTorch --data DATA", "| nncli |"),
        ("startup.py", "", "| nncli --help |"),
        ("tables.py", "--rows 0.00002", "| Polars, reading |"),
        ("growth.py", "--axes columns --points 1 --scale 0.002", "| columns | 20 |"),
        ("default.py", "--only columns --scale 0.0002", "| 10 × 4 | nncli |"),
        ("predict_default.py", "--rows 250 --set members=2 --set epochs=2", "| one network | 64 |"),
        ("contention.py", "--sizes 2-4-1/8 --seconds 0.01", "| 2-4-1 / 8 |"),
    ],
    ids=lambda value: value if str(value).endswith(".py") else "",
)
def test_a_tiny_version_of_it_runs(script: str, words: str, shows: str) -> None:
    words = words.replace("DATA", str(ROOT / "data" / "linear.csv"))
    assert shows in ran(script, "--rounds", "1", *words.split())


def test_all_of_them_are_written_down_part_by_part(tmp_path: Path) -> None:
    results, document = tmp_path / "results.json", tmp_path / "performance.md"
    document.write_text(MARKERS, "utf-8")
    written = ("--results", results, "--document", document)
    ran("all.py", "--only", "startup", "--rounds", "1", *written)
    result = json.loads(results.read_text("utf-8"))
    assert list(result["parts"]) == ["startup"]
    assert "numpy" in result["made"]["versions"]
    text = document.read_text("utf-8")
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "| nncli --version |" in text
    ran("all.py", "--only", *written)
    assert document.read_text("utf-8") == text


def test_polluted_tables_are_counted() -> None:
    shown = ran("pollution.py", "--random", "20").splitlines()
    assert shown[0].split() == ["pollution", "files", "right", "refused", "wrong"]
    assert shown[-1].split()[0] == "all"
    assert shown[-1].split()[-1] == "0"

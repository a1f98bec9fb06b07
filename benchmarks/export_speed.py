"""How fast exported models, `nncli predict` and peers answer one row, and many, on one core.

Times are of the processor, which a busy machine changes less.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from timing import HERE, kept_to_cores, run

ROWS = 20_000
"""Rows of a bulk measurement."""
COMPILERS = ("gcc", "clang")
ROUNDS = 3
NODE = """
import { readFileSync } from "node:fs";
import { predict } from "./model.mjs";
const rows = JSON.parse(readFileSync("rows.json", "utf8"));
for (let i = 0; i < 300; i++) predict(rows[i % rows.length]);
const seconds = (work) => {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return 1e-6 * (user + system);
};
const times = [];
for (let i = 0; i < 1000; i++) times.push(seconds(() => predict(rows[i % rows.length])));
times.sort((a, b) => a - b);
console.log(JSON.stringify([1e3 * times[times.length >> 1], rows.length / seconds(() => predict(rows))]));
"""


@dataclass(frozen=True)
class Speed:
    """The processor time of one row, the median of many, and the rows a second of a large table."""

    title: str
    milliseconds: float
    rows_a_second: float


def node_speed(file: Path, table: Path, target: str, work: Path) -> list[Speed]:
    """The module in Node, with rows as objects."""
    import polars as pl

    shutil.copyfile(file, work / "model.mjs")
    (work / "speed.mjs").write_text(NODE, "utf-8")
    (work / "rows.json").write_text(json.dumps(pl.read_csv(table).drop(target).to_dicts()), "utf-8")
    with kept_to_cores(1):
        done = subprocess.run(["node", "speed.mjs"], cwd=work, stdout=subprocess.PIPE, check=True)
    return [Speed("js in Node", *json.loads(done.stdout))]


def c_speeds(file: Path, table: Path, work: Path) -> list[Speed]:
    """The program of each compiler at -O2, which reads CSV: the time of all rows but that of none, a row."""
    header, *rows = table.read_bytes().splitlines(keepends=True)
    (work / "none.csv").write_bytes(header)
    (work / "rows.csv").write_bytes(header + b"".join((rows * (ROWS // len(rows) + 1))[:ROWS]))
    speeds = []
    shutil.copyfile(file, work / "speed.c")
    for compiler in filter(shutil.which, COMPILERS):
        words = [compiler, "-std=c99", "-O2", "-DMAIN", "speed.c", "-o", f"with-{compiler}", "-lm"]
        subprocess.run(words, cwd=work, check=True)
        none, many = (
            min(_seconds([work / f"with-{compiler}"], work / name) for _ in range(ROUNDS))
            for name in ("none.csv", "rows.csv")
        )
        speeds.append(Speed(f"c by {compiler} -O2, from CSV", 1e3 * (many - none) / ROWS, ROWS / (many - none)))
    return speeds


def _seconds(command: Sequence[Path], stdin: Path) -> float:
    """The seconds of processor time of a program on one core that reads a file."""
    with stdin.open("rb") as file, kept_to_cores(1):
        before = os.times()
        subprocess.run(command, stdin=file, stdout=subprocess.DEVNULL, check=True)
        after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def onnxruntime_speeds(file: Path, table: Path) -> list[Speed]:
    """The file in ONNX Runtime, with one thread."""
    return _jobs(["onnx", file, table], sys.executable)


def predict_speed(run_path: Path, table: Path) -> list[Speed]:
    """The run in nncli itself, from a frame."""
    return _jobs(["nncli", run_path, table], sys.executable)


def peer_speeds(folder: Path, interpreter: Path) -> list[Speed]:
    """CatBoost, and an MLP of scikit-learn in ONNX Runtime, both with their defaults."""
    return [*_jobs(["catboost", folder], interpreter), *_jobs(["sklearn", folder], interpreter)]


def _jobs(words: Sequence[str | Path], interpreter: str | Path) -> list[Speed]:
    printed = run([HERE / "export_job.py", *words], threads=1, interpreter=interpreter).output
    return [Speed(*json.loads(line)) for line in printed.splitlines() if line.startswith("[")]

"""False alarms, found shifts and estimated accuracy of `nncli drift` on real tables, and its time beside `predict`.

    python benchmarks/drift.py TABLES                       # every table
    python benchmarks/drift.py TABLES --only car concrete

TABLES holds NAME/train.csv, NAME/test.csv and NAME/meta.json (target, task). Both files are read together and split
again: a model is trained on a part, and batches are
drawn without replacement from the rest. A batch of these rows should have no finding; the same batch with a column
moved by 0.3 standard deviations should have one. For the accuracy, the rest is weighted so that an important column
moves, and the true accuracy is that of the weighted rows; a regression is turned into classes at the median.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from nncli import explain, train
from nncli.analysis.drift_report import compare
from nncli.data.table import Table
from nncli.models.ensemble import average_members, predict_members
from nncli.models.predictions import Predictions
from nncli.models.read_table import read_data
from nncli.nn.arrays import Floats
from nncli.run_directory.monitoring.profiler import Profiler
from nncli.run_directory.monitoring.reference import NumberBins
from nncli.run_directory.run import Run

SIZES = (100, 1_000, 10_000)
SHIFT = 0.3
MAX_TRAINING = 5_000
"""Rows that are trained on at most, so that enough are left."""
IMPORTANT = 3


@dataclass(frozen=True)
class Trained:
    """A run, and the rest of its table with predictions."""

    name: str
    run: Path
    profiler: Profiler
    table: Table
    predictions: Predictions
    members: list[Predictions]
    important: tuple[str, ...]


def prepare(folder: Path, name: str, target: str, work: Path, quality: str, *, classes: bool) -> Trained:
    """Train on a part of a table, and predict the rest."""
    parts = [pl.read_csv(folder / name / f"{part}.csv", infer_schema=False) for part in ("train", "test")]
    frame = pl.concat(parts).sample(fraction=1.0, shuffle=True, seed=1)
    if classes:
        y = frame[target].cast(pl.Float64)
        frame = frame.with_columns((y > y.median()).cast(pl.String).alias(target))
    n = min(MAX_TRAINING, round(0.6 * len(frame)))
    here = work / f"{name}{'-classes' * classes}"
    here.mkdir(parents=True, exist_ok=True)
    frame[:n].write_csv(here / "train.csv")
    frame[n:].write_csv(here / "rest.csv")
    if not (here / "run").exists():
        config = {"data": {"path": str(here / "train.csv"), "target": target}, "quality": quality}
        (here / "c.yaml").write_text(json.dumps(config))
        train(here / "c.yaml", output=here / "run")
    run = Run.open(here / "run")
    model, reference = run.load_model(), run.load_reference()
    assert reference is not None
    table = read_data(model, here / "rest.csv")
    explained = explain(here / "run", table.frame, rows=500, permutations=2, top=0).importances or ()
    important = tuple(item.column for item in explained[:IMPORTANT])
    members = predict_members(model, table)
    predictions = average_members(model, members)
    return Trained(name, run.path, Profiler.of(reference, model), table, predictions, members, important)


def false_alarms(trained: Trained, size: int, batches: int) -> float:
    """The share of batches without drift that have a finding."""
    rng = np.random.default_rng(0)
    bins_of_rows = trained.profiler.bin_codes(trained.table, trained.predictions, trained.members)
    drawn = [rng.choice(len(trained.table), size, replace=False) for _ in range(batches)]
    return float(
        np.mean([bool(compare(trained.profiler.reference, bins_of_rows.profile(rows)).drifted) for rows in drawn])
    )


def found_shifts(trained: Trained, size: int, batches: int) -> dict[str, float]:
    """The share of batches in which a shift of each important column of numbers is found."""
    rng, result = np.random.default_rng(1), {}
    bins = {bins.name: bins for bins in trained.profiler.reference.columns}
    for name in trained.important:
        if not isinstance(bins[name], NumberBins):
            continue
        x = trained.table.column(name).cast(pl.Float64, strict=False)
        deviation = x.std()
        assert isinstance(deviation, float)
        moved = trained.table.frame.with_columns((x + SHIFT * deviation).alias(name))
        bins_of_rows = trained.profiler.bin_codes(Table(moved, "moved"), trained.predictions, trained.members)
        hits = 0
        for _ in range(batches):
            rows = rng.choice(len(trained.table), size, replace=False)
            comparison = compare(trained.profiler.reference, bins_of_rows.profile(rows))
            hits += any(column.name == name for column in comparison.drifted)
        result[name] = hits / batches
    return result


def accuracy_errors(trained: Trained) -> list[float]:
    """Estimated minus true accuracy, in points, where each important column moves up and down."""
    labels = trained.predictions.target.monitoring().truth(trained.table)
    assert labels is not None
    values = trained.predictions.values
    correct, confidence = (values.argmax(axis=1) == labels).astype(np.float64), values.max(axis=1)
    errors = []
    for name in trained.important:
        z = _scores(trained.table, name)
        for sign in (-1.0, 1.0):
            w = np.exp(sign * z)
            errors.append(100.0 * float(np.average(confidence - correct, weights=w)))
    return errors


def _scores(table: Table, name: str) -> Floats:
    """A column in standard deviations within ±2; categories by their number in alphabetical order."""
    cells = table.column(name)
    x = cells.cast(pl.Float64, strict=False)
    if x.null_count() > len(x) / 2:
        x = cells.fill_null("").cast(pl.Categorical).to_physical().cast(pl.Float64)
    numbers = x.fill_null(x.median()).to_numpy()
    return np.asarray(((numbers - numbers.mean()) / max(1e-12, float(numbers.std()))).clip(-2.0, 2.0))


def seconds(trained: Trained, rows: int, repeats: int, work: Path) -> tuple[float, float]:
    """The time of `predict` and of `drift` for a file of so many rows, the least of some repeats."""
    frame = trained.table.frame
    big = work / "big.csv"
    pl.concat([frame] * (1 + rows // len(frame)))[:rows].write_csv(big)
    words = {"predict": [str(big), "-o", str(work / "out.csv"), "--force", "-q"], "drift": [str(big), "--json", "-q"]}
    times: dict[str, list[float]] = {command: [] for command in words}
    for _ in range(repeats):
        for command, options in words.items():
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "nncli", command, str(trained.run), *options],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            times[command].append(time.perf_counter() - start)
    return min(times["predict"]), min(times["drift"])


def main() -> None:
    """Measure, and print one JSON object for each table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--quality", default="fast")
    parser.add_argument("--rows", type=int, default=0, help="rows of the file for the time; 0: no measurement")
    parser.add_argument("--work", type=Path)
    arguments = parser.parse_args()
    work = arguments.work or Path(tempfile.mkdtemp())
    for name in arguments.only or sorted(path.parent.name for path in arguments.folder.glob("*/meta.json")):
        meta = json.loads((arguments.folder / name / "meta.json").read_text())
        target = meta["target"]
        single = prepare(arguments.folder, name, target, work, arguments.quality, classes=False)
        sizes = [size for size in SIZES if size <= len(single.table)]
        document: dict[str, object] = {
            "table": name,
            "rest": len(single.table),
            "false_alarms": {size: false_alarms(single, size, arguments.batches) for size in sizes},
            "found": found_shifts(single, 1_000, arguments.batches) if len(single.table) >= 1_000 else {},
        }
        scored = single
        if meta["task"] == "regression":
            scored = prepare(arguments.folder, name, target, work, arguments.quality, classes=True)
        errors = accuracy_errors(scored)
        document |= {
            "accuracy_error": round(float(np.mean(np.abs(errors))), 2),
            "errors": [round(e, 1) for e in errors],
        }
        if arguments.rows:
            document["predict_s"], document["drift_s"] = seconds(single, arguments.rows, 3, work)
        print(json.dumps(document), flush=True)


if __name__ == "__main__":
    main()

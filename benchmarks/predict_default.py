"""Predictions of the default ensemble: a large table by the command, and few rows by a loaded run.

    python benchmarks/predict_default.py --rows 1000000

The default is trained on some rows of a table of 20 columns. The command is measured from start to end, CSV to CSV;
latencies are those of `nncli.load(RUN).predict(frame)`, of the ensemble and of its first member alone.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from results import Goal, Report, show
from timing import COMMAND, make_csv, parser, run

ROWS, TRAINING_ROWS, NUMERIC, TEXT = 1_000_000, 5_000, 15, 5
SIZES, CALLS = (1, 16, 64), 400
LATENCY_GOALS = {("ensemble", 1): 5.0, ("one network", 1): 1.5}
"""Milliseconds of the median."""
MAX_MIB = 300.0
JOB = """
import json, sys, time
import polars as pl
import nncli

runs, table, sizes, calls = sys.argv[1].split(","), sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4])
frame, found = pl.read_csv(table, n_rows=1_000), []
for run in runs:
    model = nncli.load(run)
    for rows in sizes:
        seconds = []
        for i in range(calls + 20):
            part = frame[i : i + rows]
            start = time.perf_counter()
            model.predict(part)
            seconds.append(time.perf_counter() - start)
        found.append(sorted(seconds[20:]))
print(json.dumps(found))
"""


def prepare(folder: Path, rows: int, training_rows: int, settings: tuple[str, ...] = ()) -> tuple[Path, Path]:
    """A trained default and a table of rows to predict."""
    training, new = folder / "train.csv", folder / "new.csv"
    make_csv(training, rows=training_rows, numeric=NUMERIC, text=TEXT, classes=1)
    make_csv(new, rows=rows, numeric=NUMERIC, text=TEXT, classes=0)
    run([*COMMAND, "train", training, "--target", "y", *settings, "-q", "-o", folder / "run"])
    return folder / "run", new


def bulk_figures(trained: Path, new: Path, rows: int, rounds: int) -> Report:
    """Rows a second and peak memory of `nncli predict`."""
    runs = [
        run([*COMMAND, "predict", trained, new, "-q", "--force", "-o", new.with_name("out.csv")], whole_tree=True)
        for _ in range(rounds)
    ]
    seconds, mib = median(run.seconds for run in runs), max(run.mib for run in runs)
    return Report(
        "Prediction of the default ensemble: a table",
        f"`nncli predict` of {rows:,} rows of {NUMERIC + TEXT} columns, CSV to CSV; median of {rounds}.",
        ("rows a second", "seconds", "peak MiB"),
        [(rows / seconds, seconds, mib)],
        [Goal("peak memory", mib, "≤", MAX_MIB, " MiB")],
    )


def latency_figures(trained: Path, new: Path, calls: int) -> Report:
    """Percentiles of the milliseconds of a call."""
    models = {"ensemble": trained, "one network": next(iter(sorted((trained / "members").iterdir())))}
    words: list[str | Path] = ["-c", JOB, ",".join(map(str, models.values())), new, json.dumps(SIZES), str(calls)]
    result = iter(json.loads(run(words).output))
    rows, goals = [], []
    for title in models:
        for size, p50, p90, p99 in _percentiles(result):
            rows.append((title, size, p50, p90, p99))
            if limit := LATENCY_GOALS.get((title, size)):
                goals.append(Goal(f"{title}, {size} row, median", p50, "≤", limit, " ms"))
    return Report(
        "Prediction of the default ensemble: few rows",
        f"`nncli.load(RUN).predict(frame)`, milliseconds of {calls} calls.",
        ("model", "rows", "p50", "p90", "p99"),
        rows,
        goals,
    )


def _percentiles(result: Iterator[list[float]]) -> Iterator[tuple[int, float, float, float]]:
    for size in SIZES:
        times = [1e3 * seconds for seconds in next(result)]
        p50, p90, p99 = (times[int(share * (len(times) - 1))] for share in (0.5, 0.9, 0.99))
        yield size, p50, p90, p99


def predict_default_figures(rows: int, rounds: int, calls: int, *settings: str) -> list[Report]:
    """Both tables."""
    with tempfile.TemporaryDirectory() as name:
        trained, new = prepare(Path(name), rows, min(rows, TRAINING_ROWS), settings)
        return [bulk_figures(trained, new, rows, rounds), latency_figures(trained, new, calls)]


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__, rounds=3)
    arguments.add_argument("--rows", type=int, default=ROWS, help=f"rows of the table (default {ROWS:,})")
    arguments.add_argument("--set", action="append", default=[], help="a setting of the training, KEY=VALUE")
    chosen = arguments.parse_args()
    settings = [word for setting in chosen.set for word in ("--set", setting)]
    show(predict_default_figures(chosen.rows, chosen.rounds, CALLS, *settings))


if __name__ == "__main__":
    main()

"""Time and memory of reading, encoding and predicting large tables, compared with Polars.

    python benchmarks/tables.py                 # needs 6 GB of disk in the temporary folder and 16 GB of memory
    python benchmarks/tables.py --rows 0.1      # a tenth of the rows

Prediction: 2,000,000 rows of 18 numeric columns and 2 text columns, CSV to CSV, as a whole process. It is compared with
a process in which Polars reads that file with `read_csv`, selects the first column and writes it with `write_csv`.
Training: 5,000,000 rows of 39 numeric columns and a numeric target; reading and encoding are timed without imports, and
so is Polars' `read_csv` of that file. The memory of training is that of the whole `nncli train`. The rate of training
comes from the history of the epochs after the first, in memory and, beyond `memory_limit`, out of core.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

from results import Cell, Goal, Report, show
from timing import COMMAND, Run, in_rounds, make_csv, parser, ratio, refusal, run

PREDICTED, TRAINED, COLUMNS = 2_000_000, 5_000_000, 40
LIMIT = "memory_limit=500 MiB"
"""The setting that sends a training out of core."""

CONFIG = """data: {{path: {table}, target: y}}
validation: 0
layers: [32]
batch_size: {batch}
epochs: {epochs}
"""
COPY = "import sys, polars; polars.read_csv(sys.argv[1]).select('x1').write_csv(sys.argv[2])"
READ = """
import sys, time, polars
start = time.perf_counter()
polars.read_csv(sys.argv[1])
print(time.perf_counter() - start)
"""
PREPARE = """
import sys, time
from nncli.fitting.prepare.prepare import prepare
from nncli.config.loading import load_config
config = load_config(sys.argv[1])
start = time.perf_counter()
prepare(config)
print(time.perf_counter() - start)
"""


def arguments() -> argparse.ArgumentParser:
    options_parser = parser(__doc__, rounds=3)
    options_parser.add_argument("--rows", type=float, default=1.0, help="a factor for all numbers of rows (default 1)")
    return options_parser


def configured(table: Path, *, batch: int, epochs: int) -> Path:
    """A configuration for a table, beside it."""
    path = table.with_suffix(".yaml")
    path.write_text(CONFIG.format(table=table, batch=batch, epochs=epochs))
    return path


def prediction(folder: Path, rows: int, rounds: int) -> Report:
    """Predict a long table and a quarter of it."""
    learnt = make_csv(folder / "learnt.csv", rows=2000, numeric=18, text=2, classes=3)
    model = folder / "model"
    loss = ["--set", "loss=cross_entropy"]
    run([*COMMAND, "train", configured(learnt, batch=32, epochs=2), *loss, "-q", "-o", model])
    result: dict[str, list[Run]] = {}
    whole, quarter = f"{rows:,}", f"{rows // 4:,}"
    for title, count in ((whole, rows), (quarter, rows // 4)):
        table = make_csv(folder / "new.csv", rows=count, numeric=18, text=2)
        out = folder / "out.csv"
        tasks = {
            f"nncli predict, {title}": partial(run, [*COMMAND, "predict", model, table, "-o", out, "--force"]),
            f"Polars, {title}": partial(run, ["-c", COPY, table, out]),
        }
        result |= in_rounds(tasks, rounds)
    seconds = {title: [done.seconds for done in runs] for title, runs in result.items()}
    mib = {title: median(done.mib for done in runs) for title, runs in result.items()}
    nncli, polars = f"nncli predict, {whole}", f"Polars, {whole}"
    goals = [
        Goal("predicting against Polars reading and writing", ratio(seconds[nncli], seconds[polars]), "≤", 1.6),
        *(
            Goal(f"memory of {title} rows", mib[title], "≤", 300.0, " MiB")
            for title in mib
            if title.startswith("nncli")
        ),
    ]
    cells: list[list[Cell]] = [[title, median(seconds[title]), mib[title]] for title in result]
    note = f"CSV to CSV, 18 numeric columns and 2 of text, the whole process; medians of {rounds} rounds."
    return Report("Prediction", note, ("process, rows", "seconds", "MiB"), cells, goals)


def reading(table: Path, rows: int, rounds: int) -> Report:
    """Read and encode the table for training, beside Polars reading it."""
    config = configured(table, batch=4096, epochs=3)
    tasks = {
        "nncli, reading and encoding": partial(run, ["-c", PREPARE, config]),
        "Polars, reading": partial(run, ["-c", READ, table]),
    }
    result = in_rounds(tasks, rounds)
    seconds = {title: [float(done.output) for done in runs] for title, runs in result.items()}
    cells: list[list[Cell]] = [
        [title, median(seconds[title]), median(done.mib for done in result[title])] for title in result
    ]
    ours, theirs = seconds.values()
    goals = [Goal("reading and encoding against Polars reading", ratio(ours, theirs), "≤", 1.5)]
    note = f"{rows:,} rows of {COLUMNS} numeric columns; seconds without imports, medians of {rounds} rounds."
    return Report("Reading for training", note, ("work", "seconds", "MiB"), cells, goals)


def trained(table: Path, folder: Path, *settings: str) -> tuple[float, float]:
    """Rows per second of the epochs after the first, and the peak memory in MiB, of one training."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        config = configured(table, batch=4096, epochs=6)
        sets = [word for setting in settings for word in ("--set", setting)]
        done = run([*COMMAND, "train", config, *sets, "-q", "-o", Path(name) / "run"])
        with (Path(name) / "run" / "history.csv").open() as file:
            epochs = [float(row["seconds"]) for row in csv.DictReader(file)]
    return 1.0 / median(epochs[1:]), done.mib


def rates(table: Path, folder: Path, rows: int, rounds: int) -> Report:
    """Train in memory and out of core."""
    inside, outside = "in memory", LIMIT
    tasks = {inside: partial(trained, table, folder)}
    if reason := refusal(LIMIT):
        print(f"out of core is left out: {reason}")
    else:
        tasks[outside] = partial(trained, table, folder, LIMIT)
    result = in_rounds(tasks, rounds)
    rate = {title: [rows * per_epoch for per_epoch, _ in values] for title, values in result.items()}
    mib = {title: median(peak for _, peak in values) for title, values in result.items()}
    matrix = rows * COLUMNS * 4 / 2**20
    goals = [Goal("peak memory of a training in memory", mib[inside], "≤", 1.3 * matrix + 300.0, " MiB")]
    if outside in rate:
        goals.append(Goal("the rate out of core", 100.0 * ratio(rate[outside], rate[inside]), "≥", 70.0, " %"))
    cells: list[list[Cell]] = [[title, median(rate[title]), mib[title]] for title in result]
    note = (
        f"The same table, {COLUMNS - 1}-32-1, batches of 4,096; the float32 matrix is {matrix:,.0f} MiB; "
        f"medians of {rounds} rounds."
    )
    return Report("Training on a large table", note, ("", "rows per second", "MiB"), cells, goals)


def measure(options: argparse.Namespace) -> list[Report]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        predicted = prediction(folder, int(PREDICTED * options.rows), options.rounds)
        (folder / "new.csv").unlink()
        rows = int(TRAINED * options.rows)
        table = make_csv(folder / "large.csv", rows=rows, numeric=COLUMNS - 1, classes=1)
        return [
            predicted,
            reading(table, rows, options.rounds),
            rates(table, folder, rows, options.rounds),
        ]


if __name__ == "__main__":
    show(measure(arguments().parse_args()))

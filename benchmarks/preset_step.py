"""Time of one training step of the default's networks: NumPy calls, compiled loops, and the matrix products alone.

    python benchmarks/preset_step.py
    python benchmarks/preset_step.py --rounds 3 --tables 1000x10+0

A table is ROWSxNUMBERS+CATEGORIES: so many numeric columns and categorical columns of 12 values. The batch and the
network follow from it as in a training. Every round trains each backend for some tenths of a second in one process on
one thread. step.py measures this too.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from results import Cell, Report, show
from timing import HERE, in_rounds, parser, ratio, run

TABLES = ("1000x10+0", "3000x35+30", "20000x15+5")
CATEGORIES = 12
BACKENDS = {"nncli": "numpy", "nncli[fast]": "numba"}
PRODUCTS = "its products"


def arguments() -> argparse.ArgumentParser:
    options_parser = parser(__doc__, rounds=11)
    options_parser.add_argument("--tables", nargs="+", default=TABLES, help="such as 1000x10+0")
    options_parser.add_argument("--seconds", type=float, default=0.3, help="of one measurement (default 0.3)")
    return options_parser


def write_table(path: Path, table: str) -> None:
    """A table of random numbers and categories, and a number to predict."""
    rows, columns = table.split("x")
    numbers, categories = map(int, columns.split("+"))
    rng = np.random.default_rng(0)
    X = rng.normal(size=(int(rows), numbers)).round(4)
    C = rng.integers(0, CATEGORIES, (int(rows), categories))
    y = X[:, :3].sum(axis=1) + 0.1 * rng.normal(size=len(X))
    names = [*(f"x{i}" for i in range(numbers)), *(f"c{i}" for i in range(categories)), "y"]
    lines = (
        ",".join([*map(str, x), *(f"k{c}" for c in codes), f"{t:.4f}"]) for x, codes, t in zip(X, C, y, strict=True)
    )
    path.write_text("\n".join([",".join(names), *lines, ""]))


def stepper(prepared: Any, backend: str) -> Callable[[float], float]:
    """Microseconds per step, measured by training for so many seconds."""
    from nncli.nn.training.compiled.support import load
    from nncli.nn.training.loop import fit
    from nncli.nn.training.state import RandomStreams, TrainState

    load(backend)  # type: ignore[arg-type]
    dataset = prepared.training.dataset
    plan = replace(prepared.arguments, backend=backend, n_shards=1, epochs=10**6)
    state = TrainState.create(plan.network, plan.optimizer, RandomStreams.of(0), 1, dataset)
    reports = fit(plan, state, dataset, max_batches=lambda step: sys.maxsize)

    def measure(seconds: float) -> float:
        first, start = state.step, time.perf_counter()
        next(reports)
        while time.perf_counter() - start < seconds:
            next(reports)
        return 1e6 * (time.perf_counter() - start) / (state.step - first)

    measure(seconds=0.0)  # compiles
    return measure


def products(prepared: Any) -> Callable[[float], float]:
    """Microseconds of the matrix products of a step as NumPy calls, on matrices that were allocated before."""
    network, rows = prepared.arguments.network, prepared.arguments.batch_size
    weights = [spec.shape for spec in network.layout.specs if spec.name.endswith("weight") and len(spec.shape) == 2]
    operands = [tuple(np.ones(shape, np.float32) for shape in ((rows, d), (d, u), (rows, u))) for d, u in weights]

    def measure(seconds: float) -> float:
        steps, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            for X, W, Z in operands:
                np.dot(X, W, out=Z)
                np.dot(X.T, Z, out=W)
                np.dot(Z, W.T, out=X)
                X.fill(1e-3)
                W.fill(1e-3)
            steps += 1
        return 1e6 * (time.perf_counter() - start) / steps

    return measure


def described(prepared: Any) -> str:
    """Its widths from input to output, and the rows of a batch."""
    network = prepared.arguments.network
    weights = [spec.shape for spec in network.layout.specs if spec.name.endswith("weight") and len(spec.shape) == 2]
    widths = [weights[0][0], *(u for _, u in weights)]
    return f"{'-'.join(map(str, widths))} / {prepared.arguments.batch_size}"


def work(table: str, rounds: int, seconds: float) -> None:
    """Print the microseconds per step of every round as JSON."""
    from nncli.base.threads import limit_blas_threads
    from nncli.config.loading import load_config
    from nncli.fitting.prepare.prepare import prepare
    from nncli.nn.training.compiled.support import installed

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        write_table(path, table)
        document = Path(folder, "c.yaml")
        document.write_text("preset: tabular\nmembers: 1\ndata: {path: t.csv, target: y}\n")
        config = load_config(document)
        prepared = prepare(config)
        with limit_blas_threads(1), np.errstate(all="ignore"):
            result = {title: backend for title, backend in BACKENDS.items() if backend == "numpy" or installed()}
            tasks = {title: stepper(prepared, backend) for title, backend in result.items()}
            tasks[PRODUCTS] = products(prepared)
            calls = {title: lambda task=task: task(seconds) for title, task in tasks.items()}
            print(json.dumps({"network": described(prepared), "steps": in_rounds(calls, rounds)}))


def measure(options: argparse.Namespace) -> list[Report]:
    rows: list[list[Cell]] = []
    for table in options.tables:
        script = [HERE / "preset_step.py", "--work", table, str(options.rounds), str(options.seconds)]
        result = json.loads(run(script, threads=1).output)
        steps = result["steps"]
        medians = [median(steps[title]) if title in steps else None for title in (*BACKENDS, PRODUCTS)]
        gain = ratio(steps["nncli"], steps["nncli[fast]"]) if "nncli[fast]" in steps else None
        rows.append([table, result["network"], *medians, gain])
    note = (
        f"Microseconds per step of the default's networks on one thread, medians of {options.rounds} rounds, and of "
        "the three matrix products of each dense layer as NumPy calls; then how many times as fast `fast` is, the "
        "median of the ratios within a round."
    )
    columns = ["table (rows x numbers + categories)", "network", *BACKENDS, PRODUCTS, "nncli ÷ nncli[fast]"]
    return [Report("One training step of the default", note, columns, rows)]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
    else:
        show(measure(arguments().parse_args()))

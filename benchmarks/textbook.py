"""Time of the textbook job, from the start of the process to the saved model.

    python benchmarks/textbook.py

data/linear.csv, 128 rows of x1, x2, y; one dense unit with a sigmoid; mean squared error; plain gradient descent at
0.01; batches of 32; 1000 epochs, which is 4000 steps. nncli also reads a configuration, checks its
input and writes a run directory. It is compared with the same job written by hand in NumPy, PyTorch and Keras
(textbook_*.py). Every run is a new process with one thread; the table shows medians.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

from results import Cell, Goal, Report, show
from timing import COMMAND, HERE, ROOT, in_rounds, parser, ratio, run

NNCLI, BY_HAND = "nncli", "NumPy by hand"
SCRIPTS = {BY_HAND: ("numpy", ["numpy"]), "PyTorch": ("torch", ["torch"]), "Keras": ("keras", ["keras", "jax"])}
"""Of every peer, which script does the job, and the modules that it needs."""


def arguments() -> argparse.ArgumentParser:
    options_parser = parser(__doc__, rounds=9)
    options_parser.add_argument("--data", type=Path, default=ROOT / "data" / "linear.csv", help="the table to train on")
    options_parser.add_argument(
        "--peers", nargs="+", choices=SCRIPTS, default=list(SCRIPTS), help="default: all installed"
    )
    return options_parser


def once(title: str, data: Path) -> float:
    """Seconds of one run."""
    with tempfile.TemporaryDirectory() as folder:
        words: list[str | Path]
        if title == NNCLI:
            config = ROOT / "configs" / "linear.yaml"
            words = [*COMMAND, "train", config, "--set", f"data.path={data}", "-o", Path(folder) / "run"]
        else:
            words = [HERE / f"textbook_{SCRIPTS[title][0]}.py", data, folder]
        seconds = run(words, threads=1).seconds
        if not any(Path(folder).iterdir()):
            raise SystemExit(f"{title} left no model")
    return seconds


def measure(options: argparse.Namespace) -> list[Report]:
    peers = [title for title in options.peers if all(map(importlib.util.find_spec, SCRIPTS[title][1]))]
    jobs = {title: partial(once, title, options.data.resolve()) for title in [NNCLI, *peers]}
    in_rounds(jobs, 1)  # the first run fills the caches of files
    result = in_rounds(jobs, options.rounds)
    rows: list[list[Cell]] = [
        [title, median(seconds), min(seconds), ratio(seconds, result[NNCLI])] for title, seconds in result.items()
    ]
    goals = []
    if BY_HAND in result:
        goals.append(Goal("nncli against the bare NumPy script", ratio(result[NNCLI], result[BY_HAND]), "≤", 2.5))
    note = f"4,000 steps of one sigmoid unit, whole process, one thread; {options.rounds} rounds."
    columns = ("", "seconds, median", "fastest", "÷ nncli")
    return [Report("The textbook job", note, columns, rows, goals)]


if __name__ == "__main__":
    show(measure(arguments().parse_args()))

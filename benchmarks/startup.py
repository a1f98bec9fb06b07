"""Time of `nncli --help` and `nncli --version`, compared with importing Typer alone.

python benchmarks/startup.py
"""

from __future__ import annotations

import argparse
from functools import partial
from statistics import median

from results import Cell, Goal, Report, show
from timing import COMMAND, in_rounds, parser, ratio, run

LEAST = 'python -c "import typer"'
JOBS = {"nncli --help": [*COMMAND, "--help"], "nncli --version": [*COMMAND, "--version"], LEAST: ["-c", "import typer"]}


def arguments() -> argparse.ArgumentParser:
    return parser(__doc__, rounds=21)


def measure(options: argparse.Namespace) -> list[Report]:
    tasks = {title: partial(run, words) for title, words in JOBS.items()}
    in_rounds(tasks, 1)  # compiles to bytecode
    result = {title: [done.seconds for done in runs] for title, runs in in_rounds(tasks, options.rounds).items()}
    rows: list[list[Cell]] = [
        [title, 1000.0 * median(seconds), ratio(seconds, result[LEAST])] for title, seconds in result.items()
    ]
    goals = [Goal(title, ratio(result[title], result[LEAST]), "≤", 1.3) for title in result if title != LEAST]
    note = f"Milliseconds of the whole process, medians of {options.rounds} rounds."
    return [Report("Start", note, ("", "ms", "÷ import typer"), rows, goals)]


if __name__ == "__main__":
    show(measure(arguments().parse_args()))

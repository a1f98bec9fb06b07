"""Training time while another process keeps every core busy.

    python benchmarks/contention.py

Each network is one process of step.py with two threads. Every round measures it alone, then with the busy processes.
Fair sharing makes training twice as slow. Threads that spin while they wait for each other make it far slower.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from peers import FAST, NNCLI, installed
from results import Cell, Goal, Report, show
from sizes import SIZES, Size
from timing import cores, in_rounds, parser, ratio
from worker import Worker

THREADS = 2


def arguments() -> argparse.ArgumentParser:
    options_parser = parser(__doc__, rounds=7)
    options_parser.add_argument(
        "--sizes", type=Size.of, nargs="+", default=SIZES[2:4], help="such as 100-256-256-10/256"
    )
    options_parser.add_argument("--seconds", type=float, default=1.0, help="of one measurement (default 1)")
    return options_parser


@contextmanager
def spinning() -> Iterator[None]:
    """A process on every core that does nothing but run."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(cores())]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def measure(options: argparse.Namespace) -> list[Report]:
    rows: list[list[Cell]] = []
    goals: list[Goal] = []
    for size in options.sizes:
        for title in installed([NNCLI, FAST]):
            worker = Worker(title, size, THREADS, options.seconds)

            def beside(worker: Worker = worker) -> float:
                with spinning():
                    return worker.step()

            result = in_rounds({"alone": worker.step, "beside": beside}, options.rounds)
            worker.close()
            slower = ratio(result["beside"], result["alone"])
            rows.append([size.name, title, median(result["alone"]), median(result["beside"]), slower])
            goals.append(Goal(f"{size.name}: {title} beside a spinning process", slower, "≤", 2.5))
    note = f"Microseconds per step on {THREADS} threads, medians of {options.rounds} rounds."
    return [Report("A busy machine", note, ("network / batch", "", "alone", "busy", "÷ alone"), rows, goals)]


if __name__ == "__main__":
    show(measure(arguments().parse_args()))

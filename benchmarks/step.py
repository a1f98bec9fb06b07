"""Time of one training step, compared with PyTorch, JAX, Keras and scikit-learn.

    python benchmarks/step.py
    python benchmarks/step.py --threads 1 --rounds 3 --sizes 2-16-1/32 --peers nncli JAX

Microseconds per step of Adam in float32: gather the batch, forward, loss, backward, update. Every peer is
used as peers.py says, in its own process for each size, and left out where it is not installed. For the large networks,
the matrix products of a step are also compared with what the BLAS reaches on large square matrices, measured in the
same process after every step.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from statistics import median

import preset_step
from peers import FAST, JITTED, NNCLI, PEERS, installed
from results import Cell, Goal, Report, show
from sizes import SIZES, Size
from timing import in_rounds, parser, ratio
from worker import Worker

OF_JITTED = {size.name: share for size, share in zip(SIZES, (0.35, 0.5, 0.9, 0.9, 1.0), strict=True)}
"""The share of JAX's speed wanted of plain NumPy on one thread."""
OF_PEAK = {SIZES[3].name: 75.0, SIZES[4].name: 92.0}
"""The share of the peak, in per cent."""


def arguments() -> argparse.ArgumentParser:
    options_parser = parser(__doc__, rounds=11)
    options_parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="of every library (default 1 2)")
    options_parser.add_argument("--sizes", type=Size.of, nargs="+", default=SIZES, help="such as 2-16-1/32")
    options_parser.add_argument("--peers", nargs="+", choices=PEERS, help="default: all that are installed")
    options_parser.add_argument("--seconds", type=float, default=0.4, help="of one measurement (default 0.4)")
    options_parser.add_argument(
        "--tables", nargs="*", default=preset_step.TABLES, help="of preset_step.py, which is measured too"
    )
    return options_parser


def measured(titles: list[str], size: Size, threads: int, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Microseconds per step of every peer in every round; beside nncli's, as `TITLE peak`, the share of the peak."""
    workers = {title: Worker(title, size, threads, seconds) for title in titles}
    tasks = {title: worker.step for title, worker in workers.items()}
    if size.name in OF_PEAK:
        tasks |= {f"{title} peak": workers[title].peak for title in titles if title in {NNCLI, FAST}}
    result = in_rounds(tasks, rounds)
    for worker in workers.values():
        worker.close()
    for title in {NNCLI, FAST} & set(titles):
        if peaks := result.get(f"{title} peak"):
            steps = result[title]
            result[f"{title} peak"] = [100.0 * size.operations / a / b for a, b in zip(steps, peaks, strict=True)]
    return result


def goals(result: dict[str, list[float]], size: Size, threads: int) -> Iterator[Goal]:
    """The goals of one size on so many threads."""
    where = f"{size.name}, {threads} thread{'s'[: threads > 1]}"
    for title in (NNCLI, FAST):
        if title not in result:
            continue
        ratios = {other: ratio(result[other], result[title]) for other in result if other in PEERS}
        behind = {other: times for other, times in ratios.items() if other not in {NNCLI, FAST, JITTED}}
        if behind:
            nearest = min(behind, key=lambda other: behind[other])
            yield Goal(f"{where}: {title} ahead of the nearest, {nearest}", behind[nearest], "≥", 1.0)
        wanted = 1.0 if title == FAST else OF_JITTED.get(size.name) if threads == 1 else None
        if JITTED in ratios and wanted:
            yield Goal(f"{where}: {title} against jitted JAX", ratios[JITTED], "≥", wanted)
        if shares := result.get(f"{title} peak"):
            yield Goal(f"{where}: {title}, share of the peak", median(shares), "≥", OF_PEAK[size.name], " %")


def measure(options: argparse.Namespace) -> list[Report]:
    titles = installed(options.peers)
    others = [title for title in titles if title != NNCLI]
    rows: list[list[Cell]] = []
    reached: list[Goal] = []
    for size in options.sizes:
        for threads in options.threads:
            result = measured(titles, size, threads, options.rounds, options.seconds)
            row: list[Cell] = [size.name, str(threads), *(median(result[title]) for title in titles)]
            rows.append([*row, *(ratio(result[title], result[NNCLI]) for title in others)])
            reached += goals(result, size, threads)
    note = (
        f"Microseconds per step of Adam in float32, medians of {options.rounds} rounds; then each peer's time as a "
        "multiple of plain nncli's, medians of the ratios within a round."
    )
    columns = ["network / batch", "threads", *titles, *(f"{title} ÷ nncli" for title in others)]
    reports = [Report("One training step", note, columns, rows, reached)]
    if options.tables:
        reports += preset_step.measure(options)
    return reports


if __name__ == "__main__":
    show(measure(arguments().parse_args()))

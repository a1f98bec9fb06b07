"""Growth of the training time with the number of rows, columns and steps.

    python benchmarks/growth.py

Each of the three doubles from point to point while the others stay constant. The fixed cost of a training does not grow
and would flatten the curve. It is measured in the same rounds by the smallest job (64 rows, 1 column, 1 epoch) and
subtracted from n and from the time. The exponent is the slope of the least-squares line through the logarithms of the
remainders; 1 is linear. A point that is not clearly above the fixed cost is noise and is left out of the line. With
fewer than three points there is no exponent.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import log, log10
from pathlib import Path
from statistics import linear_regression, median

from results import Cell, Goal, Report, show
from timing import COMMAND, in_rounds, make_csv, parser, run

CONFIG = "data: {{path: {table}, target: y}}\npreset: textbook\nvalidation: 0\nepochs: {epochs}\n"
AXES = ("rows", "columns", "steps")
CLEARLY = 0.1
"""By what share of the fixed part a point must be above it."""


@dataclass(frozen=True)
class Job:
    """One training, in batches of 32 rows."""

    rows: int
    columns: int
    epochs: int

    @property
    def steps(self) -> int:
        return -(-self.rows // 32) * self.epochs


@dataclass(frozen=True)
class Axis:
    """What grows: its name, its least job, its first point, and which number of a job it is."""

    title: str
    least: Job
    first: Job
    amount: Callable[[Job], int]
    key: str


def axes(scale: float) -> list[Axis]:
    """Rows, columns and steps; `scale` shrinks the tables."""
    many, some, few = (int(rows * scale) for rows in (100_000, 100_000, 2_500))
    return [
        Axis("rows", Job(64, 10, 1), Job(many, 10, 1), lambda job: job.rows, "rows"),
        Axis("columns", Job(some, 1, 1), Job(some, 20, 1), lambda job: job.columns, "columns"),
        Axis("steps", Job(few, 10, 1), Job(few, 10, 200), lambda job: job.steps, "epochs"),
    ]


def arguments() -> argparse.ArgumentParser:
    options_parser = parser(__doc__, rounds=5)
    options_parser.add_argument(
        "--axes", nargs="+", choices=AXES, default=AXES, help="what grows; default: all three in turn"
    )
    options_parser.add_argument("--points", type=int, default=5, help="each the double of the one before (default 5)")
    options_parser.add_argument(
        "--scale", type=float, default=1.0, help="a factor for the sizes of the tables (default 1)"
    )
    return options_parser


def seconds(job: Job, folder: Path) -> float:
    """The time of one training."""
    table = folder / f"{job.rows}-{job.columns}.csv"
    config = folder / f"{job.rows}-{job.columns}-{job.epochs}.yaml"
    if not config.exists():
        if not table.exists():
            make_csv(table, rows=job.rows, numeric=job.columns, classes=1)
        config.write_text(CONFIG.format(table=table, epochs=job.epochs))
    with tempfile.TemporaryDirectory(dir=folder) as name:
        return run([*COMMAND, "train", config, "-q", "-o", Path(name) / "run", "--force"]).seconds


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """The slope of the least-squares line through the logarithms of (amount, seconds)."""
    return linear_regression(*([log(value) for value in values] for values in zip(*points, strict=True))).slope


def measure(options: argparse.Namespace) -> list[Report]:
    rows: list[list[Cell]] = []
    goals: list[Goal] = []
    with tempfile.TemporaryDirectory() as name:
        for axis in axes(options.scale):
            if axis.title not in options.axes:
                continue
            first = getattr(axis.first, axis.key)
            grown = [replace(axis.first, **{axis.key: first << n}) for n in range(options.points)]
            jobs = [axis.least, *grown]
            tasks = {str(axis.amount(job)): partial(seconds, job, Path(name)) for job in jobs}
            result = [median(times) for times in in_rounds(tasks, options.rounds).values()]
            least, fixed = axis.amount(axis.least), result[0]
            rows += [
                [axis.title, axis.amount(job), total, total - fixed] for job, total in zip(jobs, result, strict=True)
            ]
            grown_by = [(axis.amount(job) - least, total - fixed) for job, total in zip(grown, result[1:], strict=True)]
            clear = [point for point in grown_by if point[1] > CLEARLY * fixed]
            if len(clear) >= 3:
                goals.append(Goal(f"exponent of {axis.title}", exponent(clear), "≤", 1.05, ""))
    note = (
        f"Seconds of the whole `nncli train`, medians of {options.rounds} rounds, and what is left of them without the "
        "smallest job's.\n\n![Time against rows, columns and steps](../docs/growth.svg)"
    )
    return [Report("Growth", note, ("of", "number", "seconds", "without the fixed part"), rows, goals)]


WIDTH, HEIGHT, EDGE = 720, 400, 60
COLORS = ("#3465a4", "#c4562f", "#4e8f3a")
LEAST_SECONDS = 1e-3
"""Shown where noise leaves less when the fixed part is subtracted."""


def growth_picture(report: Report) -> str:
    """Every axis of growth.py as a line: how many times its first point, and the seconds without the fixed part."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for title, amount, _, seconds in report.rows:
        lines.setdefault(str(title), []).append((float(amount or 0.0), float(seconds or 0.0)))
    curves = {}
    for title, (least, *points) in lines.items():
        first = points[0][0] - least[0]
        curves[title] = [((amount - least[0]) / first, max(seconds, LEAST_SECONDS)) for amount, seconds in points]
    spots = [spot for curve in curves.values() for spot in curve]
    right = max(x for x, _ in spots) * 1.2
    bottom, top = min(y for _, y in spots) / 1.5, max(y for _, y in spots) * 1.5

    def at(x: float, y: float) -> tuple[float, float]:
        across = log10(x / 0.9) / log10(right / 0.9)
        up = log10(y / bottom) / log10(top / bottom)
        return EDGE + across * (WIDTH - 2 * EDGE), HEIGHT - EDGE - up * (HEIGHT - 2 * EDGE)

    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{EDGE}" y="24">Seconds without the fixed part, against how many times the first point</text>',
    ]
    x = 1.0
    while x <= right:
        across = at(x, bottom)[0]
        parts.append(f'<path d="M{across:.1f} {EDGE}V{HEIGHT - EDGE}" stroke="#ddd"/>')
        parts.append(f'<text x="{across:.1f}" y="{HEIGHT - EDGE + 20}" text-anchor="middle">{x:.0f} ×</text>')
        x *= 2.0
    for power in range(-3, 4):
        if bottom <= 10.0**power <= top:
            height = at(1.0, 10.0**power)[1]
            parts.append(f'<path d="M{EDGE} {height:.1f}H{WIDTH - EDGE}" stroke="#ddd"/>')
            parts.append(f'<text x="{EDGE - 8}" y="{height + 4:.1f}" text-anchor="end">{10.0**power:g} s</text>')
    for n, (title, curve) in enumerate(curves.items()):
        places = [at(*spot) for spot in curve]
        path = "L".join(f"{across:.1f} {height:.1f}" for across, height in places)
        parts.append(f'<path d="M{path}" fill="none" stroke="{COLORS[n]}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{h:.1f}" r="3.5" fill="{COLORS[n]}"/>' for a, h in places]
        parts.append(f'<text x="{EDGE + 16}" y="{EDGE + 16 + 20 * n}" fill="{COLORS[n]}">{title}</text>')
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    show(measure(arguments().parse_args()))

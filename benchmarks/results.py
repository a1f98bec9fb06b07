"""Benchmark results: results.json and the tables of benchmarks/README.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

BEGIN, END = "<!-- made by benchmarks/all.py from benchmarks/results.json -->", "<!-- end -->"

Cell = str | float | None


@dataclass(frozen=True)
class Goal:
    """A figure that has a goal: `value` is to be at least, or at most, `limit`."""

    figure: str
    value: float
    sense: Literal["≥", "≤"]
    limit: float
    unit: str = " ×"

    @property
    def is_met(self) -> bool:
        return self.value >= self.limit if self.sense == "≥" else self.value <= self.limit


@dataclass(frozen=True)
class Report:
    """A table of figures, how to read it, and the goals of some of them."""

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    goals: Sequence[Goal] = ()

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Report:
        """Back from what `plain` made."""
        goals = [Goal(**{k: v for k, v in goal.items() if k != "is_met"}) for goal in plain["goals"]]
        return cls(**{**plain, "goals": goals})

    @property
    def plain(self) -> dict[str, Any]:
        """Fit for JSON."""
        return {**asdict(self), "goals": [{**asdict(goal), "is_met": goal.is_met} for goal in self.goals]}


def cell(value: Cell) -> str:
    """Three digits, or all of a large number; an empty cell for what was not measured."""
    if value is None or isinstance(value, str):
        return value or "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A Markdown table: words to the left, numbers to the right."""
    marks = ["---" if all(isinstance(row[j], str) for row in rows) else "---:" for j in range(len(columns))]
    lines = [columns, marks, *(tuple(map(cell, row)) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def text_of(report: Report) -> str:
    """A report in Markdown."""
    text = f"### {report.title}\n\n{report.note}\n\n{table(report.columns, report.rows)}"
    if not report.goals:
        return text
    rows = [
        (g.figure, cell(g.value) + g.unit, f"{g.sense} {cell(g.limit)}{g.unit}", "yes" if g.is_met else "**no**")
        for g in report.goals
    ]
    return text + "\n" + table(("goal", "measured", "wanted", "met"), rows)


def text_of_all(results: dict[str, Any]) -> str:
    """The text between the markers in benchmarks/README.md."""
    date = results["made"]
    versions = ", ".join(f"{name} {version}" for name, version in date["versions"].items())
    reports = [Report.of(plain) for part in results["parts"].values() for plain in part]
    goals = [goal for report in reports for goal in report.goals]
    head = (
        f"{date['date']}, {date['machine']}. {versions}.\n\n{sum(g.is_met for g in goals)} of {len(goals)} goals met."
    )
    return "\n\n".join([head, *(text_of(report).rstrip("\n") for report in reports)])


def with_results(document: str, results: dict[str, Any]) -> str:
    """The document with what is between its markers made anew."""
    before, rest = document.split(BEGIN)
    return f"{before}{BEGIN}\n\n{text_of_all(results)}\n\n{END}{rest.split(END)[1]}"


def load(path: Path) -> dict[str, Any]:
    """results.json, or, before the first measurement, what it begins with."""
    if not path.exists():
        return {"made": {}, "parts": {}}
    result: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return result


def show(reports: Sequence[Report]) -> None:
    """Print reports on the terminal."""
    for report in reports:
        print(text_of(report))

"""The default on made tables of many shapes, and what its ensemble costs afterwards: time and memory of whole commands.

A trained ensemble is shared by prediction, attributions and the report. The memory is that of all processes of a
command together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from results import Cell, Goal, Report
from timing import Run, in_rounds, make_csv
from versions import HERE_TITLE, Version

NUMERIC, TEXT = 16, 3
LEARNT_ROWS, PREDICTED_ROWS, EXPLAINED_ROWS = 5_000, 200_000, 1_000
PLAIN_CONFIG = "data: {{path: {table}, target: y}}\nvalidation: 0\nlayers: [32]\nepochs: 10\n"


@dataclass
class Shapes:
    """The folder for tables and runs, who is measured, and how often; `scale` is a factor for all numbers of rows."""

    folder: Path
    versions: Sequence[Version]
    rounds: int
    settings: Sequence[str]
    scale: float = 1.0
    _trained: dict[str, Path] = field(default_factory=dict)

    def rows(self, count: int) -> int:
        return max(12, round(count * self.scale))

    def trained(self, version: Version) -> Path:
        """The default ensemble of a version, trained when it is first wanted."""
        if version.title not in self._trained:
            table = self.folder / "learnt.csv"
            if not table.exists():
                make_csv(table, rows=self.rows(LEARNT_ROWS), numeric=NUMERIC, text=TEXT, classes=2)
            self._trained[version.title] = self.folder / f"run-{version.title}"
            version.nncli("train", table, "--target", "y", "-o", self._trained[version.title], *self.sets())
        return self._trained[version.title]

    def sets(self) -> list[str]:
        return [word for setting in self.settings for word in ("--set", setting)]

    def measured(self, task: Callable[[Version], Run]) -> dict[str, list[Run]]:
        """What a command of every version cost, in rounds."""
        return in_rounds({version.title: partial(task, version) for version in self.versions}, self.rounds)


def report(title: str, note: str, result: dict[str, dict[str, list[Run]]], goals: Sequence[Goal]) -> Report:
    """Seconds and MiB of everyone, for each case."""
    rows: list[list[Cell]] = [
        [case, who, median(run.seconds for run in runs), median(run.mib for run in runs)]
        for case, each in result.items()
        for who, runs in each.items()
    ]
    return Report(title, note, ("", "version", "seconds", "MiB"), rows, goals)


def seconds(runs: Sequence[Run]) -> float:
    return median(run.seconds for run in runs)


def mib(runs: Sequence[Run]) -> float:
    return median(run.mib for run in runs)


def train(shapes: Shapes, table: Path, version: Version) -> Run:
    """The default on a table, into a new run directory."""
    folder = shapes.folder / f"made-{sum(1 for _ in shapes.folder.iterdir())}"
    return version.nncli("train", table, "--target", "y", "-o", folder, *shapes.sets(), whole_tree=True)


def wide(shapes: Shapes) -> Report:
    """400 rows of 8,000 columns."""
    rows, columns = shapes.rows(400), round(8000 * shapes.scale)
    table = make_csv(shapes.folder / "wide.csv", rows=rows, numeric=columns, classes=2)
    result = shapes.measured(partial(train, shapes, table))
    ours = result[HERE_TITLE]
    goals = [Goal("seconds", seconds(ours), "≤", 30.0, " s"), Goal("memory", mib(ours), "≤", 1024.0, " MiB")]
    return report("Wide", "`nncli train`, the default, two classes.", {f"{rows:,} × {columns:,}": result}, goals)


def columns(shapes: Shapes) -> Report:
    """10 rows of 20,000 columns, a plain network."""
    count = round(20_000 * shapes.scale)
    table = make_csv(shapes.folder / "columns.csv", rows=10, numeric=count, classes=1)
    config = shapes.folder / "columns.yaml"
    config.write_text(PLAIN_CONFIG.format(table=table))

    def task(version: Version) -> Run:
        folder = shapes.folder / f"made-{sum(1 for _ in shapes.folder.iterdir())}"
        return version.nncli("train", config, "-o", folder, whole_tree=True)

    result = shapes.measured(task)
    goals = [Goal("seconds", seconds(result[HERE_TITLE]), "≤", 5.0, " s")]
    return report("Many columns", "`nncli train` of a plain network.", {f"10 × {count:,}": result}, goals)


def tiny(shapes: Shapes) -> Report:
    """12, 50 and 200 rows of six columns."""
    result = {}
    for rows in (12, 50, 200):
        table = make_csv(shapes.folder / f"tiny-{rows}.csv", rows=rows, numeric=4, text=2, classes=2)
        result[f"{rows} rows"] = shapes.measured(partial(train, shapes, table))
    worst = max(seconds(each[HERE_TITLE]) for each in result.values())
    goals = [Goal("the slowest", worst, "≤", 3.0, " s")]
    return report("Tiny", "`nncli train`, the default, 4 numeric columns and 2 of text.", result, goals)


def big(shapes: Shapes) -> Report:
    """1,000,000 × 20 and 5,000,000 × 40, a numeric target."""
    result, goals = {}, []
    for rows, count, minutes in ((1_000_000, 20, 4.0), (5_000_000, 40, 15.0)):
        case = f"{shapes.rows(rows):,} × {count}"
        table = make_csv(shapes.folder / "big.csv", rows=shapes.rows(rows), numeric=count - 1, classes=1)
        result[case] = shapes.measured(partial(train, shapes, table))
        goals.append(Goal(case, seconds(result[case][HERE_TITLE]) / 60.0, "≤", minutes, " min"))
        table.unlink()
    return report("Big", "`nncli train`, the default.", result, goals)


def prediction(shapes: Shapes) -> Report:
    """200,000 rows, CSV to CSV."""
    rows = shapes.rows(PREDICTED_ROWS)
    table = make_csv(shapes.folder / "new.csv", rows=rows, numeric=NUMERIC, text=TEXT)
    out = shapes.folder / "out.csv"
    result = shapes.measured(
        lambda version: version.nncli("predict", shapes.trained(version), table, "-o", out, "--force", whole_tree=True)
    )
    ours = result[HERE_TITLE]
    goals = [
        Goal("rows per second", rows / seconds(ours), "≥", 150_000.0, ""),
        Goal("memory", mib(ours), "≤", 300.0, " MiB"),
    ]
    note = f"`nncli predict` by the default ensemble, {NUMERIC + TEXT} columns, CSV to CSV, the whole process."
    return report("Bulk prediction", note, {f"{rows:,} rows": result}, goals)


def attributions(shapes: Shapes) -> Report:
    """Which column contributed what to 1,000 predictions."""
    rows = shapes.rows(EXPLAINED_ROWS)
    table = make_csv(shapes.folder / "explained.csv", rows=rows, numeric=NUMERIC, text=TEXT, classes=2)
    out = shapes.folder / "why.csv"

    def task(version: Version) -> Run:
        run = shapes.trained(version)
        return version.nncli(
            "explain", run, table, "--rows", str(rows), "--attributions", out, "--force", whole_tree=True
        )

    result = shapes.measured(task)
    goals = [Goal("seconds", seconds(result[HERE_TITLE]), "≤", 20.0, " s")]
    return report(
        "Attributions", "`nncli explain --attributions` of the default ensemble.", {f"{rows:,} rows": result}, goals
    )


def report_page(shapes: Shapes) -> Report:
    """The HTML report of a default run of 5,000 rows."""
    out = shapes.folder / "report.html"

    def task(version: Version) -> Run:
        return version.nncli("report", shapes.trained(version), "-o", out, "--force", whole_tree=True)

    result = shapes.measured(task)
    goals = [Goal("seconds", seconds(result[HERE_TITLE]), "≤", 6.0, " s")]
    case = f"{shapes.rows(LEARNT_ROWS):,} rows"
    return report("Report", "`nncli report` of the default ensemble.", {case: result}, goals)


SHAPES: dict[str, Callable[[Shapes], Report]] = {
    "tiny": tiny,
    "wide": wide,
    "columns": columns,
    "prediction": prediction,
    "attributions": attributions,
    "report": report_page,
    "big": big,
}

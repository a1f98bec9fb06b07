"""The default configuration as whole commands: time, memory and accuracy, with the goals of each figure.

    python benchmarks/default.py TABLES --baseline COMMIT             # all but `big`
    python benchmarks/default.py TABLES --only tables --tables car titanic --rounds 1
    python benchmarks/default.py TABLES --only tables --set quality=fast
    python benchmarks/default.py --only wide columns

TABLES is a folder of tables as `accuracy.py` and `tables_extra.py` have them. Every round measures this working copy,
the baseline commit and CatBoost one after the other. CatBoost is left out unless `--peers-python` names a Python that
has it, and pandas. Ranks need the peers' scores: TABLES/baselines.csv, or `--peers` with the file of
`tables_extra_peers.py`. `make bench-default` runs it.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, pvariance

from accuracy import column, peers
from default_reports import MEASURES, Metas, Values, report_calibration, report_errors, report_times
from default_shapes import SHAPES, Shapes
from default_tables import Plan, measure_tables, meta_of
from results import Report, show
from timing import HERE, parser
from versions import Version, versions

PARTS = ("tables", *SHAPES)
LONG = "big"
"""Measured only when it is named."""


def arguments() -> argparse.ArgumentParser:
    options_parser = parser(__doc__, rounds=3)
    options_parser.add_argument("folder", nargs="?", metavar="TABLES", type=lambda path: Path(path).resolve())
    options_parser.add_argument("--baseline", metavar="COMMIT", help="a commit to compare with; default: none")
    options_parser.add_argument("--only", nargs="*", choices=PARTS, help=f"default: all but {LONG}")
    options_parser.add_argument("--tables", nargs="*", metavar="NAME", help="names of tables; default: all")
    options_parser.add_argument(
        "--set", dest="settings", action="append", default=[], help="a setting of every training"
    )
    options_parser.add_argument(
        "--peers", type=Path, help="a file of tables_extra_peers.py; default: TABLES/baselines.csv"
    )
    options_parser.add_argument("--peers-python", default=sys.executable, help="a Python that has catboost and pandas")
    options_parser.add_argument("--scale", type=float, default=1.0, help="a factor for the sizes of the made tables")
    options_parser.add_argument("--results", type=Path, default=HERE / "default.jsonl", help="where fits are added")
    return options_parser


def measure(options: argparse.Namespace) -> Iterator[Report]:
    """The reports, each as soon as it is there."""
    parts = PARTS if options.only is None else options.only
    with versions(options.baseline) as measured, tempfile.TemporaryDirectory() as name:
        if "tables" in parts and options.folder:
            yield from of_tables(options, measured)
        shapes = Shapes(Path(name), measured, options.rounds, options.settings, options.scale)
        for part in parts:
            if part in SHAPES and (options.only or part != LONG):
                yield SHAPES[part](shapes)


def of_tables(options: argparse.Namespace, measured: Sequence[Version]) -> list[Report]:
    """Time, error, log-loss and calibration on the tables of a folder."""
    folders = sorted(path.parent for path in options.folder.glob("*/meta.json"))
    metas = {folder.name: meta_of(folder) for folder in folders}
    if options.tables:
        metas = {name: meta for name, meta in metas.items() if meta["name"] in options.tables}
    path = options.peers or options.folder / "baselines.csv"
    plan = Plan(
        folders=[folder for folder in folders if folder.name in metas],
        versions=measured,
        rounds=options.rounds,
        settings=tuple(options.settings),
        interpreter=options.peers_python,
        results=options.results,
        is_tuned_to=options.peers is None and path.exists(),
    )
    result = measure_tables(plan)
    scores = peers_of(path, options.folder, metas)
    return [
        report_times(result, metas, plan),
        *(report_errors(result, metas, scores[measure], measure, plan) for measure in MEASURES),
        report_calibration(result, metas),
    ]


def peers_of(path: Path, folder: Path, metas: Metas) -> dict[str, Values]:
    """measure -> table -> model -> mean over the splits, from either form of file; empty without one."""
    values: dict[str, dict[str, dict[str, list[float]]]] = {
        measure: defaultdict(lambda: defaultdict(list)) for measure in MEASURES
    }
    if path.exists():
        peer_rows = _of_splits(path, folder, metas) if _has_splits(path) else peers(path)
        for name, meta in metas.items():
            for measure in MEASURES:
                for model, value in peer_rows.get(name, {}).get(measure, {}).items():
                    values[measure][meta["name"]][model].append(value)
    return {
        measure: {name: {model: fmean(some) for model, some in each.items()} for name, each in values[measure].items()}
        for measure in MEASURES
    }


def _has_splits(path: Path) -> bool:
    with path.open(newline="") as file:
        return "split" in next(csv.reader(file))


def _of_splits(path: Path, folder: Path, metas: Metas) -> dict[str, dict[str, dict[str, float]]]:
    """folder -> measure -> model -> value; the root of the mean squared error as 1 - R²."""
    result: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        name = f"{row['name']}-{row['split']}"
        if name not in metas:
            continue
        error = float(row["error"])
        if metas[name]["task"] == "regression":
            error = error**2 / pvariance(map(float, column(folder / name / "test.csv", metas[name]["target"])))
        result[name]["error"][row["model"]] = error
        if row["log_loss"]:
            result[name]["log_loss"][row["model"]] = float(row["log_loss"])
    return result


def main() -> None:
    accepted = arguments()
    options = accepted.parse_args()
    if options.only and "tables" in options.only and not options.folder:
        accepted.error("--only tables needs TABLES")
    for report in measure(options):
        show([report])
        sys.stdout.flush()


if __name__ == "__main__":
    main()

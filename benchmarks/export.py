"""Exported models beside their runs: agreement, sizes and speed, of every target.

    python benchmarks/export.py TABLES                                  # every table, then the made one
    python benchmarks/export.py TABLES --only penguins --targets onnx c --set epochs=2
    python benchmarks/export.py TABLES --runs FOLDER                    # keeps the trained runs there
    python benchmarks/export.py TABLES --peers-python PYTHON            # with catboost, and skl2onnx with onnxruntime

TABLES holds NAME/train.csv, NAME/test.csv and NAME/meta.json (target, task). The default is trained on train.csv and
exported to each target, and the file's answers for all rows of both files are compared with those of `nncli predict`.
Sizes and times are of a made table of 20 columns. Needs Node, gcc, clang, Chromium and onnxruntime for their targets.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from export_speed import Speed, c_speeds, node_speed, onnxruntime_speeds, peer_speeds, predict_speed
from timing import COMMAND, run

ROWS, NUMBERS, CATEGORIES = 4_000, 14, 6
"""The made table: its rows, and its columns of numbers and of categories."""
WEIGHTS = re.compile(r"[A-Za-z0-9+/]{200,}={0,2}")
"""Weights as base64, in JavaScript and HTML."""


@dataclass(frozen=True)
class Agreement:
    """How the answers of a table's exported file compare with predictions; or the `problem`, if it could not be run."""

    table: str
    target: str
    rows: int = 0
    numbers: int = 0
    differing: int = 0
    largest_ulp: float = 0.0
    classes: int = 0
    problem: str | None = None

    def __add__(self, other: Agreement) -> Agreement:
        return replace(
            self,
            rows=self.rows + other.rows,
            numbers=self.numbers + other.numbers,
            differing=self.differing + other.differing,
            largest_ulp=max(self.largest_ulp, other.largest_ulp),
            classes=self.classes + other.classes,
        )

    @property
    def line(self) -> str:
        """A row of the printed table."""
        if self.problem is not None:
            return f"| {self.table} | {self.target} | | | | | {self.problem} |"
        same = 1.0 - self.differing / self.numbers if self.numbers else 1.0
        return (
            f"| {self.table} | {self.target} | {self.rows:,} | {self.numbers:,} | {100 * same:.5f} % | "
            f"{self.largest_ulp:.0f} | {self.classes:,} |"
        )


def trained(folder: Path, run_path: Path, settings: Sequence[str]) -> Path:
    """The default trained on a folder's train.csv, unless the run is there already."""
    if not (run_path / "manifest.json").exists():
        meta = json.loads((folder / "meta.json").read_text())
        sets = [word for setting in settings for word in ("--set", setting)]
        run([*COMMAND, "train", folder / "train.csv", "--target", meta["target"], "-q", "-o", run_path, *sets])
    return run_path


def agreements(name: str, run_path: Path, tables: str, targets: Sequence[str], work: Path) -> Iterator[Agreement]:
    """Compare the files of each target with predictions, for all rows of some tables."""
    from nncli import export
    from nncli.api.export import MismatchError
    from nncli.base.errors import NncliError

    for target in targets:
        try:
            exported = export(run_path, work / f"{name}.{target}", to=target, check=tables)
        except MismatchError as error:
            exported = error.export
        except NncliError as error:
            yield Agreement(name, target, problem=" ".join(str(error).split())[:200])
            continue
        result = exported.comparison
        assert result is not None
        yield Agreement(
            name, target, result.rows, result.numbers, result.differing, result.largest_ulp, result.n_classes
        )


def make_table(folder: Path) -> None:
    """Write a table of 20 columns with a binary target: train.csv, test.csv and meta.json."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    X, codes = rng.normal(size=(ROWS, NUMBERS)), rng.integers(0, 12, size=(ROWS, CATEGORIES))
    effects = rng.normal(size=(CATEGORIES, 12))
    score = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + sum(effects[j, codes[:, j]] for j in range(CATEGORIES)) / 2
    columns: dict[str, Any] = {f"x{j + 1}": np.round(X[:, j], 4) for j in range(NUMBERS)}
    columns |= {f"c{j + 1}": [f"level {code}" for code in codes[:, j]] for j in range(CATEGORIES)}
    frame = pl.DataFrame(columns | {"y": np.where(score + rng.normal(size=ROWS) > 0, "yes", "no")})
    folder.mkdir(parents=True, exist_ok=True)
    frame[: ROWS // 2].write_csv(folder / "train.csv")
    frame[ROWS // 2 :].write_csv(folder / "test.csv")
    categorical = [f"c{j + 1}" for j in range(CATEGORIES)]
    (folder / "meta.json").write_text(json.dumps({"target": "y", "task": "binary", "categorical": categorical}))


def print_sizes(run_path: Path, targets: Sequence[str], work: Path) -> None:
    """Print the bytes of each file, beside those of the weights."""
    from nncli import export
    from nncli.base.errors import NncliError

    print("\n| target | file | weights | file / weights | file without weights |\n|---|---:|---:|---:|---:|")
    for target in targets:
        path = work / f"sizes.{target}"
        try:
            exported = export(run_path, path, to=target, check=False)
        except NncliError as error:
            print(f"| {target} | {' '.join(str(error).split())[:200]} | | | |")
            continue
        weights, others = exported.constant_bytes, exported.bytes - exported.constant_bytes
        if target in ("js", "html"):
            others = len(WEIGHTS.sub("", path.read_text("utf-8")).encode())
        without = "" if target in ("c", "python") else f"{others:,}"
        print(f"| {target} | {exported.bytes:,} | {weights:,} | {exported.bytes / weights:.2f} | {without} |")


def print_speeds(folder: Path, run_path: Path, targets: Sequence[str], work: Path, peers: Path | None) -> None:
    """Print the time of one row, and the rows a second of many, on one core."""
    speeds: list[Speed] = []
    target = json.loads((folder / "meta.json").read_text())["target"]
    if "js" in targets:
        speeds += node_speed(work / "sizes.js", folder / "test.csv", target, work)
    if "c" in targets:
        speeds += c_speeds(work / "sizes.c", folder / "test.csv", work)
    if "onnx" in targets:
        speeds += onnxruntime_speeds(work / "sizes.onnx", folder / "test.csv")
    speeds += predict_speed(run_path, folder / "test.csv")
    if peers is not None:
        speeds += peer_speeds(folder, peers)
    print("\n| on one core, processor time | one row, ms | many rows, a second |\n|---|---:|---:|")
    for speed in speeds:
        print(f"| {speed.title} | {speed.milliseconds:.3f} | {speed.rows_a_second:,.0f} |")


def main() -> None:
    options_parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options_parser.add_argument("tables", type=Path, nargs="?", help="a folder of tables; none: the made table alone")
    options_parser.add_argument("--only", nargs="+", help="names of tables")
    options_parser.add_argument("--targets", nargs="+", default=["onnx", "js", "html", "c", "python"])
    options_parser.add_argument("--runs", type=Path, help="a folder that keeps the trained runs")
    options_parser.add_argument("--set", action="append", default=[], dest="settings", help="a key of every training")
    options_parser.add_argument("--parts", nargs="+", default=["agreement", "sizes", "speed"])
    options_parser.add_argument(
        "--peers-python", type=Path, help="a Python with catboost, scikit-learn, skl2onnx and onnxruntime"
    )
    options = options_parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        runs = options.runs or work / "runs"
        folders = sorted(path.parent for path in options.tables.glob("*/meta.json")) if options.tables else []
        wanted = [folder for folder in folders if options.only is None or folder.name in options.only]
        if "agreement" in options.parts:
            _print_agreements(wanted, runs, options, work)
        if "sizes" in options.parts or "speed" in options.parts:
            make_table(work / "made")
            run_path = trained(work / "made", runs / "made", options.settings)
            print_sizes(run_path, options.targets, work)
        if "speed" in options.parts:
            print_speeds(work / "made", run_path, options.targets, work, options.peers_python)


def _print_agreements(folders: Sequence[Path], runs: Path, options: argparse.Namespace, work: Path) -> None:
    print("| table | target | rows | numbers | same bits | largest ulp | other classes |")
    print("|---|---|---:|---:|---:|---:|---:|")
    totals = {target: Agreement("all", target) for target in options.targets}
    for folder in folders:
        run_path = trained(folder, runs / folder.name, options.settings)
        for agreement in agreements(folder.name, run_path, f"{folder}/t*.csv", options.targets, work):
            print(agreement.line, flush=True)
            totals[agreement.target] += agreement
        for path in work.glob(f"{folder.name}.*"):
            path.unlink()
    for total in totals.values():
        print(total.line)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(Path(__file__).resolve().parent.parent))
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    main()

"""Are the scores that training prints those of fresh rows? Bias and coverage of the intervals over many draws.

    python benchmarks/honesty.py TABLES                                   # every table and size, 20 draws
    python benchmarks/honesty.py TABLES --only concrete wine --rows 50 100 --draws 5 --set quality=fast

TABLES holds NAME/train.csv, NAME/test.csv and NAME/meta.json (target, task); four tables of scikit-learn and two made
ones are added. Each draw takes n rows at random, trains the default, or the configuration with the assignments of
--set, and compares the validation scores in metrics.json with those of at most 2,000 of the other rows. Adds to a file
of JSON lines, and prints a table of all it holds. An interrupted run continues where it stopped.

The constant of targets/metrics/intervals.py was chosen on the tables in CHOSEN_ON; `--apart` prints the others alone.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from math import isfinite
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, stdev

HERE = Path(__file__).parent
SIZES = (20, 50, 100, 300, 1000)
CHOSEN_ON = ("concrete", "insurance", "california", "titanic", "phoneme", "car", "diabetes", "breast_cancer")
SKLEARN = ("diabetes", "breast_cancer", "wine", "digits8x8")
MADE = ("friedman1", "friedman2")
MAX_FRESH_ROWS, MIN_FRESH_ROWS = 2_000, 100
MEASURES = ("rmse", "log_loss", "accuracy", "calibration_error")


@dataclass(frozen=True)
class Draw:
    """One printed score beside the truth; a measure of accuracy is kept as the error rate."""

    table: str
    rows: int
    draw: int
    settings: tuple[str, ...]
    measure: str
    printed: float
    truth: float
    low: float | None
    high: float | None


def load(name: str, tables: Path) -> tuple[list[str], list[list[str]], str]:
    """The names, the rows and the target of a table, every cell as text."""
    import polars as pl

    if name in MADE:
        from sklearn import datasets

        X, y = getattr(datasets, f"make_{name}")(
            n_samples=3_000, noise=1.0 if name == "friedman1" else 100.0, random_state=0
        )
        rows = [[repr(float(v)) for v in (*x, value)] for x, value in zip(X, y, strict=True)]
        return [*(f"x{i}" for i in range(X.shape[1])), "target"], rows, "target"
    if name in SKLEARN:
        from sklearn import datasets

        frame = getattr(datasets, f"load_{name.removesuffix('8x8')}")(as_frame=True).frame
        if name != "diabetes":
            frame["target"] = "class " + frame["target"].astype(str)
        return list(frame.columns), frame.astype(str).to_numpy().tolist(), "target"
    meta = json.loads((tables / name / "meta.json").read_text())
    parts = [pl.read_csv(tables / name / f"{part}.csv", infer_schema=False) for part in ("train", "test")]
    frame = pl.concat(parts).fill_null("")
    return frame.columns, [list(row) for row in frame.rows()], meta["target"]


def measure(name: str, tables: Path, rows: int, draw: int, settings: Sequence[str]) -> list[Draw]:
    """Train on a draw, and score the other rows."""
    import csv
    import logging

    import numpy as np

    from nncli import evaluate, train
    from nncli.models.scores import headlines

    logging.disable()
    names, table, target = load(name, tables)
    order = np.random.default_rng([draw, rows, *name.encode()]).permutation(len(table))
    parts = {"train": order[:rows], "fresh": order[rows : rows + MAX_FRESH_ROWS]}
    with tempfile.TemporaryDirectory() as work:
        for part, chosen in parts.items():
            with Path(work, f"{part}.csv").open("w", newline="") as file:
                csv.writer(file).writerows([names, *(table[i] for i in chosen)])
        config = Path(work, "c.yaml")
        config.write_text(json.dumps({"data": {"path": f"{work}/train.csv", "target": target}}))
        if any(len({table[i][names.index(target)] for i in chosen}) < 2 for chosen in parts.values()):
            return []
        run = train(config, output=f"{work}/run", force=True, set=[f"seed={draw}", "workers=1", *settings]).run
        card = json.loads((run / "metrics.json").read_text())["validation"]
        truth = dict(headlines(evaluate(run, f"{work}/fresh.csv").scores))
    draws = []
    for of in MEASURES:
        printed, true = card["metrics"].get(of), truth.get(of)
        if printed is None or true is None or not isfinite(printed) or not isfinite(true):
            continue
        low, high = card["intervals"].get(of, (None, None))
        if of == "accuracy":
            printed, true, low, high = 1 - printed, 1 - true, high and 1 - high, low and 1 - low
        draws.append(Draw(name, rows, draw, tuple(settings), of, printed, true, low, high))
    return draws


def attempt(job: tuple[str, Path, int, int, tuple[str, ...]]) -> list[Draw] | str:
    """`measure`, or the message of an error: a draw may lack a class, or hold a cell that does not fit."""
    try:
        return measure(*job)
    except Exception as error:
        return f"{job[0]}, {job[2]} rows, draw {job[3]}: {error}"


def table_of(draws: Sequence[Draw]) -> Iterator[str]:
    """For each measure and size the mean bias over tables, and the coverage of the intervals.

    The bias of a table is the mean of the printed scores over the mean of the true ones, so that a score near 0 of a
    small draw does not decide; ± is the standard error over tables.
    """
    yield f"{'measure':<18}{'rows':>6}{'tables':>8}{'draws':>7}{'bias':>9}{'±':>7}{'coverage':>10}"
    groups: dict[tuple[int, int], list[Draw]] = defaultdict(list)
    for item in draws:
        groups[MEASURES.index(item.measure), item.rows].append(item)
    for (measured, rows), of_group in sorted(groups.items()):
        by_table: dict[str, list[Draw]] = defaultdict(list)
        for item in of_group:
            by_table[item.table].append(item)
        ratios = [
            fmean(d.printed for d in some) / fmean(d.truth for d in some) - 1
            for some in by_table.values()
            if fmean(d.truth for d in some) > 0
        ]
        inside = [d.low <= d.truth <= d.high for d in of_group if d.low is not None and d.high is not None]
        error = stdev(ratios) / len(ratios) ** 0.5 if len(ratios) > 1 else float("nan")
        coverage = f"{fmean(inside):.1%}" if inside else "–"
        name = "error rate" if MEASURES[measured] == "accuracy" else MEASURES[measured]
        yield (
            f"{name:<18}{rows:>6}{len(by_table):>8}{len(of_group):>7}{fmean(ratios):>+9.1%}{error:>7.1%}{coverage:>10}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--rows", nargs="+", type=int, default=SIZES)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--apart", action="store_true", help="print the tables apart from CHOSEN_ON alone")
    parser.add_argument("--results", type=Path, default=HERE / "honesty.jsonl")
    arguments = parser.parse_args()
    there = [json.loads(line) for line in arguments.results.open()] if arguments.results.exists() else []
    draws = [Draw(**{**item, "settings": tuple(item["settings"])}) for item in there]
    settings, done = tuple(arguments.settings), {(d.table, d.rows, d.draw, d.settings) for d in draws}
    all_names = sorted(path.parent.name for path in arguments.tables.glob("*/meta.json"))
    names = arguments.only or [*all_names, *SKLEARN, *MADE]
    sizes = {name: len(load(name, arguments.tables)[1]) for name in names}
    jobs = [
        (name, arguments.tables, rows, draw, settings)
        for draw in range(arguments.draws)
        for rows in arguments.rows
        for name in names
        if (name, rows, draw, settings) not in done and sizes[name] >= rows + MIN_FRESH_ROWS
    ]
    with ProcessPoolExecutor(arguments.jobs, get_context("spawn")) as pool, arguments.results.open("a") as file:
        for result in pool.map(attempt, jobs):
            if isinstance(result, str):
                print(result)
                continue
            draws += result
            file.writelines(json.dumps(asdict(item)) + "\n" for item in result)
            file.flush()
    shown = [d for d in draws if d.settings == settings and not (arguments.apart and d.table in CHOSEN_ON)]
    print("\n".join(table_of(shown)))


if __name__ == "__main__":
    main()

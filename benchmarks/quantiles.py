"""Interval scores of conformalized quantile regression, as multiples of those of CV+ around the mean.

    python benchmarks/quantiles.py TABLES                                  # three made tables and four of TABLES
    python benchmarks/quantiles.py TABLES --only fan insurance --splits 2

The spread of a made table changes with a column; those of TABLES are read as by benchmarks/intervals.py. Both models of
a split are trained with `quality: fast` on the same rows. Adds to a file of JSON lines, and prints a table of all it
holds; an interrupted run continues where it stopped.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from math import exp, log
from pathlib import Path
from statistics import fmean

import numpy as np
import polars as pl
from numpy.typing import NDArray

from intervals import split_table

LEVEL = 0.9
CQR = "quantiles"
VARIANTS: dict[str, dict[str, object]] = {
    "mse": {},
    CQR: {"loss": {"type": "quantiles", "levels": [0.05, 0.5, 0.95]}},
}
REAL = ("ames", "california", "concrete", "insurance")
MADE_ROWS = 6_000

Floats = NDArray[np.float64]


def fan(X: Floats, noise: Floats) -> Floats:
    """A linear mean, and a spread that grows with the first column."""
    return np.asarray(2.0 * X[:, 0] + X[:, 1] + (0.1 + 2.0 * X[:, 0]) * noise)


def waves(X: Floats, noise: Floats) -> Floats:
    """A mean and a spread that are both waves, of different columns."""
    return np.asarray(np.sin(6.0 * X[:, 0]) + (0.1 + np.sin(3.0 * X[:, 1]) ** 2) * noise)


def skewed(X: Floats, noise: Floats) -> Floats:
    """A product of the columns with log-normal noise, whose spread is that of the mean."""
    return np.asarray(np.exp(2.0 * X[:, 0] - X[:, 1] * X[:, 2] + 0.6 * noise))


MADE: dict[str, Callable[[Floats, Floats], Floats]] = {item.__name__: item for item in (fan, waves, skewed)}


@dataclass(frozen=True)
class Score:
    """What the intervals came to on new rows; `error` is the mean absolute error of the predictions."""

    table: str
    split: int
    rows: int
    variant: str
    coverage: float
    width: float
    score: float
    error: float
    seconds: float


def write_made_table(name: str, folder: Path) -> None:
    """Write train.csv, test.csv and meta.json of a made table with five features."""
    rng = np.random.default_rng([1, *name.encode()])
    X = rng.uniform(size=(MADE_ROWS, 5))
    frame = pl.DataFrame({f"x{j}": X[:, j] for j in range(5)} | {"y": MADE[name](X, rng.normal(size=MADE_ROWS))})
    folder.mkdir(parents=True, exist_ok=True)
    frame[: MADE_ROWS // 2].write_csv(folder / "train.csv")
    frame[MADE_ROWS // 2 :].write_csv(folder / "test.csv")
    (folder / "meta.json").write_text(json.dumps({"target": "y", "task": "regression", "categorical": []}))


def measure(work: Path, target: str, key: tuple[str, int, int], variant: str) -> Score:
    """Train on a split, and evaluate the intervals of its other rows."""
    from nncli import evaluate, train

    config = work / "c.yaml"
    document = {"data": {"path": str(work / "train.csv"), "target": target}, "quality": "fast", **VARIANTS[variant]}
    config.write_text(json.dumps(document))
    began = time.perf_counter()
    trained = train(config, output=work / variant, force=True, set=[f"seed={key[1]}", "workers=1"]).run
    seconds = time.perf_counter() - began
    result = evaluate(trained, work / "test.csv", on_error="skip", interval=(LEVEL,)).json()
    single = result["intervals"][0]
    error = result["metrics"]["mae"]
    return Score(*key, variant, single["coverage"], single["mean_width"], single["interval_score"], error, seconds)


def score_table(scores: Sequence[Score]) -> Iterator[str]:
    """The coverage of both, and the score, width, error and time of quantiles, as multiples of those of the mean."""
    yield "| table | rows | splits | coverage, mse | coverage, quantiles | score ÷ mse | width | error | time |"
    yield "| --- |" + " ---: |" * 8
    ratios = []
    for name in (*MADE, *REAL):
        by_variant = {
            variant: [score for score in scores if (score.table, score.variant) == (name, variant)]
            for variant in VARIANTS
        }
        base, cqr = by_variant["mse"], by_variant[CQR]
        if not base or len(base) != len(cqr):
            continue
        relative = [
            fmean(getattr(item, field) for item in cqr) / fmean(getattr(item, field) for item in base)
            for field in ("score", "width", "error", "seconds")
        ]
        ratios.append(relative[0])
        shares = " | ".join(f"{fmean(item.coverage for item in part):.1%}" for part in (base, cqr))
        cells = " | ".join(f"{value:.3f}" for value in relative)
        yield f"| {name} | {base[0].rows:,} | {len(base)} | {shares} | {cells} |"
    if ratios:
        yield f"| geometric mean | | | | | {exp(fmean(map(log, ratios))):.3f} | | | |"


def main() -> None:
    """Measure the splits that the file does not hold, and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path)
    parser.add_argument("--only", nargs="*", default=[*MADE, *REAL])
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--rows", type=int, default=3000, help="training rows at most")
    parser.add_argument("--results", type=Path, default=Path("quantiles.jsonl"))
    arguments = parser.parse_args()
    results: Path = arguments.results
    scores = [Score(**json.loads(line)) for line in results.open()] if results.exists() else []
    done = {(score.table, score.split, score.variant) for score in scores}
    with results.open("a") as file, tempfile.TemporaryDirectory() as made:
        for split in range(arguments.splits):
            for name in arguments.only:
                folder = arguments.tables / name
                if name in MADE:
                    folder = Path(made) / name
                    write_made_table(name, folder)
                with tempfile.TemporaryDirectory() as temporary:
                    work = Path(temporary)
                    target = split_table(folder, split, arguments.rows, work)["target"]
                    rows = len(pl.read_csv(work / "train.csv", infer_schema=False))
                    for variant in VARIANTS:
                        if (name, split, variant) not in done:
                            scores.append(measure(work, target, (name, split, rows), variant))
                            file.write(json.dumps(asdict(scores[-1])) + "\n")
                            file.flush()
    print("\n".join(score_table(scores)))


if __name__ == "__main__":
    main()

"""Monotone columns and interactions: the default with and without beside CatBoost and LightGBM, by scores of new rows.

    make bench-monotone TABLES=folder PEERS_PYTHON=a-python-with-catboost-and-lightgbm

TABLES has a folder with train.csv and test.csv for each table of real rows; those of synthetic rows have noise and a
truth that is monotone, or a sum of functions of sets of columns. The score is the root mean squared error, or the log
loss of two classes. The peers have their defaults and one thread; CatBoost has no sets of columns. `--only` takes names
of tables, `--set` keys of the configuration. Half an hour.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from nncli import load, train

JOB = Path(__file__).with_name("monotone_job.py")
UP, DOWN = "increasing", "decreasing"
REAL: dict[str, tuple[str, dict[str, str]]] = {
    "california": ("median_house_value", {"median_income": UP}),
    "insurance": ("charges", {"age": UP, "bmi": UP, "children": UP}),
    "concrete": ("strength", {"cement": UP, "age": UP}),
    "ames": ("SalePrice", {"Overall Qual": UP, "Gr Liv Area": UP, "Lot Area": UP, "Garage Cars": UP, "Year Built": UP}),
    "bank": ("y", {"duration": UP}),
    "adult": ("income", {"education_num": UP, "capital_gain": UP}),
    "titanic": ("survived", {"pclass": DOWN, "fare": UP}),
}
"""By name: the target, and the columns in which it is plausibly monotone."""
CLASSES = ("classes", "odds")
"""Synthetic tables whose target is whether a row is above the median."""
MAX_ROWS = 6_000
"""Rows of a real table at most for training, and for the test."""

Columns = dict[str, np.ndarray[Any, np.dtype[np.float64]]]


def _smooth(c: Columns) -> np.ndarray[Any, Any]:
    return np.exp(0.8 * c["a"]) * (1.2 + np.sin(2.0 * c["d"])) - 1.5 * np.tanh(2.0 * c["b"]) + np.cos(3.0 * c["e"])


def _steps(c: Columns) -> np.ndarray[Any, Any]:
    rises = (c["a"] > 0.3) * 2.0 + (c["a"] > -1.0) * (1.0 + c["d"] ** 2) - np.floor(2.0 * c["b"]) * (c["e"] > 0.0)
    return np.asarray(rises + np.sin(3.0 * c["d"]))


def _limits(c: Columns) -> np.ndarray[Any, Any]:
    return np.asarray(3.0 * np.minimum(c["a"], c["c"] + c["d"]) - np.maximum(c["b"], 0.0) * np.abs(c["e"]))


def _ratio(c: Columns) -> np.ndarray[Any, Any]:
    return 2.0 * np.exp(c["a"] + 0.5 * c["c"]) / (1.0 + np.exp(c["a"] + c["b"])) * (1.0 + 0.5 * np.sign(c["d"]))


def _all_monotone(c: Columns) -> np.ndarray[Any, Any]:
    return np.log1p(np.exp(2.0 * c["a"] + c["c"])) - c["b"] ** 3 / 4.0


SYNTHETIC: dict[str, tuple[Callable[[Columns], np.ndarray[Any, Any]], str, int]] = {
    "smooth": (_smooth, "abde", 1_500),
    "steps": (_steps, "abde", 3_000),
    "limits": (_limits, "abcde", 2_000),
    "ratio": (_ratio, "abcd", 800),
    "all": (_all_monotone, "abc", 500),
    "classes": (_smooth, "abde", 2_000),
}
"""By name: the mean, the columns (it rises in a and c, falls in b, and does neither in d and e), and the rows."""


def _additive(c: Columns) -> np.ndarray[Any, Any]:
    return np.asarray(
        np.sin(3.0 * c["a"]) + np.abs(c["b"]) + (c["c"] > 0.5) + 0.3 * c["d"] ** 2 + np.tanh(2.0 * c["e"])
    )


def _pairs(c: Columns) -> np.ndarray[Any, Any]:
    return np.asarray(
        c["a"] * np.sin(2.0 * c["b"]) + np.maximum(c["c"], c["d"]) * (c["c"] > -1.0) + np.cos(3.0 * c["e"])
    )


def _chain(c: Columns) -> np.ndarray[Any, Any]:
    return np.asarray(c["a"] * c["b"] + np.abs(c["b"] - c["c"]) + np.exp(0.5 * c["d"]) * np.sign(c["e"]))


SUMS: dict[str, tuple[Callable[[Columns], np.ndarray[Any, Any]], list[str], int]] = {
    "additive": (_additive, ["a", "b", "c", "d", "e"], 1_000),
    "pairs": (_pairs, ["ab", "cd", "e"], 2_000),
    "chain": (_chain, ["ab", "bc", "de"], 3_000),
    "odds": (_pairs, ["ab", "cd", "e"], 2_000),
}
"""By name: the mean, the sets of the columns a to e of which it is a sum, and the rows."""


def write_synthetic(folder: Path, name: str) -> tuple[str, dict[str, Any]]:
    """Write a synthetic table; returns its target and what is true of it, by keys of the configuration."""
    is_sum = name in SUMS
    mean, columns, rows = (SUMS[name][0], "abcde", SUMS[name][2]) if is_sum else SYNTHETIC[name]
    rng = np.random.default_rng(len(name) + rows)
    c = {column: rng.normal(size=rows + 5_000) for column in columns}
    m = mean(c)
    y = m + 0.5 * m.std() * rng.normal(size=len(m))
    table = pl.DataFrame({**c, "y": np.where(y > np.median(y), "yes", "no") if name in CLASSES else y})
    table[:rows].write_csv(folder / f"{name}-train.csv")
    table[rows:].write_csv(folder / f"{name}-test.csv")
    if is_sum:
        return "y", {"interactions": [list(names) for names in SUMS[name][1]]}
    directions = {"a": UP, "b": DOWN, "c": UP}
    return "y", {"monotone": {column: direction for column, direction in directions.items() if column in columns}}


def score(y: pl.Series, predicted: np.ndarray[Any, Any], classes: list[str]) -> float:
    """The root mean squared error, or the log loss of probabilities of the second class."""
    if not classes:
        return float(np.sqrt(np.mean((y.to_numpy() - predicted) ** 2)))
    p = np.where((y.cast(pl.String) == classes[1]).to_numpy(), predicted, 1.0 - predicted)
    return float(-np.log(np.clip(p, 1e-15, 1.0)).mean())


def main() -> None:
    """Print the scores of each table, and the ratio of nncli's with and without the shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path)
    parser.add_argument("--peers-python", default=sys.executable)
    parser.add_argument("--quality", default="balanced")
    parser.add_argument("--only", nargs="*", help="names of tables")
    parser.add_argument("--set", nargs="*", default=[], help="keys of the configuration")
    options = parser.parse_args()
    ratios: dict[str, list[float]] = {"synthetic": [], "real": [], "sums": []}
    for name in options.only or [*SYNTHETIC, *REAL, *SUMS]:
        with TemporaryDirectory() as temporary:
            folder = Path(temporary)
            if name not in REAL:
                target, shape = write_synthetic(folder, name)
            else:
                target, shape = REAL[name][0], {"monotone": REAL[name][1]}
                for part in ("train", "test"):
                    rows = pl.read_csv(options.tables / name / f"{part}.csv", infer_schema_length=None)
                    rows = rows.sample(min(len(rows), MAX_ROWS), shuffle=True, seed=0)  # some are sorted by place
                    rows.write_csv(folder / f"{name}-{part}.csv")
            table, test = (folder / f"{name}-{part}.csv" for part in ("train", "test"))
            y = pl.read_csv(test, infer_schema_length=None)[target]
            texts = y.cast(pl.String).unique().sort().to_list()
            classes = texts if len(texts) == 2 else []
            scores, seconds = {}, {}
            for kind, keys in (("free", {}), ("held", shape)):
                config, start = folder / f"{kind}.yaml", time.perf_counter()
                data = {"path": table.name, "target": target}
                config.write_text(json.dumps({"data": data, "quality": options.quality, **keys}))  # JSON is YAML
                run = load(train(config, output=folder / kind, set=options.set).run)
                predicted = run.predict(test, proba=bool(classes))
                column = f"proba_{classes[1]}" if classes else "prediction"
                scores[f"nncli {kind}"] = score(y, predicted[column].to_numpy().astype(np.float64), classes)
                seconds[kind] = time.perf_counter() - start
            command = [options.peers_python, str(JOB), str(table), str(test), target, json.dumps(shape)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            for peer, values in json.loads(done.stdout).items():
                scores[peer] = score(y, np.array(values), classes)
        ratio = scores["nncli held"] / scores["nncli free"]
        ratios["real" if name in REAL else "sums" if name in SUMS else "synthetic"].append(ratio)
        text = "  ".join(f"{who} {value:.5g}" for who, value in scores.items())
        print(f"{name:10} {ratio:.3f}  {text}  ({seconds['free']:.0f} and {seconds['held']:.0f} s)", flush=True)
    for rows_are, values in ratios.items():
        if values:
            mean = float(np.exp(np.mean(np.log(values))))
            print(f"{rows_are}: {mean:.4f} of the error of the free network, at most {max(values):.3f}")


if __name__ == "__main__":
    main()

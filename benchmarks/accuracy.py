"""Accuracy of the default configuration on a folder of tables, compared with scores of other libraries.

    python benchmarks/accuracy.py TABLES                     # every table, seeds 0 1 2
    python benchmarks/accuracy.py TABLES --only car concrete --seeds 0 --set quality=fast

TABLES holds NAME/train.csv, NAME/test.csv and NAME/meta.json (target, task) for each table, and baselines.csv (dataset,
model, seed, metric, value, fit_s). Each training is the whole command, `nncli train` of a configuration that names the
table and the target, and `nncli predict` of the test file. Adds to a file of JSON lines, and prints tables made of all
the file holds. An interrupted run continues where it stopped.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import exp, log
from pathlib import Path
from statistics import fmean
from typing import Any

from timing import COMMAND, HERE, cores, run

SMALLEST = {"error": 1e-3, "log_loss": 2e-3}
"""Added to both sides of a ratio, so that a table that somebody solves does not decide the mean."""
PEER = "catboost"


@dataclass(frozen=True)
class Score:
    """What one training came to on the test rows. `error` is 1 - accuracy or 1 - R²."""

    name: str
    seed: int
    error: float
    log_loss: float | None
    auc: float | None
    ece: float | None
    fit_s: float
    settings: tuple[str, ...] = ()


def score(folder: Path, seed: int, settings: Sequence[str]) -> Score:
    """Train on train.csv, predict test.csv, and compare."""
    meta = json.loads((folder / "meta.json").read_text())
    with tempfile.TemporaryDirectory() as work:
        config, trained, answers = Path(work, "c.yaml"), Path(work, "run"), Path(work, "answers.csv")
        config.write_text(json.dumps({"data": {"path": str(folder / "train.csv"), "target": meta["target"]}}))
        sets = [word for setting in (f"seed={seed}", *settings) for word in ("--set", setting)]
        began = time.perf_counter()
        run([*COMMAND, "train", config, "-q", "-o", trained, *sets], threads=cores())
        seconds = time.perf_counter() - began
        proba = [] if meta["task"] == "regression" else ["--proba"]
        run([*COMMAND, "predict", trained, folder / "test.csv", *proba, "-q", "-o", answers])
        return Score(folder.name, seed, *compare(folder, meta, answers), seconds, tuple(settings))


Errors = tuple[float, float | None, float | None, float | None]
"""`error`, `log_loss`, `auc` and `ece` of a Score."""


def compare(folder: Path, meta: Mapping[str, Any], answers: Path) -> Errors:
    """The errors of a file as `nncli predict --proba` writes it for test.csv."""
    truth, result = column(folder / "test.csv", meta["target"]), rows_of(answers)
    if meta["task"] != "regression":
        return of_classes(truth, result)
    y, z = [float(v) for v in truth], [float(row["prediction"]) for row in result]
    mean = fmean(y)
    error = sum((a - b) ** 2 for a, b in zip(y, z, strict=True)) / sum((a - mean) ** 2 for a in y)
    return error, None, None, None


def of_classes(truth: list[str], result: list[dict[str, str]]) -> Errors:
    """1 - accuracy, log-loss, the area under the curve for two classes, and the expected calibration error."""
    import numpy as np

    from nncli.targets.metrics.registry import metric_function

    labels = [name.removeprefix("proba_") for name in result[0] if name.startswith("proba_")]
    codes = {label: i for i, label in enumerate(labels)}
    y = np.array([codes[label] for label in truth])
    P = np.array([[float(row[f"proba_{label}"]) for label in labels] for row in result])
    metrics = {
        name: metric_function(name, "classification")(y, P, None)
        for name in ("accuracy", "log_loss", "calibration_error")
    }
    auc = metric_function("roc_auc", "classification")(y, P, None) if len(labels) == 2 else None
    return 1.0 - metrics["accuracy"], metrics["log_loss"], auc, metrics["calibration_error"]


def column(path: Path, name: str) -> list[str]:
    """One column of a CSV, as it is spelled."""
    return [row[name] for row in rows_of(path)]


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


Peers = dict[str, dict[str, dict[str, float]]]
"""table -> measure -> model -> mean over the seeds."""


def peers(path: Path) -> Peers:
    """What the peers scored, as errors."""
    result: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for row in rows_of(path):
        name, model, value = row["dataset"], row["model"], float(row["value"])
        if row["metric"] in ("accuracy", "r2"):
            result[name, "error", model].append(1.0 - value)
            result[name, "fit_s", model].append(float(row["fit_s"]))
        elif row["metric"] == "log_loss":
            result[name, "log_loss", model].append(value)
    means: Peers = defaultdict(lambda: defaultdict(dict))
    for (name, measure, model), values in result.items():
        means[name][measure][model] = fmean(values)
    return means


def relative(ours: float, theirs: float, measure: str) -> float:
    """Our error as a multiple of theirs."""
    return (ours + SMALLEST[measure]) / (theirs + SMALLEST[measure])


def geometric(values: Sequence[float]) -> float:
    """The geometric mean."""
    return exp(fmean(map(log, values)))


def report(scores: Sequence[Score], baselines: Peers) -> Iterator[str]:
    """The lines of the tables."""
    mine: dict[str, list[Score]] = defaultdict(list)
    for score in scores:
        mine[score.name].append(score)
    for measure in ("error", "log_loss"):
        yield from _by_table(measure, mine, baselines)
    calibration = [fmean(s.ece for s in some if s.ece is not None) for some in mine.values() if some[0].ece is not None]
    if calibration:
        yield f"expected calibration error, mean over {len(calibration)} tables: {fmean(calibration):.4f}"
        yield ""
    yield from _times(mine, baselines)


def _by_table(measure: str, mine: Mapping[str, Sequence[Score]], baselines: Peers) -> Iterator[str]:
    values = {
        name: fmean(getattr(item, measure) for item in some)
        for name, some in mine.items()
        if getattr(some[0], measure) is not None and baselines[name][measure]
    }
    if not values:
        return
    yield f"### {measure.replace('_', '-')}"
    yield ""
    yield "| table | seeds | nncli | rank | CatBoost | best peer | ÷ CatBoost |"
    yield "| --- | ---: | ---: | ---: | ---: | --- | ---: |"
    ranks, against = [], defaultdict(list)
    for name, value in values.items():
        theirs = baselines[name][measure]
        ranks.append(1 + sum(other < value for other in theirs.values()))
        for model, other in theirs.items():
            against[model].append(relative(value, other, measure))
        best = min(theirs, key=theirs.__getitem__)
        ratio = relative(value, theirs[PEER], measure)
        yield (
            f"| {name} | {len(mine[name])} | {value:.4f} | {ranks[-1]} of {len(theirs) + 1} | {theirs[PEER]:.4f} "
            f"| {best} {theirs[best]:.4f} | {ratio:.3f} |"
        )
    yield ""
    yield f"mean rank {fmean(ranks):.2f}; geometric mean of the relative {measure.replace('_', '-')} against"
    yield ""
    yield "| peer | tables | nncli ÷ peer |"
    yield "| --- | ---: | ---: |"
    for model, ratios in sorted(against.items(), key=lambda item: -geometric(item[1])):
        yield f"| {model} | {len(ratios)} | {geometric(ratios):.3f} |"
    yield ""


def _times(mine: Mapping[str, Sequence[Score]], baselines: Peers) -> Iterator[str]:
    yield "| table | seconds of nncli train | of RealMLP on PyTorch, one thread | ÷ |"
    yield "| --- | ---: | ---: | ---: |"
    for name, some in mine.items():
        seconds, theirs = fmean(item.fit_s for item in some), baselines[name]["fit_s"].get("realmlp_td")
        yield f"| {name} | {seconds:.1f} | {theirs:.1f} | {seconds / theirs:.2f} |" if theirs else f"| {name} | | | |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tables", type=lambda path: Path(path).resolve(), help="the folder of tables")
    parser.add_argument("--only", nargs="*", help="tables; default: all")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--set", dest="settings", action="append", default=[], help="a setting of every training")
    parser.add_argument("--results", type=Path, default=HERE / "accuracy.jsonl")
    options = parser.parse_args()
    measured = read(options.results)
    done = {(item.name, item.seed, item.settings) for item in measured}
    settings = tuple(options.settings)
    folders = sorted(path.parent for path in options.tables.glob("*/meta.json"))
    for seed in options.seeds:
        for folder in folders:
            if (options.only and folder.name not in options.only) or (folder.name, seed, settings) in done:
                continue
            single = score(folder, seed, settings)
            measured.append(single)
            with options.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(single)) + "\n")
            print(f"{single.name} {seed}: error {single.error:.4f}, {single.fit_s:.0f} s", file=sys.stderr, flush=True)
    print(
        "\n".join(
            report([item for item in measured if item.settings == settings], peers(options.tables / "baselines.csv"))
        )
    )


def read(path: Path) -> list[Score]:
    """What was measured before."""
    if not path.exists():
        return []
    lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [Score(**{**line, "settings": tuple(line["settings"])}) for line in lines]


if __name__ == "__main__":
    main()

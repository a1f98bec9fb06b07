"""Coverage and interval scores of prediction intervals and sets, and their time and memory.

    python benchmarks/intervals.py TABLES                                  # every table, 20 splits, time and memory
    python benchmarks/intervals.py TABLES --only concrete --splits 3 --parts coverage
    python benchmarks/intervals.py TABLES --peers-python PYTHON            # with catboost, mapie and pandas

TABLES holds NAME/train.csv, NAME/test.csv and NAME/meta.json (target, task, categorical). A split draws training rows
and other rows at random, trains `quality: fast` and evaluates the other rows; once as it is, and once with
`metric: loss` and `calibration: none`, so that held-out rows choose nothing. The peer is MAPIE's CV+ around CatBoost
with its defaults, on the same rows. Adds to a file of JSON lines, and prints tables of all it holds; an interrupted run
continues where it stopped.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import exp, log
from pathlib import Path
from statistics import fmean, median
from typing import Any

from timing import COMMAND, HERE, FailedError, in_rounds, ratio, run

LEVELS = (0.5, 0.8, 0.9, 0.95)
LEVEL = 0.9
VARIANTS: dict[str, tuple[str, ...]] = {
    "default": (),
    "metric: loss": ("metric=loss", "calibration=none"),
}
PEER = "MAPIE"
PARTS = ("coverage", "time", "memory")
TRAINING_ROWS, NEW_ROWS = 200_000, 150_000
"""The rows of the table whose peak memory is measured."""


@dataclass(frozen=True)
class Score:
    """What the intervals or sets of a level came to on new rows; `size` is a width, or a number of classes.

    `score` is the mean interval score, None for sets. `error` is the RMSE or the log loss of the predictions, None for
    a peer.
    """

    table: str
    split: int
    rows: int
    variant: str
    level: float
    coverage: float
    size: float
    score: float | None
    error: float | None
    seconds: float


def split_table(folder: Path, split: int, max_rows: int, work: Path) -> dict[str, Any]:
    """Write train.csv, test.csv and meta.json of a split into `work`; return the meta data."""
    import numpy as np
    import polars as pl

    meta: dict[str, Any] = json.loads((folder / "meta.json").read_text())
    frame = pl.concat([pl.read_csv(folder / f"{part}.csv", infer_schema=False) for part in ("train", "test")])
    order = np.random.default_rng([split, *folder.name.encode()]).permutation(len(frame))
    training = min(max_rows, 3 * len(frame) // 4)
    frame[order[:training]].write_csv(work / "train.csv")
    frame[order[training : training + max_rows]].write_csv(work / "test.csv")
    (work / "meta.json").write_text(json.dumps(meta))
    return meta


def evaluate_split(
    work: Path, meta: Mapping[str, Any], key: tuple[str, int, int], variant: str, settings: Sequence[str]
) -> list[Score]:
    """Train on a split, and evaluate its other rows."""
    from nncli import evaluate, train

    config, is_regression = work / "c.yaml", meta["task"] == "regression"
    document = {"data": {"path": str(work / "train.csv"), "target": meta["target"]}, "quality": "fast"}
    config.write_text(json.dumps(document))
    began = time.perf_counter()
    trained = train(
        config, output=work / "run", force=True, set=[f"seed={key[1]}", "workers=1", *VARIANTS[variant], *settings]
    ).run
    seconds = time.perf_counter() - began
    intervals, sets = (LEVELS, ()) if is_regression else ((), LEVELS)
    result = evaluate(trained, work / "test.csv", on_error="skip", interval=intervals, prediction_set=sets).json()
    error = result["metrics"]["rmse" if is_regression else "log_loss"]
    if is_regression:
        return [
            Score(
                *key,
                variant,
                item["level"],
                item["coverage"],
                item["mean_width"],
                item["interval_score"],
                error,
                seconds,
            )
            for item in result["intervals"]
        ]
    return [
        Score(*key, variant, item["level"], item["coverage"], item["mean_size"], None, error, seconds)
        for item in result["sets"]
    ]


def peer_split(work: Path, meta: Mapping[str, Any], key: tuple[str, int, int], python: str) -> list[Score]:
    """The intervals of MAPIE on the same rows."""
    import numpy as np
    import polars as pl

    from nncli.targets.metrics.coverage import interval_scores

    answers = work / "answers.csv"
    job = run([HERE / "mapie_job.py", work, answers, str(key[1]), *map(str, LEVELS)], interpreter=python, threads=1)
    y = pl.read_csv(work / "test.csv")[meta["target"]].cast(pl.Float64).to_numpy()
    bounds = pl.read_csv(answers)
    scores = []
    for level in LEVELS:
        lower, upper = (bounds[f"{end}_{level:g}"].cast(pl.Float64).to_numpy() for end in ("lower", "upper"))
        single = interval_scores(np.asarray(y), lower, upper, level)
        scores.append(
            Score(*key, PEER, level, single.coverage.share, single.coverage.size, single.score, None, job.seconds)
        )
    return scores


def coverage_table(scores: Sequence[Score], variant: str) -> Iterator[str]:
    """The coverage and the size of each table, by level."""
    yield f"{variant}, {max((score.split for score in scores), default=-1) + 1} splits"
    yield (
        "| table | rows | " + " | ".join(f"{level:g}" for level in LEVELS) + f" | size at {LEVEL:g} | ÷ {PEER} score |"
    )
    yield "| --- |" + " ---: |" * (len(LEVELS) + 3)
    means, ratios = [], []
    for name in sorted({score.table for score in scores if score.variant == variant}):
        selected = [score for score in scores if (score.table, score.variant) == (name, variant)]
        by_level = [fmean(item.coverage for item in selected if item.level == level) for level in LEVELS]
        size = fmean(item.size for item in selected if item.level == LEVEL)
        peers = {
            score.split: score.score
            for score in scores
            if (score.table, score.variant, score.level) == (name, PEER, LEVEL)
        }
        pairs = [(item.score, peers[item.split]) for item in selected if item.level == LEVEL and item.split in peers]
        relative = fmean(a for a, _ in pairs if a) / fmean(b for _, b in pairs if b) if pairs else None
        ratios += [] if relative is None else [relative]
        means.append(by_level)
        cells = " | ".join(f"{value:.1%}" for value in by_level)
        shown = "" if relative is None else f"{relative:.3f}"
        yield f"| {name} | {selected[0].rows:,} | {cells} | {size:.4g} | {shown} |"
    if means:
        cells = " | ".join(f"{fmean(column):.1%}" for column in zip(*means, strict=True))
        yield f"| mean | | {cells} | | {exp(fmean(map(log, ratios))) if ratios else float('nan'):.3f} |"
    yield ""


def cost_table(scores: Sequence[Score]) -> Iterator[str]:
    """What it costs that held-out rows choose nothing: the error and the size of intervals as multiples."""
    default, honest = VARIANTS
    paired: dict[str, list[tuple[Score, Score]]] = defaultdict(list)
    others = {(score.table, score.split): score for score in scores if score.variant == honest and score.level == LEVEL}
    for score in scores:
        if score.variant == default and score.level == LEVEL and (score.table, score.split) in others:
            paired[score.table].append((score, others[score.table, score.split]))
    if not paired:
        return
    yield f"| table | error, {honest} ÷ default | size at {LEVEL:g}, ÷ default | coverage, - default |"
    yield "| --- | ---: | ---: | ---: |"
    errors, sizes, differences = [], [], []
    for name, pairs in sorted(paired.items()):
        errors.append(fmean(b.error or 0.0 for _, b in pairs) / fmean(a.error or 0.0 for a, _ in pairs))
        sizes.append(fmean(b.size for _, b in pairs) / fmean(a.size for a, _ in pairs))
        differences.append(fmean(b.coverage - a.coverage for a, b in pairs))
        yield f"| {name} | {errors[-1]:.3f} | {sizes[-1]:.3f} | {differences[-1]:+.1%} |"
    yield (
        f"| mean | {exp(fmean(map(log, errors))):.3f} | {exp(fmean(map(log, sizes))):.3f} | {fmean(differences):+.1%} |"
    )
    yield ""


def measure_coverage(arguments: argparse.Namespace) -> None:
    """Train and evaluate all splits that the file does not hold, and print its tables."""
    results: Path = arguments.results
    text = results.read_text() if results.exists() else ""
    scores = [Score(**json.loads(line)) for line in text.splitlines()]
    done = {(score.table, score.split, score.variant) for score in scores}
    names = arguments.only or sorted(path.parent.name for path in arguments.tables.glob("*/meta.json"))
    with results.open("a") as file:
        for split in range(arguments.splits):
            for name in names:
                with tempfile.TemporaryDirectory() as folder:
                    work = Path(folder)
                    meta = split_table(arguments.tables / name, split, arguments.rows, work)
                    with (work / "train.csv").open() as table:
                        key = (name, split, sum(1 for _ in csv.reader(table)) - 1)
                    new = []
                    for variant in VARIANTS:
                        if (name, split, variant) not in done:
                            new += evaluate_split(work, meta, key, variant, arguments.settings)
                    if (name, split, PEER) not in done and meta["task"] == "regression" and arguments.peers_python:
                        new += peer_split(work, meta, key, arguments.peers_python)
                scores += new
                file.writelines(json.dumps(asdict(item)) + "\n" for item in new)
                file.flush()
    for variant in (*VARIANTS, PEER):
        print("\n".join(coverage_table(scores, variant)))
    print("\n".join(cost_table(scores)))


def write_table(path: Path, rows: int, seed: int) -> None:
    """A table of ten numbers and a target that depends on two of them."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 10)).round(4)
    y = X[:, 0] + np.sin(3 * X[:, 1]) + rng.normal(size=rows) * (0.5 + (X[:, 2] > 0))
    pl.DataFrame({**{f"x{i}": X[:, i] for i in range(10)}, "y": y.round(4)}).write_csv(path)


def train_table(work: Path, rows: int, *settings: str) -> Path:
    """Train the default, with a few settings, on a table of so many rows."""
    write_table(work / "train.csv", rows, 0)
    config = work / "c.yaml"
    config.write_text(json.dumps({"data": {"path": str(work / "train.csv"), "target": "y"}}))
    sets = [word for setting in settings for word in ("--set", setting)]
    run([*COMMAND, "train", config, "-q", "-o", work / "run", "--force", *sets])
    return work / "run"


def measure_time(arguments: argparse.Namespace) -> None:
    """`nncli predict` with and without --interval, on the default for 5,000 rows."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        trained = train_table(work, 5_000, "epochs=3")
        print("| new rows | nncli predict | with --interval 0.9 | ÷ |\n| ---: | ---: | ---: | ---: |")
        for rows in (1_000, 20_000, NEW_ROWS):
            write_table(work / "new.csv", rows, 1)
            words = [*COMMAND, "predict", trained, work / "new.csv", "-q", "-o", work / "out.csv", "--force"]
            tasks = {
                "plain": lambda words=words: run(words).seconds,
                "interval": lambda words=words: run([*words, "--interval", "0.9"]).seconds,
            }
            result = in_rounds(tasks, arguments.rounds)
            plain, interval = median(result["plain"]), median(result["interval"])
            print(f"| {rows:,} | {plain:.2f} s | {interval:.2f} s | {ratio(result['interval'], result['plain']):.2f} |")
        print()


def measure_memory(arguments: argparse.Namespace) -> None:
    """The peak memory of `nncli predict` with many training rows and many new rows."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        trained = train_table(work, TRAINING_ROWS, "epochs=1", "members=8", "bagging=folds", "layers=[16]")
        write_table(work / "new.csv", NEW_ROWS, 1)
        print(f"{TRAINING_ROWS:,} training rows, {NEW_ROWS:,} new rows")
        for more in ((), ("--interval", "0.9")):
            words: list[str | Path] = [
                *COMMAND,
                "predict",
                trained,
                work / "new.csv",
                "-q",
                "-o",
                work / "out.csv",
                "--force",
                *more,
            ]
            result = run(words)
            print(f"nncli predict {' '.join(more)}: {result.mib:.0f} MiB, {result.seconds:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=lambda path: Path(path).resolve())
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--rows", type=int, default=2_000, help="training rows at most (default 2,000)")
    parser.add_argument("--set", action="append", default=[], dest="settings", help="a setting of every training")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--peers-python", help="an interpreter with catboost, mapie and pandas")
    parser.add_argument("--results", type=Path, default=HERE / "intervals.jsonl")
    arguments = parser.parse_args()
    tasks = {"coverage": measure_coverage, "time": measure_time, "memory": measure_memory}
    for part in arguments.parts:
        try:
            tasks[part](arguments)
        except FailedError as error:
            print(f"{part}: {error}")


if __name__ == "__main__":
    main()

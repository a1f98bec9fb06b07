"""The search around the default: its best trial, and an ensemble of its best trials, beside `nncli train`.

    python benchmarks/tune_default.py TABLES --tables penguins concrete --results FILE
    python benchmarks/tune_default.py TABLES --peers-python a-python-with-autogluon.tabular

On each table, of which `--rows` rows are drawn, `nncli tune TABLE --target COLUMN --ensemble 10` searches the space
that ships for the preset, and `nncli train TABLE --target COLUMN` trains the default. Their out-of-fold scores and
those of test.csv are compared: the log loss of classes, or the RMSE of numbers; lower is better. Trial 0 and the best
trial predict with five networks, one for each fold. With `--peers-python`, AutoGluon tunes its neural
network for as long as the search took, see `autogluon_job.py`. What was measured is added to a file of JSON lines; an
interrupted run continues where it stopped. `make bench-tune-default` runs it: an hour or more.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from nncli import evaluate
from nncli.models.scores import headlines
from nncli.tuning.trials import folder_of, load_trials
from results import Cell, Goal, Report, show
from timing import COMMAND, HERE, run
from tune import relative
from tune_trials import sample_of

WON = 0.75
PICKS = 10
METRICS = {"regression": "rmse", "binary": "log_loss", "multiclass": "log_loss"}
MODELS = ("trial 0", "best trial", "ensemble", "default", "AutoGluon")


@dataclass(frozen=True)
class Scores:
    """The out-of-fold score of a model and that of test rows, and the seconds of the processor that it took."""

    out_of_fold: float | None
    test: float
    seconds: float | None = None


@dataclass(frozen=True)
class Measured:
    """The scores of each model on a table."""

    name: str
    metric: str
    trials: int
    pruned: int
    models: dict[str, Scores]

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Measured:
        """Back from JSON."""
        return cls(**{**plain, "models": {name: Scores(**scores) for name, scores in plain["models"].items()}})


def measure(folder: Path, options: argparse.Namespace) -> Measured:
    """Search and train on a table."""
    meta = json.loads((folder / "meta.json").read_text("utf-8"))
    metric = METRICS[meta["task"]]
    with tempfile.TemporaryDirectory() as name:
        work, table, test = Path(name), Path(name, "table.csv"), folder / "test.csv"
        sample_of(folder / "train.csv", options.rows).write_csv(table)
        target = (
            table,
            "--target",
            meta["target"],
            *(word for setting in options.settings for word in ("--set", setting)),
        )
        words = (*target, "--trials", str(options.trials), "--ensemble", str(PICKS))
        search, default = work / "model-tune", work / "default"
        seconds = processor_seconds(["tune", *words, "-o", search])
        trials = load_trials(search)
        complete = [trial for trial in trials if trial.state == "complete" and trial.score is not None]
        best = min(complete, key=lambda trial: trial.score or 0.0)
        models = {
            "trial 0": Scores(trials[0].score, test_score(folder_of(search, 0), test, metric)),
            "best trial": Scores(best.score, test_score(folder_of(search, best.number), test, metric)),
            "ensemble": scores_of(work / "model-ensemble", test, metric, seconds),
        }
        seconds = processor_seconds(["train", *target, "-o", default])
        models["default"] = scores_of(default, test, metric, seconds)
        if options.peers_python:
            models["AutoGluon"] = autogluon(
                folder, table, work, options.peers_python, models["ensemble"].seconds or 0.0
            )
    return Measured(folder.name, metric, len(trials) - 1, len(trials) - len(complete), models)


def processor_seconds(words: Sequence[str | Path]) -> float:
    """The seconds of the processor that a command of nncli takes, with one worker."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run([*COMMAND, *words, "--set", "workers=1"], threads=1)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_score(path: Path, test: Path, metric: str) -> float:
    """The score of test rows."""
    value = dict(headlines(evaluate(path, test).scores))[metric]
    assert value is not None
    return value


def scores_of(path: Path, test: Path, metric: str, seconds: float) -> Scores:
    """The scores of a run."""
    document = json.loads((path / "metrics.json").read_text("utf-8"))
    return Scores(float(document["validation"]["metrics"][metric]), test_score(path, test, metric), seconds)


def autogluon(folder: Path, table: Path, work: Path, interpreter: str, seconds: float) -> Scores:
    """The neural network of AutoGluon, tuned for so many seconds."""
    words: list[str | Path] = [HERE / "autogluon_job.py", folder, table, work / "autogluon", str(seconds)]
    out_of_fold, test = json.loads(run(words, threads=1, interpreter=interpreter).output.splitlines()[-1])
    return Scores(out_of_fold, test, seconds)


def report(measured: Sequence[Measured]) -> list[Report]:
    """All tables, and the goals."""
    rows: dict[str, list[list[Cell]]] = {"out_of_fold": [], "test": []}
    for item in measured:
        for kind, lines in rows.items():
            values = [getattr(item.models[model], kind) if model in item.models else None for model in MODELS]
            lines.append([item.name, item.metric, *values])
        seconds = [item.models[model].seconds for model in ("ensemble", "default")]
        rows["out_of_fold"][-1] += [*seconds, item.pruned]
    return [
        Report(
            "Search around the default: out-of-fold scores",
            "Lower is better. s: seconds of the processor.",
            ["table", "metric", *MODELS, "search s", "default s", "trials pruned"],
            rows["out_of_fold"],
            goals(measured),
        ),
        Report(
            "Search around the default: test scores",
            "Lower is better.",
            ["table", "metric", *MODELS],
            rows["test"],
            [compared(measured, "ensemble", "default", "test")],
        ),
    ]


def goals(measured: Sequence[Measured]) -> list[Goal]:
    """The goals of out-of-fold scores."""
    result = [compared(measured, "ensemble", "default", "out_of_fold")]
    if any("AutoGluon" in item.models for item in measured):
        result.append(compared(measured, "ensemble", "AutoGluon", "out_of_fold"))
        result.append(compared(measured, "ensemble", "AutoGluon", "test"))
    return result


def compared(measured: Sequence[Measured], mine: str, other: str, kind: str) -> Goal:
    """The tables where a model is better than another one."""
    pairs = [
        (getattr(item.models[mine], kind), getattr(item.models[other], kind), item.metric)
        for item in measured
        if other in item.models
    ]
    changes = [relative(a, b, metric) for a, b, metric in pairs]
    won = sum(change < 0.0 for change in changes)
    by = f"mean {fmean(changes):+.1f} %, median {median(changes):+.1f} %"
    figure = f"tables where the {mine} is better than {other}, {kind.replace('_', '-')} ({by})"
    return Goal(figure, won, "≥", round(WON * len(pairs)), f" of {len(pairs)}")


def main() -> None:
    options_parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options_parser.add_argument("folder", metavar="TABLES", type=Path)
    options_parser.add_argument("--tables", nargs="*", metavar="NAME", help="names of tables; default: all")
    options_parser.add_argument("--trials", type=int, default=30, help="besides trial 0 (default 30)")
    options_parser.add_argument("--rows", type=int, default=1_000, help="at most so many of each table (default 1000)")
    options_parser.add_argument(
        "--set", dest="settings", action="append", default=[], help="a setting of both commands"
    )
    options_parser.add_argument("--peers-python", help="a Python that has autogluon.tabular and PyTorch")
    options_parser.add_argument("--results", type=Path, help="a file that measurements are added to")
    options = options_parser.parse_args()
    results: Path | None = options.results
    lines = results.read_text("utf-8").splitlines() if results and results.exists() else []
    measured = {item.name: item for item in (Measured.of(json.loads(line)) for line in lines)}
    result = [path.parent for path in options.folder.resolve().glob("*/meta.json")]
    for folder in sorted(result, key=lambda path: (path / "train.csv").stat().st_size):
        if folder.name not in measured and (not options.tables or folder.name in options.tables):
            measured[folder.name] = measure(folder, options)
            if results:
                with results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(measured[folder.name])) + "\n")
            print(folder.name, file=sys.stderr, flush=True)
    show(report(list(measured.values())))


if __name__ == "__main__":
    main()

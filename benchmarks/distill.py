"""How much of an ensemble's gain `nncli distill` keeps, and how much faster its student predicts.

    python benchmarks/distill.py TABLES                              # every table
    python benchmarks/distill.py TABLES --only car concrete --rounds 1
    python benchmarks/distill.py TABLES --work FOLDER --set epochs=30

TABLES holds NAME/train.csv, NAME/test.csv and NAME/meta.json (target, task). On each table an ensemble, students of it
and plain networks are trained, and their scores on the test rows are compared: the log loss of classes, or the RMSE of
numbers. A plain network has the layers of the student, and learns the true targets of all rows but the validation rows,
for as many steps; of one with and one without dropout, the one with the better validation score counts. The share of
the gain is (plain - student) / (plain - ensemble); it says nothing where the ensemble has no gain. `said` is what the
students say of themselves. The time is that of the processor for `predict` of rows in memory, which a busy machine
hardly lengthens. `make bench-distill` runs it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

import polars as pl

from nncli import distill, evaluate, load, train
from nncli.base.threads import limit_blas_threads
from nncli.config.schema import Config
from nncli.fitting.prepare.auto_values import batch_rows
from nncli.fitting.train.events import Finished
from nncli.models.scores import headlines
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.residual import Layer
from nncli.nn.layers.sequential import Dropout
from nncli.nn.optim.schedules import CoslogRate
from nncli.run_directory.config import read_config
from nncli.run_directory.run import Run
from nncli.targets.target_base import Scores
from results import Goal, Report, show

GAIN, SPEED = 0.95, 20.0
"""The goals: the share of the gain that is kept, and how many times as fast a row is predicted."""
NO_GAIN = 0.02
"""An ensemble whose score is better than a plain network's by less than this share of it has no gain to keep."""
TIMED_ROWS, TIMINGS = 20_000, 5
RATE, EPOCHS_OF_CYCLES = 0.15, tuple(2**cycles - 1 for cycles in range(2, 11))
"""The dropout of a plain network; and numbers of epochs that are whole cycles of the learning rate."""


@dataclass(frozen=True)
class Measured:
    """The test scores of an ensemble, of students and of plain networks of the same size, and times of a row."""

    name: str
    metric: str
    ensemble: float
    students: tuple[float, ...]
    plain: tuple[float, ...]
    said: float
    speed: float
    seconds: float

    @property
    def kept(self) -> float | None:
        """The share of the gain that the students keep; None without a gain."""
        plain = fmean(self.plain)
        gain = plain - self.ensemble
        return (plain - fmean(self.students)) / gain if gain > NO_GAIN * plain else None


def measure(folder: Path, work: Path, quality: str, rounds: int, settings: Sequence[str]) -> Measured:
    """Train an ensemble, students and plain networks on a table."""
    meta = json.loads((folder / "meta.json").read_text("utf-8"))
    ensemble, test = work / folder.name, folder / "test.csv"
    metric = "rmse" if meta["task"] == "regression" else "log_loss"
    if not ensemble.exists():
        loss = "mse" if metric == "rmse" else "cross_entropy"
        path = work / f"{folder.name}.yaml"
        data = {"path": str(folder / "train.csv"), "target": meta["target"]}
        path.write_text(json.dumps({"data": data, "quality": quality, "loss": loss}))
        train(path, output=ensemble, set=["workers=1"])
    students, plain, seconds = [], [], []
    for seed in range(rounds):
        start = time.perf_counter()
        student = distill(
            ensemble, output=work / f"{folder.name}-student-{seed}", set=[f"seed={seed}", "threads=1", *settings]
        )
        seconds.append(time.perf_counter() - start)
        students.append(student.run)
        plain.append(plain_network(student.run, work / f"{folder.name}-plain-{seed}"))
    said = fmean(metric_of(Run.open(run), metric) for run in students)
    return Measured(
        folder.name,
        metric,
        score(ensemble, test, metric),
        tuple(score(run, test, metric) for run in students),
        tuple(score(run, test, metric) for run in plain),
        said,
        seconds_of(ensemble, test) / seconds_of(students[0], test),
        fmean(seconds),
    )


def plain_network(student: Path, output: Path) -> Path:
    """The run of a network with the layers of a student, trained on the true targets for as many steps."""
    config, manifest = read_config(student), Run.open(student).load_manifest()
    assert config.teacher is not None
    assert isinstance(config.teacher.swapped_rows, int)
    assert isinstance(config.epochs, int)
    assert isinstance(config.batch_size, int)
    steps = config.epochs * manifest.training_rows * (1 + config.teacher.swapped_rows) / config.batch_size
    rows = manifest.training_rows - manifest.validation_rows
    of_epoch = rows / batch_rows(config.model_copy(update={"batch_size": "auto"}), rows)
    epochs = min(EPOCHS_OF_CYCLES, key=lambda epochs: abs(epochs * of_epoch - steps))
    update = {
        "teacher": None,
        "metric": "calibrated_log_loss",
        "calibration": "auto",
        "epochs": epochs,
        "learning_rate": CoslogRate(),
        "batch_size": "auto",
    }
    plain = config.model_copy(update=update)
    finished = [train(item, output=f"{output}-{i}") for i, item in enumerate((plain, with_dropout(plain)))]
    return min(finished, key=validation_loss).run


def with_dropout(config: Config) -> Config:
    """The configuration with dropout after each dense layer, as that of the default has it."""
    layers: list[Layer] = []
    for layer in config.layers:
        layers.append(layer)
        if isinstance(layer, Dense):
            layers.append(Dropout(rate=RATE, schedule="flat_cosine"))
    return config.model_copy(update={"layers": tuple(layers)})


def validation_loss(finished: Finished) -> float:
    """The log loss or the RMSE of the validation rows."""
    assert finished.validation is not None
    return of_scores(finished.validation.model)


def of_scores(scores: Scores, metric: str | None = None) -> float:
    values = dict(headlines(scores))
    value = values[metric or ("rmse" if "rmse" in values else "log_loss")]
    assert value is not None
    return value


def metric_of(run: Run, metric: str) -> float:
    """What a run says of itself."""
    document = json.loads((run.path / "metrics.json").read_text("utf-8"))
    return float(document["validation"]["metrics"][metric])


def score(run: Path, test: Path, metric: str) -> float:
    """The score of test rows."""
    return of_scores(evaluate(run, test).scores, metric)


def seconds_of(run: Path, test: Path) -> float:
    """The shortest time of the processor in which a run predicts TIMED_ROWS rows in memory, with probabilities."""
    model, rows = load(run), pl.read_csv(test, infer_schema_length=None)
    proba = model.classes is not None
    frame = pl.concat([rows] * -(-TIMED_ROWS // len(rows)))[:TIMED_ROWS]
    times = []
    with limit_blas_threads(1):
        for _ in range(TIMINGS):
            start = time.process_time()
            model.predict(frame, proba=proba)
            times.append(time.process_time() - start)
    return min(times)


def report(measured: Sequence[Measured]) -> Report:
    """All tables, and the goals."""
    rows = [
        [
            item.name,
            item.metric,
            item.ensemble,
            fmean(item.students),
            fmean(item.plain),
            None if item.kept is None else f"{100 * item.kept:.0f} %",
            item.said,
            item.speed,
            item.seconds,
        ]
        for item in measured
    ]
    kept = [item.kept for item in measured if item.kept is not None]
    goals = [Goal("median speed of a row", median(item.speed for item in measured), "≥", SPEED)]
    if kept:
        goals.insert(0, Goal("median share of the gain", 100 * median(kept), "≥", 100 * GAIN, " %"))
    columns = ["table", "metric", "ensemble", "student", "plain", "gain kept", "said", "speed ×", "distill s"]
    return Report("Students of ensembles", "Test scores; lower is better.", columns, rows, goals)


def tables(folder: Path, only: Sequence[str] | None) -> Iterator[Path]:
    """The folders of the tables, small ones first."""
    result = [path.parent for path in folder.glob("*/meta.json") if not only or path.parent.name in only]
    yield from sorted(result, key=lambda path: (path / "train.csv").stat().st_size)


def main() -> None:
    options_parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options_parser.add_argument("folder", metavar="TABLES", type=Path)
    options_parser.add_argument("--only", nargs="*", metavar="NAME", help="names of tables; default: all")
    options_parser.add_argument("--quality", default="balanced", help="that of the ensembles")
    options_parser.add_argument(
        "--rounds", type=int, default=3, help="students and plain networks, each with another seed"
    )
    options_parser.add_argument(
        "--set", dest="settings", action="append", default=[], help="a setting of every student"
    )
    options_parser.add_argument("--work", type=Path, help="a folder for runs, where ensembles are found again")
    options = options_parser.parse_args()
    measured = []
    with tempfile.TemporaryDirectory() as name:
        work = options.work or Path(name)
        for folder in tables(options.folder.resolve(), options.only):
            measured.append(measure(folder, work, options.quality, options.rounds, options.settings))
            show([report(measured[-1:])])
            sys.stdout.flush()
        show([report(measured)])


if __name__ == "__main__":
    main()

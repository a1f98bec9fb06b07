"""The default on a folder of tables: whole trainings in interleaved rounds, and their errors on the test rows.

A round trains on each table once with everyone: nncli as it is here, nncli at the baseline, CatBoost. The seed is the
number of the round. What was measured is added to a file of JSON lines; an interrupted run continues where it stopped.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from accuracy import compare
from timing import HERE, FailedError, cores, run
from versions import CHANGED, Version

CATBOOST = "catboost"


@dataclass(frozen=True)
class Fit:
    """One training of somebody: seconds of the whole process, and errors on the test rows.

    `who` has the commit; `error` is 1 - accuracy or 1 - R².
    """

    folder: str
    who: str
    seed: int
    settings: tuple[str, ...]
    seconds: float
    error: float
    log_loss: float | None
    ece: float | None

    @property
    def key(self) -> tuple[object, ...]:
        return self.folder, self.who, self.seed, self.settings


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        interpreter: A Python that has CatBoost.
        is_tuned_to: Whether the default was tuned to these tables; their goals are lower.
    """

    folders: Sequence[Path]
    versions: Sequence[Version]
    rounds: int
    settings: tuple[str, ...]
    interpreter: str
    results: Path
    is_tuned_to: bool = False


def meta_of(folder: Path) -> dict[str, Any]:
    """The description of a table."""
    meta: dict[str, Any] = json.loads((folder / "meta.json").read_text("utf-8"))
    return meta


def fit_nncli(version: Version, folder: Path, seed: int, settings: Sequence[str]) -> Fit:
    """`nncli train` of the table and the target, and `nncli predict`."""
    meta = meta_of(folder)
    with tempfile.TemporaryDirectory() as work:
        run, answers = Path(work, "run"), Path(work, "answers.csv")
        sets = [word for setting in (f"seed={seed}", *settings) for word in ("--set", setting)]
        done = version.nncli("train", folder / "train.csv", "--target", meta["target"], "-o", run, *sets)
        proba = [] if meta["task"] == "regression" else ["--proba"]
        version.nncli("predict", run, folder / "test.csv", *proba, "-o", answers)
        error, log_loss, _, ece = compare(folder, meta, answers)
    return Fit(folder.name, version.commit, seed, tuple(settings), done.seconds, error, log_loss, ece)


def fit_catboost(interpreter: str, folder: Path, seed: int) -> Fit:
    """The script of catboost_job.py."""
    with tempfile.TemporaryDirectory() as work:
        model, answers = Path(work, "model"), Path(work, "answers.csv")
        script = HERE / "catboost_job.py"
        done = run([script, "train", folder, model, str(seed), str(cores())], interpreter=interpreter)
        run([script, "predict", folder, model, answers], interpreter=interpreter)
        error, log_loss, _, ece = compare(folder, meta_of(folder), answers)
    return Fit(folder.name, CATBOOST, seed, (), done.seconds, error, log_loss, ece)


def has_catboost(interpreter: str) -> bool:
    """Whether that Python can import what catboost_job.py does."""
    try:
        run(["-c", "import catboost, pandas"], interpreter=interpreter)
    except FailedError:
        return False
    return True


def measure_tables(plan: Plan) -> dict[str, list[Fit]]:
    """The fits of everyone on every folder, in the order of the rounds.

    What was measured with changed files is measured anew.
    """
    measured = {fit.key: fit for fit in read(plan.results) if not fit.who.endswith(CHANGED)}
    with_catboost = has_catboost(plan.interpreter)
    result: dict[str, list[Fit]] = defaultdict(list)
    for seed in range(plan.rounds):
        for folder in plan.folders:
            for title, key, task in tasks(plan, folder, seed, with_catboost):
                if key not in measured:
                    measured[key] = task()
                    with plan.results.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(asdict(measured[key])) + "\n")
                    fit = measured[key]
                    line = f"{title} {folder.name} {seed}: {fit.seconds:.1f} s, error {fit.error:.4f}"
                    print(line, file=sys.stderr, flush=True)
                result[title].append(measured[key])
    return result


Task = tuple[str, tuple[object, ...], Callable[[], Fit]]
"""A title, the key of the fit, and how to make it."""


def tasks(plan: Plan, folder: Path, seed: int, with_catboost: bool) -> Iterator[Task]:
    """What is measured one after the other."""
    for version in plan.versions:
        key = (folder.name, version.commit, seed, plan.settings)
        yield version.title, key, partial(fit_nncli, version, folder, seed, plan.settings)
    if with_catboost:
        yield CATBOOST, (folder.name, CATBOOST, seed, ()), partial(fit_catboost, plan.interpreter, folder, seed)


def read(path: Path) -> list[Fit]:
    """What was measured before."""
    if not path.exists():
        return []
    lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [Fit(**{**line, "settings": tuple(line["settings"])}) for line in lines]

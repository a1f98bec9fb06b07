"""Trials: their values, states and scores, and the files that keep them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import ValidationError

from nncli.errors import Location, RunError
from nncli.runs.loader import LARGEST_TEXT, read_file
from nncli.spec import NonNegativeInt, Spec, StrictStr
from nncli.tuning.objective import Objective
from nncli.tuning.space import SearchSpace
from nncli.utils.atomic_files import write_text

TRIALS = "trials"
TRIALS_TABLE = "trials.csv"

State: TypeAlias = Literal["running", "complete", "pruned", "failed"]


class Trial(Spec):
    """A trial: the values that its sampler proposed, and what came of it.

    `score` is the metric of all its held-out rows; of a pruned trial that of the `folds` that it was trained on, and
    `estimate` the score that it would have had if the best trial before it had lost as much on the other folds. Both
    are None while it runs, and if it failed, for the reason in `message`. `seconds` are those of its trainings.
    """

    number: NonNegativeInt
    values: dict[StrictStr, int | float]
    state: State = "running"
    score: float | None = None
    estimate: float | None = None
    folds: tuple[float, ...] = ()
    message: str | None = None
    seconds: float = 0.0

    @property
    def is_finished(self) -> bool:
        """Whether the trial has a result."""
        return self.state != "running"


def folder_of(path: Path, number: int) -> Path:
    """The directory of a trial, an ordinary run or cross-validation."""
    return path / TRIALS / f"{number:04}"


def record_of(path: Path, number: int) -> Path:
    """The file with the values and the result of a trial, beside its directory."""
    return path / TRIALS / f"{number:04}.json"


def save_trial(path: Path, trial: Trial) -> None:
    """Write the record of a trial."""
    write_text(record_of(path, trial.number), trial.model_dump_json(indent=1) + "\n")


def load_trials(path: Path) -> list[Trial]:
    """The trials that were proposed, in order.

    Raises:
        RunError: a record is damaged.
    """
    trials: list[Trial] = []
    while (file := record_of(path, len(trials))).exists():
        try:
            trial = Trial.model_validate_json(read_file(file.parent, file.name, LARGEST_TEXT))
        except (ValidationError, ValueError) as error:
            raise RunError(
                "the record of a trial is damaged, or was written by a newer nncli",
                location=Location(source=str(file)),
                hint="Remove the file, and those of later trials with their directories; they are repeated.",
            ) from error
        trials.append(trial)
    return trials


def best_trial(trials: Iterable[Trial], objective: Objective) -> Trial | None:
    """The complete trial with the best score, the first of several equal ones."""
    complete = [trial for trial in trials if trial.state == "complete" and trial.score is not None]
    return min(complete, key=lambda trial: (objective.loss_of(trial.score or 0.0), trial.number), default=None)


def write_trials_table(path: Path, trials: Sequence[Trial], space: SearchSpace, objective: Objective) -> None:
    """Write trials.csv: a row for each finished trial, with its values as the configuration has them.

    It holds nothing that depends on the machine, such as times.
    """
    names = [parameter.name for parameter in space.parameters]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "state", objective.metric, "folds", *names])
    for trial in trials:
        if trial.is_finished:
            labels = space.labels(space.rounded(trial.values))
            score = "" if trial.score is None else repr(trial.score)
            writer.writerow([trial.number, trial.state, score, len(trial.folds), *(labels.get(n, "") for n in names)])
    write_text(path / TRIALS_TABLE, text.getvalue())

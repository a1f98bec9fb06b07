"""Trials: their values, states and scores, and the files that keep them."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import ValidationError

from nncli.base.atomic_files import TEMPORARY_SUFFIX, write_text
from nncli.base.errors import Location, NncliError, RunError
from nncli.base.spec import NonNegativeInt, Spec, StrictStr
from nncli.runs.filenames import FOLDS
from nncli.runs.loader import LARGEST_TEXT, read_file
from nncli.runs.run import Run
from nncli.tuning.space.space import SearchSpace
from nncli.tuning.trials.objective import Objective

TRIALS = "trials"
TRIALS_TABLE = "trials.csv"

State: TypeAlias = Literal["running", "complete", "pruned", "failed"]


class Trial(Spec):
    """A trial: the values that its sampler proposed, and what came of it.

    `score` is the metric of all its held-out rows; of a pruned trial that of the `folds` that it was trained on, and
    `estimated_score` the one that it would have had if the best trial before it had lost as much on the others. Both
    are None while it runs, and if it failed, for the reason in `message`; also those of a pruned trial and of a fold
    may be None, where the metric is undefined. `seconds` are those of its trainings.
    """

    number: NonNegativeInt
    values: dict[StrictStr, int | float]
    state: State = "running"
    score: float | None = None
    estimated_score: float | None = None
    folds: tuple[float | None, ...] = ()
    message: str | None = None
    seconds: float = 0.0

    @property
    def is_finished(self) -> bool:
        """Whether the trial has a result."""
        return self.state != "running"

    @property
    def comparable_score(self) -> float | None:
        """The score that is comparable with that of other trials: the estimated one of a pruned trial."""
        return self.estimated_score if self.state == "pruned" else self.score


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
            if trial.number != len(trials):
                raise ValueError("the record of another trial")
        except (ValidationError, ValueError) as error:
            raise damaged_record(file) from error
        trials.append(trial)
    return trials


def damaged_record(file: Path) -> RunError:
    """The error of a record that cannot be read, or follows from trials that are not finished."""
    return RunError(
        "the record of a trial is damaged, or was written by a newer nncli",
        location=Location(source=str(file)),
        hint="Remove the file, and those of later trials with their directories; they are repeated.",
    )


def clear_leftovers(path: Path, trials: Iterable[Trial]) -> None:
    """Remove the temporary files and folders of a search that was killed; its directory must be locked.

    Folders that a process still has locked stay.
    """
    folders = [path, path / TRIALS]
    for trial in trials:
        if trial.state in ("running", "failed"):  # while the others ended, nothing was written to their directories
            folders += [folder_of(path, trial.number), folder_of(path, trial.number) / FOLDS]
    for leftover in (leftover for folder in folders for leftover in folder.glob(f".*{TEMPORARY_SUFFIX}")):
        if not leftover.is_dir():
            leftover.unlink(missing_ok=True)
            continue
        with suppress(NncliError), Run(leftover).locked():
            shutil.rmtree(leftover, ignore_errors=True)


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

"""The directory of a search: its configuration, and the record of what may not change while it goes on.

config.yaml     the configuration with the section `tune`, every path absolute
tune.json       versions, digests of configuration and table
trials/0000     the run or cross-validation of each trial; 0000.json its values and result
trials.csv      a row for each finished trial
best.yaml       the configuration of the best trial
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import ValidationError

from nncli.base.atomic_files import (
    TEMPORARY_SUFFIX,
    batched_fsync,
    relabel_errors,
    write_text,
)
from nncli.base.errors import ConfigError, Location, NncliError, RunError
from nncli.base.spec import NonNegativeInt, Spec, StrictStr, non_defaults
from nncli.config.loading import LoadedConfig, folder_and_name, load_document
from nncli.config.renamed_keys import present_key, with_earlier_names
from nncli.config.schema import Config
from nncli.config.schema.tune import TuneSection
from nncli.config.yaml.writer import dump, one_line
from nncli.run_directory.config import read_document
from nncli.run_directory.filenames import CONFIG, FOLDS, SEARCH
from nncli.run_directory.loader import LARGEST_TEXT, check_plugins, read_file
from nncli.run_directory.run import Run
from nncli.tuning.search_data import Objective
from nncli.tuning.space.space import ChoiceDomain, Key, SearchSpace, expand

RECORD = SEARCH
BEST = "best.yaml"
RESUMABLE_SETTINGS = ("trials", "time_limit")
"""Settings that may change when a search is resumed."""


class SearchRecord(Spec):
    """Versions, and digests of what the results of trials depend on."""

    format: Literal[1] = 1
    nncli: str
    optuna: str
    fingerprint: str
    data_sha256: str


def search_fingerprints(config: Config, section: TuneSection) -> tuple[str, str]:
    """Digests of the configuration and of the settings that may not change: of today, and of older versions."""
    settings = {key: value for key, value in non_defaults(section).items() if key not in RESUMABLE_SETTINGS}
    described = {**non_defaults(config), "output": None, "workers": None, "tune": settings}
    described["data"].pop("default_missing_values", None)  # `missing_values` has all words
    texts = (json.dumps(values, sort_keys=True).encode() for values in (described, with_earlier_names(described)))
    present, earlier = (hashlib.sha256(text).hexdigest() for text in texts)
    return present, earlier


def new_record(config: Config, section: TuneSection, data_sha256: str) -> SearchRecord:
    """The record of a search that begins."""
    from nncli.version import __version__

    return SearchRecord(
        nncli=__version__,
        optuna=version("optuna"),
        fingerprint=search_fingerprints(config, section)[0],
        data_sha256=data_sha256,
    )


def config_text(config: Config, section: TuneSection | None, comment: str) -> str:
    """A configuration as YAML that is complete without a preset, with `section` if there is one."""
    document = {"preset": "textbook", **non_defaults(config.model_copy(update={"output": None}))}
    if section is not None:
        document["tune"] = non_defaults(section)
    return f"# {comment}\n# The preset textbook adds nothing to these keys.\n{dump(document)}"


def create_directory(
    requested: Path, config: Config, section: TuneSection, record: SearchRecord, *, replaces: bool = False
) -> Path:
    """Create the directory, `requested` or the first of `requested-2` … that is free, with its two files or not at all.

    Raises:
        UsageError: `requested` cannot be the name of a new folder.
        NncliError: it cannot be created.
    """
    text = config_text(config, section, "The configuration of a search by nncli tune.")
    with Run.temporary(requested) as run, relabel_errors(run.path, requested):
        with batched_fsync():
            write_text(run.path / CONFIG, text, in_place=True)
            write_text(run.path / RECORD, record.model_dump_json(indent=1) + "\n", in_place=True)
        return run.rename_to_free_name(requested, lambda path: None, replaces=replaces).path


def open_directory(path: Path) -> tuple[LoadedConfig, SearchRecord]:
    """The configuration and the record of a search that was started.

    Raises:
        RunError: there is none, or it was changed.
    """
    if not os.path.lexists(path / RECORD):
        raise RunError(
            f"there is no search to resume: no {RECORD}",
            location=Location(source=str(path)),
            hint="`nncli tune CONFIG` begins one and says where.",
        )
    try:
        record = SearchRecord.model_validate_json(read_file(path, RECORD, LARGEST_TEXT))
    except (ValidationError, ValueError) as error:
        raise RunError(
            "the file is damaged, or was written by a newer nncli", location=Location(source=str(path / RECORD))
        ) from error
    check_plugins(path)
    try:
        folder, name = folder_and_name(path / CONFIG)
        loaded = load_document(read_document(path), (), folder=folder, name=name)
    except ConfigError as error:
        raise RunError(
            f"the configuration of the search is damaged: {error.issues[0].message}",
            location=Location(source=str(path / CONFIG)),
        ) from error
    if record.fingerprint not in search_fingerprints(loaded.config, loaded.tune or TuneSection()):
        raise RunError(
            "the configuration has been changed since the search began; only trials and time_limit may change",
            location=Location(source=str(path / CONFIG)),
            hint="Undo the change, or begin a new search.",
        )
    return loaded, record


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
    write_text(record_of(path, trial.number), trial.model_dump_json(indent=1) + "\n", in_place=True)


def load_trials(path: Path) -> list[Trial]:
    """The trials that were proposed, in order.

    Raises:
        RunError: a record is damaged.
    """
    trials: list[Trial] = []
    while (file := record_of(path, len(trials))).exists():
        try:
            trial = Trial.model_validate_json(read_file(file.parent, file.name, LARGEST_TEXT))
            values = {present_key(key): value for key, value in trial.values.items()}
            trial = trial.model_copy(update={"values": values})
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
    write_text(path / TRIALS_TABLE, text.getvalue(), in_place=True)


DEFAULT = "default"
"""The text of a value that is not set."""
SHORT_FORMS = (("dense", "units"), ("constant", "peak"))
"""Types that are written as the value of a key alone."""
ABSENT = "–"
"""The text of a value of a key that the configuration does not have."""


class TrialValues:
    """The values of the trials of a search space."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._parameters = {parameter.name: parameter for parameter in space.parameters}

    def labels(self, trial: Trial) -> dict[str, str]:
        """The value of each active parameter as text; empty for trial 0."""
        return self._space.labels(self._space.rounded(trial.values))

    def changed(self, trial: Trial) -> dict[str, str]:
        """The values that differ from those of the configuration, as text."""
        labels = self.labels(trial)
        try:
            config = self._space.rounded_config(trial.values)
        except ConfigError:
            return labels
        return {name: label for name, label in labels.items() if self._differs(config, self._parameters[name].key)}

    def _differs(self, config: Config, key: Key) -> bool:
        return any(spec_at(config, expanded) != spec_at(self._space.base, expanded) for expanded in expand(key, config))

    def base(self, name: str) -> str:
        """The value of a parameter in the configuration itself, as text."""
        keys = expand(self._parameters[name].key, self._space.base)
        values = [spec_at(self._space.base, key) for key in keys]
        texts = [DEFAULT if value is None else one_line(_short(non_defaults(value))) for value in values]
        return ", ".join(dict.fromkeys(texts)) or ABSENT

    def written(self, trial: Trial) -> dict[str, Any]:
        """The value of each active parameter as it is written in a configuration."""
        values = self._space.rounded(trial.values)
        domains = {name: self._parameters[name].domain for name in values}
        return {
            name: _short(domain.choices[int(values[name])]) if isinstance(domain, ChoiceDomain) else values[name]
            for name, domain in domains.items()
        }


def spec_at(config: Config, key: Key) -> Any:
    """The value of a key without *, as an object of a specification if it is one; None if there is none."""
    value: Any = config
    for step in key:
        if isinstance(value, Spec):
            value = getattr(value, step, None)
        elif isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            value = value[int(step)] if step.isdecimal() and int(step) < len(value) else None
        else:
            return None
    return value


def _short(value: Any) -> Any:
    """A value with names and numbers in place of `{type: relu}` and `{type: dense, units: 8}`."""
    if isinstance(value, Mapping):
        for kind, name in SHORT_FORMS:
            if value.keys() == {"type", name} and value["type"] == kind:
                return value[name]
        return value["type"] if value.keys() == {"type"} else {key: _short(item) for key, item in value.items()}
    return [_short(item) for item in value] if isinstance(value, list | tuple) else value


class TrialHistory:
    """The trials that were proposed. `lag` is that of the search."""

    def __init__(self, objective: Objective, lag: int) -> None:
        self._objective, self._lag = objective, lag
        self._trials: list[Trial] = []
        self._losses: list[float | None] = []  # of the trials before the first unfinished one
        self._incumbents: list[int | None] = [None]  # the best of the first 0, 1, … trials that are finished
        self._best: int | None = None

    def __len__(self) -> int:
        return len(self._trials)

    def __getitem__(self, number: int) -> Trial:
        return self._trials[number]

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials in order."""
        return tuple(self._trials)

    @property
    def best(self) -> Trial | None:
        """The best complete trial so far, the first of several equal ones."""
        return None if self._best is None else self._trials[self._best]

    def add(self, trial: Trial) -> None:
        """Add the next trial, finished or not."""
        self._trials.append(trial)
        if trial.is_finished:
            self._update(trial)

    def finish(self, trial: Trial) -> None:
        """Replace a trial by its result."""
        self._trials[trial.number] = trial
        self._update(trial)

    def known_losses(self, number: int) -> Sequence[float | None] | None:
        """The losses of all trials that trial `number` follows from, each None if it failed or has no estimated score.

        None if one of these trials is not finished.
        """
        results = self._number_of_results(number)
        return self._losses[:results] if results <= len(self._losses) else None

    def incumbent(self, number: int) -> Trial | None:
        """The trial that trial `number` is compared with: the best of those that it follows from."""
        incumbent = self._incumbents[self._number_of_results(number)]
        return None if incumbent is None else self._trials[incumbent]

    def incumbents_from(self, number: int) -> set[int]:
        """The numbers of the trials that trial `number` or a later one may be compared with, as far as is known."""
        return {
            incumbent
            for incumbent in (*self._incumbents[self._number_of_results(number) :], self._best)
            if incumbent is not None
        }

    def _number_of_results(self, number: int) -> int:
        """How many trials trial `number` follows from."""
        return max(0, number - self._lag + 1)

    def _update(self, finished: Trial) -> None:
        self._best = self._better(self._best, finished)
        while len(self._losses) < len(self._trials) and self._trials[len(self._losses)].is_finished:
            trial = self._trials[len(self._losses)]
            score = trial.comparable_score
            self._losses.append(None if score is None else self._objective.loss_of(score))
            self._incumbents.append(self._better(self._incumbents[-1], trial))

    def _better(self, best: int | None, trial: Trial) -> int | None:
        """The better one of two trials."""
        if trial.state != "complete" or trial.score is None:
            return best
        if best is None:
            return trial.number
        score = self._trials[best].score
        assert score is not None, "only a trial with a score is the best"
        losses = self._objective.loss_of(trial.score), self._objective.loss_of(score)
        return trial.number if (losses[0], trial.number) < (losses[1], best) else best

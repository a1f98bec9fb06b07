"""A search as its directory describes it, read without Optuna and without the table."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from nncli.base.errors import Advice, Location, ResumeRun, RunError, in_terminal
from nncli.base.logs import format_duration
from nncli.base.spec import NonNegativeInt, Spec
from nncli.base.text import format_number
from nncli.config.renamed_keys import present_key
from nncli.config.schema import Config
from nncli.config.schema.tune import TuneSection
from nncli.run_directory.filenames import METRICS, is_locked
from nncli.run_directory.loader import LARGEST_TEXT, read_file
from nncli.targets.metrics.registry import higher_is_better
from nncli.tuning.gain import Gain, ParameterImportance
from nncli.tuning.space.build_space import build_space
from nncli.tuning.space.space import SearchSpace, Values
from nncli.tuning.trials import BEST, TRIALS_TABLE, Trial, load_trials, open_directory


class SearchResult(Spec):
    """The best of so many `trials`, trial 0 included, what it gained over it, and which parameters matter.

    `gain` is None if a trial's predictions cannot be read, for the reason in `message`; `importance` is None for fewer
    than ten trials with a score. `baseline_score` is of a prediction that is the same for every row.
    A search that `timed_out` may end otherwise on another machine.
    """

    format: Literal[1] = 1
    metric: str
    higher_is_better: bool
    trials: NonNegativeInt
    complete: NonNegativeInt
    pruned: NonNegativeInt
    failed: NonNegativeInt
    first_score: float
    best_trial: NonNegativeInt
    best_score: float
    gain: Gain | None
    baseline_score: float | None = None
    importance: tuple[ParameterImportance, ...] | None
    timed_out: bool = False
    exhausted: bool = False
    message: str | None = None

    @property
    def is_worse_than_baseline(self) -> bool:
        """Whether the best trial is no better than a prediction that is the same for every row."""
        return is_no_better(self.best_score, self.baseline_score, higher_is_better=self.higher_is_better)


def is_no_better(score: float | None, baseline: float | None, *, higher_is_better: bool) -> bool:
    """Whether a score is no better than that of the baseline; no if one is not known."""
    if score is None or baseline is None:
        return False
    return score <= baseline if higher_is_better else score >= baseline


def load_result(path: Path) -> SearchResult | None:
    """The result of the search in the directory `path`; None if it has not ended.

    Raises:
        RunError: the file is damaged.
    """
    if not (path / METRICS).exists():
        return None
    try:
        result = SearchResult.model_validate_json(read_file(path, METRICS, LARGEST_TEXT))
    except (ValidationError, ValueError) as error:
        raise RunError(
            "the file is damaged, or was written by a newer nncli",
            location=Location(source=str(path / METRICS)),
            hint=Advice("To write it again: ", ResumeRun(path, operation="tune"), "."),
        ) from error
    importance = result.importance and tuple(
        share.model_copy(update={"parameter": present_key(share.parameter)}) for share in result.importance
    )
    return result.model_copy(update={"importance": importance})


@dataclass(frozen=True)
class SearchSummary:
    """The configuration, the space, the trials and the result of a search; `result` is None until it has ended."""

    path: Path
    config: Config
    section: TuneSection
    space: SearchSpace
    metric: str
    trials: tuple[Trial, ...]
    result: SearchResult | None
    is_running: bool

    @property
    def is_done(self) -> bool:
        """Whether the search has ended."""
        return self.result is not None

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher score is better."""
        return higher_is_better(self.metric)

    @property
    def is_repeatable(self) -> bool:
        """Whether another machine finds the same; not with a time limit that has ended the search."""
        return self.result is None or not self.result.timed_out

    @cached_property
    def scored(self) -> tuple[Trial, ...]:
        """The complete trials in order."""
        return tuple(trial for trial in self.trials if trial.state == "complete" and trial.score is not None)

    @cached_property
    def ranked(self) -> tuple[Trial, ...]:
        """The complete trials, the best one first."""
        sign = -1.0 if self.higher_is_better else 1.0
        return tuple(sorted(self.scored, key=lambda trial: (sign * (trial.score or 0.0), trial.number)))

    @property
    def best(self) -> Trial | None:
        """The complete trial with the best score."""
        return self.ranked[0] if self.ranked else None

    @property
    def first(self) -> Trial | None:
        """Trial 0, which is the configuration itself, once it is complete."""
        return next((trial for trial in self.scored if trial.number == 0), None)

    def count(self, state: str) -> int:
        """The number of trials in a state."""
        return sum(trial.state == state for trial in self.trials)

    @cached_property
    def _base_values(self) -> Values:
        return self.space.base_values() or {}

    def values(self, trial: Trial) -> Values:
        """The value of each active parameter of a trial; of trial 0 none unless its values are in the space."""
        return self.space.rounded(trial.values) if trial.number else self._base_values

    def labels(self, trial: Trial) -> dict[str, str]:
        """The value of each active parameter of a trial as text."""
        return self.space.labels(self.values(trial))

    @property
    def seconds(self) -> float:
        """The training time of all trials."""
        return sum(trial.seconds for trial in self.trials)

    @property
    def time_saved(self) -> TimeSaved | None:
        """The training time that pruning has saved, an estimate; None if no trial was pruned."""
        return time_saved(self.trials, 1 if self.section.folds == "holdout" else self.section.folds)

    @property
    def best_config(self) -> str | None:
        """The text of best.yaml; None until there is one."""
        try:
            return read_file(self.path, BEST, LARGEST_TEXT).decode()
        except (RunError, UnicodeDecodeError):
            return None

    @property
    def resume_command(self) -> str:
        """The command that continues the search."""
        return in_terminal(ResumeRun(self.path, operation="tune"))

    @property
    def train_command(self) -> str:
        """The command that trains the best configuration."""
        return f"nncli train {shlex.quote(str(self.path / BEST))}"

    @property
    def status(self) -> str:
        """Done, running or stopped."""
        return "done" if self.is_done else "running" if self.is_running else "stopped"

    @property
    def _status_text(self) -> str:
        if self.status != "stopped":
            return self.status
        if sum(trial.is_finished for trial in self.trials) > self.section.trials:
            return "all trials have ended; resumed, the search computes the result"  # a version without results
        return "not finished"

    def facts(self) -> list[tuple[str, str]]:
        """What it is, as pairs of a name and a text."""
        states = [f"{self.count(state):,} {state}" for state in ("complete", "pruned", "failed", "running")]
        counts = ", ".join(text for text in states if not text.startswith("0 "))
        section, best = self.section, self.best
        validation = "validation rows" if section.folds == "holdout" else f"{section.folds:,} folds"
        saved = "" if self.time_saved is None else f", {format_duration(self.time_saved.seconds)} saved by pruning"
        return [
            ("search", str(self.path)),
            ("status", self._status_text),
            ("trials", f"{counts} of {section.trials + 1:,}"),
            ("sampler", f"{section.sampler}, lag {section.lag}, seed {self.config.seed}"),
            ("scored by", f"{self.metric} of {validation}"),
            ("data", self.config.data.title),
            ("target", ", ".join(self.config.data.target)),
            ("training time", f"{format_duration(self.seconds)}{saved}"),
            ("time limit", "" if section.time_limit is None else str(section.time_limit)),
            ("best", "" if best is None else f"trial {best.number}, {self.metric} {format_number(best.score)}"),
            ("best configuration", "" if best is None else str(self.path / BEST)),
        ]

    def json(self) -> dict[str, Any]:
        """The search as a JSON object."""
        best = self.best
        return {
            "path": str(self.path),
            "kind": "search",
            "status": self.status,
            "data": self.config.data.title,
            "target": list(self.config.data.target),
            "metric": self.metric,
            "higher_is_better": self.higher_is_better,
            "trials": [
                {
                    "trial": trial.number,
                    "state": trial.state,
                    "score": trial.score,
                    "estimated_score": trial.estimated_score,
                    "folds": list(trial.folds),
                    "values": self.labels(trial),
                    "seconds": trial.seconds,
                    "message": trial.message,
                }
                for trial in self.trials
            ],
            "best": None
            if best is None
            else {"trial": best.number, "score": best.score, "config": str(self.path / BEST)},
            "seconds": self.seconds,
            "seconds_saved_by_pruning": None if self.time_saved is None else self.time_saved.seconds,
            "result": None if self.result is None else self.result.model_dump(mode="json"),
        }


def read_search(path: Path) -> SearchSummary:
    """Read the search in the directory `path`, finished or not.

    Raises:
        RunError: there is none, or one of its files is damaged.
        ConfigError: its search space is damaged.
    """
    loaded, _ = open_directory(path)
    section, trials, result = loaded.tune or TuneSection(), load_trials(path), load_result(path)
    if result is not None and result.trials != sum(trial.is_finished for trial in trials):
        result = None  # it went on since
    return SearchSummary(
        path=path,
        config=loaded.config,
        section=section,
        space=build_space(loaded, section),
        metric=_metric(path) if result is None else result.metric,
        trials=tuple(trials),
        result=result,
        is_running=is_locked(path),
    )


def _metric(path: Path) -> str:
    """The metric that trials.csv has a column of; before the first trial has ended just the score."""
    try:
        header = next(csv.reader(io.StringIO(read_file(path, TRIALS_TABLE, LARGEST_TEXT).decode())), [])
    except (RunError, UnicodeDecodeError):
        return "score"
    return header[2] if len(header) > 2 else "score"


@dataclass(frozen=True)
class TimeSaved:
    """The `seconds` of training that pruning saved of so many `trials`, and `trained` those that there were."""

    trials: int
    seconds: float
    trained: float

    @property
    def share(self) -> float:
        """The part of the time without pruning."""
        total = self.seconds + self.trained
        return self.seconds / total if total else 0.0


def time_saved(trials: Iterable[Trial], folds: int) -> TimeSaved | None:
    """What pruning saved if the other folds of each pruned trial had taken as long as its own; None without any."""
    finished = [trial for trial in trials if trial.is_finished]
    pruned = [trial for trial in finished if trial.state == "pruned" and trial.folds]
    if not pruned:
        return None
    seconds = sum(trial.seconds / len(trial.folds) * (folds - len(trial.folds)) for trial in pruned)
    return TimeSaved(len(pruned), seconds, sum(trial.seconds for trial in finished))

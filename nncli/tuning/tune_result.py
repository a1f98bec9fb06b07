"""The result of a search: its trials, the best one, and what was gained over trial 0."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nncli.base.errors import Advice, NncliError, ResumeRun, UseOption
from nncli.base.findings import Finding, FindingCode, keeps_rows, note
from nncli.config.schema import Config
from nncli.config.schema.tune import Range, TuneSection
from nncli.nn.optim.schedules import ConstantRate
from nncli.run_directory.filenames import METRICS, is_locked
from nncli.run_directory.run import is_search
from nncli.tuning.gain import Gain
from nncli.tuning.search import SearchEnded, SearchStarted
from nncli.tuning.space.space import SearchSpace
from nncli.tuning.summary import TimeSaved, is_no_better, time_saved
from nncli.tuning.trials import BEST, Trial, TrialValues

SUFFIX = re.compile(r"(?<=.)-tune(-\d+)?$")
"""The end of the default name of a search."""


@dataclass(frozen=True)
class TuneResult:
    """The result of a search in the directory `path`.

    `trials` are all in order, the first one of them trial 0, the configuration itself. No trial began after the time
    limit if the search `timed_out`, and those that had begun took `seconds_late` more; it is `exhausted` if every
    combination of values has been tried. `corrected_gain` is the gain over trial 0 with its interval, corrected for
    the choice among all trials; None if it is not known, for the reason in `message`. `baseline_score` is that of a
    prediction that is the same for every row.
    """

    path: Path
    metric: str
    higher_is_better: bool
    folds: int
    space: SearchSpace
    trials: tuple[Trial, ...]
    best: Trial
    timed_out: bool = False
    seconds_late: float = 0.0
    exhausted: bool = False
    corrected_gain: Gain | None = None
    message: str | None = None
    baseline_score: float | None = None

    @classmethod
    def of(cls, started: SearchStarted, ended: SearchEnded) -> Self:
        """The result of a search that has ended.

        Raises:
            NncliError: the time limit was over before trial 0.
        """
        if ended.best is None:
            raise NncliError(
                "the time limit was over before the first trial",
                hint=Advice("Allow more time: ", UseOption("time_limit", "time_limit", "10m")),
            )
        return cls(
            path=started.path,
            metric=started.metric,
            higher_is_better=started.higher_is_better,
            folds=started.folds,
            space=started.space,
            trials=ended.trials,
            best=ended.best,
            timed_out=ended.timed_out,
            seconds_late=ended.seconds_late,
            exhausted=ended.exhausted,
            corrected_gain=None if ended.result is None else ended.result.gain,
            message=None if ended.result is None else ended.result.message,
            baseline_score=None if ended.result is None else ended.result.baseline_score,
        )

    @property
    def first(self) -> Trial:
        """Trial 0, the configuration itself."""
        return self.trials[0]

    @property
    def best_config(self) -> Path:
        """The file of the best configuration."""
        return self.path / BEST

    @property
    def trained_run(self) -> Path:
        """Where `nncli tune --train` trains the best configuration: runs/NAME for a search in runs/NAME-tune."""
        name, number = SUFFIX.subn(r"\1", self.path.name)
        return self.path.with_name(name if number else f"{name}-best")

    @property
    def combinations(self) -> int:
        """The number of combinations of values that were tried, that of trial 0 among them if it is in the space."""
        finished = sum(trial.is_finished for trial in self.trials)
        return finished - (self.space.base_values() is None)

    @property
    def values(self) -> TrialValues:
        """The values of the trials as text."""
        return TrialValues(self.space)

    @property
    def time_saved(self) -> TimeSaved | None:
        """The training time that pruning has saved, an estimate; None if no trial was pruned."""
        return time_saved(self.trials, self.folds)

    @property
    def is_worse_than_baseline(self) -> bool:
        """Whether the best trial is no better than a prediction that is the same for every row."""
        return is_no_better(self.best.score, self.baseline_score, higher_is_better=self.higher_is_better)

    @property
    def apparent_gain(self) -> float:
        """How much better the score of the best trial is than that of trial 0, not corrected for the choice."""
        first, best = self.first.score, self.best.score
        if first is None or best is None:
            raise AssertionError("trial 0 is complete, or its error ends the search")
        return best - first if self.higher_is_better else first - best


def ensemble_path(search: Path) -> Path:
    """Where an ensemble of the trials of a search is written: runs/NAME-ensemble for a search in runs/NAME-tune."""
    name = SUFFIX.sub(r"\1", search.name)
    return search.with_name(f"{name}-ensemble")


RATE = "learning_rate"


def notes_before(config: Config, section: TuneSection, wanted: Path) -> tuple[Finding, ...]:
    """The notes on a search around a configuration, which is to be written into the directory `wanted`."""
    notes = (*_stopped(wanted), *_ensemble(config, section), *_schedule(config, section))
    return (*notes, keeps_rows("search")) if config.private else notes


def _stopped(wanted: Path) -> Iterator[Finding]:
    """A stopped search has the directory, so that another one is made."""
    if is_search(wanted) and not (wanted / METRICS).exists() and not is_locked(wanted):
        resume = Advice("To go on with it: ", ResumeRun(wanted, operation="tune"))
        yield note(FindingCode.SEARCH, f"{wanted} has a search that was stopped", hint=resume)


def _ensemble(config: Config, section: TuneSection) -> Iterator[Finding]:
    """The configuration is an ensemble, whose scores are better than those of its trials."""
    if config.members == 1:
        return
    networks = "trains one network" + ("" if section.folds == "holdout" else " for each fold")
    message = (
        f"each trial {networks}; best.yaml keeps members: {config.members}, "
        "whose ensemble usually predicts better than the scores of trials say"
    )
    yield note(FindingCode.SEARCH, message)


def _schedule(config: Config, section: TuneSection) -> Iterator[Finding]:
    """The search replaces a schedule by constant learning rates."""
    rate, domain = config.learning_rate, section.search.get(RATE)
    if rate is None or isinstance(rate, ConstantRate) or domain is None:
        return
    if isinstance(domain, Range) or all(isinstance(choice, int | float) for choice in domain.choices):
        hint = f"To keep it, search {RATE}.peak"
        yield note(FindingCode.SEARCH, f"{RATE} replaces the schedule {rate.type} by a constant", hint=hint)
